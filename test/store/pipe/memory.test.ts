import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryTaken, reservedBytes, reserveOf } from "../../../src/store/pipe/memory.js";

const MiB = 1024 * 1024;

test("a process is to be replaced when three quarters of its memory are taken", () => {
  assert.equal(memoryTaken(1024 * MiB, reservedBytes + 767 * MiB), undefined);
  assert.match(memoryTaken(1024 * MiB, reservedBytes + 768 * MiB) ?? "", /^768 of the 1024 MiB .* replaced$/);
});

test("what Node takes ahead and does not use is no part of what a process may have", () => {
  assert.equal(reserveOf({ dataBytes: 573 * MiB, residentBytes: 42 * MiB }), 531 * MiB);
  assert.equal(reserveOf({ dataBytes: 48 * MiB, residentBytes: 40 * MiB }), 0);
  assert.equal(reserveOf(undefined), 0);
});

test("what this process has taken is found out where the system tells", () => {
  const taken = memoryTaken(1);
  if (process.platform === "linux") assert.match(taken ?? "", /^\d\d+ of the 0 MiB/);
  else assert.equal(taken, undefined);
});
