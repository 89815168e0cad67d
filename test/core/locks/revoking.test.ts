import assert from "node:assert/strict";
import { test } from "node:test";
import { cast } from "../support/cast.js";
import type { Asked } from "../support/test-client.js";

const shared = { mode: "shared" } as const;

function ended(asked: Asked): string[] {
  const { answer } = asked;
  assert.equal(answer.kind, "broken", JSON.stringify(answer));
  return answer.kind === "broken" ? answer.ended.map(({ token, outcome }) => `${token} ${outcome}`) : [];
}

// ── break ───────────────────────────────────────────────────────────────────────────────────────────────────────────

test("a lock that is broken without a grace is lost at once, and the next is granted", () => {
  const { anna, bert, carl } = cast();
  const held = anna.hold("x");
  const waiting = bert.acquire("x");
  assert.deepEqual(ended(carl.break("x", { reason: "stuck" })), [`${held.token} broken`]);
  assert.deepEqual(anna.lost, ["x: broken by carl: stuck"]);
  assert.ok(waiting.grant.token > held.token);
});

test("a holder is told that its lock will be broken, and loses it when the grace is over", () => {
  const { broker, anna, carl } = cast();
  const held = anna.hold("x");
  const broken = carl.break("x", { graceMs: 500, reason: "deploy" });
  const [note] = anna.notes;
  assert.ok(note?.kind === "revoking");
  assert.deepEqual(
    [note.fence, note.graceMs, note.reason, note.by.identity.program],
    [{ name: "x", token: held.token }, 500, "deploy", "carl"],
  );
  broker.pass(499);
  assert.ok(broken.open);
  broker.pass(1);
  assert.deepEqual(ended(broken), [`${held.token} broken`]);
});

test("what is given back within the grace is not broken, and the break is over", () => {
  const { broker, anna, carl } = cast();
  const held = anna.hold("x");
  const broken = carl.break("x", { graceMs: 500 });
  anna.release(held);
  assert.deepEqual(ended(broken), [`${held.token} released`]);
  broker.pass(1000);
  assert.deepEqual(anna.lost, []);
});

test("of many holders each has its own outcome, and who comes later is not touched", () => {
  const { broker, anna, bert, carl, dora } = cast();
  const [a, b] = [anna.hold("x", shared), bert.hold("x", shared)];
  const broken = carl.break("x", { graceMs: 500 });
  dora.hold("x", shared);
  anna.release(a);
  broker.pass(500);
  assert.deepEqual(ended(broken), [`${a.token} released`, `${b.token} broken`]);
  assert.equal(dora.list({ name: "x" })[0]?.holdersTotal, 1);
});

test("with a token only that grant is broken", () => {
  const { anna, bert, carl } = cast();
  const [a] = [anna.hold("x", shared), bert.hold("x", shared)];
  assert.deepEqual(ended(carl.break("x", { token: a.token })), [`${a.token} broken`]);
  assert.deepEqual(ended(carl.break("x", { token: a.token })), []);
  assert.deepEqual(bert.lost, []);
});

test("what nobody holds is not broken", () => {
  const { carl } = cast();
  assert.deepEqual(ended(carl.break("x")), []);
});

test("a lock of several names that is broken by one is lost with all", () => {
  const { anna, carl } = cast();
  anna.hold(["a", "b"]);
  carl.break("b");
  assert.deepEqual(anna.lost, ["a: broken by carl", "b: broken by carl"]);
});

test("a break that is sent again is one break, and is answered once more", () => {
  const { broker, anna, carl } = cast();
  const held = anna.hold("x");
  const first = carl.break("x", { graceMs: 500, key: 50 });
  const second = carl.break("x", { graceMs: 500, key: 50 });
  assert.equal(first.refusal.code, "CANCELLED");
  broker.pass(500);
  assert.deepEqual(ended(second), [`${held.token} broken`]);
  anna.hold("x");
  assert.deepEqual(ended(carl.break("x", { key: 50 })), [`${held.token} broken`]);
  assert.equal(broker.core.counts.held, 1);
});

test("a holder that was away hears of the break when it is back", () => {
  const { broker, anna, carl } = cast();
  const held = anna.hold("x");
  anna.disconnect();
  carl.break("x", { graceMs: 500 });
  broker.pass(200);
  anna.resume({ grants: [held] });
  const [note] = anna.notes;
  assert.ok(note?.kind === "revoking" && note.graceMs === 300);
});

test("a grant that is upgraded in the grace is broken all the same", () => {
  const { broker, anna, carl } = cast();
  const held = anna.hold("x", shared);
  const broken = carl.break("x", { graceMs: 500 });
  anna.upgrade(held);
  broker.pass(500);
  assert.deepEqual(ended(broken), [`${held.token} broken`]);
  assert.equal(broker.core.counts.held, 0);
});

// ── transfer ────────────────────────────────────────────────────────────────────────────────────────────────────────

test("a holder hands its lock to one who waits, past those before him, in one step", () => {
  const { anna, bert, carl } = cast();
  const held = anna.hold("x");
  const [first, second] = [bert.acquire("x"), carl.acquire("x")];
  const { answer } = anna.transfer("x", carl);
  assert.ok(answer.kind === "transferred" && answer.from === held.token && answer.heir === carl.session);
  assert.ok(second.grant.token > held.token && first.open);
  assert.deepEqual(anna.lost, []);
});

test("whose lock is handed on by somebody else loses it and is told", () => {
  const { anna, bert, carl } = cast();
  const held = anna.hold("x");
  const waiting = bert.acquire("x");
  carl.transfer("x", bert, { token: held.token, reason: "failover" });
  assert.deepEqual(anna.lost, ["x: handed to bert: failover"]);
  assert.ok(!waiting.open);
});

test("a lock is not handed to one who does not wait for it, or is away", () => {
  const { anna, bert, carl } = cast();
  anna.hold("x");
  assert.equal(anna.transfer("x", bert).refusal.code, "NOT_WAITING");
  bert.acquire("x", { key: 50 });
  bert.disconnect();
  const { code, message } = anna.transfer("x", bert).refusal;
  assert.equal(code, "NOT_WAITING");
  assert.match(message, /waits for "x" and is away: its place is passed over until it is back$/);
  carl.goodbye();
  assert.equal(anna.transfer("x", carl).refusal.code, "NOT_WAITING");
  assert.equal(anna.list({ name: "x" })[0]?.holders[0]?.session, anna.session);
});

test("a lock is not handed to one who waits to upgrade what he shares of it, but to a request that he has waiting beside", () => {
  const { anna, bert } = cast();
  const [a, b] = [anna.hold("x", { mode: "shared" }), bert.hold("x", { mode: "shared" })];
  bert.upgrade(b);
  const { code, message } = anna.transfer("x", bert, { token: a.token }).refusal;
  assert.equal(code, "NOT_WAITING");
  assert.match(message, /waits for "x" to upgrade what it shares, and cannot be handed it$/);
  bert.acquire("x", { mode: "shared", under: [] });
  assert.equal(anna.transfer("x", bert, { token: a.token }).answer.kind, "transferred");
});

test("what nobody holds is not handed on, and of several holders one must be named", () => {
  const { anna, bert, carl, dora } = cast();
  assert.equal(anna.transfer("x", bert).refusal.code, "LOCK_NOT_HELD");
  const [a] = [anna.hold("x", shared), bert.hold("x", shared)];
  const waiting = carl.acquire("x", { key: 50 });
  assert.equal(dora.transfer("x", carl).refusal.code, "PARAMS_INVALID");
  assert.equal(dora.transfer("x", carl, { token: a.token }).answer.kind, "transferred");
  assert.ok(waiting.open);
  bert.transfer("x", carl);
  assert.ok(!waiting.open);
});

test("a lock that is handed on is granted when what was sent under it is settled, and to nobody else before", () => {
  const { broker, anna, bert, carl } = cast();
  const held = anna.hold("x");
  anna.write("w", { fences: [held] });
  const [first, second] = [bert.acquire("x"), carl.acquire("x")];
  anna.transfer("x", carl);
  assert.ok(first.open && second.open);
  broker.settle();
  assert.ok(first.open && !second.open);
});

test("one that waits for several names goes to the head of each: there is one order for all", () => {
  const { anna, bert, carl, dora } = cast();
  anna.hold("x");
  const y = dora.hold("y");
  const [both, other] = [bert.acquire(["x", "y"]), carl.acquire(["y", "x"])];
  anna.transfer("x", carl);
  dora.release(y);
  assert.ok(both.open && !other.open);
});

test("a transfer that is sent again is answered as the first time", () => {
  const { anna, bert, carl } = cast();
  anna.hold("x");
  const waiting = bert.acquire("x");
  carl.acquire("x");
  anna.transfer("x", bert, { key: 50 });
  assert.equal(anna.transfer("x", bert, { key: 50 }).answer.kind, "transferred");
  assert.equal(carl.list({ name: "x" })[0]?.holders[0]?.token, waiting.grant.token);
});

test("a place at the head is the ledger's too", () => {
  const { broker, anna, bert, carl } = cast();
  const held = anna.hold("x");
  anna.write("w", { fences: [held] });
  bert.acquire("x");
  carl.acquire("x");
  anna.transfer("x", carl);
  const waiters = [...broker.ledger.waiters.values()].sort((a, b) => a.arrival - b.arrival);
  assert.deepEqual(
    waiters.map(({ session }) => session),
    [carl.session, bert.session],
  );
});

test("a break in its grace ends with the session that asked for it: nothing is taken", () => {
  const { broker, anna, bert, carl } = cast();
  anna.hold(["x", "y"]);
  const held = bert.hold("z");
  carl.break("x", { graceMs: 500 });
  carl.break("z", { graceMs: 500 });
  bert.release(held);
  carl.goodbye();
  broker.pass(10_000);
  assert.deepEqual(anna.lost, []);
  assert.equal(anna.list({ name: "x" })[0]?.holdersTotal, 1);
});

test("of one session 64 breaks may be in their grace, and one more when one of them is over", () => {
  const { broker, anna, bert, carl } = cast();
  const held = Array.from({ length: 65 }, (_, i) => anna.hold(`x${i}`));
  for (const { name } of held.slice(0, 64)) assert.ok(carl.break(name, { graceMs: 500 }).open);
  const { code, details, message } = carl.break("x64", { graceMs: 500 }).refusal;
  assert.deepEqual([code, details], ["LOCKS_FULL", { limit: "breaksPerSessionMax", name: "x64" }]);
  assert.match(message, /^64 breaks of this session .* "x64" is one too many$/);
  assert.ok(bert.break("x64", { graceMs: 500 }).open);
  anna.release(held[0] as (typeof held)[0]);
  assert.ok(carl.break("x64", { graceMs: 500 }).open);
  // Without a grace none is kept.
  assert.equal(ended(carl.break("x1")).length, 1);
  broker.pass(500);
  assert.equal(anna.lost.length, 64);
});

test("two who break the same lock are both answered with its end", () => {
  const { broker, anna, bert, carl } = cast();
  const held = anna.hold("x");
  const both = [bert.break("x", { graceMs: 500 }), carl.break("x", { graceMs: 300 })];
  broker.pass(300);
  assert.deepEqual(both.map(ended), [[`${held.token} broken`], [`${held.token} broken`]]);
});
