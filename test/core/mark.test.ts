/** What the ledger is told of how far data.db has come, and when (rule 14: a file that was put back is noticed by it). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Core, type Memory, type Turn } from "../../src/core/index.js";
import { after, instant, limitsWith, seq } from "../../src/terms/index.js";
import { writerReady } from "./support/values.js";

const nothing = { sessions: [], grants: [], waiters: [], capacities: [], tokensAbove: 0, graceMs: 0 };

function rig({ memory = {}, first = [5] }: { memory?: Partial<Memory>; first?: readonly number[] } = {}) {
  const core = new Core(limitsWith(), seq(5));
  let now = instant(0);
  const turn = () => seqsOf(core.takeTurn());
  core.restore({ ...nothing, ...memory }, now);
  core.handle(writerReady({ storedSeq: seq(5), previousBootId: "b", heldBefore: true }), now);
  assert.deepEqual(turn(), first);
  return {
    stored(at: number) {
      core.handle({ kind: "writer-settled", answers: [], storedSeq: seq(at), walBytes: 0 }, now);
      return turn();
    },
    pass(ms: number) {
      now = after(now, ms);
      core.expire(now);
      return turn();
    },
    drain() {
      core.handle({ kind: "drain" }, now);
      return turn();
    },
  };
}

function seqsOf({ ledger }: Turn) {
  return ledger.flatMap((entry) => (entry.kind === "mark" ? [entry.seq] : []));
}

test("what is on disk is marked once a second, and nothing is marked while nothing is written", () => {
  const { stored, pass } = rig();
  assert.deepEqual(stored(6), []);
  assert.deepEqual(pass(500), []);
  assert.deepEqual(stored(9), []);
  assert.deepEqual(pass(500), [9]);
  assert.deepEqual(pass(5000), []);
  assert.deepEqual(stored(10), []);
  assert.deepEqual(pass(1000), [10]);
});

test("what was settled and changed nothing is not marked: the next start would take it for a loss", () => {
  const { stored, pass } = rig();
  assert.deepEqual(stored(0), []);
  assert.deepEqual(stored(5), []);
  assert.deepEqual(pass(5000), []);
});

test("at the end all of it is marked", () => {
  const { stored, drain } = rig();
  stored(8);
  assert.deepEqual(drain(), [8]);
  assert.deepEqual(stored(9), [9]);
});

// rule 13: a start in the middle of the grace must find the ledger as the one before has found it
test("in a ledger that has no mark nothing is marked before its time of grace is over, not even at the end", () => {
  const grace = { memory: { graceMs: 1000 }, first: [] };
  const { stored, pass } = rig(grace);
  assert.deepEqual(stored(6), []);
  assert.deepEqual(pass(999), []);
  assert.deepEqual(pass(1), [6]);
  assert.deepEqual(stored(7), []);
  assert.deepEqual(pass(1000), [7]);
  const ending = rig(grace);
  ending.stored(6);
  assert.deepEqual(ending.drain(), []);
});

test("a ledger that is full is asked for room in the time of grace, too, also when nothing else is to be written", () => {
  const core = new Core(limitsWith(), seq(5));
  core.restore({ ...nothing, graceMs: 1000 }, instant(0));
  core.handle(writerReady({ storedSeq: seq(5), previousBootId: "b", heldBefore: true }), instant(0));
  core.takeTurn();
  core.handle({ kind: "ledger", full: true, unwritten: [] }, instant(0));
  assert.deepEqual(core.takeTurn().ledger, [{ kind: "unmarked" }]);
});
