import assert from "node:assert/strict";
import { test } from "node:test";
import { cast, reborn } from "../support/cast.js";

const guarded = { guarded: true } as const;

// rule 24: processes that carry the token are gone before anybody else has the lock
test("a guarded lock that is released is free at once", () => {
  const { broker, anna, bert } = cast();
  anna.release(anna.hold("x", guarded));
  assert.equal(broker.ending.size, 0);
  bert.hold("x");
});

test("a guarded lock that its client gives back because it has lost it is free when its processes are gone", () => {
  const { broker, anna, bert } = cast();
  const held = anna.hold("x", guarded);
  const waiting = bert.acquire("x");
  const release = anna.release(held, { lost: true });
  assert.ok(!release.open);
  assert.ok(waiting.open);
  assert.ok(broker.ending.has(held.token));
  assert.deepEqual(anna.lost, []);
  assert.equal(anna.write("late", { fences: [held] }).refusal.code, "FENCED");
  broker.processesGone(held.token);
  assert.ok(!waiting.open);
});

test("a lock without a guard that its client gives back because it has lost it is free at once", () => {
  const { broker, anna, bert } = cast();
  anna.release(anna.hold("x"), { lost: true });
  assert.equal(broker.ending.size, 0);
  bert.hold("x");
});

test("a guarded lock that ends otherwise is free when its processes are gone", () => {
  const { broker, anna, bert } = cast();
  const held = anna.hold("x", guarded);
  const waiting = bert.acquire("x");
  anna.goodbye();
  const job = broker.ending.get(held.token);
  assert.deepEqual([job?.names, job?.identity.program], [["x"], "anna"]);
  assert.ok(waiting.open);
  assert.deepEqual(
    bert.list({ name: "x" }).map(({ ending, holders }) => [ending, holders.length]),
    [["processes", 0]],
  );
  assert.equal(bert.acquire("x", { waitMs: 0 }).refusal.code, "LOCK_HELD");
  broker.processesGone(held.token);
  assert.ok(!waiting.open);
  assert.equal(broker.ledger.grants.size, 1);
});

test("a guarded lock waits for its processes and for its writes, whichever are longer", () => {
  for (const processesFirst of [true, false]) {
    const { broker, anna, bert } = cast();
    const held = anna.hold("x", guarded);
    anna.write("w", { fences: [held] });
    const waiting = bert.acquire("x");
    bert.break("x");
    if (processesFirst) broker.processesGone(held.token);
    else broker.settle();
    assert.ok(waiting.open);
    if (processesFirst) broker.settle();
    else broker.processesGone(held.token);
    assert.ok(!waiting.open);
  }
});

test("the fence of a guarded lock that has ended is broken while its processes live", () => {
  const { anna, bert } = cast();
  const held = anna.hold("x", guarded);
  bert.break("x");
  assert.equal(anna.write("late", { fences: [held] }).refusal.code, "FENCED");
  assert.equal(anna.release(held).refusal.code, "LOCK_NOT_HELD");
});

test("after a restart the processes of a guarded lock that had ended are ended again, though its session is gone", () => {
  const { broker, anna, bert } = cast();
  const held = anna.hold(["x", "y"], guarded);
  anna.goodbye();
  assert.equal(broker.ledger.sessions.has(anna.session), false);
  const after = reborn(broker, bert);
  assert.deepEqual(after.ending.get(held.token)?.names, ["x", "y"]);
  bert.resume();
  const waiting = bert.acquire("y");
  assert.ok(waiting.open);
  after.processesGone(held.token);
  assert.ok(!waiting.open);
  assert.equal(after.ledger.grants.size, 1);
});

test("an answer about processes that nobody waits for changes nothing", () => {
  const { broker, anna } = cast();
  const held = anna.hold("x", guarded);
  broker.do({ kind: "processes-gone", token: held.token });
  assert.equal(broker.core.counts.held, 1);
});

test("a session that is ended by its process's death leaves its guarded lock to its processes", () => {
  const { broker, bert } = cast();
  const process = { pid: 100, startTime: "1" };
  const wrapper = broker.client("holdfast lock", { process });
  const held = wrapper.hold("x", guarded);
  const waiting = bert.acquire("x");
  broker.do({ kind: "process-fate", session: wrapper.session, process, fate: "dead" });
  assert.ok(waiting.open);
  assert.equal(broker.core.counts.sessions, 4);
  broker.processesGone(held.token);
  assert.ok(!waiting.open);
});

// ── steal ───────────────────────────────────────────────────────────────────────────────────────────────────────────

test("who steals a lock has it at once; who held it loses it and is told by whom", () => {
  const { anna, bert, carl } = cast();
  const held = anna.hold("x");
  const waiting = carl.acquire("x");
  const { token } = bert.acquire("x", { steal: true }).grant;
  assert.ok(token > held.token && waiting.open);
  assert.deepEqual(anna.lost, ["x: taken by bert"]);
});

test("who steals goes before all who wait, and waits for what was sent under the lock", () => {
  const { broker, anna, bert, carl } = cast();
  const held = anna.hold("x");
  const waiting = carl.acquire("x");
  anna.write("w", { fences: [held] });
  const thief = bert.acquire("x", { steal: true });
  assert.ok(thief.open);
  broker.settle();
  assert.ok(!thief.open && waiting.open);
});

test("who steals several names takes each from all who hold it", () => {
  const { anna, bert, carl, dora } = cast();
  anna.hold("a", { mode: "shared" });
  bert.hold(["a", "c"].map((name) => ({ name, mode: "shared" })));
  carl.hold("b");
  dora.hold(["a", "b"], { steal: true });
  assert.deepEqual(
    [anna.lost, bert.lost, carl.lost],
    [["a: taken by dora"], ["a: taken by dora", "c: taken by dora"], ["b: taken by dora"]],
  );
  anna.hold("c");
});

test("who steals and does not wait is refused when writes are still under way, though the lock is taken away", () => {
  const { broker, anna, bert } = cast();
  const held = anna.hold("x");
  anna.write("w", { fences: [held] });
  assert.equal(bert.acquire("x", { steal: true, waitMs: 0 }).refusal.code, "LOCK_HELD");
  assert.equal(anna.lost.length, 1);
  assert.equal(broker.core.counts.waiting, 0);
});

test("a free lock is stolen from nobody", () => {
  const { broker, anna } = cast();
  anna.hold("x", { steal: true });
  assert.equal(broker.ledger.waiters.size, 0);
});
