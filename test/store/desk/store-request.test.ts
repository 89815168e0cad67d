import assert from "node:assert/strict";
import { test } from "node:test";
import { StoreRequest } from "../../../src/store/desk/store-request.js";

test("a small request does not keep what was read in one piece with it, a large one is not copied", () => {
  const read = Buffer.alloc(64 * 1024, "x");
  const small = new StoreRequest("db.execute", "json", read.subarray(60_000, 60_100));
  assert.equal(String(small.raw), "x".repeat(100));
  assert.notEqual(small.raw.buffer, read.buffer);
  const large = read.subarray(100);
  assert.equal(new StoreRequest("db.execute", "json", large).raw, large);
});
