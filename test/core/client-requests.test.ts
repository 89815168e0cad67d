import assert from "node:assert/strict";
import { test } from "node:test";
import { TestBroker } from "./support/test-broker.js";
import { at } from "./support/values.js";

test("a broker that is ending begins nothing new, and lets what is there be brought to its end", () => {
  const broker = new TestBroker();
  const [a, b] = [broker.client(), broker.client()];
  const held = a.hold("x");
  const write = a.write("w", { key: 50 });
  const waiting = b.acquire("x");
  broker.do({ kind: "drain" });
  for (const asked of [a.write("w2"), a.acquire("y"), broker.stranger().hello()])
    assert.equal(asked.refusal.code, "SHUTTING_DOWN");
  a.disconnect();
  a.resume({ grants: [held] });
  const again = a.write("w", { key: 50 });
  const read = a.read("r");
  assert.equal(a.release(held).answer.kind, "released");
  broker.settle();
  assert.equal(write.letters.length, 1);
  broker.settle();
  assert.equal(again.body, "did w");
  broker.read("r");
  assert.equal(read.body, "saw r");
  assert.ok(!waiting.open);
});

// rule 5: it takes effect after the writes that were sent before it, also when they come to the next broker
test("when a broker that is ending has turned something away, what would change locks behind it on that connection is turned away too", () => {
  const broker = new TestBroker();
  const [a, b] = [broker.client(), broker.client()];
  const held = a.hold("x");
  const other = a.hold("y");
  const waiting = b.acquire("x", { key: 40 });
  broker.do({ kind: "drain" });
  assert.equal(a.release(other).answer.kind, "released", "nothing was turned away before it");
  assert.equal(a.write("w", { fences: [held] }).refusal.code, "SHUTTING_DOWN");
  const behind = [a.release(held), a.downgrade(held), a.break("x"), a.transfer("x", b), a.resize("s", 2)];
  for (const asked of behind) assert.equal(asked.refusal.code, "SHUTTING_DOWN");
  assert.ok(waiting.open);
  // What is no change goes on, and so do others.
  assert.equal(a.ping().answer.kind, "pong");
  assert.equal(b.cancelAcquire(40).answer.kind, "acquire-cancelled");
});

// rule 4: what is read must show what was sent before it, and that is turned away
test("when a broker that is ending has turned a write away, what is read behind it on that connection is turned away too", () => {
  const broker = new TestBroker();
  const [a, b] = [broker.client(), broker.client()];
  broker.do({ kind: "drain" });
  const before = a.read("before");
  assert.equal(a.write("w").refusal.code, "SHUTTING_DOWN");
  const behind = [a.read("behind"), a.stream("streamed"), a.begin({ mode: "read" })];
  for (const { refusal } of behind) assert.deepEqual([refusal.code, refusal.outcome], ["SHUTTING_DOWN", undefined]);
  const other = b.read("other");
  for (const what of ["before", "other"]) broker.read(what);
  assert.deepEqual([before.body, other.body], ["saw before", "saw other"]);
});

// rule 13: the ledger on a full disk
test("while the ledger is full no lock is granted; what is held can be given back, newcomers are let in, and SQL goes on", () => {
  const broker = new TestBroker();
  const client = broker.client();
  const held = client.hold("x");
  broker.do({ kind: "ledger", full: true, unwritten: [] });
  const newcomer = broker.client();
  for (const one of [client, newcomer]) assert.equal(one.acquire("y").refusal.code, "DISK_FULL");
  const write = client.write("w", { fences: [held] });
  broker.settle();
  assert.equal(write.body, "did w");
  const read = client.read("r");
  broker.read("r");
  assert.equal(read.body, "saw r");
  assert.equal(client.release(held).answer.kind, "released");
  broker.do({ kind: "ledger", full: false });
  client.hold("y");
});

test("while the ledger is full, what was granted or upgraded before is answered under its key all the same", () => {
  const broker = new TestBroker();
  const client = broker.client();
  const shared = client.acquire("x", { key: 30, mode: "shared" }).grant;
  const upgraded = client.upgrade({ name: shared.name, token: shared.token }, { key: 31 });
  assert.equal(upgraded.answer.kind, "converted");
  const other = broker.client();
  other.acquire("x", { key: 32 });
  broker.do({ kind: "ledger", full: true, unwritten: [] });
  // As after a lost connection.
  assert.equal(client.upgrade({ name: shared.name, token: shared.token }, { key: 31 }).answer.kind, "converted");
  assert.ok(client.acquire("x", { key: 30, mode: "exclusive" }).answer.kind === "granted");
  assert.ok(other.acquire("x", { key: 32 }).open);
  assert.equal(client.acquire("y", { key: 33 }).refusal.code, "DISK_FULL");
});

test("a grant that the ledger did not take is taken back, and who waits goes on waiting until there is room", () => {
  const broker = new TestBroker();
  const [client, other] = [broker.client(), broker.client()];
  const [kept, untold] = [client.hold("x"), client.hold("y")];
  const waits = other.acquire("y");
  broker.do({ kind: "ledger", full: true, unwritten: [untold.token] });
  assert.equal(broker.core.counts.held, 1);
  client.release(kept);
  assert.ok(waits.open);
  broker.do({ kind: "ledger", full: false });
  assert.equal(waits.answer.kind, "granted");
});

test("while the ledger is full a semaphore is not resized", () => {
  const broker = new TestBroker();
  const client = broker.client();
  broker.do({ kind: "ledger", full: true, unwritten: [] });
  assert.equal(client.resize("s", 2).refusal.code, "DISK_FULL");
});

test("what comes on a connection that nobody knows is not heard", () => {
  const broker = new TestBroker();
  const client = broker.client();
  client.disconnect();
  assert.ok(client.acquire("x").open);
  client.disconnect();
  assert.equal(broker.core.counts.held, 0);
});

test("welcome says what the session is, what it holds and how long it is kept", () => {
  const broker = new TestBroker({ limits: { resumeWindowMs: 7000 } });
  const client = broker.client();
  const first = client.acquire("x", { key: 3 }).grant;
  client.disconnect();
  const { resumed, grants, windowMs, session } = client.resume({ grants: [first] });
  const held = [{ token: first.token, key: 3, claims: [{ name: "x", mode: "exclusive" }] }];
  assert.deepEqual(
    { resumed, grants, windowMs, session },
    { resumed: true, grants: held, windowMs: 7000, session: client.session },
  );
});

test("a sign of life is answered in order, before hello as well", () => {
  const broker = new TestBroker();
  const client = broker.stranger();
  assert.equal(client.ping().answer.kind, "pong");
  client.hello();
  assert.equal(client.ping().answer.kind, "pong");
});

test("a follower of queued writes acts at the time when they are sent, not when it was asked", () => {
  const broker = new TestBroker({ limits: { writesDispatchedMax: 1 } });
  const [a, b, c] = [broker.client(), broker.client(), broker.client()];
  const held = a.hold("x");
  b.write("in the way");
  a.write("w");
  a.release(held);
  const waiting = c.acquire("x");
  broker.pass(5000);
  broker.settle();
  broker.settle();
  assert.equal(waiting.grant.waitedMs, 5000);
  assert.equal([...broker.ledger.grants.values()][0]?.since, at(6000));
});

test("a request that was sent again after its first was answered looks its answer up, though the session ends meanwhile", () => {
  const broker = new TestBroker();
  const [a, other] = [broker.client(), broker.client()];
  a.write("w", { key: 1 });
  const again = a.write("w", { key: 1 });
  other.settle(a, [1]);
  broker.settle();
  assert.deepEqual([again.refusal.code, again.refusal.outcome], ["SESSION_EXPIRED", "unknown"]);
  assert.equal(broker.writer.applied.length, 1);
});

test("a cancel of nothing does nothing", () => {
  const broker = new TestBroker();
  const client = broker.client();
  const read = client.read("r");
  broker.read("r");
  client.cancel(read);
  assert.equal(read.letters.length, 1);
});

test("of too many sessions the newcomer is refused, unless one is away and has nothing to lose", () => {
  const broker = new TestBroker({ limits: { sessionsMax: 8 } });
  const [holder, waiter, writer, bound, idle, ...others] = [
    broker.client(),
    broker.client(),
    broker.client(),
    broker.client("bound", { bound: true, process: { pid: 7, startTime: "70" } }),
    broker.client(),
    broker.client(),
    broker.client(),
    broker.client(),
  ];
  const refusal = broker.stranger().hello().refusal;
  assert.deepEqual([refusal.code, refusal.details["limit"]], ["SESSIONS_FULL", "sessionsMax"]);
  const held = holder.hold("x");
  waiter.acquire("x", { key: 20 });
  writer.write("w");
  for (const client of [holder, waiter, writer]) client.disconnect();
  assert.equal(broker.stranger().hello().refusal.code, "SESSIONS_FULL", "all who are away have something to lose");
  bound.disconnect();
  idle.disconnect();
  broker.client("newcomer");
  assert.equal(broker.core.counts.sessions, 8);
  idle.connect();
  assert.equal(idle.hello({ mode: "resume" }).refusal.code, "SESSION_EXPIRED");
  // One that is known is not one more.
  assert.ok(holder.resume({ grants: [held] }).resumed);
  assert.ok(waiter.resume({ pending: [20] }).resumed);
  // A process stands for this one, and it goes only when there is no other.
  bound.connect();
  assert.equal(bound.hello({ mode: "resume" }).answer.kind, "welcome");
  bound.disconnect();
  broker.client("another newcomer");
  bound.connect();
  assert.equal(bound.hello({ mode: "resume" }).refusal.code, "SESSION_EXPIRED");
  assert.equal(others.length, 3);
});

test("what became of the writes of a session that had to go can still be asked", () => {
  const broker = new TestBroker({ limits: { sessionsMax: 8 } });
  const [first, ...others] = Array.from({ length: 8 }, () => broker.client());
  assert.equal(others.length, 7);
  first?.write("w", { key: 1 });
  broker.settle();
  first?.disconnect();
  const newcomer = broker.client();
  assert.ok(first !== undefined);
  const settled = newcomer.settle(first, [1]);
  broker.settle();
  assert.equal(settled.body, "1:applied");
});
