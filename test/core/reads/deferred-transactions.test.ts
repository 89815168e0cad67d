/** Transactions that read until their first write: what the writer goes on from, and what becomes of what runs meanwhile. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { TestBroker } from "../support/test-broker.js";
import { whatOf } from "../support/values.js";

const deferred = { mode: "deferred" } as const;
const reads = { writes: false } as const;

function stage(limits: { readonly [name: string]: number } = {}) {
  const broker = new TestBroker({ limits });
  const [anna, bert] = [broker.client("anna"), broker.client("bert")];
  const answers = () => broker.answersSnapshot();
  /** Anna has begun one, whose snapshot has seen all that is committed. */
  const open = (words: Parameters<typeof anna.begin>[0] = {}) => {
    const begin = anna.begin({ ...deferred, ...words });
    broker.startSnapshots();
    broker.snapshots.commits = broker.writer.commits;
    answers();
    return begin;
  };
  const inHand = () =>
    broker.writer.waiting.map((job) => {
      const { what } = whatOf(job.parcel);
      return job.kind === "step" ? `${job.step} ${what}`.trim() : what;
    });
  return { broker, anna, bert, answers, open, inHand };
}

test("it reads from its snapshot, and goes on in the writer with its first write when nothing was committed since", () => {
  const { broker, anna, bert, answers, open, inHand } = stage();
  const begin = open();
  const read = anna.step("r", reads);
  answers();
  assert.equal(begin.answer.kind, "begun");
  const asked = [anna.step("w"), anna.step("s", reads), anna.commit()];
  assert.deepEqual(inHand(), ["begin", "run w", "run s", "commit transaction 1"]);
  broker.settle();
  assert.deepEqual(
    [read, ...asked].map(({ body }) => body),
    ["saw r", "did w", "did s", "committed transaction 1"],
  );
  assert.equal(begin.letters.length, 1);
  broker.clearSnapshots();
  const { transactions, snapshotsOpen } = broker.core.counts;
  assert.deepEqual([transactions, snapshotsOpen], [0, 0]);
  const after = bert.write("after");
  broker.settle();
  assert.equal(after.body, "did after");
});

test("when something was committed since, it is refused with SQLITE_BUSY_SNAPSHOT until it is closed", () => {
  const { broker, anna, bert, open } = stage();
  open();
  bert.write("between");
  broker.settle();
  const asked = [anna.step("w"), anna.step("s", reads)];
  broker.settle();
  const late = [anna.step("t", reads), anna.commit()];
  assert.deepEqual(
    [...asked, ...late].map(({ refusal }) => refusal.code),
    Array.from({ length: 4 }, () => "SQLITE_BUSY_SNAPSHOT"),
  );
  assert.deepEqual(
    broker.writer.applied.map(({ what }) => what),
    ["between"],
  );
  assert.equal(broker.core.counts.transactions, 0);
});

test("what was committed while its first write waited for its turn counts as well", () => {
  const { broker, anna, bert, open } = stage();
  open();
  bert.begin();
  bert.step("theirs");
  broker.settle();
  const write = anna.step("w");
  bert.commit();
  broker.settle();
  broker.settle();
  assert.equal(write.refusal.code, "SQLITE_BUSY_SNAPSHOT");
  assert.equal(anna.rollback().answer.kind, "rolled-back");
});

test("one that has heard nothing yet begins with the writer, and has nothing to compare", () => {
  const { broker, anna, bert, inHand } = stage();
  const begin = anna.begin(deferred);
  const asked = [anna.step("r", reads), anna.step("point", { control: true })];
  broker.startSnapshots();
  bert.write("between");
  broker.settle();
  asked.push(anna.step("w"), anna.commit());
  assert.deepEqual(inHand(), ["begin", "run r", "run point", "run w", "commit transaction 1"]);
  broker.settle();
  assert.equal(begin.answer.kind, "begun");
  assert.deepEqual(
    asked.map(({ body }) => body),
    ["did r", "did point", "did w", "committed transaction 1"],
  );
  broker.clearSnapshots();
  assert.equal(broker.core.counts.snapshotsOpen, 0);
});

test("one that never writes ends as one that reads does", () => {
  const { broker, anna, answers, open, inHand } = stage();
  open();
  const read = anna.step("r", reads);
  const commit = anna.commit();
  answers();
  assert.deepEqual([read.body, commit.answer.kind], ["saw r", "committed"]);
  assert.deepEqual(inHand(), []);
  assert.equal(broker.core.counts.transactions, 0);
  assert.equal(anna.step("w").refusal.code, "TX_LOST");
});

// rule 15: the client takes a lock that its commit names for given back when that is answered
test("one that never writes gives back what its commit names, after the writes that were sent before it", () => {
  const { broker, anna, bert, open } = stage();
  const fence = anna.hold("x");
  const next = bert.acquire("x");
  open({ fences: [fence] });
  const commit = anna.commit({ release: [fence] });
  assert.equal(commit.answer.kind, "committed");
  assert.equal(next.grant.name, "x");
  const [second, third] = [bert.hold("y"), anna.acquire("y")];
  bert.begin(deferred);
  broker.startSnapshots();
  broker.answersSnapshot();
  anna.begin();
  const write = bert.write("before", { fences: [second] });
  bert.commit({ release: [second] });
  assert.ok(third.open, "what bert sent before may still rely on it");
  anna.rollback();
  broker.settle();
  assert.equal(write.body, "did before");
  assert.equal(third.grant.name, "y");
});

test("a write behind its commit is refused, and does not go to the writer", () => {
  const { anna, answers, open, inHand } = stage();
  open();
  anna.step("r", reads);
  anna.commit();
  const late = anna.step("w");
  answers();
  assert.equal(late.refusal.code, "TX_LOST");
  assert.deepEqual(inHand(), []);
});

test("what waits for a stream to be opened is still read from its snapshot, and a savepoint set in the writer too", () => {
  const { broker, anna, answers, open, inHand } = stage();
  open();
  anna.stream("s", { transaction: 1 });
  anna.closeStream(1);
  const stream = anna.stream("t", { number: 2, transaction: 1 });
  const waiting = [anna.step("savepoint", { control: true }), anna.step("r", reads)];
  const write = anna.step("w");
  assert.deepEqual(inHand(), ["begin", "run savepoint", "run w"]);
  anna.closeStream(2);
  assert.equal(stream.refusal.code, "CANCELLED");
  answers();
  broker.do(broker.snapshots.streamed(broker.snapshots.of("s").id));
  broker.settle();
  answers();
  assert.equal(broker.core.counts.snapshotsOpen, 1);
  answers();
  assert.deepEqual(
    [...waiting, write].map(({ body }) => body),
    ["saw savepoint", "saw r", "did w"],
  );
  broker.clearSnapshots();
  assert.equal(broker.core.counts.snapshotsOpen, 0);
});

test("savepoints that it has set are set again in the writer, and answered once", () => {
  const { broker, anna, answers, open, inHand } = stage();
  open();
  const set = [anna.step("savepoint a", { control: true }), anna.step("savepoint b", { control: true, fails: true })];
  answers();
  answers();
  anna.step("w");
  assert.deepEqual(inHand(), ["begin", "run savepoint a", "run savepoint b", "run w"]);
  broker.settle();
  assert.deepEqual([set[0]?.letters.length, set[1]?.letters.length], [1, 1]);
});

test("a savepoint that is cancelled too late in its snapshot is set in the writer all the same", () => {
  const { broker, anna, bert, answers, open, inHand } = stage();
  bert.begin();
  broker.settle();
  open();
  const savepoint = anna.step("savepoint", { control: true });
  anna.step("w");
  anna.cancel(savepoint);
  bert.rollback();
  broker.settle(1);
  assert.deepEqual(inHand(), ["begin", "run savepoint", "run w"]);
  answers();
  assert.equal(savepoint.body, "saw savepoint");
});

test("what runs in its snapshot is waited for there, and its snapshot is given back then", () => {
  const { broker, anna, answers, open } = stage();
  open();
  const slow = anna.step("r", reads);
  anna.stream("s", { transaction: 1 });
  const write = anna.step("w");
  broker.settle();
  assert.equal(write.body, "did w");
  assert.equal(broker.core.counts.snapshotsOpen, 1);
  answers();
  assert.equal(slow.body, "saw r");
  answers();
  broker.rows("s");
  broker.streamEnds("s");
  assert.deepEqual(anna.streamed, ["s 1", "1 done after 1"]);
  broker.clearSnapshots();
  assert.equal(broker.core.counts.snapshotsOpen, 0);
  assert.equal(anna.stream("t", { number: 2, transaction: 1 }).refusal.code, "PARAMS_INVALID");
});

test("a snapshot that is lost after its first write takes only what runs in it", () => {
  const { broker, anna, open } = stage();
  open();
  const slow = anna.step("r", reads);
  const write = anna.step("w");
  broker.do(broker.snapshots.gone(broker.snapshots.of("r").id));
  const commit = anna.commit();
  broker.settle();
  assert.equal(slow.refusal.code, "STATEMENT_CRASHED");
  assert.deepEqual([write.body, commit.body], ["did w", "committed transaction 1"]);
});

test("a connection that is lost ends it wherever it is", () => {
  const { broker, anna, bert, open } = stage();
  open();
  anna.step("r", reads);
  anna.step("w");
  broker.settle();
  const waits = bert.write("after");
  anna.disconnect();
  broker.settle();
  broker.clearSnapshots();
  assert.equal(waits.body, "did after");
  const { transactions, snapshotsOpen } = broker.core.counts;
  assert.deepEqual([transactions, snapshotsOpen], [0, 0]);
});

// rules 5 and 15
test("its locks must hold from its first write on; one that was lost meanwhile poisons it", () => {
  const { broker, anna, bert, open } = stage();
  const held = anna.hold("x");
  open({ fences: [held] });
  bert.break("x");
  const write = anna.step("w");
  broker.settle();
  assert.equal(write.refusal.code, "FENCED");
  assert.equal(anna.step("s", reads).refusal.code, "FENCED");
  assert.equal(anna.rollback().answer.kind, "rolled-back");
});

test("a writer that dies under its first write: another goes on from the same snapshot, and no begin is told again", () => {
  const { broker, anna, open } = stage();
  const begin = open();
  const write = anna.step("w");
  broker.killWriter({ jobs: 0, phase: "idle" });
  broker.writerReady();
  broker.settle();
  assert.equal(write.body, "did w");
  assert.equal(begin.letters.length, 1);
  broker.killWriter({ jobs: 0, phase: "idle" });
  broker.writerReady();
  assert.equal(anna.commit().refusal.code, "TX_LOST");
});

test("when no writer can be had its first write is refused so, and it stays to be closed", () => {
  const { broker, anna, open } = stage();
  open();
  broker.killWriter({ jobs: 0, phase: "idle" });
  broker.do(broker.writer.refuse());
  assert.equal(anna.step("w").refusal.code, "WRITER_UNAVAILABLE");
  assert.equal(anna.commit().refusal.code, "WRITER_UNAVAILABLE");
  assert.equal(broker.core.counts.transactions, 0);
});

test("its number may be lower than that of one that was begun since", () => {
  const { broker, anna, open } = stage();
  open();
  anna.begin({ transaction: 5 });
  anna.rollback({ transaction: 5 });
  const write = anna.step("w", { transaction: 1 });
  broker.settle();
  assert.equal(write.body, "did w");
  assert.equal(anna.begin({ transaction: 5 }).refusal.code, "PARAMS_INVALID");
});
