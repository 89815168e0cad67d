import assert from "node:assert/strict";
import { test } from "node:test";
import type { Takes } from "../../../src/core/index.js";
import { readerId } from "../../../src/terms/index.js";
import type { FakeReader } from "../support/fake-readers.js";
import { TestBroker } from "../support/test-broker.js";
import type { TestClient } from "../support/test-client.js";
import { seqOf, whatOf } from "../support/values.js";

function two(limits: { readonly [name: string]: number } = {}): [TestBroker, TestClient, TestClient] {
  const broker = new TestBroker({ limits });
  return [broker, broker.client("anna"), broker.client("bert")];
}

function whats({ row }: FakeReader): string[] {
  return row.map(({ parcel }) => whatOf(parcel).what);
}

/** What each reader has, the first of them running. */
function rows(broker: TestBroker): string[] {
  return [...broker.readers.all.values()].map((reader) => whats(reader).join(" "));
}

/** The first that its reader has is one that may be slow, and so it says that it runs it. */
function begins(broker: TestBroker, what: string): void {
  const reader = broker.readers.running(what);
  const [job] = reader?.row ?? [];
  assert.ok(reader !== undefined && job !== undefined);
  broker.do({ kind: "read-begun", reader: job.reader, read: job.read });
}

function killed(broker: TestBroker): number[] {
  return [...broker.readers.all.values()].filter((reader) => reader.killed !== undefined).map(({ id }) => id);
}

// ── own writes (rule 4) ─────────────────────────────────────────────────────────────────────────────────────────────

test("a read is not begun before the writes that its client sent before it are settled", () => {
  const [broker, a, b] = two();
  a.write("w");
  const read = a.read("r");
  b.read("other");
  assert.deepEqual(rows(broker).join(""), "other");
  broker.settle();
  broker.read("r");
  assert.equal(read.body, "saw r");
});

test("a read waits for every write before it, also when a later one is answered first", () => {
  const [broker, a] = two();
  const held = a.hold("x");
  a.release(held);
  a.write("w1");
  assert.equal(a.write("w2", { fences: [held] }).refusal.code, "FENCED");
  a.read("r");
  assert.deepEqual(rows(broker).join(""), "");
  broker.settle();
  assert.deepEqual(rows(broker).join(""), "r");
});

test("a read whose last write was cancelled still waits for the ones before", () => {
  const [broker, a] = two({ writesDispatchedMax: 1 });
  a.write("w1");
  const cancelled = a.write("w2");
  a.read("r");
  a.cancel(cancelled);
  assert.deepEqual(rows(broker).join(""), "");
  broker.settle();
  assert.deepEqual(rows(broker).join(""), "r");
});

test("a read waits for a write of its client that goes again after the writer died", () => {
  const [broker, a] = two();
  a.write("w1");
  a.write("w2");
  a.read("r");
  broker.killWriter({ jobs: 2, phase: "running" });
  broker.writerReady();
  assert.deepEqual(rows(broker).join(""), "");
  broker.settle();
  assert.deepEqual(rows(broker).join(""), "r");
});

test("a read after a write that was sent again waits for the one that is under way", () => {
  const [broker, a] = two();
  a.write("w", { key: 1 });
  a.disconnect();
  a.resume();
  a.write("w", { key: 1 });
  a.read("r");
  assert.deepEqual(rows(broker).join(""), "");
  broker.settle();
  assert.deepEqual(rows(broker).join(""), "r");
});

test("a read does not wait for writes that are sent after it", () => {
  const [broker, a] = two();
  a.write("w1");
  const read = a.read("r");
  a.write("w2");
  broker.settle(1);
  broker.read("r");
  assert.equal(read.body, "saw r");
});

test("the time that a read was held does not count as running time", () => {
  const [broker, a] = two({ readMs: 1000 });
  a.write("w");
  const read = a.read("r");
  broker.pass(20_000);
  broker.settle();
  broker.pass(900);
  assert.deepEqual(killed(broker), []);
  broker.read("r");
  assert.equal(read.body, "saw r");
});

test("a read that is held can be cancelled", () => {
  const [broker, a] = two();
  a.write("w");
  const read = a.read("r");
  a.cancel(read);
  assert.equal(read.refusal.code, "CANCELLED");
  broker.settle();
  assert.deepEqual(rows(broker).join(""), "");
});

// ── the pool (rule 16) ──────────────────────────────────────────────────────────────────────────────────────────────

test("reads of several sessions are spread over the readers", () => {
  const [broker, a, b] = two();
  a.read("a1");
  b.read("b1");
  assert.deepEqual(rows(broker), ["a1", "b1"]);
});

test("when all that was read of late was quick, reads of several sessions go to one reader, until one may be slow", () => {
  const [broker, a, b] = two();
  for (let i = 1; i <= 32; i++) {
    a.read(`quick ${i}`);
    broker.read(`quick ${i}`);
  }
  a.read("a1");
  b.read("b1");
  assert.deepEqual(rows(broker), ["a1 b1", ""]);
  begins(broker, "a1");
  broker.read("a1");
  broker.read("b1");
  a.read("a2");
  b.read("b2");
  assert.deepEqual(rows(broker), ["a2", "b2"]);
});

test("no session has all readers: the last free one is left to others", () => {
  const [broker, a, b] = two();
  for (let i = 1; i <= 5; i++) a.read(`a${i}`);
  assert.deepEqual(rows(broker), ["a1 a2 a3 a4 a5", ""]);
  b.read("b1");
  assert.deepEqual(rows(broker)[1], "b1");
});

test("for a client that does not take its answers nothing is read, then one by one until it has taken all", () => {
  const [broker, a, b] = two();
  const reads = [1, 2, 3, 4].map((n) => a.read(`a${n}`));
  const takes = (how: Takes) => broker.do({ kind: "client-takes", connection: a.to, takes: how });
  const answer = (what: string) => {
    broker.read(what);
    return rows(broker).join(" ").trim();
  };
  takes("nothing");
  assert.equal(broker.core.counts.readsQueued, 3);
  // The reader runs what it has all the same, and nobody is told.
  for (const reader of broker.readers.all.values())
    while (reader.row.length > 0) broker.do(broker.readers.answer(reader.id));
  assert.deepEqual(
    reads.map(({ open }) => open),
    [false, true, true, true],
  );
  b.read("b1");
  assert.equal(rows(broker).join(" ").trim(), "b1");
  assert.equal(answer("b1"), "");
  takes("slowly");
  assert.equal(rows(broker).join(" ").trim(), "a2");
  assert.equal(answer("a2"), "a3");
  takes("all");
  assert.equal(rows(broker).join(" ").trim(), "a3 a4");
  broker.read("a3");
  broker.read("a4");
  assert.ok(reads.every(({ body }, n) => body === `saw a${n + 1}`));
});

test("nobody is ended for what is read for a client that does not take its answers, and no reader is started for it", () => {
  const [broker, a, b] = two({ readersMin: 2, readersMax: 2 });
  broker.do({ kind: "client-takes", connection: a.to, takes: "nothing" });
  const held = a.read("held");
  for (const n of [1, 2]) b.read(`slow ${n}`, { timeoutMs: 60_000 });
  broker.pass(10_000);
  assert.deepEqual(killed(broker), []);
  a.cancel(held);
  assert.equal(held.refusal.code, "CANCELLED");
});

test("one reader's hands are not filled without end, and the rest waits in fair order", () => {
  const [broker, a] = two();
  const reads = Array.from({ length: 40 }, (_, i) => a.read(`${i}`));
  assert.equal([...broker.readers.all.values()][0]?.row.length, 32);
  assert.equal(broker.core.counts.readsQueued, 8);
  for (let i = 0; i < 40; i++) broker.read(`${i}`);
  assert.ok(reads.every((read, i) => read.body === `saw ${i}`));
});

test("nobody stands behind a slow read: those behind it are given to others", () => {
  const [broker, a] = two();
  a.read("slow");
  const quick = a.read("quick");
  assert.deepEqual(rows(broker), ["slow quick", ""]);
  broker.pass(60);
  broker.startReaders();
  assert.equal(broker.readers.running("quick")?.row.length, 1);
  broker.read("quick");
  assert.equal(quick.body, "saw quick");
});

test("a reader that was stopped is ended, and its read runs in another, however long it may take", () => {
  const [broker, a] = two();
  const read = a.read("r", { timeoutMs: 300_000 });
  const stopped = broker.readers.running("r");
  assert.ok(stopped !== undefined);
  begins(broker, "r");
  broker.pass(900);
  assert.equal(stopped.probes, 0);
  broker.pass(200);
  assert.equal(stopped.probes, 1);
  broker.do({ kind: "reader-seen", reader: readerId(stopped.id), stopped: false });
  assert.deepEqual(killed(broker), []);
  broker.pass(1000);
  assert.equal(stopped.probes, 2);
  broker.do({ kind: "reader-seen", reader: readerId(stopped.id), stopped: true });
  assert.deepEqual(killed(broker), [stopped.id]);
  broker.buryReaders();
  broker.startReaders();
  assert.notEqual(broker.readers.running("r")?.id, stopped.id);
  broker.read("r");
  assert.equal(read.body, "saw r");
});

test("a reader that was stopped for a moment and has answered since is not ended for it", () => {
  const [broker, a] = two();
  a.read("r");
  broker.pass(1100);
  broker.read("r");
  a.read("next");
  const reader = broker.readers.running("next");
  assert.ok(reader !== undefined);
  broker.do({ kind: "reader-seen", reader: readerId(reader.id), stopped: true });
  assert.deepEqual(killed(broker), []);
});

test("when reads are slow rows are short, so that little is run for nobody; each quick read makes them longer", () => {
  const [broker, a] = two({ readersMin: 1, readersMax: 1 });
  for (let n = 1; n <= 9; n++) a.read(`r${n}`);
  assert.deepEqual(rows(broker), ["r1 r2 r3 r4 r5 r6 r7 r8 r9"]);
  // The machine is slow, and with it all reads.
  for (let n = 1; n <= 9; n++) {
    broker.pass(60);
    broker.read(`r${n}`);
  }
  const lengths: number[] = [];
  for (let left = 8; left > 0; left--) {
    const [row = ""] = rows(broker);
    const [first = ""] = row.split(" ");
    lengths.push(row.split(" ").length);
    broker.read(first);
  }
  assert.deepEqual(lengths, [1, 2, 3, 4, 4, 3, 2, 1]);
});

test("what was taken back and is answered by the slow reader after all is not answered twice", () => {
  const [broker, a, b] = two();
  const slow = a.read("slow");
  const quick = a.read("quick");
  b.read("other");
  broker.pass(60);
  broker.startReaders();
  broker.read("slow");
  broker.do(broker.readers.answer(1));
  assert.equal(slow.body, "saw slow");
  assert.ok(quick.open);
  const again = [...broker.readers.all.values()].find(
    ({ id, row }) => id !== 1 && row.length > 0 && whats({ row } as FakeReader).includes("quick"),
  );
  assert.ok(again !== undefined);
});

test("a read behind which a slow one stands is not taken for it, when it may have been run before", () => {
  const [broker, a, b] = two({ readersMin: 1 });
  const first = a.read("first");
  begins(broker, "first");
  broker.read("first");
  assert.equal(first.body, "saw first");
  const [hasty, quick] = [a.read("hasty", { timeoutMs: 100 }), a.read("quick")];
  const slow = b.read("slow", { timeoutMs: 1000 });
  assert.deepEqual(rows(broker), ["hasty quick slow"]);
  // It has run two of them, and can say nothing before the third is done.
  const elsewhere = (what: string) =>
    [...broker.readers.all.values()].find((reader) => reader.id !== 1 && whats(reader)[0] === what);
  for (const [what, read] of [
    ["quick", quick],
    ["hasty", hasty],
  ] as const) {
    for (let i = 0; i < 8 && elsewhere(what) === undefined; i++) {
      broker.pass(40);
      broker.startReaders();
    }
    broker.do(broker.readers.answer(elsewhere(what)?.id ?? 0));
    assert.equal(read.body, `saw ${what}`);
  }
  broker.pass(700);
  assert.deepEqual(killed(broker), []);
  broker.pass(700);
  broker.buryReaders();
  assert.equal(broker.readers.all.get(1), undefined);
  assert.equal(slow.refusal.code, "STATEMENT_TIMEOUT");
});

test("a read of which it is not certain that it is the slow one goes to another reader after a while", () => {
  const [broker, a, b] = two({ readersMin: 1 });
  a.read("first");
  begins(broker, "first");
  broker.read("first");
  const quick = a.read("quick");
  b.read("slow");
  for (let i = 0; i < 6; i++) {
    broker.pass(50);
    broker.startReaders();
  }
  const again = [...broker.readers.all.values()].find((reader) => reader.id !== 1 && whats(reader)[0] === "quick");
  broker.do(broker.readers.answer(again?.id ?? 0));
  assert.equal(quick.body, "saw quick");
});

test("a read that is said to run is what is slow, whatever stands behind it", () => {
  const [broker, a, b] = two({ readersMin: 1 });
  const slow = a.read("slow", { timeoutMs: 500 });
  const quick = b.read("quick");
  begins(broker, "slow");
  for (let i = 0; i < 3; i++) {
    broker.pass(60);
    broker.startReaders();
  }
  broker.read("quick");
  assert.equal(quick.body, "saw quick");
  assert.deepEqual(rows(broker).slice(1).join(""), "");
  broker.pass(500);
  broker.buryReaders();
  assert.equal(slow.refusal.code, "STATEMENT_TIMEOUT");
});

test("a reader that runs what was taken back without end is ended, and nobody is told", () => {
  const [broker, a] = two();
  a.read("slow");
  const endless = a.read("endless", { endless: true });
  broker.pass(60);
  broker.startReaders();
  broker.read("slow");
  assert.deepEqual(rows(broker)[0], "endless");
  broker.pass(300);
  assert.deepEqual(killed(broker), [1]);
  broker.buryReaders();
  assert.ok(endless.open);
});

test("the pool grows while slow reads keep its readers busy, and shrinks when they are idle", () => {
  const [broker, a] = two({ readersMax: 4 });
  for (let i = 1; i <= 4; i++) {
    a.read(`slow ${i}`);
    broker.pass(100);
    broker.startReaders();
  }
  assert.equal(broker.readers.all.size, 4);
  for (let i = 1; i <= 3; i++) broker.read(`slow ${i}`);
  broker.read("slow 4");
  broker.pass(61_000);
  broker.buryReaders();
  assert.equal(broker.readers.all.size, 2);
});

test("a session with endless reads keeps one reader from nobody", () => {
  const [broker, a, b] = two({ readersMax: 4 });
  for (let i = 1; i <= 10; i++) a.read(`endless ${i}`);
  for (let i = 0; i < 10; i++) {
    broker.pass(100);
    broker.startReaders();
  }
  const quick = b.read("quick");
  broker.read("quick");
  assert.equal(quick.body, "saw quick");
  assert.deepEqual(killed(broker), []);
});

test("when every reader is busy and somebody with fewer waits, the greediest gives up its oldest read after two seconds", () => {
  const broker = new TestBroker({ limits: { readersMax: 3 } });
  const [a, b, c] = [broker.client(), broker.client(), broker.client()];
  const oldest = a.read("a1");
  broker.pass(100);
  broker.startReaders();
  const second = a.read("a2");
  broker.pass(100);
  broker.startReaders();
  b.read("b1");
  broker.pass(2500);
  assert.deepEqual(killed(broker), []);
  const waiting = c.read("c1");
  broker.pass(100);
  assert.equal(killed(broker).length, 1);
  broker.buryReaders();
  broker.startReaders();
  assert.equal(oldest.refusal.code, "STATEMENT_TIMEOUT");
  assert.ok(second.open);
  broker.read("c1");
  assert.equal(waiting.body, "saw c1");
});

test("a session that waits only for itself ends nobody's read", () => {
  const broker = new TestBroker({ limits: { readersMax: 2 } });
  const [a, b] = [broker.client(), broker.client()];
  a.read("a1");
  b.read("b1");
  broker.pass(100);
  a.read("a2");
  broker.pass(10_000);
  assert.deepEqual(killed(broker), []);
});

test("a large read is not starved while small ones of others cannot be served", () => {
  const [broker, a, b] = two({ readersMax: 2 });
  a.read("slow");
  broker.pass(60);
  a.read("a waits");
  const large = b.read("large", { size: 10_000_000 });
  broker.read("large");
  assert.equal(large.body, "saw large");
});

// ── over its time ───────────────────────────────────────────────────────────────────────────────────────────────────

test("a read that is over its time is ended with its process, and another process takes its place", () => {
  const [broker, a] = two({ readMs: 1000 });
  const [read, longer] = [a.read("r"), a.read("longer", { timeoutMs: 5000 })];
  broker.pass(1020);
  assert.deepEqual(killed(broker), [1]);
  broker.buryReaders();
  assert.equal(read.refusal.code, "STATEMENT_TIMEOUT");
  broker.startReaders();
  broker.pass(4000);
  assert.ok(longer.open);
});

test("a pause of the broker ends no read", () => {
  const [broker, a] = two({ readMs: 1000 });
  a.read("r");
  broker.pause(60_000);
  broker.pass(500);
  assert.deepEqual(killed(broker), []);
});

test("a cancelled read that waits is gone at once, a running one when it has run for a quarter of a second", () => {
  const [broker, a] = two();
  const reads = Array.from({ length: 33 }, (_, i) => a.read(`${i}`));
  const [first, last] = [reads[0], reads[32]];
  assert.ok(first !== undefined && last !== undefined);
  a.cancel(last);
  assert.equal(last.refusal.code, "CANCELLED");
  a.cancel(first);
  broker.pass(240);
  assert.deepEqual(killed(broker), []);
  broker.pass(40);
  broker.buryReaders();
  assert.equal(first.refusal.code, "CANCELLED");
});

test("the reads of a connection that is gone are not begun, and those that run are ended soon", () => {
  const [broker, a] = two();
  for (let i = 0; i < 40; i++) a.read(`${i}`);
  a.write("w");
  a.read("held");
  a.disconnect();
  assert.equal(broker.core.counts.readsQueued, 0);
  broker.pass(300);
  assert.deepEqual(killed(broker), [1]);
  broker.buryReaders();
  broker.settle();
  assert.deepEqual([broker.core.counts.readsQueued, broker.core.counts.readsRunning], [0, 0]);
});

test("a read whose reader died runs once more, and is refused when a second one dies of it", () => {
  const [broker, a] = two();
  const read = a.read("r");
  for (let i = 0; i < 2; i++) {
    assert.ok(read.open);
    const reader = broker.readers.running("r");
    assert.ok(reader !== undefined);
    broker.readerGone(reader.id, "SIGSEGV");
    broker.startReaders();
  }
  assert.equal(read.refusal.code, "STATEMENT_CRASHED");
  assert.equal(broker.readers.all.size, 2);
});

test("those that stood behind a read that killed its reader go to another", () => {
  const [broker, a] = two({ readersMin: 1, readersMax: 1 });
  const reads = [a.read("r1"), a.read("r2"), a.read("r3")];
  broker.readerGone(1);
  broker.startReaders();
  assert.deepEqual(whats([...broker.readers.all.values()][0] as FakeReader).sort(), ["r1", "r2", "r3"]);
  for (const what of rows(broker).join(" ").split(" ")) broker.read(what);
  assert.ok(reads.every((read) => !read.open));
});

test("readers that die before they are ready are not started again in a loop", () => {
  const [broker] = two();
  const { length } = broker.turns;
  for (let i = 0; i < 200; i++) {
    for (const { id, state } of [...broker.readers.all.values()])
      if (i === 0 || state === "starting") broker.readerGone(id, "no such file");
    broker.pass(20);
  }
  const jobs = broker.turns.slice(length).flatMap(({ dispatch }) => dispatch);
  const started = jobs.filter(({ to, kind }) => to === "reader" && kind === "start").length;
  assert.ok(started >= 6 && started <= 12, `${started} were started in four seconds`);
});

// ── the writer, the log ─────────────────────────────────────────────────────────────────────────────────────────────

/** Every reader that is started ends at once, for so long (ms). */
function noReaderStarts(broker: TestBroker, ms: number): void {
  for (let passed = 0; passed < ms; passed += 500) {
    for (const { id, state } of [...broker.readers.all.values()])
      if (state === "starting") broker.readerGone(id, "no such file");
    broker.pass(500);
  }
}

test("reads wait for a reader, but not for ever: when none can be had they are refused, and served again when one can", () => {
  const broker = new TestBroker({ started: false, limits: { readerStartMs: 10_000 } });
  const client = broker.client();
  const before = client.read("before");
  broker.do(broker.writer.ready());
  noReaderStarts(broker, 9000);
  assert.ok(before.open, "while the writer was not ready, it did not count");
  noReaderStarts(broker, 2000);
  assert.deepEqual([before.refusal.code, before.refusal.details["reason"]], ["READER_UNAVAILABLE", "no such file"]);
  // Whoever comes now does not wait as long again.
  const late = client.read("late");
  noReaderStarts(broker, 500);
  assert.equal(late.refusal.code, "READER_UNAVAILABLE");
  const write = client.write("w");
  const behind = client.read("behind");
  broker.settle();
  assert.equal(write.body, "did w");
  noReaderStarts(broker, 500);
  assert.equal(behind.refusal.code, "READER_UNAVAILABLE", "what waited for a write comes to the same end");
  broker.pass(1500);
  broker.startReaders();
  const read = client.read("r");
  broker.read("r");
  assert.equal(read.body, "saw r");
});

test("that the broker stood still is no reason to give a reader up", () => {
  const [broker, a] = two({ readerStartMs: 10_000 });
  for (const { id } of [...broker.readers.all.values()]) broker.readerGone(id, "killed");
  const read = a.read("r");
  broker.pass(5000);
  broker.pause(3_600_000);
  broker.pass(4000);
  broker.startReaders();
  broker.read("r");
  assert.equal(read.body, "saw r");
});

test("a reader that neither starts nor ends is killed, and another one started", () => {
  const [broker, a] = two({ readerStartMs: 10_000 });
  const [first, second] = [...broker.readers.all.keys()];
  for (const id of [first, second]) broker.readerGone(id ?? 0, "killed");
  const read = a.read("r");
  broker.pass(10_100);
  assert.equal(read.refusal.code, "READER_UNAVAILABLE");
  assert.equal(killed(broker).length, 2);
  broker.buryReaders();
  broker.startReaders();
  const next = a.read("next");
  broker.read("next");
  assert.equal(next.body, "saw next");
});

test("while the writer is replaced no read is begun and no reader is started", () => {
  const [broker, a] = two();
  const before = a.read("before");
  broker.killWriter({ jobs: 0, phase: "idle" });
  const during = a.read("during");
  broker.read("before");
  assert.equal(before.body, "saw before");
  broker.readerGone(1);
  assert.deepEqual(rows(broker), [""]);
  broker.writerReady();
  broker.read("during");
  assert.equal(during.body, "saw during");
  assert.equal(broker.readers.all.size, 2);
});

test("without a writer reads go on", () => {
  const [broker, a] = two();
  broker.killWriter({ jobs: 0, phase: "idle" });
  broker.do(broker.writer.refuse());
  const read = a.read("r");
  broker.read("r");
  assert.equal(read.body, "saw r");
});

test("when the disk failed all readers end, and others are started only when a writer has repaired it", () => {
  const [broker, a] = two();
  const read = a.read("r");
  broker.killWriter({ jobs: 0, phase: "idle", ioFailed: true });
  assert.deepEqual(killed(broker), [1, 2]);
  broker.buryReaders();
  assert.equal(broker.readers.all.size, 0);
  broker.writerReady();
  broker.read("r");
  assert.equal(read.body, "saw r");
});

/** The writer says how long its log is. */
function logIs(broker: TestBroker, walBytes: number): void {
  broker.do({ kind: "writer-settled", answers: [], storedSeq: seqOf(0), walBytes });
}

test("when the log has grown reads wait, those that run finish or are ended, and the writer folds it", () => {
  const [broker, a, b] = two();
  const [quick, slow] = [a.read("quick"), b.read("slow", { endless: true })];
  const { walBytesMax } = broker.limits;
  logIs(broker, walBytesMax);
  const waiting = a.read("waiting");
  broker.read("quick");
  assert.equal(quick.body, "saw quick");
  assert.equal(broker.writer.taken("checkpoint").length, 0);
  broker.pass(1020);
  assert.deepEqual(killed(broker), [2]);
  broker.buryReaders();
  assert.equal(slow.refusal.code, "STATEMENT_TIMEOUT");
  assert.equal(broker.writer.taken("checkpoint").length, 1);
  broker.startReaders();
  assert.ok(waiting.open);
  logIs(broker, walBytesMax);
  broker.do({ kind: "checkpointed", walBytes: 0, complete: true });
  broker.read("waiting");
  assert.equal(waiting.body, "saw waiting");
});

test("a fold that did not finish is tried again when the log has grown by a quarter", () => {
  const [broker] = two();
  const { walBytesMax } = broker.limits;
  const folds = () => broker.writer.taken("checkpoint").length;
  logIs(broker, walBytesMax);
  assert.equal(folds(), 1);
  broker.do({ kind: "checkpointed", walBytes: walBytesMax, complete: false });
  logIs(broker, walBytesMax * 1.2);
  assert.equal(folds(), 0);
  logIs(broker, walBytesMax * 1.25);
  assert.equal(folds(), 1);
  broker.do({ kind: "checkpointed", walBytes: 0, complete: true });
  logIs(broker, walBytesMax);
  assert.equal(folds(), 1);
});

test("who reads waits for the log to be folded, but not for a long statement that the writer is at before", () => {
  const [broker, a] = two();
  const { walBytesMax } = broker.limits;
  const writerAt = (phase: "running" | "committing", since: number) =>
    broker.do({ kind: "writer-progress", progress: { seq: seqOf(7), phase, since } });
  logIs(broker, walBytesMax);
  assert.equal(broker.writer.taken("checkpoint").length, 1);
  const began = broker.now;
  const read = a.read("r");
  writerAt("running", began);
  broker.pass(1500);
  writerAt("committing", began);
  assert.deepEqual(rows(broker).join(""), "");
  writerAt("running", began);
  broker.read("r");
  assert.equal(read.body, "saw r");
  logIs(broker, walBytesMax * 2);
  assert.equal(broker.writer.taken("checkpoint").length, 0, "it has not done the first yet");
  broker.do({ kind: "checkpointed", walBytes: 0, complete: true });
  logIs(broker, walBytesMax);
  assert.equal(broker.writer.taken("checkpoint").length, 1);
  const held = a.read("held");
  broker.do({ kind: "checkpointed", walBytes: 0, complete: true });
  broker.read("held");
  assert.equal(held.body, "saw held");
});

test("who reads does not wait for a long script either, none of whose statements and commits takes long", () => {
  for (const phase of ["running", "committing"] as const) {
    const [broker, a] = two();
    logIs(broker, broker.limits.walBytesMax);
    const read = a.read("r");
    for (let passed = 0; passed < 1000; passed += 100) {
      assert.deepEqual(rows(broker).join(""), "");
      broker.pass(100);
      broker.do({ kind: "writer-progress", progress: { seq: seqOf(7), phase, since: broker.now } });
    }
    broker.read("r");
    assert.equal(read.body, "saw r");
  }
});

test("a fold that the writer died in is over", () => {
  const [broker, a] = two();
  logIs(broker, broker.limits.walBytesMax);
  const read = a.read("r");
  broker.killWriter({ jobs: 0, phase: "idle" });
  broker.writerReady();
  broker.read("r");
  assert.equal(read.body, "saw r");
});

test("a log that is full is not folded while there is no writer, and reads go on meanwhile", () => {
  const [broker, a] = two({ walBytesMax: 1_048_576, walBytesHardMax: 2_097_152 });
  logIs(broker, 2_097_152);
  broker.do({ kind: "checkpointed", walBytes: 2_097_152, complete: false });
  broker.writer.taken("checkpoint");
  broker.killWriter({ jobs: 0, phase: "idle" });
  broker.pass(5000);
  broker.do(broker.writer.refuse());
  broker.pass(4000);
  assert.deepEqual(broker.writer.taken("checkpoint"), []);
  const read = a.read("r");
  broker.read("r");
  assert.equal(read.body, "saw r");
  broker.pass(1000);
  broker.writerReady();
  broker.pass(1000);
  assert.equal(broker.writer.taken("checkpoint").length, 1);
});

test("a reader that answers out of its order is a fault, and one that is not known is not heard", () => {
  const [broker, a] = two();
  a.read("r1");
  const answer = { kind: "done", body: "" } as const;
  assert.throws(() => broker.do({ kind: "read-settled", reader: 1 as never, read: 99, answer }));
  const other = new TestBroker();
  other.do({ kind: "read-settled", reader: 77 as never, read: 1, answer });
  other.do({ kind: "reader-gone", reader: 77 as never, reason: "" });
  other.do({ kind: "reader-ready", reader: 77 as never });
});
