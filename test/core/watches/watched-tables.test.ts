/** What the writer is asked to watch, for whom, how much of it at once, and for how long after. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Deadlines } from "../../../src/core/deadlines.js";
import { Draft } from "../../../src/core/draft.js";
import type { Job } from "../../../src/core/index.js";
import { TableWatches } from "../../../src/core/watches/table-watches.js";
import { limitsWith } from "../../../src/terms/index.js";
import { cast } from "../support/cast.js";
import { heard, orders, watching } from "../support/table-watching.js";
import type { TestBroker } from "../support/test-broker.js";
import { at, connection, seqOf } from "../support/values.js";

type WatchJob = Extract<Job, { to: "writer"; kind: "watch" }>;

/** The writer does all that it is asked for, and what comes of that. */
function watchAll(broker: TestBroker): WatchJob[] {
  const jobs: WatchJob[] = [];
  for (;;) {
    const job = broker.writer.asked.find((one) => one.kind === "watch");
    if (job === undefined) return jobs;
    jobs.push(job);
    broker.watched(5);
  }
}

test("the writer watches only what somebody wants or has wanted a moment ago, and nothing when nobody does", () => {
  const { broker, anna, bert } = cast({ limits: { watchLingerMs: 3000 } });
  anna.watchTables(1, ["a", "b"]);
  bert.watchTables(1, ["b"], { keys: true });
  broker.watched(5);
  broker.watched(5);
  anna.unwatchTables(1);
  broker.pass(2000);
  bert.unwatchTables(1);
  broker.changed(6, ["a", "b"]);
  assert.deepEqual([heard(anna), heard(bert), orders(broker)], [[], [], []]);
  broker.pass(1100);
  assert.deepEqual(orders(broker), ["no a"]);
  broker.do({ kind: "tables-watched", set: 3, upTo: seqOf(6), absent: [], wrong: [] });
  broker.pass(2000);
  assert.deepEqual(orders(broker), ["no b"]);
});

test("watches that are ended and begun again give the writer nothing to do, and are answered at once", () => {
  const { broker, anna } = cast();
  const sets = Array.from({ length: 14 }, (_, n) => Array.from({ length: 64 }, (_, m) => `t${64 * n + m}`));
  const open = () => sets.map((tables, n) => anna.watchTables(n, tables, { keys: n % 2 === 0 }));
  const first = open();
  watchAll(broker);
  assert.ok(first.every((one) => watching(one).upTo === 5));
  for (let round = 0; round < 10; round++) {
    for (const n of sets.keys()) anna.unwatchTables(n);
    for (const one of open()) assert.equal(watching(one).gap, false);
    broker.pass(1000);
  }
  assert.deepEqual(orders(broker), []);
  for (const n of sets.keys()) anna.unwatchTables(n);
  broker.pass(11_000);
  assert.equal(watchAll(broker).flatMap(({ dropped }) => dropped).length, 14 * 64);
});

test("however many tables are wanted at once, the writer has a few of them to take up before it writes again", () => {
  const { broker, anna, bert } = cast({ limits: { tablesTakenUpMax: 4 } });
  const many = anna.watchTables(
    1,
    Array.from({ length: 64 }, (_, n) => `a${n}`),
  );
  assert.deepEqual(orders(broker, false), ["a0 a1 a2 a3"]);
  bert.write("w");
  assert.equal(broker.writer.waiting.length, 1);
  broker.watched(5);
  assert.ok(many.open);
  assert.deepEqual(orders(broker, false), ["a4 a5 a6 a7"]);
  const jobs = watchAll(broker);
  assert.ok(jobs.every(({ tables, dropped }) => tables.length <= 4 && dropped.length === 0));
  assert.equal(watching(many).upTo, 5);
});

test("who wants few tables waits for a few of another's, and not for all of them", () => {
  const { broker, anna, bert } = cast({ limits: { tablesTakenUpMax: 4 } });
  for (let n = 1; n <= 5; n++)
    anna.watchTables(
      n,
      Array.from({ length: 64 }, (_, m) => `a${n}.${m}`),
    );
  const few = bert.watchTables(1, ["b", "c"]);
  broker.watched(5);
  assert.deepEqual(orders(broker, false), ["b a1.4 c a1.5"]);
  broker.watched(5);
  assert.equal(watching(few).upTo, 5);
});

test("what nobody wants any more goes a few at a time, beside what is wanted, and is kept if it is wanted again", () => {
  const { broker, anna } = cast({ limits: { tablesTakenUpMax: 2, watchLingerMs: 0 } });
  anna.watchTables(1, ["a", "b", "c", "d"]);
  watchAll(broker);
  anna.unwatchTables(1);
  broker.pass(1);
  assert.deepEqual(orders(broker, false), ["no a no b"]);
  assert.equal(watching(anna.watchTables(2, ["d"])).upTo, 5);
  const anew = anna.watchTables(3, ["a", "e"]);
  broker.watched(6);
  assert.deepEqual(orders(broker, false), ["a e no c"]);
  broker.watched(7);
  assert.equal(watching(anew).upTo, 7);
  assert.deepEqual(orders(broker), []);
});

test("a watch is open when the last of its tables is watched, and misses nothing from there on", () => {
  const { broker, anna } = cast({ limits: { tablesTakenUpMax: 1 } });
  const watch = anna.watchTables(1, ["a", "b"]);
  broker.watched(5);
  broker.changed(6, ["a"]);
  assert.ok(watch.open);
  broker.watched(7);
  assert.equal(watching(watch).upTo, 7);
  broker.changed(8, ["a", "b"]);
  assert.deepEqual(heard(anna), ["1: 8 a +1 ~0 -0, 8 b +1 ~0 -0"]);
});

test("a writer that is busy is told of one set of tables at a time, however often watches come and go", () => {
  const { broker, anna, bert } = cast();
  const first = anna.watchTables(1, ["a"]);
  for (let n = 1; n <= 20; n++) {
    bert.watchTables(n, ["b"], { keys: true });
    if (n < 20) bert.unwatchTables(n);
  }
  assert.deepEqual(
    broker.writer.asked.flatMap((job) => (job.kind === "watch" ? [job.tables.length] : [])),
    [1],
  );
  broker.watched(5);
  assert.equal(watching(first).upTo, 5);
  broker.watched(6);
  assert.deepEqual(orders(broker), []);
  broker.changed(7, ["b"]);
  assert.deepEqual(heard(bert), ["20: 7 b +1 ~0 -0"]);
});

test("however often a client comes and goes, what is kept for its return does not grow", () => {
  const [draft, deadlines] = [new Draft(), new Deadlines()];
  const tables = new TableWatches({ limits: limitsWith(), draft, deadlines });
  tables.writerReady(1, "first");
  for (let n = 1; n <= 100; n++) {
    const asker = { connection: connection(n), request: n };
    tables.watch({ kind: "watch-tables", ...asker, watch: 1, tables: ["a", "b"], keys: true, after: undefined });
    tables.turnEnded();
    if (n === 1) tables.watched({ kind: "tables-watched", set: 1, upTo: seqOf(5), absent: [], wrong: [] });
    tables.connectionLost(connection(n), 5000, at(n));
    tables.turnEnded();
    tables.check();
  }
  assert.equal(deadlines.size, 1);
  const sets = () => draft.take().dispatch.filter(({ kind }) => kind === "watch").length;
  assert.equal(sets(), 1);
  for (const [ms, sent] of [
    [5001, 0],
    [5100, 1],
  ] as const) {
    assert.equal(deadlines.takeDue(at(ms))?.at, ms);
    tables.lingered(at(ms));
    tables.turnEnded();
    assert.equal(sets(), sent);
  }
});
