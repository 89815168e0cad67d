/** Transactions that only read, as their clients see them: one snapshot each, in order, and how each ends. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { snapshotProcessId } from "../../../src/terms/index.js";
import { TestBroker } from "../support/test-broker.js";

const reading = { mode: "read", writes: false } as const;

function stage(limits: { readonly [name: string]: number } = {}) {
  const broker = new TestBroker({ limits });
  const [anna, bert] = [broker.client("anna"), broker.client("bert")];
  const answers = () => broker.answersSnapshot();
  /** Anna has begun one, whose snapshot is open. */
  const open = () => {
    const begin = anna.begin(reading);
    broker.startSnapshots();
    answers();
    return begin;
  };
  return { broker, anna, bert, answers, open };
}

test("begin and statements go to the process in one breath, each is answered, and the commit when all are", () => {
  const { broker, anna, answers } = stage();
  const begin = anna.begin(reading);
  const asked = [anna.step("a", reading), anna.step("b", { ...reading, fails: true }), anna.commit()];
  assert.equal(broker.core.counts.transactions, 1);
  broker.startSnapshots();
  assert.deepEqual(
    [...broker.snapshots.all.values()][0]?.runs.map(({ kind }) => kind),
    ["begin", "run", "run"],
  );
  answers();
  assert.deepEqual(begin.answer.kind === "begun" && [begin.answer.transaction, begin.answer.seq], [1, 7]);
  answers();
  assert.ok(asked[2]?.open);
  answers();
  assert.equal(asked[0]?.body, "saw a");
  assert.equal(asked[1]?.refusal.code, "SQLITE_ERROR");
  assert.deepEqual(asked[2]?.answer.kind === "committed" && asked[2].answer.seq, 7);
  broker.clearSnapshots();
  const { transactions, snapshotsOpen } = broker.core.counts;
  assert.deepEqual([transactions, snapshotsOpen], [0, 0]);
});

test("nobody waits for it: writes of all go to the writer, and it owns nothing", () => {
  const { broker, anna, bert, open } = stage();
  open();
  const writes = [anna.write("w1"), bert.write("w2")];
  broker.settle();
  assert.deepEqual(
    writes.map(({ body }) => body),
    ["did w1", "did w2"],
  );
});

// rule 4
test("its snapshot is not opened before the writes that its session sent before it are settled", () => {
  const { broker, anna, answers } = stage();
  anna.write("w");
  const begin = anna.begin(reading);
  broker.startSnapshots();
  assert.equal(broker.snapshots.all.size, 0);
  broker.settle();
  broker.startSnapshots();
  answers();
  assert.equal(begin.answer.kind, "begun");
});

test("a statement that writes is refused, and the transaction goes on", () => {
  const { anna, answers, open } = stage();
  open();
  assert.equal(anna.step("w").refusal.code, "READ_ONLY");
  const read = anna.step("r", reading);
  answers();
  assert.equal(read.body, "saw r");
});

test("its number comes after all before, of whatever kind, and it counts among the session's transactions", () => {
  const { anna, open } = stage({ transactionsMax: 1 });
  open();
  assert.equal(anna.begin({ transaction: 1 }).refusal.code, "PARAMS_INVALID");
  assert.equal(anna.begin({ transaction: 2 }).refusal.code, "TRANSACTIONS_FULL");
  assert.equal(anna.rollback({ transaction: 1 }).answer.kind, "rolled-back");
  assert.ok(anna.begin({ transaction: 3, mode: "read" }).open);
});

// rule 15
test("after its end, and on another connection, it is not there: TX_LOST, and a rollback succeeds", () => {
  const { broker, anna, open } = stage();
  open();
  anna.commit();
  assert.equal(anna.step("r", { ...reading, transaction: 1 }).refusal.code, "TX_LOST");
  broker.clearSnapshots();
  open();
  anna.disconnect();
  assert.equal(broker.core.counts.transactions, 0);
  anna.resume();
  assert.equal(anna.step("r", { ...reading, transaction: 2 }).refusal.code, "TX_LOST");
  assert.equal(anna.rollback({ transaction: 2 }).answer.kind, "rolled-back");
});

test("a rollback before its turn takes it back, with everything that was asked of it", () => {
  const { broker, anna } = stage();
  const asked = [anna.begin(reading), anna.step("r", reading)];
  const rollback = anna.rollback();
  assert.deepEqual(
    asked.map(({ refusal }) => refusal.code),
    ["TX_LOST", "TX_LOST"],
  );
  assert.equal(rollback.answer.kind, "rolled-back");
  broker.startSnapshots();
  assert.equal(broker.core.counts.snapshotsWaiting, 0);
});

// ── poisoned ────────────────────────────────────────────────────────────────────────────────────────────────────────

test("one that is too old is ended: everything says TX_EXPIRED until its client has closed it", () => {
  const { broker, anna, open } = stage({ snapshotMs: 60_000 });
  open();
  broker.pass(60_000);
  const asked = [anna.step("r", reading), anna.stream("s", { transaction: 1 }), anna.commit(), anna.step("r", reading)];
  assert.deepEqual(
    asked.map(({ refusal }) => refusal.code),
    ["TX_EXPIRED", "TX_EXPIRED", "TX_EXPIRED", "TX_LOST"],
  );
});

test("its own time may be less than a snapshot may have; a pause of the broker does not count", () => {
  const { broker, anna, answers } = stage();
  anna.begin({ ...reading, timeoutMs: 1000 });
  broker.startSnapshots();
  answers();
  broker.pause(5000);
  broker.pass(900);
  const before = anna.step("r", reading);
  answers();
  assert.equal(before.body, "saw r");
  broker.pass(200);
  assert.equal(anna.step("r", reading).refusal.code, "TX_EXPIRED");
  assert.equal(anna.rollback().answer.kind, "rolled-back");
  assert.equal(broker.core.counts.transactions, 0);
});

test("one that is in the way of the log says SNAPSHOT_ENDED; a process that dies, TX_LOST", () => {
  const { broker, anna, bert, open } = stage();
  open();
  broker.pass(1500);
  broker.writer.walBytes = broker.limits.walBytesMax;
  bert.write("w");
  broker.settle();
  assert.equal(anna.step("r", reading).refusal.code, "SNAPSHOT_ENDED");
  anna.rollback();
  broker.clearSnapshots();
  broker.writer.walBytes = 0;
  broker.do({ kind: "checkpointed", walBytes: 0, complete: true });
  const second = stage();
  second.open();
  const [running, behind] = [second.anna.step("a", reading), second.anna.step("b", reading)];
  second.broker.do(second.broker.snapshots.gone(second.broker.snapshots.of("a").id, "it crashed"));
  assert.deepEqual([running.refusal.code, behind.refusal.code], ["STATEMENT_CRASHED", "TX_LOST"]);
  assert.equal(second.anna.commit().refusal.code, "TX_LOST");
});

test("a process that dies before the begin is answered is tried once more, with what stands behind it", () => {
  const { broker, anna, answers } = stage();
  const begin = anna.begin(reading);
  const read = anna.step("r", reading);
  broker.startSnapshots();
  broker.do(broker.snapshots.gone(broker.snapshots.of("r").id));
  assert.ok(begin.open);
  broker.pass(2000);
  broker.startSnapshots();
  answers();
  answers();
  assert.equal(read.body, "saw r");
  const second = stage();
  const never = second.anna.begin(reading);
  for (const _ of [1, 2]) {
    second.broker.startSnapshots();
    second.broker.do(second.broker.snapshots.gone([...second.broker.snapshots.all.keys()][0] ?? 0));
    second.broker.pass(2000);
  }
  assert.equal(never.refusal.code, "TX_LOST");
  assert.equal(second.broker.core.counts.transactions, 0);
});

test("a statement that runs out of its time is told so, and the transaction is lost with its process", () => {
  const { broker, anna, open } = stage();
  open();
  const [slow, behind, commit] = [
    anna.step("r", { ...reading, timeoutMs: 500 }),
    anna.step("s", reading),
    anna.commit(),
  ];
  broker.pass(600);
  assert.deepEqual(
    [slow, behind, commit].map(({ refusal }) => refusal.code),
    ["STATEMENT_TIMEOUT", "TX_LOST", "TX_LOST"],
  );
  assert.equal(broker.core.counts.transactions, 0);
});

test("a statement that SQLite answers by ending the transaction poisons it: nothing runs outside of a snapshot", () => {
  const { broker, anna, answers, open } = stage();
  open();
  const [ends, behind] = [anna.step("r", { ...reading, ends: true }), anna.step("s", reading)];
  answers();
  assert.deepEqual([ends.refusal.code, behind.refusal.code], ["SQLITE_ERROR", "TX_ROLLED_BACK"]);
  assert.equal(anna.step("t", reading).refusal.code, "TX_ROLLED_BACK");
  broker.clearSnapshots();
  assert.equal(broker.core.counts.snapshotsOpen, 0);
});

test("what waits can be cancelled; what runs is ended with its process when it does not end by itself", () => {
  const { broker, anna } = stage();
  const begin = anna.begin(reading);
  const waits = anna.step("r", reading);
  const cancel = ({ to, request }: typeof begin) => broker.do({ kind: "cancel", connection: to, request });
  cancel(waits);
  assert.equal(waits.refusal.code, "CANCELLED");
  cancel(begin);
  assert.equal(begin.refusal.code, "CANCELLED");
  const second = stage();
  second.open();
  const runs = second.anna.step("r", reading);
  second.broker.do({ kind: "cancel", connection: runs.to, request: runs.request });
  second.broker.pass(1000);
  assert.equal(runs.refusal.code, "CANCELLED");
  assert.equal(second.anna.commit().refusal.code, "TX_LOST");
});

test("when the broker ends, what is open is lost and what waits is turned away", () => {
  const { broker, anna, bert, open } = stage();
  open();
  anna.write("w");
  const waits = anna.begin(reading);
  broker.do({ kind: "drain" });
  assert.equal(waits.refusal.code, "SHUTTING_DOWN");
  assert.equal(anna.step("r", { ...reading, transaction: 1 }).refusal.code, "TX_LOST");
  assert.equal(bert.begin(reading).refusal.code, "SHUTTING_DOWN");
});

test("the end of the session refuses what is open", () => {
  const { broker, anna, open } = stage();
  open();
  const read = anna.step("r", reading);
  anna.goodbye();
  assert.equal(read.refusal.code, "SESSION_EXPIRED");
  assert.equal(broker.core.counts.transactions, 0);
});

// ── its stream ──────────────────────────────────────────────────────────────────────────────────────────────────────

test("a stream of it has its rows from the same process, and statements run beside it", () => {
  const { broker, anna, answers, open } = stage();
  open();
  const stream = anna.stream("s", { transaction: 1 });
  answers();
  assert.equal(stream.body, "columns of s");
  broker.rows("s");
  const read = anna.step("r", reading);
  assert.equal(broker.snapshots.of("r").id, broker.snapshots.of("s").id);
  answers();
  assert.equal(read.body, "saw r");
  broker.rows("s");
  broker.streamEnds("s");
  assert.deepEqual(anna.streamed, ["s 1", "s 2", "1 done after 2"]);
  assert.equal(broker.core.counts.snapshotsOpen, 1);
  const next = anna.stream("t", { transaction: 1 });
  answers();
  assert.equal(next.body, "columns of t");
});

test("it has one stream at a time; one that is closed in the middle leaves the transaction open", () => {
  const { broker, anna, answers, open } = stage();
  open();
  anna.stream("s", { transaction: 1 });
  assert.equal(anna.stream("t", { number: 2, transaction: 1 }).refusal.code, "PARAMS_INVALID");
  answers();
  broker.rows("s");
  anna.closeStream(1);
  assert.deepEqual(anna.streamed, ["s 1", "1 done after 1: CANCELLED"]);
  anna.stream("t", { number: 2, transaction: 1 });
  broker.do(broker.snapshots.streamed(broker.snapshots.of("s").id));
  answers();
  broker.rows("t");
  assert.equal(anna.streamed.at(-1), "t 1");
});

test("a stream that is closed while it is being opened is closed when it is open", () => {
  const { broker, anna, answers, open } = stage();
  open();
  const stream = anna.stream("s", { transaction: 1 });
  anna.closeStream(1);
  assert.equal(stream.refusal.code, "CANCELLED");
  answers();
  const closes = broker.turns.flatMap(({ dispatch }) => dispatch).filter((job) => job.kind === "close");
  assert.equal(closes.length, 1);
  broker.do(broker.snapshots.streamed(broker.snapshots.of("s").id));
  const read = anna.step("r", reading);
  answers();
  assert.equal(read.body, "saw r");
});

test("streams that are closed while they are opened, one after the other, do not pile up before their process", () => {
  const { broker, anna, answers, open } = stage();
  open();
  for (let number = 1; number <= 20; number++) {
    anna.stream("s", { number, transaction: 1 });
    anna.closeStream(number);
  }
  const stream = anna.stream("t", { number: 21, transaction: 1 });
  const read = anna.step("r", reading);
  const asked = () => broker.turns.flatMap(({ dispatch }) => dispatch).filter(({ kind }) => kind === "stream").length;
  assert.equal(asked(), 1);
  answers();
  assert.equal(asked(), 2);
  broker.do(broker.snapshots.streamed(broker.snapshots.of("s").id));
  answers();
  answers();
  assert.deepEqual([stream.body, read.body], ["columns of t", "saw r"]);
});

test("a stream that was closed is not missed while its client does not read: the word of its end may be on the way", () => {
  const { broker, anna, answers, open } = stage();
  open();
  anna.stream("s", { transaction: 1 });
  answers();
  broker.rows("s");
  const { id } = broker.snapshots.of("s");
  const held = (isHeld: boolean) => broker.do({ kind: "snapshot-held", process: snapshotProcessId(id), held: isHeld });
  held(true);
  anna.closeStream(1);
  broker.pass(5000);
  held(false);
  broker.pass(200);
  broker.do(broker.snapshots.streamed(id));
  const read = anna.step("r", reading);
  answers();
  assert.equal(read.body, "saw r");
  anna.stream("t", { transaction: 1 });
  answers();
  anna.closeStream(1);
  broker.pass(300);
  assert.equal(anna.step("r", reading).refusal.code, "TX_LOST");
});

test("a statement that stood behind a stream is not told of what the stream was ended for", () => {
  const { broker, anna, open } = stage();
  open();
  anna.stream("s", { transaction: 1 });
  const behind = anna.step("r", reading);
  anna.closeStream(1);
  broker.pass(300);
  assert.equal(behind.refusal.code, "TX_LOST");
  const second = stage();
  second.open();
  second.anna.stream("s", { transaction: 1, timeoutMs: 500 });
  second.answers();
  second.broker.pass(300);
  const beside = second.anna.step("r", reading);
  second.broker.pass(300);
  assert.deepEqual(second.anna.streamed, ["1 done after 0: STATEMENT_TIMEOUT"]);
  assert.equal(beside.refusal.code, "TX_LOST");
});

test("the transaction's end ends its stream, and its loss too", () => {
  const { broker, anna, answers, open } = stage();
  open();
  anna.stream("s", { transaction: 1 });
  answers();
  const commit = anna.commit();
  assert.equal(commit.answer.kind, "committed");
  assert.deepEqual(anna.streamed, ["1 done after 0: TX_LOST"]);
  broker.clearSnapshots();
  open();
  anna.stream("t", { number: 2, transaction: 2 });
  answers();
  broker.do(broker.snapshots.gone(broker.snapshots.of("t").id));
  assert.equal(anna.streamed.at(-1), "2 done after 0: STATEMENT_CRASHED");
  assert.equal(anna.commit().refusal.code, "TX_LOST");
});

test("a stream is for transactions that only read, and for none that is not there", () => {
  const { broker, anna } = stage();
  anna.begin();
  broker.settle();
  assert.equal(anna.stream("s", { transaction: 1 }).refusal.code, "PARAMS_INVALID");
  assert.equal(anna.stream("s", { transaction: 9 }).refusal.code, "TX_LOST");
});
