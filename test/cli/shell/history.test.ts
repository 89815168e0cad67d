import assert from "node:assert/strict";
import { chmodSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { entriesMax, TypedHistory } from "../../../src/cli/shell/history.js";
import { tempDir } from "../../support/temp-dir.js";

test("what was typed is there for the next shell, the newest first and each once", (t) => {
  const path = join(tempDir(t), "log", "history");
  const first = new TypedHistory(path);
  for (const line of ["select 1;", "select 2;", "select 1;", "", "a\nb"]) first.add(line);
  assert.deepEqual(first.entries, ["select 1;", "select 2;"]);
  assert.deepEqual(new TypedHistory(path).entries, ["select 1;", "select 2;"]);
});

test("nobody but its owner can read it, also when it was readable before", (t) => {
  const path = join(tempDir(t), "history");
  new TypedHistory(path).add("select 'secret';");
  assert.equal(statSync(path).mode & 0o777, 0o600);
  chmodSync(path, 0o644);
  new TypedHistory(path);
  assert.equal(statSync(path).mode & 0o777, 0o600);
});

test("two shells at the same time lose nothing of each other", (t) => {
  const path = join(tempDir(t), "history");
  const one = new TypedHistory(path);
  const other = new TypedHistory(path);
  one.add("select 1;");
  other.add("select 2;");
  one.add("select 3;");
  assert.deepEqual(new TypedHistory(path).entries, ["select 3;", "select 2;", "select 1;"]);
});

test("it does not grow without an end", (t) => {
  const path = join(tempDir(t), "history");
  writeFileSync(path, Array.from({ length: 2 * entriesMax - 1 }, (_, i) => `select ${i};\n`).join(""));
  const history = new TypedHistory(path);
  assert.equal(history.entries.length, entriesMax);
  history.add("select 'last';");
  const lines = readFileSync(path, "utf8").trimEnd().split("\n");
  assert.equal(lines.length, entriesMax);
  assert.equal(lines.at(-1), "select 'last';");
  history.add("x".repeat(20_000));
  assert.equal(history.entries[0], "select 'last';");
});
