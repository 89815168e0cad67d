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

test("while the ledger is full nothing new is begun, and what is held can be given back", () => {
  const broker = new TestBroker();
  const client = broker.client();
  const held = client.hold("x");
  broker.do({ kind: "ledger", full: true });
  for (const asked of [client.acquire("y"), client.write("w"), broker.stranger().hello()])
    assert.equal(asked.refusal.code, "DISK_FULL");
  assert.equal(client.release(held).answer.kind, "released");
  broker.do({ kind: "ledger", full: false });
  client.hold("y");
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
  assert.deepEqual(
    { resumed, grants, windowMs, session },
    { resumed: true, grants: [{ name: "x", token: first.token, key: 3 }], windowMs: 7000, session: client.session },
  );
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
