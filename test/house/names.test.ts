/** Names of files: a bucket has no idea of its own, so it fills for ever. */
import assert from "node:assert/strict";
import { basename, dirname } from "node:path";
import { test } from "node:test";
import { sourcesIn } from "./tree.js";

const buckets = /^(?:utils?|helpers?|common|managers?|misc|base|shared|stuff|lib|types|interfaces|old|new|v?\d+)$/;

/** `*.main.ts` begins a process, `*.sql.ts` is SQL text; tests and benchmarks have their own endings. */
const endings = /\.(?:main|sql|test|bench)$/;

const mains = [
  "src/cli/cli.main.ts",
  "src/daemon/front.main.ts",
  "src/store/reader/reader.main.ts",
  "src/store/writer/writer.main.ts",
];

test("no file or folder is named like a bucket", () => {
  const bad = sourcesIn("src", "test", "bench").filter((file) => {
    const words = basename(file, ".ts").replace(endings, "").split("-");
    return [...dirname(file).split("/"), ...words].some((word) => buckets.test(word));
  });
  assert.deepEqual(bad, []);
});

test("a file's name is a noun in small letters with hyphens", () => {
  const bad = sourcesIn("src", "test", "bench").filter((file) => {
    return !/^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/.test(basename(file, ".ts").replace(endings, ""));
  });
  assert.deepEqual(bad, []);
});

test("four processes begin in four files, and nowhere else", () => {
  assert.deepEqual(
    sourcesIn("src").filter((file) => file.endsWith(".main.ts")),
    mains,
  );
});
