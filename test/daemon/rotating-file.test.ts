import assert from "node:assert/strict";
import { lstatSync, readdirSync, readFileSync, renameSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { RotatingFile } from "../../src/daemon/rotating-file.js";
import { tempDir } from "../support/temp-dir.js";

test("a full file becomes the first of the old ones, and there are never more than five files", (t) => {
  const directory = tempDir(t);
  const file = new RotatingFile(join(directory, "log"), 10);
  for (let line = 1; line <= 8; line++) file.write(`line ${line}\n`);
  file.close();
  assert.deepEqual(readdirSync(directory).sort(), ["log", "log.1", "log.2", "log.3", "log.4"]);
  const text = (name: string) => readFileSync(join(directory, name), "utf8");
  assert.deepEqual(["log", "log.1", "log.4"].map(text), ["line 8\n", "line 7\n", "line 4\n"]);
  for (const name of readdirSync(directory)) assert.equal(lstatSync(join(directory, name)).mode & 0o777, 0o600);
});

test("what is there already is kept and counted, and a line longer than a file is written whole", (t) => {
  const path = join(tempDir(t), "log");
  const first = new RotatingFile(path, 20);
  first.write("before\n");
  first.close();
  const second = new RotatingFile(path, 20);
  second.write("after\n");
  assert.equal(readFileSync(path, "utf8"), "before\nafter\n");
  second.write("x".repeat(100));
  assert.equal(readFileSync(path, "utf8").length, 100);
  assert.equal(readFileSync(`${path}.1`, "utf8"), "before\nafter\n");
  second.close();
});

test("when somebody has moved the file away, a new one is begun after reopening", (t) => {
  const path = join(tempDir(t), "log");
  const file = new RotatingFile(path);
  file.write("one\n");
  renameSync(path, `${path}.away`);
  file.write("two\n");
  file.reopen();
  file.write("three\n");
  file.close();
  file.write("lost\n");
  assert.equal(readFileSync(`${path}.away`, "utf8"), "one\ntwo\n");
  assert.equal(readFileSync(path, "utf8"), "three\n");
});

test("a symbolic link is not written through, and a place that cannot be opened is an error at once", (t) => {
  const directory = tempDir(t);
  symlinkSync("elsewhere", join(directory, "link"));
  assert.throws(() => new RotatingFile(join(directory, "link")), { code: "ELOOP" });
  assert.throws(() => new RotatingFile(join(directory, "no", "log")), { code: "ENOENT" });
});

test("a full disk loses lines and stops nobody", () => {
  const file = new RotatingFile("/dev/full");
  file.write("lost\n");
  file.close();
});
