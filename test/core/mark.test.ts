/** What the ledger is told of how far data.db has come, and when (rule 14: a file that was put back is noticed by it). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Core, type Turn } from "../../src/core/index.js";
import { after, instant, limitsWith, seq } from "../../src/terms/index.js";

function rig() {
  const core = new Core(limitsWith(), seq(5));
  let now = instant(0);
  const turn = () => seqsOf(core.takeTurn());
  core.handle(
    {
      ...({ kind: "writer-ready", epoch: 1, storedSeq: seq(5), previousBootId: "b", incarnation: "i" } as const),
      ...{ tokensFrom: 1, tokensTo: 1000 },
    },
    now,
  );
  assert.deepEqual(turn(), [5]);
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
