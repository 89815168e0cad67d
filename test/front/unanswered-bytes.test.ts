import assert from "node:assert/strict";
import { test } from "node:test";
import { UnansweredBytes, UnansweredOfAll } from "../../src/front/unanswered-bytes.js";

const mebibyte = 1024 * 1024;
/** What a request takes beside its bytes. */
const beside = 1024;
const share = { least: 64 * 1024, most: 32 * mebibyte };

test("requests count until they are answered", () => {
  const all = new UnansweredOfAll(256 * mebibyte);
  const one = new UnansweredBytes(share, all);
  for (const request of ["a", "b", "c"]) one.begun(request, 12 * mebibyte - beside);
  assert.deepEqual([one.full, one.roomy, all.bytes], [true, false, 36 * mebibyte]);
  one.answered("a");
  assert.deepEqual([one.full, one.roomy], [false, false]);
  one.answered("b");
  assert.deepEqual([one.full, one.roomy], [false, true]);
  one.answered("a");
  one.answered(7);
  assert.equal(all.bytes, 12 * mebibyte);
  one.gone();
  assert.equal(all.bytes, 0);
});

test("under an id that is used twice, against the rules, everything counts until the last of it is answered", () => {
  const one = new UnansweredBytes(share, new UnansweredOfAll(256 * mebibyte));
  one.begun(1, 33 * mebibyte);
  for (let n = 0; n < 10; n++) {
    one.begun(1, 100);
    one.answered(1);
  }
  assert.equal(one.full, true);
  one.answered(1);
  assert.equal(one.full, false);
});

test("each may have as much as is left for the others, and a little in any case", () => {
  const all = new UnansweredOfAll(3 * mebibyte);
  const [greedy, late, poor] = [1, 2, 3].map(() => new UnansweredBytes(share, all));
  assert.ok(greedy !== undefined && late !== undefined && poor !== undefined);
  for (let n = 0; !greedy.full; n++) greedy.begun(n, 63 * 1024);
  assert.ok(all.left > 1.4 * mebibyte, "the half");
  for (let n = 0; !late.full; n++) late.begun(n, 63 * 1024);
  assert.ok(all.left > 0.6 * mebibyte, "the half of it");
  greedy.begun("much", 3 * mebibyte);
  assert.ok(all.left < 0);
  poor.begun(1, 63 * 1024);
  assert.deepEqual([poor.full, late.full, late.roomy], [false, true, false]);
  poor.begun(2, 1);
  assert.equal(poor.full, true);
});

test("what counts beside the bytes counts for its own connection alone", () => {
  const all = new UnansweredOfAll(256 * mebibyte);
  const one = new UnansweredBytes(share, all);
  one.begun(1, 100, 33 * mebibyte);
  assert.deepEqual([one.full, all.bytes], [true, 100 + beside]);
  one.answered(1);
  assert.deepEqual([one.roomy, all.bytes], [true, 0]);
});
