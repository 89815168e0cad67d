import assert from "node:assert/strict";
import { test } from "node:test";
import { readBootId } from "../../src/daemon/boot-id.js";

test("the boot id is there, and the same each time within one boot", () => {
  const id = readBootId();
  assert.match(id, /^\S{8,}$/);
  assert.equal(readBootId(), id);
});
