import assert from "node:assert/strict";
import { test } from "node:test";
import { LargeRequests } from "../../src/front/large-requests.js";

const mebibyte = 1024 * 1024;

test("small requests count for nothing, large ones until they are answered", () => {
  const large = new LargeRequests();
  for (let request = 1; request <= 10_000; request++) large.begun(request, 60_000);
  assert.deepEqual([large.full, large.roomy], [false, true]);
  for (const request of ["a", "b", "c"]) large.begun(request, 16 * mebibyte);
  assert.deepEqual([large.full, large.roomy], [true, false]);
  large.answered("a");
  assert.deepEqual([large.full, large.roomy], [false, false]);
  large.answered("b");
  assert.deepEqual([large.full, large.roomy], [false, true]);
  large.answered("a");
  large.answered(7);
  large.begun("d", 16 * mebibyte);
  large.begun("e", 16 * mebibyte);
  assert.equal(large.full, true);
});

test("under an id that is used twice, against the rules, everything counts until the last of it is answered", () => {
  const large = new LargeRequests();
  large.begun(1, 33 * mebibyte);
  for (let n = 0; n < 10; n++) {
    large.begun(1, 100);
    large.answered(1);
  }
  assert.equal(large.full, true);
  large.answered(1);
  assert.equal(large.full, false);
});
