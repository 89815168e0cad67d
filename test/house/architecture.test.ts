/** ARCHITECTURE.md is a map: what it names exists, and no room is missing from it. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { roomNames } from "./rooms.js";
import { filesIn, read, root } from "./tree.js";

const map = "ARCHITECTURE.md";
const linesMax = 300;

/** Texts in backticks that are paths: below a folder of the clone, or with the ending of a file. */
function pathsIn(text: string): string[] {
  const quoted = [...text.matchAll(/`([^`\s]+)`/g)].map((match) => match[1] ?? "");
  return quoted
    .map((one) => one.replace(/[:#]\d+$/, ""))
    .filter((one) => /^(?:src|test|proto|bench|scripts|\.ci)\/|\/.*\.(?:ts|mjs|md|json|txt|service|plist)$/.test(one))
    .filter((one) => !/[<>*…]|^\w+:\/\//.test(one))
    .flatMap(alternatives);
}

/** `src/store/{writer,reader}` names two. */
function alternatives(path: string): string[] {
  const braces = /^(.*)\{([^}]*)\}(.*)$/.exec(path);
  return braces === null
    ? [path]
    : (braces[2] ?? "").split(",").flatMap((part) => alternatives(`${braces[1]}${part}${braces[3]}`));
}

test("every path that the map names exists", () => {
  assert.ok(existsSync(join(root, map)), `${map} is missing`);
  const files = filesIn("src", "test", "proto", "bench", "scripts", "deploy");
  const missing = pathsIn(read(map)).filter((path) => {
    // `core/core.ts` and `wait-queue.ts` are as good as the whole path, as long as they mean something.
    return !existsSync(join(root, path)) && !files.some((file) => file.endsWith(`/${path}`));
  });
  assert.deepEqual(missing, []);
});

test("every room is described on the map", () => {
  assert.ok(existsSync(join(root, map)), `${map} is missing`);
  const text = read(map);
  const missing = roomNames.filter((room) => !new RegExp(`\`(?:src/)?${room}/?\``).test(text));
  assert.deepEqual(missing, []);
});

test("the map fits in a head: at most 300 lines", () => {
  assert.ok(existsSync(join(root, map)), `${map} is missing`);
  assert.ok(read(map).trimEnd().split("\n").length <= linesMax);
});
