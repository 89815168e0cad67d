import assert from "node:assert/strict";
import { test } from "node:test";
import type { Fence } from "../../../src/core/index.js";
import { TestBroker } from "../support/test-broker.js";
import type { TestClient } from "../support/test-client.js";

function three(
  options: ConstructorParameters<typeof TestBroker>[0] = {},
): [TestBroker, TestClient, TestClient, TestClient] {
  const broker = new TestBroker(options);
  return [broker, broker.client("anna"), broker.client("bert"), broker.client("carl")];
}

// ── asking ──────────────────────────────────────────────────────────────────────────────────────────────────────────

test("a free lock is granted at once, with a token of its own", () => {
  const [broker, a, b] = three();
  const first = a.acquire("x").grant;
  const second = b.acquire("y").grant;
  assert.equal(first.waitedMs, 0);
  assert.ok(second.token > first.token);
  assert.deepEqual(
    [...broker.ledger.grants.values()].map(({ claims }) => claims[0]?.name),
    ["x", "y"],
  );
});

test("locks are granted in the order of arrival", () => {
  const [broker, a, b, c] = three();
  const held = a.hold("x");
  const [first, second] = [b.acquire("x"), c.acquire("x")];
  broker.pass(70);
  a.release(held);
  assert.equal(first.grant.waitedMs, 70);
  assert.ok(second.open);
  b.release(first.grant);
  assert.ok(second.grant.token > first.grant.token);
});

test("a lock that is free again and that nobody waits for is forgotten", () => {
  const [broker, a] = three();
  a.release(a.hold("x"));
  assert.deepEqual(a.list(), []);
  assert.deepEqual(broker.core.counts.held + broker.core.counts.waiting, 0);
});

test("a request that does not wait is refused while the lock is held, and told by whom", () => {
  const [broker, , b] = three();
  const holder = broker.client("make", { process: { pid: 4711, startTime: "1" } });
  const { token } = holder.acquire("x", { reason: "release build" }).grant;
  broker.pass(180);
  const { code, details } = b.acquire("x", { waitMs: 0 }).refusal;
  assert.equal(code, "LOCK_HELD");
  const session = holder.session;
  const who = { session, program: "make", pid: 4711, reason: "release build", heldMs: 180, token };
  assert.deepEqual(details, { name: "x", holder: who, waiting: 0 });
});

test("a request that does not wait never overtakes one that does", () => {
  const [, a, b, c] = three();
  const held = a.hold("x");
  const waiting = b.acquire("x");
  assert.equal(c.acquire("x", { waitMs: 0 }).refusal.code, "LOCK_HELD");
  a.release(held);
  assert.equal(c.acquire("x", { waitMs: 0 }).refusal.code, "LOCK_HELD");
  assert.ok(!waiting.open);
});

test("a session that holds a lock and asks for it again waits for itself", () => {
  const [, a] = three();
  const held = a.hold("x");
  const again = a.acquire("x");
  assert.ok(again.open);
  a.release(held);
  assert.notEqual(again.grant.token, held.token);
});

test("a timed wait ends when its time is over, and names who is in the way", () => {
  const [broker, a, b, c] = three();
  a.hold("x");
  const waiting = b.acquire("x", { waitMs: 100 });
  c.acquire("x");
  broker.pass(99);
  assert.ok(waiting.open);
  broker.pass(1);
  const { code, details } = waiting.refusal;
  assert.equal(code, "LOCK_TIMEOUT");
  assert.equal(details["waiting"], 1);
  assert.equal(broker.core.counts.waiting, 1);
});

test("a wait that ended in time does not end again", () => {
  const [broker, a, b] = three();
  const held = a.hold("x");
  const waiting = b.acquire("x", { waitMs: 100 });
  a.release(held);
  broker.pass(1000);
  assert.equal(waiting.letters.length, 1);
});

test("a pause of the broker ends no wait", () => {
  const [broker, a, b] = three();
  a.hold("x");
  const waiting = b.acquire("x", { waitMs: 100 });
  broker.pause(60_000);
  broker.pass(99);
  assert.ok(waiting.open);
  broker.pass(1);
  assert.equal(waiting.refusal.code, "LOCK_TIMEOUT");
});

// ── limits ──────────────────────────────────────────────────────────────────────────────────────────────────────────

test("a queue that is full refuses the next, and takes one again when another has left", () => {
  const [, a, b, c] = three({ limits: { waitersMax: 1 } });
  a.hold("x");
  const waiting = b.acquire("x", { key: 50 });
  assert.deepEqual(c.acquire("x").refusal.details, { limit: "waitersMax", name: "x" });
  b.cancelAcquire(50);
  assert.equal(waiting.refusal.code, "CANCELLED");
  assert.ok(c.acquire("x").open);
});

test("a session holds and waits for so many locks and no more", () => {
  const [, a, b] = three({ limits: { locksPerSessionMax: 2 } });
  b.hold("y");
  const held = a.hold("x");
  a.acquire("y");
  assert.equal(a.acquire("z").refusal.code, "LOCKS_FULL");
  a.release(held);
  a.hold("z");
});

test("a session has no more locks than its next hello could list in one frame, however long their names are", () => {
  const frameBytesMax = 256 * 1024;
  const names = [
    (n: number) => `${n}/`.padEnd(512, "x"),
    (n: number) => `${n} `.padEnd(512, '"/'),
    (n: number) => `${n}ü`.repeat(80),
  ];
  for (const nameOf of names) {
    const [broker, a, b, c] = three({ limits: { frameBytesMax } });
    b.hold(nameOf(0));
    const waiting = a.acquire(nameOf(0));
    const held: Fence[] = [];
    for (let n = 1; ; n++) {
      const asked = a.acquire(nameOf(n));
      if (asked.letters.some(({ kind }) => kind === "refused")) {
        const { code, details } = asked.refusal;
        assert.deepEqual([code, details], ["LOCKS_FULL", { limit: "frameBytesMax" }]);
        break;
      }
      held.push(asked.grant);
    }
    assert.ok(waiting.open);
    assert.ok(c.acquire(nameOf(1)).open, "another session has a frame of its own");
    // As a client would write it that knows nothing but ASCII.
    const listed = held.map(({ name, token }) => ({ name, token }));
    const written = JSON.stringify(listed)
      .replaceAll("/", "\\/")
      .replaceAll(/[^ -~]/g, "\\u0000").length;
    assert.ok(written < frameBytesMax * 0.9, `${written} bytes`);
    assert.ok(written > frameBytesMax * 0.6, `${written} bytes`);
    // Nothing that was given is given back by it, and what is given back makes room.
    a.disconnect();
    assert.deepEqual(a.resume({ grants: held, pending: [1] }).lost, []);
    a.release(held[0] ?? assert.fail());
    a.hold(nameOf(held.length + 2));
    broker.core.check();
  }
});

// ── one request, one outcome ────────────────────────────────────────────────────────────────────────────────────────

test("a waiter that is cancelled leaves, and the next is not kept waiting by it", () => {
  const [broker, a, b, c] = three();
  const held = a.hold("x");
  const cancelled = b.acquire("x", { key: 10 });
  const next = c.acquire("x");
  const cancel = b.cancelAcquire(10);
  assert.deepEqual(cancel.answer.kind === "acquire-cancelled" && cancel.answer.outcome, "cancelled");
  assert.equal(cancelled.refusal.code, "CANCELLED");
  a.release(held);
  assert.ok(!next.open);
  assert.equal(broker.core.counts.waiting, 0);
});

test("a cancel that comes after the grant says so, and the grant stays", () => {
  const [, a, b, c] = three();
  const held = a.hold("x");
  const granted = b.acquire("x", { key: 10 });
  a.release(held);
  const cancel = b.cancelAcquire(10, { key: 11 });
  assert.deepEqual(cancel.answer.kind === "acquire-cancelled" && cancel.answer.outcome, "granted");
  assert.equal(c.acquire("x", { waitMs: 0 }).refusal.code, "LOCK_HELD");
  b.release(granted.grant);
  const late = b.cancelAcquire(10, { key: 12 });
  assert.deepEqual(late.answer.kind === "acquire-cancelled" && late.answer.outcome, "gone");
});

test("a cancel that is sent again is answered as the first time", () => {
  const [, a, b] = three();
  a.hold("x");
  b.acquire("x", { key: 10 });
  for (const cancel of [b.cancelAcquire(10, { key: 11 }), b.cancelAcquire(10, { key: 11 })])
    assert.deepEqual(cancel.answer.kind === "acquire-cancelled" && cancel.answer.outcome, "cancelled");
});

test("a request is cancelled by its id as well", () => {
  const [broker, a, b] = three();
  a.hold("x");
  const waiting = b.acquire("x");
  b.cancel(waiting);
  b.cancel(waiting);
  assert.equal(waiting.refusal.code, "CANCELLED");
  assert.equal(broker.core.counts.waiting, 0);
});

test("a request that is sent again under its key gets the grant that it had", () => {
  const [, a] = three();
  const { token } = a.acquire("x", { key: 10 }).grant;
  assert.equal(a.acquire("x", { key: 10 }).grant.token, token);
  assert.equal(a.acquire("y", { key: 10 }).refusal.code, "KEY_REUSED");
});

test("a refusal that is asked for again is the same, though the lock is free by now", () => {
  const [, a, b] = three();
  const held = a.hold("x");
  assert.equal(b.acquire("x", { key: 10, waitMs: 0 }).refusal.code, "LOCK_HELD");
  a.release(held);
  assert.equal(b.acquire("x", { key: 10, waitMs: 0 }).refusal.code, "LOCK_HELD");
});

test("a request whose key was acknowledged is never decided again", () => {
  const [, a, b] = three();
  const held = a.hold("x");
  b.acquire("x", { key: 10, waitMs: 0 });
  b.ack(11);
  a.release(held);
  assert.equal(b.acquire("x", { key: 10 }).refusal.code, "RETRY_TOO_OLD");
});

test("a wait that is asked for twice on one connection has one place, and each request one answer", () => {
  const [broker, a, b] = three();
  const held = a.hold("x");
  const [first, second] = [b.acquire("x", { key: 10 }), b.acquire("x", { key: 10 })];
  assert.equal(first.refusal.code, "CANCELLED");
  assert.equal(broker.core.counts.waiting, 1);
  a.release(held);
  assert.ok(second.grant.token > held.token);
  assert.equal(first.letters.length, 1);
});

// ── giving back ─────────────────────────────────────────────────────────────────────────────────────────────────────

test("only the holder gives back, and only under its token", () => {
  const [, a, b] = three();
  const held = a.hold("x");
  assert.equal(b.release(held).refusal.code, "LOCK_NOT_HELD");
  assert.equal(a.release({ ...held, token: (held.token + 1) as typeof held.token }).refusal.code, "LOCK_NOT_HELD");
  assert.equal(a.list()[0]?.holders[0]?.session, a.session);
});

test("a release that is late cannot touch the next grant of the same session", () => {
  const [, a, b] = three();
  const old = a.hold("x");
  a.release(old);
  const held = a.hold("x");
  assert.equal(a.release(old).refusal.code, "LOCK_NOT_HELD");
  assert.equal(b.acquire("x", { waitMs: 0 }).refusal.details["holder"] !== null, true);
  a.release(held);
});

test("a release that is sent again is answered as the first time", () => {
  const [, a] = three();
  const held = a.hold("x");
  for (const release of [a.release(held, { key: 20 }), a.release(held, { key: 20 })])
    assert.equal(release.answer.kind, "released");
});

// ── draining (rule 5) ───────────────────────────────────────────────────────────────────────────────────────────────

test("a name drains until the writes under its last grant are settled, and is granted only then", () => {
  const [broker, a, b] = three();
  const held = a.hold("x");
  a.write("under the lock", { fences: [held] });
  const waiting = b.acquire("x");
  assert.equal(a.release(held).answer.kind, "released");
  assert.ok(waiting.open);
  assert.deepEqual(
    b.list().map(({ ending, holders }) => [ending, holders.length]),
    [["writes", 0]],
  );
  broker.settle();
  assert.ok(waiting.grant.token > held.token);
});

test("a name drains until the unfenced writes of its holder are settled", () => {
  const [broker, a, b] = three();
  const held = a.hold("x");
  a.write("beside the lock", { key: undefined });
  a.release(held);
  const waiting = b.acquire("x");
  assert.ok(waiting.open);
  broker.settle();
  assert.ok(!waiting.open);
});

test("a name drains until writes that another session sent under its token are settled", () => {
  const [broker, a, b, c] = three();
  const held = a.hold("x");
  c.write("for anna", { fences: [held] });
  a.release(held);
  const waiting = b.acquire("x");
  assert.ok(waiting.open);
  broker.settle();
  assert.ok(!waiting.open);
});

test("a name does not drain for writes of others, nor for later ones", () => {
  const [, a, b, c] = three();
  const held = a.hold("x");
  c.write("of somebody else");
  a.release(held);
  const { grant } = b.acquire("x");
  a.write("after the release");
  b.release(grant);
  c.hold("y");
});

test("a request that does not wait is refused while a name drains, and told why", () => {
  const [broker, a, b] = three();
  const held = a.hold("x");
  a.write("w");
  a.release(held);
  const { code, details } = b.acquire("x", { waitMs: 0 }).refusal;
  assert.deepEqual([code, details["holder"]], ["LOCK_HELD", null]);
  broker.settle();
  b.hold("x");
});

test("a name that drained and that nobody waits for is forgotten", () => {
  const [broker, a] = three();
  const held = a.hold("x");
  a.write("w");
  a.release(held);
  broker.settle();
  assert.deepEqual(a.list(), []);
});

test("half of the writes settled is not enough", () => {
  const [broker, a, b] = three();
  const held = a.hold("x");
  a.write("w1", { fences: [held] });
  a.write("w2", { fences: [held] });
  a.release(held);
  const waiting = b.acquire("x");
  broker.settle(1);
  assert.ok(waiting.open);
  broker.settle(1);
  assert.ok(!waiting.open);
});

test("a name drains until a writer is there again that knows what became of its writes", () => {
  const [broker, a, b] = three();
  const held = a.hold("x");
  a.write("in doubt", { fences: [held] });
  const waiting = b.acquire("x");
  broker.killWriter({ jobs: 1, phase: "committed" });
  broker.do(broker.writer.refuse());
  a.release(held);
  assert.ok(waiting.open);
  broker.pass(5000);
  assert.ok(waiting.open);
  broker.writerReady();
  assert.ok(!waiting.open);
});

// ── who is there ────────────────────────────────────────────────────────────────────────────────────────────────────

test("a waiter whose client is away keeps its place and is passed over", () => {
  const [, a, b, c] = three();
  const held = a.hold("x");
  b.acquire("x", { key: 10 });
  const behind = c.acquire("x");
  b.disconnect();
  a.release(held);
  assert.ok(!behind.open);
  b.resume({ pending: [10] });
  const back = b.acquire("x", { key: 10 });
  const late = a.acquire("x");
  c.release(behind.grant);
  assert.ok(!back.open);
  assert.ok(late.open);
});

test("a lock that only somebody who is away waits for is granted to whoever is there", () => {
  const [, a, b, c] = three();
  const held = a.hold("x");
  b.acquire("x", { key: 10 });
  b.disconnect();
  a.release(held);
  const taken = c.hold("x");
  b.resume({ pending: [10] });
  const back = b.acquire("x", { key: 10 });
  assert.ok(back.open);
  c.release(taken);
  assert.ok(!back.open);
});

test("a lock that is free is granted to a waiter that comes back for it", () => {
  const [, a, b] = three();
  const held = a.hold("x");
  b.acquire("x", { key: 10 });
  b.disconnect();
  a.release(held);
  b.resume({ pending: [10] });
  assert.ok(b.acquire("x", { key: 10 }).grant.token > held.token);
});

test("a waiter whose session ends leaves the queue and the next is granted", () => {
  const [broker, a, b, c] = three();
  const held = a.hold("x");
  const gone = b.acquire("x");
  const next = c.acquire("x");
  b.goodbye();
  assert.equal(gone.refusal.code, "SESSION_EXPIRED");
  a.release(held);
  assert.ok(!next.open);
  assert.equal(broker.ledger.waiters.size, 0);
});

test("of a session that ends while it waits twice, neither place is granted by the other's going", () => {
  const [broker, anna, bert] = three();
  const held = anna.hold("x", { mode: "shared" });
  bert.acquire("x");
  bert.acquire("x", { mode: "shared" });
  bert.goodbye();
  assert.equal(broker.core.counts.sessions, 2);
  assert.deepEqual([...broker.ledger.grants.keys()], [held.token]);
});

test("what a client does not believe in when it comes back is given back, also to itself", () => {
  const [, a, b] = three();
  const held = a.hold("x");
  a.acquire("x");
  const other = a.hold("y");
  const waiting = b.acquire("x");
  a.disconnect();
  const { grants, lost } = a.resume({ grants: [other] });
  assert.deepEqual(
    grants.flatMap(({ claims }) => claims.map(({ name }) => name)),
    ["y"],
  );
  assert.deepEqual(lost, []);
  assert.ok(waiting.grant.token > held.token);
});

test("a grant whose answer was lost is kept when the client says that it will ask again", () => {
  const [, a, b] = three();
  const { token } = a.acquire("x", { key: 10 }).grant;
  const waiting = b.acquire("x");
  a.disconnect();
  a.resume({ pending: [10] });
  assert.equal(a.acquire("x", { key: 10 }).grant.token, token);
  assert.ok(waiting.open);
});

test("what a client believes to hold and does not is told as lost", () => {
  const [, a, b] = three();
  const held = a.hold("x");
  a.release(held);
  const others = b.hold("x");
  a.disconnect();
  assert.deepEqual(a.resume({ grants: [held, others] }).lost, [held, others]);
});

test("an answer goes to the connection that speaks for the session, and to no older one", () => {
  const [, a, b] = three();
  const held = a.hold("x");
  const lost = b.acquire("x", { key: 10 });
  b.disconnect();
  b.resume({ pending: [10] });
  a.release(held);
  assert.ok(lost.open);
  assert.ok(b.acquire("x", { key: 10 }).grant.token > held.token);
});

test("a wait that is asked for again after a loss has the time that it then asks for", () => {
  const [broker, a, b] = three();
  a.hold("x");
  b.acquire("x", { key: 10, waitMs: 100 });
  broker.pass(60);
  b.disconnect();
  b.resume({ pending: [10] });
  const again = b.acquire("x", { key: 10, waitMs: 40 });
  broker.pass(39);
  assert.ok(again.open);
  broker.pass(1);
  assert.equal(again.refusal.code, "LOCK_TIMEOUT");
});

// ── memory lost (rule 13) ───────────────────────────────────────────────────────────────────────────────────────────

test("after the memory was lost nothing is granted for a while, and then in the order of arrival", () => {
  const [broker, a, b] = three({ memory: { graceMs: 1000 } });
  const [first, second] = [a.acquire("x"), b.acquire("x")];
  assert.equal(b.acquire("y", { waitMs: 0 }).refusal.code, "LOCK_HELD");
  assert.deepEqual(
    a.list().map(({ name }) => name),
    ["x"],
  );
  broker.pass(999);
  assert.ok(first.open);
  broker.pass(1);
  assert.equal(first.grant.waitedMs, 1000);
  assert.ok(second.open);
});

test("a wait that ends before anything may be granted leaves nothing behind", () => {
  const [broker, a] = three({ memory: { graceMs: 1000 } });
  const waiting = a.acquire("x", { waitMs: 10 });
  broker.pass(10);
  assert.equal(waiting.refusal.code, "LOCK_TIMEOUT");
  assert.deepEqual(a.list(), []);
});

// ── looking ─────────────────────────────────────────────────────────────────────────────────────────────────────────

test("a list names holders and the first of those who wait, by name", () => {
  const [, a, b, c] = three();
  a.hold("deploy/prod");
  a.hold("deploy/dev");
  a.hold("index");
  b.acquire("deploy/prod", { reason: "hotfix" });
  c.acquire("deploy/prod");
  c.disconnect();
  assert.deepEqual(
    b.list({ prefix: "deploy/" }).map(({ name }) => name),
    ["deploy/dev", "deploy/prod"],
  );
  const [lock] = b.list({ name: "deploy/prod", waitersMax: 1 });
  assert.deepEqual(
    lock?.waiters.map(({ place, reason, connected }) => [place, reason, connected]),
    [[1, "hotfix", true]],
  );
  assert.equal(lock?.waitersTotal, 2);
  assert.deepEqual(b.list({ name: "nothing" }), []);
});
