import assert from "node:assert/strict";
import { test } from "node:test";
import type { Fence } from "../../../src/core/index.js";
import { cast, reborn } from "../support/cast.js";
import type { Asked } from "../support/test-client.js";
import { name } from "../support/values.js";

const shared = { mode: "shared" } as const;

function converted(asked: Asked): Fence & { waitedMs: number } {
  const { answer } = asked;
  assert.equal(answer.kind, "converted", JSON.stringify(answer));
  if (answer.kind !== "converted") throw new Error("unreachable");
  return { ...answer.fence, waitedMs: answer.waitedMs };
}

function cancelled({ answer }: Asked): string {
  if (answer.kind !== "acquire-cancelled") throw new assert.AssertionError({ message: JSON.stringify(answer) });
  return answer.outcome;
}

// ── upgrade ─────────────────────────────────────────────────────────────────────────────────────────────────────────

test("who shares a lock alone has it exclusively at once, under a new token", () => {
  const { broker, anna, bert } = cast();
  const before = anna.hold("x", shared);
  const after = converted(anna.upgrade(before));
  assert.ok(after.token > before.token);
  assert.equal(anna.write("old", { fences: [before] }).refusal.code, "FENCED");
  anna.write("new", { fences: [after] });
  broker.settle();
  const waiting = bert.acquire("x", shared);
  assert.ok(waiting.open);
  assert.equal(anna.release(before).refusal.code, "LOCK_NOT_HELD");
  anna.release(after);
  assert.ok(!waiting.open);
  assert.equal(broker.ledger.grants.size, 1);
});

test("no more than so many upgrades wait behind the writes of their session", () => {
  const { broker, anna, bert } = cast();
  bert.begin();
  broker.settle();
  const fence = anna.hold("x", shared);
  anna.write("w");
  const upgrades = Array.from({ length: 5000 }, () => anna.upgrade(fence));
  const open = upgrades.filter((upgrade) => upgrade.open);
  assert.equal(open.length, 2048);
  assert.equal(upgrades.at(-1)?.refusal.code, "LOCKS_FULL");
});

/** Anna shares x, and has sent a write that waits for the transaction of another. */
function behindWrites() {
  const { broker, anna, bert, carl } = cast();
  bert.begin();
  broker.settle();
  const fence = anna.hold("x", shared);
  const write = anna.write("w", { fences: [fence] });
  const goOn = () => {
    bert.rollback();
    broker.settle();
    broker.settle();
  };
  return { broker, anna, carl, fence, write, goOn };
}

test("an upgrade that stands behind writes of its session is cancelled by its key and by its request", () => {
  const { anna, fence, write, goOn } = behindWrites();
  const first = anna.upgrade(fence, { key: 50 });
  assert.equal(cancelled(anna.cancelAcquire(50)), "cancelled");
  assert.equal(first.refusal.code, "CANCELLED");
  assert.equal(anna.upgrade(fence, { key: 50 }).open, true, "it is answered in its turn");
  const second = anna.upgrade(fence);
  anna.cancel(second);
  assert.equal(second.refusal.code, "CANCELLED");
  const third = anna.upgrade(fence, { key: 60 });
  goOn();
  assert.equal(write.body, "did w");
  assert.equal(cancelled(anna.cancelAcquire(60)), "granted");
  converted(third);
});

test("a cancelled upgrade that is asked for again behind writes has the outcome that it had", () => {
  const { broker, anna, fence, goOn } = behindWrites();
  anna.upgrade(fence, { key: 50 });
  anna.cancelAcquire(50);
  const [again, timed] = [anna.upgrade(fence, { key: 50 }), anna.upgrade(fence, { key: 50, waitMs: 10 })];
  assert.equal(cancelled(anna.cancelAcquire(50)), "gone");
  broker.pass(10);
  assert.equal(timed.refusal.code, "CANCELLED");
  goOn();
  assert.equal(again.refusal.code, "CANCELLED");
  assert.equal(anna.list({ name: "x" })[0]?.holders[0]?.mode, "shared");
});

test("the time of an upgrade runs from when it is asked for, also behind writes of its session", () => {
  const { broker, anna, carl, fence, goOn } = behindWrites();
  carl.hold("x", shared);
  const first = anna.upgrade(fence, { waitMs: 100 });
  broker.pass(100);
  const { code, message, details } = first.refusal;
  assert.equal(code, "LOCK_TIMEOUT");
  assert.match(message, /writes that its session sent before are not with the writer yet/);
  assert.deepEqual(details, { name: "x", holder: null, waiting: 0 });
  const [second, tried] = [anna.upgrade(fence, { waitMs: 100 }), anna.upgrade(fence, { waitMs: 0 })];
  broker.pass(60);
  assert.ok(tried.open);
  goOn();
  assert.equal(tried.refusal.code, "LOCK_HELD");
  broker.pass(39);
  assert.ok(second.open);
  broker.pass(1);
  assert.equal(second.refusal.code, "LOCK_TIMEOUT");
});

test("an upgrade behind writes goes with its connection, and is asked for again", () => {
  const { broker, anna, fence } = behindWrites();
  const first = anna.upgrade(fence, { key: 50, waitMs: 100 });
  anna.disconnect();
  anna.resume({ grants: [fence], pending: [50] });
  broker.pass(200);
  assert.ok(first.open);
  converted(anna.upgrade(fence, { key: 50, waitMs: 100 }));
});

test("an upgrade waits until the others have gone, before everybody in the queue", () => {
  const { broker, anna, bert, carl, dora } = cast();
  const [a, b] = [anna.hold("x", shared), bert.hold("x", shared)];
  const alone = carl.acquire("x");
  const upgrade = anna.upgrade(a);
  assert.ok(dora.acquire("x", shared).open);
  broker.pass(30);
  bert.release(b);
  assert.equal(converted(upgrade).waitedMs, 30);
  assert.ok(alone.open);
});

test("what is held for a command cannot be upgraded, since its processes carry the token; downgraded it can be", () => {
  const { anna, bert } = cast();
  const held = anna.hold("x", { ...shared, guarded: true });
  const { code, message } = anna.upgrade(held).refusal;
  assert.equal(code, "PARAMS_INVALID");
  assert.match(message, /"x" is held for a command whose processes are known by its token/);
  assert.ok(!bert.acquire("x", { ...shared, waitMs: 0 }).open);
  const alone = anna.hold("y", { guarded: true });
  assert.equal(converted(anna.downgrade(alone)).token, alone.token);
});

test("while one waits to be alone nobody else gets in", () => {
  const { anna, bert, carl } = cast();
  const [a] = [anna.hold("x", shared), bert.hold("x", shared)];
  anna.upgrade(a);
  assert.equal(carl.acquire("x", { ...shared, waitMs: 0 }).refusal.code, "LOCK_HELD");
});

test("the second of two upgrades would wait for the first for ever, and is refused", () => {
  const { anna, bert } = cast();
  const [a, b] = [anna.hold("x", shared), bert.hold("x", shared)];
  const first = anna.upgrade(a);
  const { code, details, message } = bert.upgrade(b).refusal;
  assert.equal(code, "DEADLOCK");
  assert.match(message, /bert waits for "x", held by anna; anna waits for "x", held by bert/);
  assert.deepEqual(
    (details["cycle"] as { program: string; holds: string }[]).map(({ program, holds }) => [program, holds]),
    [
      ["bert", "x"],
      ["anna", "x"],
    ],
  );
  bert.release(b);
  converted(first);
});

test("an upgrade that does not wait, times out or is cancelled leaves the grant as it was", () => {
  const { broker, anna, bert, carl } = cast();
  const [a, b] = [anna.hold("x", shared), bert.hold("x", shared)];
  const { code, details } = anna.upgrade(a, { waitMs: 0 }).refusal;
  assert.deepEqual([code, (details["holder"] as { program: string }).program], ["LOCK_HELD", "bert"]);
  assert.equal(details["waiting"], 0);
  const timed = anna.upgrade(a, { waitMs: 100 });
  const behind = carl.acquire("x", shared);
  broker.pass(100);
  assert.equal(timed.refusal.code, "LOCK_TIMEOUT");
  assert.ok(!behind.open);
  const cancelled = anna.upgrade(a, { key: 50 });
  anna.cancelAcquire(50);
  assert.equal(cancelled.refusal.code, "CANCELLED");
  assert.equal(broker.core.counts.waiting, 0);
  bert.release(b);
  carl.release(behind.grant);
  assert.ok(converted(anna.upgrade(a)).token > a.token);
});

test("an upgrade waits for writes of one that has ended, as everybody does", () => {
  const { broker, anna, bert } = cast();
  const [a, b] = [anna.hold("x", shared), bert.hold("x", shared)];
  bert.write("w", { fences: [b] });
  bert.release(b);
  const upgrade = anna.upgrade(a);
  assert.ok(upgrade.open);
  broker.settle();
  converted(upgrade);
});

test("an upgrade takes effect after the writes that were sent before it", () => {
  const { broker, anna } = cast({ limits: { writesDispatchedMax: 1 } });
  const a = anna.hold("x", shared);
  anna.write("first", { fences: [a] });
  const second = anna.write("second", { fences: [a] });
  const upgrade = anna.upgrade(a);
  assert.ok(upgrade.open);
  broker.settle();
  converted(upgrade);
  broker.settle();
  assert.equal(second.body, "did second");
});

test("a write that was sent under the old token goes again when its writer died", () => {
  const { broker, anna } = cast();
  const a = anna.hold("x", shared);
  const write = anna.write("w", { fences: [a] });
  converted(anna.upgrade(a));
  broker.killWriter({ jobs: 1, phase: "idle" });
  broker.writerReady();
  broker.settle();
  assert.equal(write.body, "did w");
});

test("however often a lock is converted meanwhile, what was sent under any of its tokens goes again when the writer died", () => {
  for (const end of ["shared", "exclusive", "given back"] as const) {
    const { broker, anna, bert } = cast();
    const a = anna.hold("x", shared);
    const first = anna.write("first", { fences: [a] });
    const b = converted(anna.upgrade(a));
    converted(anna.downgrade(b));
    const c = converted(anna.upgrade(b));
    const second = anna.write("second", { fences: [c] });
    converted(anna.downgrade(c));
    const d = end === "shared" ? c : converted(anna.upgrade(c));
    if (end === "given back") anna.release(d);
    const waiting = bert.acquire("x");
    assert.equal(anna.write("late", { fences: [b] }).refusal.code, "FENCED", "sent behind the upgrade");
    broker.killWriter({ jobs: 0, phase: "idle" });
    broker.writerReady();
    broker.settle(1);
    assert.ok(waiting.open);
    broker.settle();
    assert.deepEqual([first.body, second.body], ["did first", "did second"]);
    assert.equal(waiting.open, end !== "given back");
  }
});

test("what was sent under a token of before does not go again when the lock was lost since", () => {
  const { broker, anna, bert } = cast();
  const a = anna.hold("x", shared);
  const write = anna.write("w", { fences: [a] });
  const b = converted(anna.upgrade(a));
  converted(anna.downgrade(b));
  bert.break("x");
  broker.killWriter({ jobs: 0, phase: "idle" });
  broker.writerReady();
  assert.equal(write.refusal.code, "FENCED");
});

test("one who is away and waits to be alone is passed over, and asked for again, waits on", () => {
  const { anna, bert, carl } = cast();
  const [a, b] = [anna.hold("x", shared), bert.hold("x", shared)];
  anna.upgrade(a, { key: 50 });
  const waiting = carl.acquire("x", shared);
  anna.disconnect();
  assert.ok(!waiting.open);
  anna.resume({ grants: [a], pending: [50] });
  const again = anna.upgrade(a, { key: 50 });
  carl.release(waiting.grant);
  assert.ok(again.open);
  bert.release(b);
  assert.ok(converted(again).token > a.token);
});

test("what waits to be upgraded and is given back or lost meanwhile is told so", () => {
  const { anna, bert, carl } = cast();
  const [a, b] = [anna.hold("x", shared), bert.hold("x", shared)];
  const released = anna.upgrade(a);
  anna.release(a);
  assert.equal(released.refusal.code, "LOCK_NOT_HELD");
  anna.hold("x", shared);
  const broken = bert.upgrade(b);
  carl.break("x", { token: b.token });
  assert.equal(broken.refusal.code, "LOCK_LOST");
});

test("of several names that were granted together one is upgraded, and all are under the new token", () => {
  const { anna, bert } = cast();
  const both = anna.hold([
    { name: "a", mode: "shared" },
    { name: "b", mode: "shared" },
  ]);
  const { token } = converted(anna.upgrade({ name: name("a"), token: both.token }));
  assert.equal(bert.acquire("a", { ...shared, waitMs: 0 }).refusal.code, "LOCK_HELD");
  bert.hold("b", shared);
  assert.equal(anna.release({ name: name("b"), token: both.token }).refusal.code, "LOCK_NOT_HELD");
  anna.release({ name: name("b"), token });
  bert.hold("a");
});

test("only what is shared by this session under this token is upgraded", () => {
  const { anna, bert } = cast();
  const a = anna.hold("x", shared);
  assert.equal(bert.upgrade(a).refusal.code, "LOCK_NOT_HELD");
  const alone = anna.hold("y");
  assert.equal(anna.upgrade(alone).refusal.code, "PARAMS_INVALID");
  assert.equal(anna.downgrade(a).refusal.code, "PARAMS_INVALID");
  assert.equal(anna.upgrade(anna.hold("pool", { slots: 2 })).refusal.code, "PARAMS_INVALID");
});

test("an upgrade that is sent again is answered as the first time", () => {
  const { anna } = cast();
  const a = anna.hold("x", shared);
  const first = converted(anna.upgrade(a, { key: 50 }));
  assert.equal(converted(anna.upgrade(a, { key: 50 })).token, first.token);
});

test("a cancel of an upgrade says that it came too late when the upgrade was done, also before a restart of the broker", () => {
  const { broker, anna, bert } = cast();
  const a = anna.hold("x", shared);
  const b = bert.hold("x", shared);
  anna.upgrade(a, { key: 50 });
  bert.release(b);
  assert.equal(cancelled(anna.cancelAcquire(50)), "granted");
  reborn(broker, anna, bert);
  const [held] = anna.resume({ pending: [50] }).grants;
  assert.ok(held !== undefined);
  assert.equal(cancelled(anna.cancelAcquire(50)), "granted");
  anna.release({ name: a.name, token: held.token });
  assert.equal(cancelled(anna.cancelAcquire(50)), "gone");
});

test("a cancel of an upgrade whose lock was given back since says that it is gone", () => {
  const { anna } = cast();
  const fence = converted(anna.upgrade(anna.hold("x", shared), { key: 50 }));
  assert.equal(cancelled(anna.cancelAcquire(50)), "granted");
  anna.release(fence);
  assert.equal(cancelled(anna.cancelAcquire(50)), "gone");
});

test("an upgrade whose answer was lost in a crash is not taken for a loss, and is answered again", () => {
  const { broker, anna, bert } = cast();
  const a = anna.hold("x", shared);
  const { token } = converted(anna.upgrade(a, { key: 50 }));
  const after = reborn(broker, anna, bert);
  const { lost, grants } = anna.resume({ grants: [a], pending: [50] });
  assert.deepEqual([lost, grants.map((grant) => grant.token)], [[], [token]]);
  assert.equal(converted(anna.upgrade(a, { key: 50 })).token, token);
  assert.equal(after.core.counts.held, 1);
});

test("an upgrade that waits does so still after a restart", () => {
  const { broker, anna, bert } = cast();
  const [a, b] = [anna.hold("x", shared), bert.hold("x", shared)];
  anna.upgrade(a, { key: 50 });
  const after = reborn(broker, anna, bert);
  assert.equal(after.core.counts.waiting, 1);
  anna.resume({ grants: [a], pending: [50] });
  const again = anna.upgrade(a, { key: 50 });
  bert.resume({ grants: [b] });
  assert.ok(again.open);
  bert.release(b);
  assert.ok(converted(again).token > b.token);
});

test("after a restart an upgrade is that of its own grant, though another of its names was upgraded meanwhile", () => {
  const { broker, anna } = cast();
  const other = anna.hold("x", shared);
  const both = anna.hold([
    { name: "x", mode: "shared" },
    { name: "y", mode: "shared" },
  ]);
  const x = { ...both, name: name("x") };
  const words = { under: [both.token], key: 50 };
  assert.ok(anna.upgrade(x, words).open);
  const { token } = converted(anna.upgrade({ ...both, name: name("y") }));
  reborn(broker, anna);
  anna.resume({ grants: [other, { ...both, token }], pending: [50] });
  const again = anna.upgrade(x, words);
  assert.ok(again.open);
  anna.release(other);
  assert.ok(converted(again).token > token);
  assert.equal(broker.ledger.grants.size, 1);
});

// ── downgrade ───────────────────────────────────────────────────────────────────────────────────────────────────────

test("a downgrade keeps the token and lets in who wants to share", () => {
  const { broker, anna, bert, carl } = cast();
  const a = anna.hold("x");
  const [share, alone] = [bert.acquire("x", shared), carl.acquire("x")];
  assert.deepEqual(converted(anna.downgrade(a)), { ...a, waitedMs: 0 });
  assert.ok(!share.open && alone.open);
  anna.write("w", { fences: [a] });
  broker.settle();
  assert.deepEqual([...broker.ledger.grants.values()][0]?.claims, [{ name: "x", mode: "shared" }]);
});

// rule 5: what was sent by one who was alone is settled before others look
test("a downgrade lets others in when what was sent before it is settled", () => {
  const { broker, anna, bert } = cast();
  const a = anna.hold("x");
  anna.write("w", { fences: [a] });
  const share = bert.acquire("x", shared);
  converted(anna.downgrade(a));
  assert.ok(share.open);
  assert.equal(bert.list({ name: "x" })[0]?.holders[0]?.mode, "shared");
  broker.settle();
  assert.ok(!share.open);
});

test("what is upgraded again before it has let anybody in stays exclusive", () => {
  const { broker, anna, bert } = cast();
  const a = anna.hold("x");
  anna.write("w", { fences: [a] });
  const share = bert.acquire("x", shared);
  converted(anna.downgrade(a));
  const again = converted(anna.upgrade(a));
  broker.settle();
  assert.ok(share.open);
  anna.release(again);
  assert.ok(!share.open);
});

test("a downgrade that is sent again, also after a crash, is answered as the first time", () => {
  const { broker, anna } = cast();
  const a = anna.hold("x");
  converted(anna.downgrade(a, { key: 50 }));
  reborn(broker, anna);
  anna.resume({ grants: [a], pending: [50] });
  assert.equal(converted(anna.downgrade(a, { key: 50 })).token, a.token);
});
