import assert from "node:assert/strict";
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { SelfCheck } from "../../src/daemon/self-check.js";
import { tempDir } from "../support/temp-dir.js";

function world(t: TestContext) {
  const root = tempDir(t);
  const parts = { runDir: join(root, "run"), database: join(root, "data.db") };
  const state = { published: true };
  mkdirSync(parts.runDir);
  writeFileSync(parts.database, "1");
  return { ...parts, root, state, check: new SelfCheck({ ...parts, stillPublished: () => state.published }) };
}

test("as long as all is where it was, nothing is wrong", (t) => {
  const { check, database } = world(t);
  writeFileSync(database, "written to, still the same file");
  assert.equal(check.look(), undefined);
});

test("a database that is gone or was replaced means that writes are lost", (t) => {
  const { check, database, root } = world(t);
  writeFileSync(join(root, "backup.db"), "1");
  renameSync(join(root, "backup.db"), database);
  assert.equal(check.look()?.kind, "detached");
  rmSync(database);
  assert.equal(check.look()?.kind, "detached");
});

test("a database that comes later is the one that must stay", (t) => {
  const { runDir, root } = world(t);
  const database = join(root, "later.db");
  const check = new SelfCheck({ runDir, database, stillPublished: () => true });
  assert.equal(check.look(), undefined);
  writeFileSync(database, "");
  assert.equal(check.look(), undefined);
  rmSync(database);
  assert.equal(check.look()?.kind, "detached");
});

test("a run directory that is gone or was replaced, or a socket that is, means that nobody finds the broker", (t) => {
  const { check, runDir, state } = world(t);
  state.published = false;
  assert.match(check.look()?.reason ?? "", /socket/);
  state.published = true;
  // Moved and not removed, so that the new one cannot be given the old one's inode.
  renameSync(runDir, `${runDir}.old`);
  assert.deepEqual(check.look(), { kind: "unreachable", reason: `the directory ${runDir} is gone or was replaced` });
  mkdirSync(runDir);
  assert.equal(check.look()?.kind, "unreachable");
});
