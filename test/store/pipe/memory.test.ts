import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryTaken } from "../../../src/store/pipe/memory.js";

const MiB = 1024 * 1024;

test("a process is to be replaced when three quarters of its memory are taken", () => {
  assert.equal(memoryTaken(1024 * MiB, 767 * MiB), undefined);
  assert.match(memoryTaken(1024 * MiB, 768 * MiB) ?? "", /^768 of the 1024 MiB .* replaced$/);
});

test("what this process has taken is found out where the system tells", () => {
  const taken = memoryTaken(1);
  if (process.platform === "linux") assert.match(taken ?? "", /^\d\d+ of the 0 MiB/);
  else assert.equal(taken, undefined);
});
