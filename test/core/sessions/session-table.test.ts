import assert from "node:assert/strict";
import { test } from "node:test";
import { TestBroker } from "../support/test-broker.js";
import { at, session } from "../support/values.js";

const anna = { pid: 100, startTime: "7" };

/** Whether the broker still knows the session: only then it can be resumed. */
function isKnown(broker: TestBroker, number: number): boolean {
  return broker.ledger.sessions.has(session(number));
}

// ── hello ───────────────────────────────────────────────────────────────────────────────────────────────────────────

test("a connection that says nothing is hung up when its time is over", () => {
  const broker = new TestBroker({ limits: { helloMs: 200 } });
  const silent = broker.stranger();
  broker.pass(199);
  assert.deepEqual(silent.notices, []);
  broker.pass(1);
  assert.deepEqual(silent.notices, ["hangup"]);
});

test("a connection that has said hello may be silent for ever", () => {
  const broker = new TestBroker();
  const client = broker.client();
  broker.pass(3_600_000);
  assert.deepEqual(client.notices, []);
});

test("nothing but hello and settle is served before hello", () => {
  const broker = new TestBroker();
  const client = broker.stranger();
  for (const asked of [client.write("w"), client.read("r"), client.acquire("x"), client.goodbye()])
    assert.equal(asked.refusal.code, "NOT_READY");
  assert.ok(client.settle(client, [1]).open);
  broker.settle();
  assert.equal(client.hello().answer.kind, "refused");
});

test("hello is said once on a connection", () => {
  const client = new TestBroker().client();
  assert.equal(client.hello().refusal.code, "INVALID_REQUEST");
});

test("a session that is not known cannot be resumed, and one that is known cannot be new", () => {
  const broker = new TestBroker();
  const client = broker.stranger();
  assert.equal(client.hello({ mode: "resume" }).refusal.code, "SESSION_EXPIRED");
  const { answer } = client.hello({ mode: "new" });
  assert.ok(answer.kind === "welcome" && !answer.resumed);
  client.connect();
  assert.equal(client.hello({ mode: "new" }).refusal.code, "PARAMS_INVALID");
  const again = client.hello().answer;
  assert.ok(again.kind === "welcome" && again.resumed);
});

test("a second connection for a session wins, and the first is told and not heard any more", () => {
  const broker = new TestBroker();
  const client = broker.client();
  const { to: first } = client;
  client.resume();
  const { to: second } = client;
  client.to = first;
  assert.deepEqual(client.notices, ["taken"]);
  assert.equal(client.acquire("x").refusal.code, "NOT_READY");
  client.disconnect();
  client.to = second;
  assert.ok(client.hold("x").token > 0);
});

// ── away ────────────────────────────────────────────────────────────────────────────────────────────────────────────

test("a session without connection is kept for its window, with all that it holds", () => {
  const broker = new TestBroker();
  const client = broker.client("anna", { windowMs: 1000 });
  const held = client.hold("x");
  client.disconnect();
  broker.pass(1000);
  const { resumed, grants } = client.resume({ grants: [held] });
  assert.ok(resumed);
  assert.deepEqual(
    grants.map(({ token }) => token),
    [held.token],
  );
});

test("a session is over when its window is, and somebody else is granted what it held", () => {
  const broker = new TestBroker();
  const client = broker.client("anna", { windowMs: 1000 });
  client.hold("x");
  const waiting = broker.client().acquire("x");
  client.disconnect();
  broker.pass(1049);
  assert.ok(waiting.open);
  broker.pass(60);
  assert.ok(!waiting.open);
  client.connect();
  assert.equal(client.hello({ mode: "resume" }).refusal.code, "SESSION_EXPIRED");
  assert.equal(client.hello({ mode: "either" }).refusal.code, "SESSION_EXPIRED");
});

test("the end of a window is confirmed only when nobody has just connected", () => {
  const broker = new TestBroker();
  const client = broker.client("anna", { windowMs: 1000 });
  client.disconnect();
  broker.pass(999);
  for (let i = 0; i < 100; i++) {
    const knocking = broker.stranger();
    broker.pass(30);
    knocking.disconnect();
  }
  assert.ok(isKnown(broker, client.number));
  broker.pass(100);
  assert.ok(!isKnown(broker, client.number));
});

test("the end of a window waits for a connection that has not said hello yet", () => {
  const broker = new TestBroker({ limits: { helloMs: 2000 } });
  const client = broker.client("anna", { windowMs: 1000 });
  client.disconnect();
  broker.pass(999);
  const silent = broker.stranger();
  broker.pass(1900);
  assert.ok(isKnown(broker, client.number));
  silent.disconnect();
  broker.pass(100);
  assert.ok(!isKnown(broker, client.number));
});

test("a flood of connections does not keep a session alive for ever", () => {
  const broker = new TestBroker();
  const client = broker.client("anna", { windowMs: 1000 });
  client.disconnect();
  broker.pass(999);
  for (let i = 0; i < 200; i++) {
    broker.stranger();
    broker.pass(30);
  }
  assert.ok(!isKnown(broker, client.number));
});

test("a window that was due does not end a session that has come back", () => {
  const broker = new TestBroker();
  const client = broker.client("anna", { windowMs: 1000 });
  client.disconnect();
  broker.pass(1010);
  client.resume();
  broker.pass(60_000);
  assert.ok(isKnown(broker, client.number));
  assert.deepEqual(client.notices, []);
});

test("a pause of the broker ends no window, neither one that runs nor one that is due", () => {
  for (const before of [500, 1010]) {
    const broker = new TestBroker();
    const client = broker.client("anna", { windowMs: 1000 });
    client.disconnect();
    broker.pass(before);
    broker.pause(3_600_000);
    broker.pass(20);
    assert.ok(isKnown(broker, client.number), `paused after ${before} ms`);
    broker.pass(1100);
    assert.ok(!isKnown(broker, client.number));
  }
});

test("the longest window that a client can ask for is an hour", () => {
  const broker = new TestBroker();
  const { answer } = broker.stranger().hello({ windowMs: 1e12 });
  assert.ok(answer.kind === "welcome" && answer.windowMs === 3_600_000);
});

// ── dead or alive (rule 12) ─────────────────────────────────────────────────────────────────────────────────────────

test("after a close the process is looked at four times, and a dead one ends its session at once", () => {
  const broker = new TestBroker();
  const client = broker.client("anna", { process: anna });
  client.disconnect();
  const looks: number[] = [];
  for (let ms = 1; ms <= 700; ms++) {
    broker.pass(1);
    if (broker.probes.splice(0).length > 0) looks.push(ms);
  }
  assert.deepEqual(looks, [5, 20, 100, 500]);
  broker.do({ kind: "process-fate", session: client.session, process: anna, fate: "dead" });
  assert.ok(!isKnown(broker, client.number));
});

test("a process that is alive, or of which nothing is known, or that is another, ends nothing", () => {
  const broker = new TestBroker();
  const client = broker.client("anna", { process: anna });
  const { session: mine } = client;
  broker.do({ kind: "process-fate", session: mine, process: anna, fate: "alive" });
  broker.do({ kind: "process-fate", session: mine, process: anna, fate: "unknown" });
  broker.do({ kind: "process-fate", session: mine, process: { ...anna, startTime: "8" }, fate: "dead" });
  broker.do({ kind: "process-fate", session: session(999_999), process: anna, fate: "dead" });
  assert.ok(isKnown(broker, client.number));
});

test("a holder whose process is dead loses its locks though its socket is open, and is told", () => {
  const broker = new TestBroker();
  const client = broker.client("anna", { process: anna });
  client.hold("x");
  const waiting = broker.client().acquire("x");
  broker.do({ kind: "process-fate", session: client.session, process: anna, fate: "dead" });
  assert.deepEqual(client.notices, ["expired"]);
  assert.ok(!waiting.open);
  assert.equal(client.acquire("x").refusal.code, "NOT_READY");
});

test("holders that somebody waits for are looked at once a second, and only they", () => {
  const broker = new TestBroker();
  const holder = broker.client("anna", { process: anna });
  broker.client("bert", { process: { pid: 200, startTime: "1" } }).hold("y");
  const held = holder.hold("x");
  broker.pass(10_000);
  assert.equal(broker.probes.length, 0);
  const waiter = broker.client();
  waiter.acquire("x");
  broker.pass(3000);
  assert.deepEqual(
    broker.probes.map(({ process }) => process.pid),
    [100, 100, 100],
  );
  holder.release(held);
  broker.pass(10_000);
  assert.equal(broker.probes.length, 3);
});

test("a bound session lives as long as its process, with or without a connection", () => {
  const broker = new TestBroker();
  const client = broker.client("anna", { process: anna, bound: true, windowMs: 1000 });
  client.hold("x");
  client.disconnect();
  broker.pass(3_600_000);
  assert.ok(isKnown(broker, client.number));
  assert.ok(broker.probes.length >= 3600);
  broker.do({ kind: "process-fate", session: client.session, process: anna, fate: "dead" });
  assert.ok(!isKnown(broker, client.number));
  broker.probes.length = 0;
  broker.pass(10_000);
  assert.equal(broker.probes.length, 0);
});

test("a session that says it is bound and whose process cannot be read has a window like any other", () => {
  const broker = new TestBroker();
  const client = broker.client("anna", { bound: true, windowMs: 1000 });
  client.disconnect();
  broker.pass(1100);
  assert.ok(!isKnown(broker, client.number));
});

test("a session that another process resumes is looked at there, also after a restart", () => {
  const broker = new TestBroker();
  const client = broker.client("anna", { process: anna });
  const held = client.hold("x");
  client.disconnect();
  client.resume({ grants: [held], process: { pid: 200, startTime: "1" } });
  assert.equal(broker.ledger.sessions.get(client.session)?.identity.process?.pid, 200);
  const next = new TestBroker({ memory: broker.ledger.memory(), writer: broker.writer, ledger: broker.ledger });
  assert.deepEqual(
    next.probes.map(({ process }) => process.pid),
    [200],
  );
  next.do({ kind: "process-fate", session: client.session, process: anna, fate: "dead" });
  assert.equal(next.core.counts.held, 1);
});

test("a resume by the same process writes nothing into the ledger", () => {
  const broker = new TestBroker();
  const client = broker.client("anna", { process: anna });
  client.disconnect();
  const { length } = broker.turns;
  client.resume({ process: anna });
  assert.deepEqual(
    broker.turns.slice(length).flatMap(({ ledger }) => ledger),
    [],
  );
});

// ── the end ─────────────────────────────────────────────────────────────────────────────────────────────────────────

test("goodbye ends a session, and its id is never taken up again", () => {
  const broker = new TestBroker();
  const client = broker.client();
  const held = client.hold("x");
  assert.equal(client.goodbye().answer.kind, "farewell");
  assert.deepEqual(client.notices, []);
  assert.equal(broker.ledger.grants.has(held.token), false);
  assert.equal(client.hello().refusal.code, "SESSION_EXPIRED");
  assert.deepEqual(
    broker.writer.taken("end-session").map((job) => job.session),
    [client.session],
  );
});

test("goodbye is answered when the last write of the session is settled", () => {
  const broker = new TestBroker({ limits: { writesDispatchedMax: 1 } });
  const client = broker.client();
  const [first, second] = [client.write("w1"), client.write("w2")];
  const goodbye = client.goodbye();
  assert.ok(isKnown(broker, client.number));
  broker.settle();
  assert.equal(first.body, "did w1");
  assert.ok(goodbye.open);
  client.connect();
  assert.equal(client.hello().refusal.code, "SESSION_EXPIRED");
  broker.settle();
  assert.equal(second.body, "did w2");
  assert.ok(!broker.ledger.sessions.has(client.session));
  assert.equal(goodbye.letters.length, 1);
});

test("two goodbyes get two farewells", () => {
  const broker = new TestBroker({ limits: { writesDispatchedMax: 1 } });
  const client = broker.client();
  broker.client().write("in the way");
  client.write("w");
  const goodbyes = [client.goodbye(), client.goodbye()];
  broker.settle();
  broker.settle();
  for (const goodbye of goodbyes) assert.equal(goodbye.answer.kind, "farewell");
});

test("whatever a session had asked is answered when it ends", () => {
  const broker = new TestBroker({ limits: { writesDispatchedMax: 1 } });
  const client = broker.client("anna", { process: anna });
  broker.client().hold("x");
  const dispatched = client.write("w1");
  const queued = client.write("w2");
  const held = client.read("r");
  const waiting = client.acquire("x");
  const release = client.release({ ...broker.client().hold("y") });
  broker.do({ kind: "process-fate", session: client.session, process: anna, fate: "dead" });
  for (const asked of [queued, held, waiting]) assert.equal(asked.refusal.code, "SESSION_EXPIRED");
  assert.equal(release.refusal.code, "LOCK_NOT_HELD");
  assert.ok(dispatched.open);
  broker.settle();
  assert.equal(dispatched.body, "did w1");
});

test("another session may be opened on a connection whose session is over", () => {
  const broker = new TestBroker();
  const client = broker.client("anna", { process: anna });
  client.write("w");
  broker.do({ kind: "process-fate", session: client.session, process: anna, fate: "dead" });
  const other = broker.stranger();
  other.disconnect();
  other.to = client.to;
  assert.equal(other.hello().answer.kind, "welcome");
  broker.settle();
  assert.ok(other.hold("x").token > 0);
});

test("to settle a session ends it, and says of every key what became of it", () => {
  const broker = new TestBroker();
  const [old, other] = [broker.client(), broker.client()];
  old.write("w", { key: 1 });
  broker.settle();
  old.disconnect();
  const settled = other.settle(old, [1, 2]);
  broker.settle();
  assert.equal(settled.body, "1:applied 2:never");
  old.connect();
  assert.equal(old.hello().refusal.code, "SESSION_EXPIRED");
});

test("a session that was never known is never taken up once it was settled", () => {
  const broker = new TestBroker();
  const [old, other] = [broker.stranger(), broker.client()];
  other.settle(old, [1]);
  broker.settle();
  assert.equal(old.hello().refusal.code, "SESSION_EXPIRED");
});

test("sessions that end without a write leave nothing behind", () => {
  const broker = new TestBroker();
  for (let i = 0; i < 100; i++) {
    const client = broker.client();
    client.goodbye();
    client.disconnect();
  }
  const { settled: _, ...counts } = broker.core.counts;
  assert.ok(
    Object.values(counts).every((count) => count === 0),
    JSON.stringify(counts),
  );
  assert.equal(broker.core.nextDeadline(broker.now), undefined);
});

// ── restart ─────────────────────────────────────────────────────────────────────────────────────────────────────────

test("after a restart sessions are away, their processes are looked at, and their windows begin anew", () => {
  const before = new TestBroker();
  const client = before.client("anna", { process: anna, windowMs: 1000 });
  const held = client.hold("x");
  const after = new TestBroker({
    memory: before.ledger.memory(),
    writer: before.writer,
    ledger: before.ledger,
    startMs: 9_000,
  });
  assert.equal(after.probes.length, 1);
  assert.equal(after.now, at(9_000));
  after.pass(999);
  assert.ok(isKnown(after, client.number));
  const back = after.stranger("anna");
  Object.assign(back, { number: client.number });
  const { answer } = back.hello({ mode: "resume", grants: [held] });
  assert.ok(answer.kind === "welcome" && answer.resumed && answer.lost.length === 0);
});
