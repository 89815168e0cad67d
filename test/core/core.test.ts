import assert from "node:assert/strict";
import { test } from "node:test";
import { Core } from "../../src/core/index.js";
import { limitsWith } from "../../src/terms/index.js";
import { TestBroker } from "./support/test-broker.js";
import type { TestClient } from "./support/test-client.js";
import { at, grantRow, key, name, program, seqOf, session, tokenOf } from "./support/values.js";

const empty = { sessions: [], grants: [], waiters: [], capacities: [], tokensAbove: 0, graceMs: 0 };

/** The broker is killed and lives again out of its ledger; its clients are where they were. */
function reborn(before: TestBroker, ...clients: TestClient[]): TestBroker {
  before.writer.state = "none";
  const { writer, ledger, now } = before;
  const after = new TestBroker({ memory: ledger.memory(), writer, ledger, startMs: now + 100 });
  for (const client of clients) client.broker = after;
  return after;
}

test("a core that was told nothing has nothing to say and nothing to wait for", () => {
  const core = new Core(limitsWith(), seqOf(0));
  core.check();
  assert.deepEqual(core.takeTurn(), { ledger: [], dispatch: [], send: [] });
  assert.equal(core.nextDeadline(at(0)), undefined);
  assert.deepEqual([core.ready, core.idle, core.writer.kind], [false, true, "starting"]);
});

test("clients may come when the writer has settled the past and tokens are at hand", () => {
  const broker = new TestBroker({ started: false });
  assert.equal(broker.core.ready, false);
  broker.start();
  assert.equal(broker.core.ready, true);
  assert.equal(broker.ledger.mark?.tokensTo, broker.writer.tokensTo);
});

test("a turn is handed out once", () => {
  const broker = new TestBroker();
  broker.client().hold("x");
  assert.deepEqual(broker.core.takeTurn(), { ledger: [], dispatch: [], send: [] });
});

test("a grant is in the same turn as its row and its letter", () => {
  const broker = new TestBroker();
  const client = broker.client();
  client.acquire("x");
  const turn = broker.turns.at(-1);
  assert.deepEqual(
    turn?.ledger.map(({ kind }) => kind),
    ["granted"],
  );
  assert.deepEqual(
    turn?.send.map(({ kind }) => kind),
    ["granted"],
  );
});

test("the core is idle when nothing is under way in the store", () => {
  const broker = new TestBroker();
  const client = broker.client();
  assert.ok(broker.core.idle);
  client.write("w");
  client.read("r");
  assert.ok(!broker.core.idle);
  broker.settle();
  assert.ok(!broker.core.idle);
  broker.read("r");
  assert.ok(broker.core.idle);
  assert.equal(broker.core.counts.settled, 1);
});

test("after a restart holders hold, waiters wait in their order, and tokens go on", () => {
  const before = new TestBroker();
  const [a, b, c] = [before.client("anna"), before.client("bert"), before.client("carl")];
  const held = a.hold("x");
  b.acquire("x", { key: 10 });
  c.acquire("x", { key: 10 });
  const after = reborn(before, a, b, c);
  assert.deepEqual([after.core.counts.held, after.core.counts.waiting], [1, 2]);
  assert.deepEqual(c.resume({ pending: [10] }).lost, []);
  const last = c.acquire("x", { key: 10 });
  b.resume({ pending: [10] });
  const first = b.acquire("x", { key: 10 });
  const { grants } = a.resume({ grants: [held] });
  assert.deepEqual(
    grants.map(({ token }) => token),
    [held.token],
  );
  a.release(held, { key: 99 });
  assert.ok(first.grant.token > held.token);
  assert.ok(last.open);
});

test("after a restart a newcomer stands behind those who waited before", () => {
  const before = new TestBroker();
  const [a, b] = [before.client(), before.client()];
  a.hold("x");
  b.acquire("x", { key: 10 });
  const after = reborn(before, a, b);
  const newcomer = after.client().acquire("x");
  b.resume({ pending: [10] });
  const waiting = b.acquire("x", { key: 10 });
  a.connect();
  a.hello({ mode: "resume" });
  assert.ok(!waiting.open);
  assert.ok(newcomer.open);
});

test("after a restart a write that was applied and not answered is answered, and not applied again", () => {
  const before = new TestBroker();
  const client = before.client();
  client.write("w", { key: 1 });
  before.settle();
  const after = reborn(before, client);
  client.resume();
  const again = client.write("w", { key: 1 });
  after.settle();
  assert.equal(again.body, "did w");
  assert.equal(after.writer.applied.length, 1);
});

test("after a restart a session says once which of its older keys may go, whatever it goes on to acknowledge", () => {
  const before = new TestBroker();
  const client = before.client();
  const after = reborn(before, client);
  client.resume();
  const forgets = () =>
    after.turns.flatMap(({ dispatch }) =>
      dispatch.flatMap((job) => (job.kind === "forget" ? [Number(job.below)] : [])),
    );
  for (let below = 100; below <= 10_000; below += 100) client.ack(below);
  assert.deepEqual(forgets(), [100]);
  client.write("w", { key: 10_001 });
  after.settle();
  client.ack(10_002);
  assert.deepEqual(forgets(), [100, 10_002]);
});

test("after a restart a holder whose process is dead is let go at once", () => {
  const process = { pid: 100, startTime: "1" };
  const before = new TestBroker();
  const client = before.client("anna", { process });
  client.hold("x");
  const after = reborn(before, client);
  assert.deepEqual(
    after.probes.map((job) => job.session),
    [client.session],
  );
  after.do({ kind: "process-fate", session: client.session, process, fate: "dead" });
  assert.equal(after.core.counts.held, 0);
});

test("a ledger that names two holders, or a holder that is nobody, is a fault", () => {
  const row = grantRow({ token: tokenOf(1), session: session(1), claims: [{ name: name("x"), mode: "exclusive" }] });
  const sessions = [
    { session: session(1), identity: program(), role: "admin" as const, windowMs: 1000, outer: undefined },
  ];
  const restored =
    (grants: readonly (typeof row)[], known = sessions) =>
    () =>
      new Core(limitsWith(), seqOf(0)).restore({ ...empty, sessions: known, grants }, at(0));
  assert.throws(restored([row, { ...row, token: tokenOf(2), key: key(2) }]), /two grants/);
  assert.throws(restored([row], []), /not there/);
});

test("the mark in the ledger is never ahead of what the database has for sure", () => {
  const broker = new TestBroker();
  const client = broker.client();
  client.write("refused", { fails: true });
  broker.settle();
  broker.do({ kind: "tokens-reserved", tokensFrom: 2_000_000, tokensTo: 3_000_000, incarnation: "first" });
  assert.ok((broker.ledger.mark?.seq ?? 0) <= broker.writer.storedSeq);
  assert.equal(broker.ledger.mark?.tokensTo, 3_000_000);
});

test("a core that is told an impossible event stops", () => {
  assert.throws(() => new TestBroker().do({ kind: "nonsense" } as never), /impossible/);
});
