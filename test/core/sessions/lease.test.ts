import assert from "node:assert/strict";
import { test } from "node:test";
import { cast, reborn } from "../support/cast.js";

const lease = { ttlMs: 1000 } as const;

// ── renewal ─────────────────────────────────────────────────────────────────────────────────────────────────────────

test("a lease that nothing is heard of is lost, the next is granted, and the holder is told", () => {
  const { broker, anna, bert } = cast();
  const held = anna.hold("x", lease);
  const waiting = bert.acquire("x");
  broker.pass(999);
  assert.ok(waiting.open);
  broker.pass(200);
  assert.ok(waiting.grant.token > held.token);
  assert.deepEqual(anna.lost, ["x: its lease of 1000 ms ran out"]);
  assert.equal(anna.write("late", { fences: [held] }).refusal.code, "FENCED");
  assert.equal(anna.release(held).refusal.code, "LOCK_NOT_HELD");
});

test("what another task of the same session gets by the end of a lease is lost by the end of its own, once", () => {
  const { broker, anna, bert } = cast();
  anna.hold("x", lease);
  const [own, next] = [anna.acquire("x", lease), bert.acquire("x")];
  broker.pass(1200);
  assert.equal(own.grant.name, "x");
  assert.ok(next.open);
  broker.pass(1200);
  assert.equal(next.grant.name, "x");
  assert.equal(anna.lost.length, 2);
});

test("any sign of life renews all leases of a session", () => {
  const { broker, anna } = cast();
  const [x, y] = [anna.hold("x", lease), anna.hold("y", { ttlMs: 2000 })];
  for (let i = 0; i < 5; i++) {
    broker.pass(900);
    if (i % 2 === 0) anna.ping();
    else anna.list();
  }
  assert.deepEqual(anna.lost, []);
  broker.pass(1200);
  assert.deepEqual(anna.lost, ["x: its lease of 1000 ms ran out"]);
  anna.ping();
  broker.pass(1900);
  assert.equal(anna.lost.length, 1);
  anna.release(y);
  assert.equal(anna.release(x).refusal.code, "LOCK_NOT_HELD");
});

test("bytes that are no whole request yet are a sign of life", () => {
  const { broker, anna } = cast();
  anna.hold("x", lease);
  broker.pass(900);
  // The front has read a part of a large frame.
  broker.heardAt.set(anna.to, broker.now);
  broker.pass(900);
  assert.deepEqual(anna.lost, []);
  broker.pass(400);
  assert.equal(anna.lost.length, 1);
});

test("while the front itself does not read a connection, its lease stands", () => {
  const { broker, anna } = cast();
  anna.hold("x", lease);
  for (let i = 0; i < 20; i++) {
    broker.heardAt.set(anna.to, broker.now);
    broker.pass(500);
  }
  assert.deepEqual(anna.lost, []);
});

test("a byte that comes between the first look and the last one renews the lease", () => {
  const { broker, anna } = cast();
  anna.hold("x", lease);
  broker.pass(1010);
  broker.heardAt.set(anna.to, broker.now);
  broker.pass(900);
  assert.deepEqual(anna.lost, []);
});

test("a lease is not over while somebody knocks, and at most five seconds later", () => {
  const { broker, anna, bert } = cast();
  anna.hold("x", lease);
  const waiting = bert.acquire("x");
  broker.pass(995);
  const knocking = broker.stranger();
  broker.pass(1000);
  assert.ok(waiting.open);
  knocking.hello();
  broker.pass(100);
  assert.ok(!waiting.open);
  const b = bert.hold("y", lease);
  for (let i = 0; i < 30; i++) {
    broker.stranger();
    broker.pass(200);
  }
  assert.equal(bert.release(b).refusal.code, "LOCK_NOT_HELD");
});

test("a pause of the broker ends no lease, whether or not it was due", () => {
  const { broker, anna } = cast();
  anna.hold("x", lease);
  broker.pass(900);
  broker.pause(60_000);
  broker.pass(90);
  assert.deepEqual(anna.lost, []);
  broker.pass(20);
  broker.pause(60_000);
  assert.deepEqual(anna.lost, []);
  anna.ping();
  broker.pass(900);
  assert.deepEqual(anna.lost, []);
});

test("a lease begins when it is granted, however long was waited, also over a pause", () => {
  const { broker, anna, bert } = cast();
  const held = anna.hold("x");
  const waiting = bert.acquire("x", lease);
  broker.pass(50_000);
  anna.release(held);
  broker.pass(900);
  broker.pause(30_000);
  broker.pass(90);
  assert.deepEqual(bert.lost, []);
  bert.release(waiting.grant);
});

test("an upgrade does not begin a lease anew, and does not end it", () => {
  const { broker, anna } = cast();
  const held = anna.hold("x", { ...lease, mode: "shared" });
  broker.pass(500);
  anna.upgrade(held);
  broker.pass(900);
  assert.deepEqual(anna.lost, []);
  broker.pass(300);
  assert.equal(anna.lost.length, 1);
});

// ── away ────────────────────────────────────────────────────────────────────────────────────────────────────────────

test("the leases of a session without connection run on, and its other locks are kept", () => {
  const { broker, anna, bert } = cast();
  const [x, y] = [anna.hold("x", lease), anna.hold("y")];
  const waiting = bert.acquire("x");
  broker.pass(800);
  anna.disconnect();
  broker.pass(400);
  assert.ok(!waiting.open);
  const { lost, grants } = anna.resume({ grants: [x, y] });
  assert.deepEqual(lost, [x]);
  assert.equal(grants.length, 1);
});

test("what was heard of a connection until it was lost counts, also what nobody will ever read", () => {
  const { broker, anna, bert } = cast();
  anna.hold("x", lease);
  const waiting = bert.acquire("x");
  broker.pass(900);
  broker.do({ kind: "disconnected", connection: anna.to, heardAt: broker.now });
  broker.pass(900);
  assert.ok(waiting.open);
  broker.pass(300);
  assert.ok(!waiting.open);
});

test("who comes back in time has a lease in full", () => {
  const { broker, anna } = cast();
  const x = anna.hold("x", lease);
  broker.pass(800);
  anna.disconnect();
  anna.resume({ grants: [x] });
  broker.pass(900);
  assert.deepEqual(anna.lost, []);
});

test("a connection that is lost while it is looked at leaves the lease due", () => {
  const { broker, anna, bert } = cast();
  anna.hold("x", lease);
  const waiting = bert.acquire("x");
  broker.pass(1010);
  anna.disconnect();
  broker.pass(200);
  assert.ok(!waiting.open);
});

test("what is given back has no lease any more, and no deadline", () => {
  const { broker, anna } = cast();
  anna.release(anna.hold("x", lease));
  anna.goodbye();
  assert.equal(broker.core.nextDeadline(broker.now), undefined);
});

// ── after a restart ─────────────────────────────────────────────────────────────────────────────────────────────────

test("after a restart a lease runs in full, and ten seconds at least", () => {
  const { broker, anna, bert } = cast();
  anna.hold("x", lease);
  anna.hold("y", { ttlMs: 20_000 });
  broker.pass(900);
  const after = reborn(broker, anna, bert);
  const dora = after.client("dora");
  const [x, y] = [dora.acquire("x"), dora.acquire("y")];
  after.pass(9900);
  assert.ok(x.open);
  after.pass(300);
  assert.ok(!x.open && y.open);
  after.pass(9700);
  assert.ok(y.open);
  after.pass(300);
  assert.ok(!y.open);
});

test("after a restart a lease whose holder has come back is as long as ever", () => {
  const { broker, anna } = cast();
  const x = anna.hold("x", lease);
  const after = reborn(broker, anna);
  anna.resume({ grants: [x] });
  after.pass(1200);
  assert.equal(anna.lost.length, 1);
});

// ── looking ─────────────────────────────────────────────────────────────────────────────────────────────────────────

test("a list says how long each lease runs", () => {
  const { broker, anna, bert } = cast();
  anna.hold("x", lease);
  anna.hold("y");
  broker.pass(300);
  const views = bert.list().map(({ holders }) => holders[0]);
  assert.deepEqual(
    views.map((view) => [view?.ttlMs, view?.leaseUntil === undefined ? undefined : view.leaseUntil - broker.now]),
    [
      [1000, 700],
      [undefined, undefined],
    ],
  );
});
