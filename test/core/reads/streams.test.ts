/** Streams as their clients see them: what they are answered, what they get, and how they end. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { TestBroker } from "../support/test-broker.js";

/** A client whose first stream waits for a process that is ready to open it. */
function stage(limits: { readonly [name: string]: number } = {}) {
  const broker = new TestBroker({ limits });
  const client = broker.client();
  return { broker, client };
}

test("a stream is answered with its columns; rows go to its client, and then its end", () => {
  const { broker, client } = stage();
  const asked = client.stream("s");
  broker.startSnapshots();
  assert.ok(asked.open);
  broker.opens("s");
  assert.equal(asked.body, "columns of s");
  broker.rows("s");
  broker.rows("s");
  broker.streamEnds("s");
  assert.deepEqual(client.streamed, ["s 1", "s 2", "1 done after 2"]);
  broker.clearSnapshots();
  assert.equal(broker.core.counts.snapshotsOpen, 0);
});

// rule 4
test("a stream is not begun before the writes that its session sent before it are settled", () => {
  const { broker, client } = stage();
  client.stream("warm", { number: 7 });
  broker.startSnapshots();
  broker.opens("warm");
  broker.streamEnds("warm");
  broker.clearSnapshots();
  client.write("w1");
  client.write("w2");
  const asked = client.stream("s");
  client.write("w3");
  broker.settle(1);
  assert.throws(() => broker.opens("s"), /nobody streams/);
  broker.settle(1);
  broker.opens("s");
  assert.equal(asked.body, "columns of s");
});

test("a statement that is refused is told as the answer, and its process is free again", () => {
  const { broker, client } = stage();
  const asked = client.stream("s", { fails: true });
  broker.startSnapshots();
  broker.opens("s");
  assert.equal(asked.refusal.code, "SQLITE_ERROR");
  broker.clearSnapshots();
  const again = client.stream("t");
  broker.opens("t");
  assert.equal(again.body, "columns of t");
});

test("a number is in use until its stream is done", () => {
  const { broker, client } = stage();
  client.stream("s");
  assert.equal(client.stream("t").refusal.code, "PARAMS_INVALID");
  broker.startSnapshots();
  broker.opens("s");
  assert.equal(client.stream("u").refusal.code, "PARAMS_INVALID");
  broker.streamEnds("s");
  broker.clearSnapshots();
  assert.ok(client.stream("v").open);
});

test("credit goes to the process, also what came before the stream was open", () => {
  const { broker, client } = stage();
  client.stream("s", { credit: 100 });
  client.credit(1, 10);
  broker.startSnapshots();
  const { id } = broker.snapshots.of("s");
  client.credit(1, 5);
  broker.opens("s");
  assert.equal(broker.snapshots.get(id).stream?.credit, 115);
  client.credit(1, 1000);
  assert.equal(broker.snapshots.get(id).stream?.credit, 1115);
  client.credit(2, 1000);
});

test("credit that comes while its process does not listen is told together when it does", () => {
  const { broker, client } = stage();
  client.stream("s", { credit: 100 });
  broker.startSnapshots();
  broker.opens("s");
  const { id } = broker.snapshots.of("s");
  const told = () => broker.turns.flatMap(({ dispatch }) => dispatch).filter(({ kind }) => kind === "credit").length;
  for (let i = 0; i < 1000; i++) client.credit(1, 1);
  assert.equal(told(), 16);
  broker.rows("s", 50);
  assert.equal(told(), 17);
  assert.equal(broker.snapshots.get(id).stream?.given, 1100);
  for (let i = 0; i < 20; i++) client.credit(1, 1);
  broker.do(broker.snapshots.waits(id));
  assert.equal(broker.snapshots.get(id).stream?.given, 1120);
});

test("a stream that is closed in the middle is done at once, and its process is free when it has let go", () => {
  const { broker, client } = stage();
  client.stream("s");
  broker.startSnapshots();
  broker.opens("s");
  broker.rows("s");
  const { id } = broker.snapshots.of("s");
  client.closeStream(1);
  assert.deepEqual(client.streamed, ["s 1", "1 done after 1: CANCELLED"]);
  broker.do(broker.snapshots.rows(id, 10));
  assert.equal(client.streamed.length, 2, "what was on the way is for nobody");
  broker.clearSnapshots();
  assert.equal(broker.snapshots.get(id).killed, undefined);
  client.stream("t");
  assert.equal(broker.snapshots.of("t").id, id);
});

test("a process that does not let go in time is ended", () => {
  const { broker, client } = stage();
  client.stream("s", { endless: true });
  broker.startSnapshots();
  const { id } = broker.snapshots.of("s");
  client.closeStream(1);
  broker.pass(200);
  assert.equal(broker.snapshots.get(id).killed, undefined);
  broker.pass(100);
  assert.match(broker.snapshots.get(id).killed ?? "", /does not end/);
});

for (const [when, act] of [
  ["it waits for its turn", (broker: TestBroker) => broker.core.check()],
  ["it is being opened", (broker: TestBroker) => broker.startSnapshots()],
] as const)
  test(`a stream that is cancelled while ${when} is refused, and none is left`, () => {
    for (const how of ["cancel", "close"] as const) {
      const { broker, client } = stage();
      const asked = client.stream("s");
      act(broker);
      if (how === "cancel") client.cancel(asked);
      else client.closeStream(1);
      assert.equal(asked.refusal.code, "CANCELLED");
      broker.startSnapshots();
      broker.clearSnapshots();
      const { snapshotsOpen, snapshotsWaiting } = broker.core.counts;
      assert.deepEqual([snapshotsOpen, snapshotsWaiting], [0, 0]);
      assert.deepEqual(client.streamed, []);
    }
  });

test("an open stream is not cancelled by the request that it has answered", () => {
  const { broker, client } = stage();
  const asked = client.stream("s");
  broker.startSnapshots();
  broker.opens("s");
  client.cancel(asked);
  broker.rows("s");
  assert.deepEqual(client.streamed, ["s 1"]);
});

test("a stream whose process dies before it has answered is asked once more, and not a third time", () => {
  const { broker, client } = stage();
  const asked = client.stream("s");
  broker.startSnapshots();
  broker.do(broker.snapshots.gone(broker.snapshots.of("s").id));
  assert.ok(asked.open);
  broker.startSnapshots();
  broker.do(broker.snapshots.gone(broker.snapshots.of("s").id, "signal SIGSEGV"));
  assert.equal(asked.refusal.code, "STATEMENT_CRASHED");
});

test("a stream whose process dies in the middle is done with that, and never goes on from another snapshot", () => {
  const { broker, client } = stage();
  client.stream("s");
  broker.startSnapshots();
  broker.opens("s");
  broker.rows("s");
  broker.do(broker.snapshots.gone(broker.snapshots.of("s").id));
  broker.startSnapshots();
  assert.deepEqual(client.streamed, ["s 1", "1 done after 1: STATEMENT_CRASHED"]);
  assert.throws(() => broker.snapshots.of("s"));
});

test("streams end with their connection, and nobody hears of them on the next one", () => {
  const { broker, client } = stage();
  const waiting = broker.client();
  client.stream("s");
  client.stream("t", { number: 2 });
  waiting.stream("u");
  broker.startSnapshots();
  broker.opens("s");
  client.disconnect();
  broker.clearSnapshots();
  assert.equal(broker.core.counts.snapshotsOpen, 1);
  client.resume();
  assert.deepEqual(client.streamed, []);
  assert.ok(client.stream("again").open, "its number is free");
});

test("another connection that speaks for the session ends the streams of the one before", () => {
  const { broker, client } = stage();
  client.stream("s");
  broker.startSnapshots();
  broker.opens("s");
  client.resume();
  broker.clearSnapshots();
  assert.equal(broker.core.counts.snapshotsOpen, 0);
});

test("a lost connection takes along its streams that wait for a process, those that wait for a write, and no others", () => {
  const { broker, client } = stage();
  const other = broker.client();
  for (let number = 1; number <= 200; number++) client.stream(`s${number}`, { number });
  client.write("w");
  client.stream("held", { number: 300 });
  other.stream("theirs");
  client.disconnect();
  broker.startSnapshots();
  for (let n = 0; n < 3; n++) broker.clearSnapshots();
  broker.settle();
  broker.opens("theirs");
  assert.deepEqual([broker.core.counts.snapshotsWaiting, broker.core.counts.snapshotsOpen], [0, 1]);
});

test("streams end with their session", () => {
  const { broker, client } = stage();
  client.stream("s");
  const waiting = client.stream("t", { number: 2 });
  broker.startSnapshots();
  broker.opens("s");
  client.goodbye();
  assert.deepEqual(client.streamed, ["1 done after 0: SESSION_EXPIRED"]);
  assert.equal(waiting.refusal.code, "SESSION_EXPIRED");
});

test("a broker that ends ends its streams, and begins none", () => {
  const { broker, client } = stage();
  client.stream("s");
  client.write("w");
  const held = client.stream("t", { number: 2 });
  broker.startSnapshots();
  broker.opens("s");
  broker.do({ kind: "drain" });
  assert.deepEqual(client.streamed, ["1 done after 0: SHUTTING_DOWN"]);
  assert.equal(held.refusal.code, "SHUTTING_DOWN");
  assert.equal(client.stream("u", { number: 3 }).refusal.code, "SHUTTING_DOWN");
  broker.settle();
  assert.ok(broker.core.idle);
});
