/** Locks that are given back with a write: in the moment in which it is on disk, by whoever holds them, and only then. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { cast, reborn } from "../support/cast.js";

test("a write gives its lock back in the turn in which it is settled: the row is gone, and the next has it", () => {
  const { broker, anna, bert } = cast();
  const held = anna.hold("x");
  const waiting = bert.acquire("x");
  const write = anna.write("w", { fences: [held], release: [held] });
  assert.ok(waiting.open);
  broker.settle();
  const turn = broker.turns.at(-1);
  assert.deepEqual(
    turn?.ledger.map(({ kind }) => kind),
    ["grant-ended", "unqueued", "granted"],
  );
  assert.deepEqual(
    turn?.send.map(({ kind }) => kind),
    ["answer", "granted"],
  );
  assert.equal(write.body, "did w");
  assert.ok(waiting.grant.token > held.token);
});

test("a write that is refused gives nothing back", () => {
  const { broker, anna, bert } = cast();
  const held = anna.hold("x");
  const write = anna.write("w", { fences: [held], release: [held], fails: true });
  const waiting = bert.acquire("x");
  broker.settle();
  assert.equal(write.refusal.code, "SQLITE_CONSTRAINT");
  assert.ok(waiting.open);
  assert.equal(anna.write("again", { fences: [held] }).open, true);
});

test("nothing is given back before the whole group is on disk, nor by a write that is cancelled", () => {
  const { broker, anna, bert } = cast();
  const held = anna.hold("x");
  anna.write("w", { fences: [held], release: [held] });
  const behind = anna.write("behind", { fences: [held] });
  const waiting = bert.acquire("x");
  broker.settle(1);
  assert.ok(waiting.open, "what was sent under it is not settled");
  broker.settle(1);
  assert.equal(behind.body, "did behind");
  assert.ok(!waiting.open);
});

test("only what the session itself holds under that token is given back; the write is applied all the same", () => {
  const { broker, anna, bert, carl } = cast();
  const held = anna.hold("x");
  const waiting = carl.acquire("x");
  const theirs = bert.write("w", { release: [held] });
  const old = anna.write("v", { release: [{ ...held, name: held.name, token: bert.hold("y").token }] });
  broker.settle();
  assert.deepEqual([theirs.body, old.body], ["did w", "did v"]);
  assert.ok(waiting.open);
});

test("one that is sent again answers the first result, and takes nothing that was acquired since", () => {
  const { broker, anna } = cast();
  const held = anna.hold("x");
  anna.write("w", { key: 7, fences: [held], release: [held] });
  broker.settle();
  const later = anna.hold("x");
  const again = anna.write("w", { key: 7, fences: [held], release: [held] });
  broker.settle();
  assert.equal(again.body, "did w");
  assert.equal(broker.writer.applied.length, 1);
  const fenced = anna.write("under the later one", { fences: [later] });
  broker.settle();
  assert.equal(fenced.body, "did under the later one");
});

// rule 15: the stored reply stands for the release, too
test("a broker that died between the commit and its row gives the lock back when the write is sent again", () => {
  for (const isKept of [true, false]) {
    const { broker, anna, bert } = cast();
    broker.writer.keeps = () => isKept;
    const held = anna.hold("x");
    anna.write("w", { key: 7, fences: [held], release: [held] });
    broker.writer.settle(); // On disk; the front hears nothing of it.
    const after = reborn(broker, anna, bert);
    anna.resume({ grants: [held] });
    bert.resume();
    const waiting = bert.acquire("x");
    assert.ok(waiting.open);
    const again = anna.write("w", { key: 7, fences: [held], release: [held] });
    after.settle();
    if (isKept) assert.equal(again.body, "did w");
    else assert.equal(again.refusal.code, "RESULT_NOT_KEPT");
    assert.ok(!waiting.open);
    assert.equal(after.writer.applied.length, 1);
  }
});

test("over the death of a writer the lock is held until the write is known to be applied, and given back then", () => {
  for (const phase of ["running", "committed"] as const) {
    const { broker, anna, bert } = cast();
    const held = anna.hold("x");
    bert.write("first");
    const write = anna.write("w", { key: 7, fences: [held], release: [held] });
    const waiting = bert.acquire("x");
    broker.killWriter({ jobs: phase === "running" ? 1 : 2, phase });
    broker.writerReady();
    assert.ok(waiting.open);
    broker.settle();
    assert.equal(write.body, "did w");
    assert.ok(!waiting.open);
  }
});

test("one of which nobody knows whether it was applied gives nothing back", () => {
  const { broker, anna, bert } = cast();
  const held = anna.hold("x");
  const write = anna.write("w", { key: undefined, fences: [held], release: [held] });
  const waiting = bert.acquire("x");
  broker.killWriter({ jobs: 1, phase: "committed" });
  broker.writerReady();
  assert.equal(write.refusal.code, "OUTCOME_UNKNOWN");
  assert.ok(waiting.open);
});

// ── transactions ────────────────────────────────────────────────────────────────────────────────────────────────────

test("a commit gives the transaction's lock back, and a rollback does not", () => {
  const { broker, anna, bert } = cast();
  const held = anna.hold("x");
  const waiting = bert.acquire("x");
  anna.begin({ fences: [held] });
  anna.step("a");
  anna.rollback();
  broker.settle();
  assert.ok(waiting.open);
  anna.begin({ fences: [held] });
  anna.step("b");
  const commit = anna.commit({ release: [held] });
  broker.settle();
  assert.equal(commit.body, "committed transaction 2");
  assert.ok(!waiting.open);
});

test("a commit that is asked for again, when its transaction is over, gives back what is still held", () => {
  const { broker, anna, bert } = cast();
  const held = anna.hold("x");
  anna.begin({ fences: [held] });
  anna.step("a");
  anna.commit({ key: 7, release: [held] });
  broker.writer.settle();
  const after = reborn(broker, anna, bert);
  anna.resume({ grants: [held] });
  bert.resume();
  const waiting = bert.acquire("x");
  const again = anna.commit({ key: 7, release: [held] });
  after.settle();
  assert.equal(again.body, "committed transaction 1");
  assert.ok(!waiting.open);
});

test("a writer that died with the commit on disk: the lock is given back when that is known", () => {
  for (const key of [7, undefined]) {
    const { broker, anna, bert } = cast();
    const held = anna.hold("x");
    anna.begin({ fences: [held] });
    anna.step("a");
    broker.settle();
    const commit = anna.commit({ key, release: [held] });
    const waiting = bert.acquire("x");
    broker.killWriter({ jobs: 1, phase: "committed" });
    broker.writerReady();
    broker.settle();
    assert.notEqual(commit.answer.kind, "refused");
    assert.ok(!waiting.open);
  }
});

// rule 5: a release takes effect after the writes that were sent before it
test("plain writes under the lock that were sent before the commit still count, though they wait for it", () => {
  const { broker, anna, bert } = cast({ limits: { writesDispatchedMax: 1 } });
  const held = anna.hold("x");
  anna.begin({ fences: [held] });
  broker.settle();
  const before = [anna.write("before", { fences: [held] }), anna.write("and this", { fences: [held] })];
  const commit = anna.commit({ release: [held] });
  const waiting = bert.acquire("x");
  broker.settle();
  assert.equal(commit.body, "committed transaction 1");
  broker.settle();
  assert.ok(waiting.open, "the second is under way");
  broker.settle();
  assert.deepEqual(
    before.map(({ body }) => body),
    ["did before", "did and this"],
  );
  assert.ok(!waiting.open);
});
