import assert from "node:assert/strict";
import { test } from "node:test";
import type { Role } from "../../../src/core/index.js";
import { forbidden, includes } from "../../../src/core/sessions/role.js";
import { TestBroker } from "../support/test-broker.js";
import type { TestClient } from "../support/test-client.js";
import { at } from "../support/values.js";

const roles: readonly Role[] = ["read", "write", "admin"];

function clientAs(broker: TestBroker, role: Role | undefined, program = "anna"): TestClient {
  const client = broker.stranger(program);
  const { answer } = client.hello(role === undefined ? {} : { role });
  assert.ok(answer.kind === "welcome" && answer.role === (role ?? "admin"));
  return client;
}

/** The role that it has when it comes again and says no word of it. */
function roleNow(client: TestClient): Role {
  return client.resume().role;
}

test("each role includes the one before it", () => {
  for (const [place, role] of roles.entries())
    for (const [other, needed] of roles.entries()) assert.equal(includes(role, needed), place >= other);
});

test("who says no role may do everything", () => {
  const broker = new TestBroker();
  const client = clientAs(broker, undefined);
  assert.equal(broker.core.roleOf(client.to), "admin");
  assert.equal(broker.core.roleOf(broker.stranger().to), undefined);
});

test("who only reads may neither write nor begin to, and takes no lock away from others", () => {
  const broker = new TestBroker();
  const holder = clientAs(broker, undefined, "holder");
  const held = holder.hold("x");
  const reader = clientAs(broker, "read");
  const wants = [
    reader.write("w"),
    reader.begin(),
    reader.acquire("x", { steal: true }),
    reader.break("x"),
    reader.transfer("x", reader),
    reader.resize("pool", 3),
  ];
  for (const { refusal } of wants) {
    const { code, message, outcome, details } = refusal;
    assert.deepEqual([code, outcome, details], ["FORBIDDEN", undefined, { role: "read", needed: "write" }]);
    assert.equal(message, forbidden("read", "write").message);
  }
  broker.settle();
  assert.equal(broker.writer.applied.length, 0, "nothing has reached the writer");
  assert.equal(holder.write("still held", { fences: [held] }).open, true);
  assert.ok(reader.begin({ mode: "read" }).open, "it waits for a process");
});

test("to write for longer than others have to wait is for an admin", () => {
  const broker = new TestBroker();
  const { code, details } = clientAs(broker, "write").write("w", { contendedMs: 1000 }).refusal;
  assert.deepEqual([code, details], ["FORBIDDEN", { role: "write", needed: "admin" }]);
  assert.ok(clientAs(broker, "admin").write("w", { contendedMs: 1000 }).open);
});

test("who only reads waits for locks, holds them and gives them back", () => {
  const broker = new TestBroker();
  const reader = clientAs(broker, "read");
  const held = reader.hold("x", { mode: "shared" });
  const upgraded = reader.upgrade(held);
  assert.equal(upgraded.answer.kind, "converted");
  assert.equal(reader.acquire("y", { waitMs: 0 }).answer.kind, "granted");
  assert.equal(reader.list().length, 2);
});

test("a session that comes again may have less than before, and then it has less for good, but never more", () => {
  const broker = new TestBroker();
  const client = clientAs(broker, "write");
  client.connect();
  const wider = client.hello({ mode: "resume", role: "admin" }).refusal;
  assert.deepEqual([wider.code, wider.details], ["FORBIDDEN", { role: "write", needed: "admin" }]);
  assert.equal(client.acquire("x").refusal.code, "NOT_READY", "what follows such a hello is not heard");
  assert.equal(client.hello({ role: "read" }).answer.kind, "welcome");
  assert.equal(roleNow(client), "read");
  client.connect();
  assert.equal(client.hello({ role: "write" }).refusal.code, "FORBIDDEN");
});

test("a hello that asks for too much changes nothing: who spoke for the session goes on", () => {
  const broker = new TestBroker();
  const client = clientAs(broker, "read");
  const { to: first } = client;
  client.connect();
  assert.equal(client.hello({ role: "admin" }).refusal.code, "FORBIDDEN");
  client.to = first;
  assert.deepEqual(client.notices, []);
  assert.ok(client.hold("x").token > 0);
});

test("a role outlives the broker, also one that has become less", () => {
  const before = new TestBroker();
  const [anna, bert] = [clientAs(before, "read", "anna"), clientAs(before, "admin", "bert")];
  bert.resume({ role: "write" });
  const { ledger, writer } = before;
  const after = new TestBroker({ memory: ledger.memory(), writer, ledger, startMs: 9000 });
  assert.equal(after.now, at(9000));
  for (const [client, role] of [[anna, "read"] as const, [bert, "write"] as const]) {
    const back = after.stranger(client.program);
    Object.assign(back, { number: client.number });
    assert.equal(back.hello({ mode: "resume", role: "admin" }).refusal.code, "FORBIDDEN");
    const { answer } = back.hello({ mode: "resume" });
    assert.ok(answer.kind === "welcome" && answer.role === role);
  }
});

test("of a write that was sent while the session might write, nobody says that it was not applied", () => {
  const broker = new TestBroker();
  const client = clientAs(broker, "write");
  const key = client.nextKey();
  client.write("w", { key });
  broker.settle();
  client.resume({ role: "read" });
  const again = client.write("w", { key }).refusal;
  assert.deepEqual([again.code, again.outcome], ["FORBIDDEN", "unknown"]);
  const fresh = client.write("v").refusal;
  assert.deepEqual([fresh.code, fresh.outcome], ["FORBIDDEN", undefined]);
});
