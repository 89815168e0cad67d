import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { identityOf } from "../../../src/cli/processes.js";
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

test("a demo that is interrupted ends with the signal and leaves nothing behind, no broker either", async (t) => {
  const tree = tempDir(t);
  for (let f = 0; f < 2000; f++) writeFileSync(join(tree, `f${f}`), String(f));
  const temporary = tempDir(t);
  const running = new Running(["demo", "--tree", tree], { env: { TMPDIR: temporary } });
  await running.until(/of 2,000 files/);
  const [home = ""] = readdirSync(temporary);
  const broker = JSON.parse(readFileSync(join(temporary, home, "run", "broker.json"), "utf8")) as { pid: number };
  // More than once, as one Ctrl-C comes under npm.
  const pressing = setInterval(() => running.child.kill("SIGINT"), 1);
  const { code } = await running.ended.finally(() => clearInterval(pressing));
  assert.equal(code, 130);
  assert.deepEqual(readdirSync(temporary), []);
  assert.equal(identityOf(broker.pid), undefined);
});

test("a tree that is not there ends with 64", async () => {
  const { code, err } = await new Running(["demo", "--tree", "/no/such/tree"], {}).ended;
  assert.equal(code, 64);
  assert.match(err, /\/no\/such\/tree is not a directory/);
});
