/** How much the writer has in its hands: enough to go on, and no more than others can wait for. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { WriterPace } from "../../../src/core/writes/writer-pace.js";

function after(groups: number, [writes, ranMs, committedMs]: readonly [number, number, number]): number {
  const pace = new WriterPace();
  for (let n = 0; n < groups; n++) pace.settled(writes, { ranMs, committedMs });
  return pace.writesMax;
}

test("before a group was settled there is no bound, and what was no group does not make one", () => {
  const pace = new WriterPace();
  pace.settled(0, { ranMs: 5, committedMs: 1 });
  pace.settled(3, { ranMs: 0, committedMs: 0 });
  assert.equal(pace.writesMax, Number.POSITIVE_INFINITY);
});

test("quick writes: two groups of one millisecond", () => {
  assert.equal(after(10, [100, 4, 0.5]), 50);
});

test("where a sync takes long, a group may run as long as that", () => {
  assert.equal(after(10, [100, 4, 20]), 1000);
});

test("slow writes: a few, so that the writer need not wait for the next", () => {
  assert.equal(after(10, [1, 300, 1]), 4);
});

test("writes that run alone cost a sync each, however little they do", () => {
  assert.equal(after(10, [1, 0.1, 0.9]), 4);
  assert.equal(after(10, [2, 0.25, 0.5]), 16);
});

test("what was measured last counts most, each write alike", () => {
  const pace = new WriterPace();
  for (let n = 0; n < 20; n++) pace.settled(1, { ranMs: 100, committedMs: 1 });
  assert.equal(pace.writesMax, 4);
  for (let n = 0; n < 20; n++) pace.settled(50, { ranMs: 2, committedMs: 1 });
  assert.ok(pace.writesMax > 40 && pace.writesMax <= 50, String(pace.writesMax));
});
