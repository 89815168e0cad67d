/** What a writer was doing can be read when it is gone. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ProgressFile, readProgress } from "../../../src/store/pipe/progress-file.js";
import { seq } from "../../../src/terms/index.js";
import { tempDir } from "../../support/temp-dir.js";

test("the last note is what is read", (t) => {
  const path = join(tempDir(t), "progress");
  assert.equal(readProgress(path), undefined);
  const file = new ProgressFile(path);
  assert.equal(readProgress(path)?.phase, "idle");
  file.note(seq(5), "running");
  file.note(seq(9_007_199_254_740_991), "committing");
  file.close();
  const progress = readProgress(path);
  assert.deepEqual([progress?.seq, progress?.phase], [9_007_199_254_740_991, "committing"]);
  const [seconds, nanoseconds] = process.hrtime();
  assert.ok((progress?.since ?? Infinity) <= seconds * 1000 + nanoseconds / 1e6);
});

test("the last request stays named when the writer is at nobody's", (t) => {
  const path = join(tempDir(t), "progress");
  const file = new ProgressFile(path);
  file.note(seq(5), "running");
  const seen: unknown[] = [];
  for (const phase of ["committing", "idle", "folding"] as const) {
    file.note(seq(0), phase);
    seen.push([readProgress(path)?.seq, readProgress(path)?.phase]);
  }
  file.close();
  assert.deepEqual(seen, [
    [5, "committing"],
    [5, "idle"],
    [5, "folding"],
  ]);
});

test("a note of half of one request and half of another is not read", (t) => {
  const path = join(tempDir(t), "progress");
  const torn = Buffer.alloc(32);
  torn.writeDoubleLE(5, 0);
  torn.writeDoubleLE(6, 24);
  writeFileSync(path, torn);
  assert.equal(readProgress(path), undefined);
  writeFileSync(path, "short");
  assert.equal(readProgress(path), undefined);
});
