/** The processes for snapshots: how many there are, whose turn it is, and when a snapshot ends by itself. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { TestBroker } from "../support/test-broker.js";
import type { TestClient } from "../support/test-client.js";

const MiB = 1024 * 1024;

/** So many streams are opened by this client, `what 1` and so on; those that find a process. */
function open(broker: TestBroker, client: TestClient, what: string, count: number): void {
  for (let i = 1; i <= count; i++) client.stream(`${what}${i}`, { number: i });
  for (let i = 1; i <= count; i++) {
    broker.startSnapshots();
    if (isWithProcess(broker, `${what}${i}`)) broker.opens(`${what}${i}`);
  }
  broker.startSnapshots();
}

/** The same, and their clients give no credit. */
function openIdle(broker: TestBroker, client: TestClient, what: string, count: number): void {
  open(broker, client, what, count);
  for (const { id, stream } of [...broker.snapshots.all.values()])
    if (stream?.what.startsWith(what)) broker.do(broker.snapshots.waits(id));
}

function isWithProcess(broker: TestBroker, what: string): boolean {
  try {
    broker.snapshots.of(what);
    return true;
  } catch {
    return false;
  }
}

function processes(broker: TestBroker): number {
  return broker.snapshots.all.size;
}

test("no process is there before one is needed; then one more is kept warm, and after a minute without use none", () => {
  const broker = new TestBroker();
  const client = broker.client();
  assert.equal(processes(broker), 0);
  client.stream("s");
  assert.equal(processes(broker), 1);
  broker.startSnapshots();
  assert.equal(processes(broker), 2);
  broker.startSnapshots();
  assert.equal(processes(broker), 2);
  broker.opens("s");
  broker.streamEnds("s");
  broker.clearSnapshots();
  broker.pass(11_000);
  broker.burySnapshots();
  assert.equal(processes(broker), 1);
  broker.pass(40_000);
  broker.burySnapshots();
  assert.equal(processes(broker), 1);
  broker.pass(11_000);
  broker.burySnapshots();
  assert.equal(processes(broker), 0);
});

test("when the last process died with the snapshot that it had, the broker wakes for none any more", () => {
  const broker = new TestBroker({ limits: { snapshotProcessesMax: 1 } });
  const client = broker.client();
  broker.pass(60_000);
  const next = () => broker.core.nextDeadline(broker.now);
  assert.equal(next(), undefined);
  open(broker, client, "s", 1);
  broker.do(broker.snapshots.waits(broker.snapshots.of("s1").id));
  assert.notEqual(next(), undefined);
  broker.do(broker.snapshots.gone(broker.snapshots.of("s1").id));
  assert.equal(processes(broker), 0);
  assert.equal(next(), undefined);
});

test("a warm process serves at once", () => {
  const broker = new TestBroker();
  const client = broker.client();
  open(broker, client, "s", 1);
  client.stream("t", { number: 2 });
  assert.ok(isWithProcess(broker, "t"));
});

test("not more than two processes are started at once", () => {
  const broker = new TestBroker();
  const client = broker.client();
  for (let i = 1; i <= 10; i++) client.stream(`s${i}`, { number: i });
  assert.equal(processes(broker), 2);
  broker.startSnapshots();
  assert.equal(processes(broker), 4);
});

test("a process that dies as it starts is not started again at once", () => {
  const broker = new TestBroker();
  broker.client().stream("s");
  broker.do(broker.snapshots.gone(1));
  assert.equal(processes(broker), 0);
  broker.pass(1100);
  assert.equal(processes(broker), 1);
});

test("when no process can be had, those who wait are told so after a while, and it is tried on", () => {
  const broker = new TestBroker({ limits: { readerStartMs: 3000 } });
  const client = broker.client();
  const asked = client.stream("s");
  for (let i = 0; i < 3; i++) {
    assert.ok(asked.open, `refused after ${i} starts`);
    for (const { id } of [...broker.snapshots.all.values()]) broker.do(broker.snapshots.gone(id, "no memory"));
    broker.pass(900);
    broker.pass(110);
  }
  assert.equal(asked.refusal.code, "READER_UNAVAILABLE");
  const again = client.stream("t");
  broker.startSnapshots();
  broker.opens("t");
  assert.equal(again.body, "columns of t");
});

test("a process that never becomes ready is ended", () => {
  const broker = new TestBroker({ limits: { readerStartMs: 3000 } });
  broker.client().stream("s");
  broker.pass(2900);
  assert.equal(broker.snapshots.get(1).killed, undefined);
  broker.pass(200);
  assert.match(broker.snapshots.get(1).killed ?? "", /does not become ready/);
});

test("when all processes are taken the next one waits for its turn", () => {
  const broker = new TestBroker({ limits: { snapshotProcessesMax: 4 } });
  const [anna, bert] = [broker.client("anna"), broker.client("bert")];
  open(broker, anna, "a", 2);
  open(broker, bert, "b", 2);
  const asked = anna.stream("late", { number: 9 });
  broker.startSnapshots();
  assert.equal(processes(broker), 4);
  broker.pass(5000);
  assert.ok(asked.open);
  broker.streamEnds("b1");
  broker.clearSnapshots();
  broker.opens("late");
  assert.equal(asked.body, "columns of late");
});

test("no session has all processes: the last one is left to those who have none", () => {
  const broker = new TestBroker({ limits: { snapshotProcessesMax: 4 } });
  const [anna, bert] = [broker.client("anna"), broker.client("bert")];
  openIdle(broker, anna, "a", 6);
  assert.equal(broker.core.counts.snapshotsOpen, 3);
  broker.pass(30_000);
  bert.stream("b");
  broker.startSnapshots();
  broker.opens("b");
  assert.deepEqual(bert.streamed, []);
});

test("sessions take turns: one that asks for many does not put another behind all of them", () => {
  const broker = new TestBroker({ limits: { snapshotProcessesMax: 2 } });
  const [anna, bert, carl] = [broker.client("anna"), broker.client("bert"), broker.client("carl")];
  open(broker, anna, "a", 1);
  open(broker, bert, "b", 1);
  for (let i = 1; i <= 20; i++) bert.stream(`flood${i}`, { number: 10 + i });
  carl.stream("c");
  broker.streamEnds("b1");
  broker.clearSnapshots();
  broker.streamEnds("a1");
  broker.clearSnapshots();
  assert.ok(isWithProcess(broker, "c"));
});

test("while others wait who have fewer, the oldest of the session with most is ended after ten seconds", () => {
  const broker = new TestBroker({ limits: { snapshotProcessesMax: 3 } });
  const [anna, bert, carl] = [broker.client("anna"), broker.client("bert"), broker.client("carl")];
  openIdle(broker, anna, "a", 2);
  openIdle(broker, bert, "b", 1);
  const asked = carl.stream("c");
  broker.pass(9000);
  assert.deepEqual(anna.streamed, []);
  broker.pass(1200);
  assert.deepEqual(anna.streamed, ["1 done after 0: SNAPSHOT_ENDED"]);
  assert.deepEqual(bert.streamed, []);
  broker.clearSnapshots();
  broker.opens("c");
  assert.equal(asked.body, "columns of c");
});

test("who has most waits for himself: nothing of his is ended for it", () => {
  const broker = new TestBroker({ limits: { snapshotProcessesMax: 3 } });
  const [anna, bert] = [broker.client("anna"), broker.client("bert")];
  openIdle(broker, anna, "a", 3);
  openIdle(broker, bert, "b", 1);
  broker.pass(60_000);
  assert.deepEqual([anna.streamed, bert.streamed], [[], []]);
});

test("a snapshot is ended when it has reached its age, whatever its client does", () => {
  const broker = new TestBroker({ limits: { snapshotMs: 10_000 } });
  const client = broker.client();
  open(broker, client, "s", 1);
  for (let i = 0; i < 9; i++) {
    broker.rows("s1");
    broker.pass(1000);
  }
  assert.ok(client.streamed.every((line) => line.startsWith("s1")));
  broker.pass(1100);
  assert.deepEqual(client.streamed.at(-1), "1 done after 9: SNAPSHOT_ENDED");
});

test("a statement that gives nothing for longer than its time is ended, and one that waits for credit is not", () => {
  const broker = new TestBroker({ limits: { readMs: 3000 } });
  const client = broker.client();
  open(broker, client, "s", 3);
  broker.do(broker.snapshots.waits(broker.snapshots.of("s1").id));
  broker.do({ kind: "snapshot-held", process: snapshotOf(broker, "s2"), held: true });
  broker.pass(2900);
  assert.deepEqual(client.streamed, []);
  broker.pass(200);
  assert.deepEqual(client.streamed, ["3 done after 0: STATEMENT_TIMEOUT"]);
  broker.pass(60_000);
  assert.equal(client.streamed.length, 1);
  // From here on they have work to do.
  client.credit(1, 1000);
  broker.do({ kind: "snapshot-held", process: snapshotOf(broker, "s2"), held: false });
  broker.pass(2900);
  assert.equal(client.streamed.length, 1);
  broker.pass(200);
  assert.equal(client.streamed.length, 3);
});

function snapshotOf(broker: TestBroker, what: string) {
  const job = broker.turns
    .flatMap(({ dispatch }) => dispatch)
    .find((one) => one.to === "snapshot" && one.process === broker.snapshots.of(what).id);
  if (job?.to !== "snapshot") throw new Error(`nothing was asked for ${what}`);
  return job.process;
}

test("a word that it waits, said before it had heard of the last credit, does not count", () => {
  const broker = new TestBroker({ limits: { readMs: 3000 } });
  const client = broker.client();
  open(broker, client, "s", 1);
  const stale = broker.snapshots.waits(broker.snapshots.of("s1").id);
  client.credit(1, 1000);
  broker.do(stale);
  broker.pass(3100);
  assert.deepEqual(client.streamed, ["1 done after 0: STATEMENT_TIMEOUT"]);
});

test("rows are a sign of work: the time begins anew with each message", () => {
  const broker = new TestBroker({ limits: { readMs: 3000 } });
  const client = broker.client();
  open(broker, client, "s", 1);
  for (let i = 0; i < 5; i++) {
    broker.pass(2500);
    broker.rows("s1");
  }
  assert.equal(client.streamed.length, 5);
});

test("a stream that never comes to its first row is ended when its time is over", () => {
  const broker = new TestBroker();
  const asked = broker.client().stream("s", { timeoutMs: 500, endless: true });
  broker.startSnapshots();
  broker.pass(600);
  assert.equal(asked.refusal.code, "STATEMENT_TIMEOUT");
});

// rule 11
test("a broker that stood still ends no snapshot for it", () => {
  const broker = new TestBroker({ limits: { snapshotMs: 10_000, readMs: 3000 } });
  const client = broker.client();
  open(broker, client, "s", 1);
  broker.pass(1000);
  broker.pause(60_000);
  broker.pass(1900);
  assert.deepEqual(client.streamed, []);
  broker.pass(200);
  assert.deepEqual(client.streamed, ["1 done after 0: STATEMENT_TIMEOUT"]);
});

// rule 1
test("while the writer is replaced no snapshot is begun and no process started; those that are open go on", () => {
  const broker = new TestBroker();
  const client = broker.client();
  open(broker, client, "s", 1);
  broker.killWriter({ jobs: 0, phase: "idle" });
  const before = processes(broker);
  client.stream("t", { number: 2 });
  client.stream("u", { number: 3 });
  broker.rows("s1");
  assert.deepEqual(client.streamed, ["s1 1"]);
  assert.ok(!isWithProcess(broker, "t"));
  assert.equal(processes(broker), before);
  broker.writerReady();
  assert.ok(isWithProcess(broker, "t"));
  assert.ok(processes(broker) > before);
});

// rule 9
test("when the disk has failed under the writer all snapshots end with their processes", () => {
  const broker = new TestBroker();
  const client = broker.client();
  open(broker, client, "s", 1);
  broker.killWriter({ jobs: 0, phase: "committing", ioFailed: true });
  assert.deepEqual(client.streamed, ["1 done after 0: SNAPSHOT_ENDED"]);
  assert.ok([...broker.snapshots.all.values()].every(({ killed }) => killed !== undefined));
});

/** A log over its limit, by a write that is settled. */
function logGrows(broker: TestBroker, client: TestClient, bytes = 65 * MiB): void {
  broker.writer.walBytes = bytes;
  client.write("grows");
  broker.settle();
}

function folds(broker: TestBroker): boolean {
  return broker.writer.taken("checkpoint").length > 0;
}

// rule 16
test("when the log must be folded snapshots of a second end at once and young ones when they are as old; none is begun", () => {
  const broker = new TestBroker();
  const [anna, bert] = [broker.client("anna"), broker.client("bert")];
  open(broker, anna, "old", 1);
  broker.pass(1500);
  open(broker, anna, "x", 0);
  bert.stream("young");
  broker.startSnapshots();
  broker.opens("young");
  broker.pass(300);
  logGrows(broker, anna);
  assert.deepEqual(anna.streamed, ["1 done after 0: SNAPSHOT_ENDED"]);
  const asked = anna.stream("late", { number: 5 });
  broker.clearSnapshots();
  assert.deepEqual(bert.streamed, []);
  assert.ok(!folds(broker));
  broker.pass(800);
  assert.deepEqual(bert.streamed, ["1 done after 0: SNAPSHOT_ENDED"]);
  assert.ok(!folds(broker), "its process may still read");
  broker.clearSnapshots();
  assert.ok(folds(broker));
  assert.ok(asked.open);
  broker.writer.walBytes = 0;
  broker.do({ kind: "checkpointed", walBytes: 0, complete: true });
  broker.startSnapshots();
  broker.opens("late");
  assert.equal(asked.body, "columns of late");
});

test("a snapshot that is in the way of the log and does not end is ended with its process", () => {
  const broker = new TestBroker();
  const client = broker.client();
  open(broker, client, "s", 1);
  broker.pass(1500);
  logGrows(broker, client);
  broker.pass(300);
  assert.ok(!folds(broker));
  broker.burySnapshots();
  assert.ok(folds(broker));
});

test("while snapshots end for the log, plain reads go on and writes are taken", () => {
  const broker = new TestBroker();
  const client = broker.client();
  open(broker, client, "s", 1);
  logGrows(broker, client);
  const read = client.read("r");
  broker.read("r");
  assert.equal(read.body, "saw r");
  const write = client.write("w");
  broker.settle();
  assert.equal(write.body, "did w");
  assert.ok(!folds(broker));
});

test("a young snapshot that ends by itself in time lets the log be folded without a loss", () => {
  const broker = new TestBroker();
  const client = broker.client();
  open(broker, client, "s", 1);
  logGrows(broker, client);
  broker.streamEnds("s1");
  broker.clearSnapshots();
  assert.ok(folds(broker));
  assert.deepEqual(client.streamed, ["1 done after 0"]);
});

test("a writer that dies while snapshots end for the log ends that, too", () => {
  const broker = new TestBroker();
  const client = broker.client();
  open(broker, client, "s", 1);
  logGrows(broker, client);
  broker.killWriter({ jobs: 0, phase: "idle" });
  broker.writer.walBytes = 0;
  broker.writerReady();
  broker.pass(5000);
  broker.rows("s1");
  assert.deepEqual(client.streamed, ["s1 1"]);
});
