/** A source file that nothing can reach (from a process, a door, the testing entry or a test) is dead, and goes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { roomNames } from "./rooms.js";
import { importsOf, sourcesIn } from "./tree.js";

/** The library's second entry, beside its door. */
const entries = ["src/client/testing.ts"];

test("every source file can be reached", () => {
  const sources = sourcesIn("src");
  const doors = roomNames.map((room) => `src/${room}/index.ts`);
  const roots = [
    ...sources.filter((file) => file.endsWith(".main.ts") || doors.includes(file) || entries.includes(file)),
    ...sourcesIn("test", "bench"),
  ];
  const reached = new Set(roots);
  for (const file of reached) {
    for (const { file: target } of importsOf(file)) {
      if (target !== undefined && sources.includes(target)) {
        reached.add(target);
      }
    }
  }
  assert.deepEqual(
    sources.filter((file) => !reached.has(file)),
    [],
  );
});

test("every room has a door", () => {
  const sources = sourcesIn("src");
  assert.deepEqual(
    roomNames.filter((room) => !sources.includes(`src/${room}/index.ts`)),
    [],
  );
});
