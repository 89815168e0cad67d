import assert from "node:assert/strict";
import { appendFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { LogFollower, lastLines } from "../../src/cli/log-tail.js";
import { tempDir } from "../support/temp-dir.js";

test("the last lines are found however long the file is", (t) => {
  const path = join(tempDir(t), "log");
  const all = Array.from({ length: 20_000 }, (_, i) => `line ${i} äöü`);
  writeFileSync(path, `${all.join("\n")}\n`);
  assert.deepEqual(lastLines(path, 3).lines, all.slice(-3));
  assert.deepEqual(lastLines(path, 15_000).lines, all.slice(-15_000));
  assert.deepEqual(lastLines(path, 1_000_000).lines, all);
  assert.deepEqual(lastLines(path, 0).lines, []);
});

test("a last line without its end is shown too", (t) => {
  const path = join(tempDir(t), "log");
  writeFileSync(path, "one\ntwo");
  assert.deepEqual(lastLines(path, 5).lines, ["one", "two"]);
});

test("a follower tells what is added, in whole lines", (t) => {
  const path = join(tempDir(t), "log");
  writeFileSync(path, "old\n");
  const follower = new LogFollower(path, lastLines(path, 1).end);
  assert.deepEqual(follower.look(), []);
  appendFileSync(path, "new\nunfin");
  assert.deepEqual(follower.look(), ["new"]);
  appendFileSync(path, "ished\n");
  assert.deepEqual(follower.look(), ["unfinished"]);
});

test("a follower survives a file that is replaced, emptied, or not there yet", (t) => {
  const path = join(tempDir(t), "log");
  const follower = new LogFollower(path, 0);
  assert.deepEqual(follower.look(), []);
  writeFileSync(path, "first\n");
  assert.deepEqual(follower.look(), ["first"]);
  renameSync(path, `${path}.1`);
  writeFileSync(path, "second file, longer than the first\n");
  assert.deepEqual(follower.look(), ["second file, longer than the first"]);
  writeFileSync(path, "short\n");
  assert.deepEqual(follower.look(), ["short"]);
});

test("what was written to a file before it was moved away is told before what is in the next one", (t) => {
  const path = join(tempDir(t), "log");
  writeFileSync(path, "old\n");
  const follower = new LogFollower(path, lastLines(path, 1).end);
  appendFileSync(path, "last of the old\nwithout an end");
  renameSync(path, `${path}.1`);
  writeFileSync(path, "first of the new\n");
  assert.deepEqual(follower.look(), ["last of the old", "without an end", "first of the new"]);
  appendFileSync(path, "second\n");
  assert.deepEqual(follower.look(), ["second"]);
});

test("while a moved file has no successor it is followed under its other name", (t) => {
  const path = join(tempDir(t), "log");
  writeFileSync(path, "old\n");
  const follower = new LogFollower(path, lastLines(path, 1).end);
  renameSync(path, `${path}.1`);
  appendFileSync(`${path}.1`, "still here\n");
  assert.deepEqual(follower.look(), ["still here"]);
  writeFileSync(path, "new\n");
  assert.deepEqual(follower.look(), ["new"]);
});
