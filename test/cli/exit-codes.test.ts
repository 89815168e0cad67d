import assert from "node:assert/strict";
import { test } from "node:test";
import { exitCodeOf } from "../../src/cli/exit-codes.js";
import { refusalCodes } from "../../src/terms/index.js";

test("every refusal ends with one of the exit codes that are promised", () => {
  const promised = new Set([1, 64, 69, 75, 77, 78]);
  for (const code of refusalCodes) assert.ok(promised.has(exitCodeOf(code)), code);
});

test("a script can tell refused, nobody there and somebody else has it apart", () => {
  assert.equal(exitCodeOf("SQLITE_CONSTRAINT"), 1);
  assert.equal(exitCodeOf("NO_BROKER"), 69);
  assert.equal(exitCodeOf("LOCK_HELD"), 75);
  assert.equal(exitCodeOf("LOCK_TIMEOUT"), 75);
  assert.equal(exitCodeOf("ALREADY_RUNNING"), 75);
  assert.equal(exitCodeOf("PERMISSION"), 77);
  assert.equal(exitCodeOf("CONFIGURATION"), 78);
  assert.equal(exitCodeOf("DATA_FOREIGN"), 78);
  assert.equal(exitCodeOf("NAME_INVALID"), 64);
});
