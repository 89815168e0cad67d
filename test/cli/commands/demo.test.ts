import assert from "node:assert/strict";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { tempDir } from "../../support/temp-dir.js";
import { Running } from "../holdfast.js";

test("the demo's table is exact after the deaths of an indexer and of the broker, and nothing is left behind", async (t) => {
  const tree = tempDir(t);
  for (let d = 0; d < 12; d++) {
    mkdirSync(join(tree, `d${d}`));
    for (let f = 0; f < 60; f++) writeFileSync(join(tree, `d${d}`, `f${f}`), `${d} ${f}`.repeat(f));
  }
  const temporary = tempDir(t);
  const { code, out, err } = await new Running(["demo", "--tree", tree], { env: { TMPDIR: temporary } }).ended;
  assert.equal(code, 0, out + err);
  assert.match(out, /table against tree, file by file: exact/);
  assert.match(out, /720 files/);
  assert.ok(
    out.split("\n").every((line) => line.length <= 80),
    out,
  );
  assert.deepEqual(readdirSync(temporary), []);
});

test("a tree that is not there ends with 64", async () => {
  const { code, err } = await new Running(["demo", "--tree", "/no/such/tree"], {}).ended;
  assert.equal(code, 64);
  assert.match(err, /\/no\/such\/tree is not a directory/);
});
