import assert from "node:assert/strict";
import { test } from "node:test";
import { Savepoints } from "../../../src/store/reader/savepoints.js";

test("the latest of a name is meant, whatever its letters; what was set after it goes with it", () => {
  const savepoints = new Savepoints();
  const take = (action: "savepoint" | "release" | "rollback-to", savepoint: string) =>
    savepoints.take({ action, savepoint })?.message ?? "done";
  assert.equal(take("release", "a"), "no such savepoint: a");
  for (const name of ["a", "b", "A", "c"]) assert.equal(take("savepoint", name), "done");
  assert.equal(take("rollback-to", "a"), "done");
  assert.equal(take("release", "c"), "no such savepoint: c");
  assert.equal(take("release", "a"), "done");
  assert.equal(take("release", "B"), "done");
  assert.equal(take("release", "a"), "done");
  assert.equal(take("rollback-to", "Ä"), "no such savepoint: Ä");
  assert.equal(take("savepoint", "a"), "done");
  savepoints.clear();
  assert.equal(take("release", "a"), "no such savepoint: a");
});
