/** Who hears of which commit: each once, with its number, or of a gap; whatever becomes of connections and writers. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { cast, reborn } from "../support/cast.js";
import { heard, orders, watching } from "../support/table-watching.js";
import type { Asked, TestClient } from "../support/test-client.js";
import { seqOf } from "../support/values.js";

function code(asked: Asked): string {
  const { answer } = asked;
  return answer.kind === "refused" ? answer.refusal.refused : answer.kind;
}

const source = "first.1";

test("a watch is answered when the writer watches, and hears of each commit from then on", () => {
  const { broker, anna, bert } = cast();
  const asked = anna.watchTables(1, ["Job", "page"]);
  assert.deepEqual(
    broker.writer.asked.filter(({ kind }) => kind === "watch"),
    [
      {
        to: "writer",
        kind: "watch",
        set: 1,
        tables: [
          { table: "job", keys: false },
          { table: "page", keys: false },
        ],
        dropped: [],
      },
    ],
  );
  assert.ok(asked.open);
  broker.changed(4, ["job"]);
  broker.watched(5, { absent: ["page"] });
  const { upTo, gap, absent, source: of } = watching(asked);
  assert.deepEqual([upTo, gap, absent, of], [5, false, ["page"], source]);
  broker.changed(6, ["job", "other"]);
  broker.changed(8, ["page", "job"]);
  assert.deepEqual(heard(anna), ["1: 6 Job +1 ~0 -0", "1: 8 page +1 ~0 -0, 8 Job +1 ~0 -0"]);
  assert.deepEqual(heard(bert), []);
});

test("what is watched already is answered at once, and costs the writer no word", () => {
  const { broker, anna, bert } = cast();
  anna.watchTables(1, ["job"]);
  broker.watched(5);
  broker.changed(7, ["job"]);
  assert.equal(watching(bert.watchTables(1, ["JOB"])).upTo, 7);
  assert.deepEqual(broker.writer.taken("watch"), []);
  broker.changed(9, ["job"]);
  assert.deepEqual(heard(bert), ["1: 9 JOB +1 ~0 -0"]);
});

test("keys are told to those who want them, and only they wait until the writer names them", () => {
  const { broker, anna, bert } = cast();
  anna.watchTables(1, ["a"]);
  broker.watched(5);
  const asked = bert.watchTables(1, ["a"], { keys: true });
  broker.changed(6, ["a"]);
  assert.ok(asked.open);
  broker.watched(6);
  assert.equal(watching(asked).upTo, 6);
  broker.changed(7, [{ table: "a", inserts: 1, updates: 0, deletes: 0, keys: [{ change: "insert", key: [1] }] }]);
  const keysOf = (client: TestClient) =>
    client.notes.flatMap((letter) => (letter.kind === "table-changes" ? letter.changes.map(({ keys }) => keys) : []));
  assert.deepEqual(keysOf(anna), [undefined, undefined]);
  assert.deepEqual(keysOf(bert), [[{ change: "insert", key: [1] }]]);
});

test("one that lost its connection goes on after the last number that it heard", () => {
  const { broker, anna } = cast();
  anna.watchTables(1, ["a"]);
  broker.watched(5);
  broker.changed(6, ["a"]);
  anna.disconnect();
  broker.changed(7, ["a", "b"]);
  broker.changed(9, ["a"]);
  anna.resume();
  const { gap, upTo } = watching(anna.watchTables(1, ["a"], { after: { seq: 6, source } }));
  assert.deepEqual([gap, upTo], [false, 9]);
  assert.deepEqual(heard(anna), ["1: 7 a +1 ~0 -0, 9 a +1 ~0 -0"]);
  assert.deepEqual(broker.writer.taken("watch"), []);
});

test("one that comes back too late finds a gap, because its table was watched no more", () => {
  const { broker, anna, bert } = cast({ limits: { resumeWindowMs: 5000 } });
  bert.watchTables(1, ["b"]);
  anna.watchTables(1, ["a"]);
  broker.watched(5);
  broker.watched(5);
  anna.disconnect();
  broker.pass(4900);
  assert.deepEqual(broker.writer.taken("watch"), []);
  broker.pass(200);
  assert.deepEqual(orders(broker), ["no a"]);
  broker.do({ kind: "tables-watched", set: 3, upTo: seqOf(5), absent: [], wrong: [] });
  const late = broker.client("late");
  const asked = late.watchTables(1, ["a"], { after: { seq: 5, source } });
  broker.watched(9);
  assert.deepEqual([watching(asked).gap, watching(asked).upTo], [true, 9]);
});

test("keys are named for one that is away as well, and no longer than it may come back", () => {
  const { broker, anna, bert } = cast({ limits: { resumeWindowMs: 5000 } });
  bert.watchTables(1, ["a"]);
  anna.watchTables(1, ["a"], { keys: true });
  broker.watched(5);
  broker.watched(5);
  anna.disconnect();
  broker.pass(2000);
  broker.pause(60_000);
  broker.pass(2900);
  assert.deepEqual(broker.writer.taken("watch"), []);
  broker.pass(200);
  assert.deepEqual(
    broker.writer.taken("watch").map(({ tables }) => tables),
    [[{ table: "a", keys: false }]],
  );
});

test("tables that are watched for those who are away give way to those who are here", () => {
  const { broker, anna, bert } = cast({ limits: { tablesWatchedMax: 3 } });
  anna.watchTables(1, ["a", "b", "c"]);
  broker.watched(5);
  anna.disconnect();
  broker.writer.taken("watch");
  const asked = bert.watchTables(1, ["c", "d"]);
  broker.watched(7);
  assert.equal(watching(asked).upTo, 7);
  anna.resume();
  const back = watching(anna.watchTables(1, ["c"], { after: { seq: 5, source } }));
  assert.equal(back.gap, false);
  const lost = anna.watchTables(2, ["a"], { after: { seq: 5, source } });
  broker.watched(8);
  assert.equal(watching(lost).gap, true);
  assert.equal(code(anna.watchTables(3, ["b"])), "WATCHES_FULL");
});

test("who watches so much that it cannot be told at once is told of a gap, and his neighbour of everything", () => {
  const { broker, anna, bert } = cast();
  for (let n = 1; n <= 100; n++) anna.watchTables(n, ["a"], { keys: true });
  bert.watchTables(1, ["a"], { keys: true });
  broker.watched(5);
  const key = "x".repeat(50);
  const keys = Array.from({ length: 1000 }, (_, n) => ({ change: "insert" as const, key: [`${key}${n}`] }));
  broker.changed(6, [{ table: "a", inserts: 1000, updates: 0, deletes: 0, keys }]);
  const lines = heard(anna);
  const gaps = lines.filter((line) => line.endsWith(": gap up to 6"));
  assert.equal(lines.length, 100);
  assert.ok(gaps.length > 30 && gaps.length < 70, `${gaps.length} gaps`);
  assert.equal(heard(bert).length, 1);
  assert.doesNotMatch(heard(bert)[0] ?? "", /gap/);
  broker.changed(7, ["a"]);
  assert.equal(heard(anna).filter((line) => line.endsWith(": 7 a +1 ~0 -0")).length, 100);
  // What is gone on from is as much as what is told.
  anna.disconnect();
  anna.resume();
  for (let n = 1; n <= 100; n++)
    broker.core.handle(
      {
        ...{ kind: "watch-tables", connection: anna.to, request: 1000 + n, watch: n, tables: ["a"], keys: true },
        after: { seq: seqOf(5), source },
      },
      broker.now,
    );
  anna.ping();
  const later = heard(anna);
  assert.equal(later.length, 100);
  assert.ok(later.filter((line) => line.endsWith(": gap up to 7")).length > 30);
});

test("what is not kept any more is a gap, and so is a number of nobody's", () => {
  const { broker, anna, bert } = cast({ limits: { changesKeptMax: 2 } });
  anna.watchTables(1, ["a"]);
  broker.watched(5);
  for (const at of [6, 7, 8]) broker.changed(at, ["a"]);
  const ask = (watch: number, seq: number, of = source) =>
    watching(bert.watchTables(watch, ["a"], { after: { seq, source: of } })).gap;
  assert.deepEqual(
    [ask(1, 5), ask(2, 6), ask(3, 8), ask(4, 9), ask(5, 7, "first.0")],
    [true, false, false, true, true],
  );
  assert.deepEqual(heard(bert), ["2: 7 a +1 ~0 -0, 8 a +1 ~0 -0"]);
});

test("a table that was watched later than the number is a gap, though others were watched before", () => {
  const { broker, anna, bert } = cast();
  anna.watchTables(1, ["a"]);
  broker.watched(5);
  anna.watchTables(2, ["b"]);
  broker.watched(8);
  const ask = (watch: number, tables: string[]) =>
    watching(bert.watchTables(watch, tables, { after: { seq: 6, source } })).gap;
  assert.deepEqual([ask(1, ["a"]), ask(2, ["a", "b"])], [false, true]);
});

// rule 22
test("when the writer is replaced, every watch is told of a gap, and the next one watches before it writes", () => {
  const { broker, anna, bert } = cast();
  anna.watchTables(1, ["a"]);
  broker.watched(5);
  broker.writer.taken("watch");
  bert.write("w");
  broker.killWriter({ jobs: 1, phase: "running" });
  bert.write("x");
  broker.writerReady();
  const jobs = broker.turns.flatMap(({ dispatch }) => dispatch).filter(({ to }) => to === "writer");
  const kinds = jobs.slice(jobs.findLastIndex(({ kind }) => kind === "start") + 1).map(({ kind }) => kind);
  assert.deepEqual(kinds.slice(0, 2), ["watch", "write"]);
  assert.deepEqual(heard(anna), []);
  broker.watched(6);
  assert.deepEqual(heard(anna), ["1: gap up to 6"]);
  broker.changed(7, ["a"]);
  assert.deepEqual(heard(anna).slice(1), ["1: 7 a +1 ~0 -0"]);
  assert.equal(watching(bert.watchTables(1, ["a"], { after: { seq: 6, source } })).gap, true);
  assert.equal(watching(bert.watchTables(2, ["a"], { after: { seq: 6, source: "first.2" } })).gap, false);
});

test("a watch that is asked for while there is no writer is answered when there is one", () => {
  const { broker, anna } = cast();
  broker.killWriter({ jobs: 0, phase: "idle" });
  const asked = anna.watchTables(1, ["a"]);
  assert.ok(asked.open);
  broker.writerReady();
  broker.watched(3);
  assert.deepEqual([watching(asked).gap, watching(asked).upTo], [false, 3]);
  assert.deepEqual(heard(anna), []);
});

test("without any writer to be had a new watch is refused, and one that goes on waits", () => {
  const { broker, anna } = cast();
  broker.killWriter({ jobs: 0, phase: "idle" });
  const before = anna.watchTables(1, ["a"]);
  broker.do(broker.writer.refuse());
  assert.equal(code(before), "WRITER_UNAVAILABLE");
  assert.equal(code(anna.watchTables(2, ["a"])), "WRITER_UNAVAILABLE");
  const goesOn = anna.watchTables(3, ["a"], { after: { seq: 1, source } });
  assert.ok(goesOn.open);
  broker.pass(5000);
  broker.writerReady();
  broker.watched(4);
  assert.equal(watching(goesOn).gap, true);
});

test("after a restart of the broker nobody goes on without a gap", () => {
  const { broker, anna } = cast();
  anna.watchTables(1, ["a"]);
  broker.watched(5);
  const next = reborn(broker, anna);
  anna.connect();
  anna.resume();
  const asked = anna.watchTables(1, ["a"], { after: { seq: 5, source } });
  next.watched(5);
  assert.deepEqual([watching(asked).gap, watching(asked).source], [true, "first.2"]);
});

test("when another process has written, or the file is another one, everybody is told of a gap", () => {
  const { broker, anna, bert } = cast();
  anna.watchTables(1, ["a"]);
  broker.watched(5);
  broker.changed(6, [], true);
  assert.deepEqual(heard(anna), ["1: gap up to 6"]);
  assert.equal(watching(bert.watchTables(1, ["a"], { after: { seq: 5, source } })).gap, true);
  assert.equal(watching(bert.watchTables(2, ["a"], { after: { seq: 6, source } })).gap, false);
  broker.do(broker.writer.reserve({ to: "writer", kind: "reserve", above: 5, newIncarnation: true }));
  assert.deepEqual(heard(anna).slice(1), ["1: gap up to 6"]);
  assert.equal(watching(bert.watchTables(3, ["a"], { after: { seq: 6, source } })).gap, true);
});

test("what is no table is refused to those who ask, and what they watch beside it goes on", () => {
  const { broker, anna, bert } = cast();
  const good = anna.watchTables(1, ["a"]);
  const bad = bert.watchTables(1, ["a", "V"]);
  broker.watched(5);
  broker.watched(5, { wrong: [{ table: "v", what: "a view" }] });
  assert.equal(watching(good).upTo, 5);
  assert.deepEqual(
    bad.answer.kind === "refused" && bad.answer.refusal.message,
    '"V" is a view; only tables can be watched',
  );
  assert.deepEqual(orders(broker), ["no v"]);
  assert.equal(watching(bert.watchTables(1, ["a"])).upTo, 5);
});

test("what was no table is looked at again before it counts as watched, for whoever asks meanwhile", () => {
  for (const isTable of [true, false]) {
    const { broker, anna, bert } = cast({ limits: { tablesTakenUpMax: 1 } });
    const wrong = [{ table: "v", what: "a view" }];
    const first = anna.watchTables(1, ["t", "v"]);
    broker.watched(5);
    broker.watched(5, { wrong });
    assert.equal(code(first), "PARAMS_INVALID");
    // The writer gives up one at a time, and still has it.
    assert.deepEqual(orders(broker), ["no t"]);
    const again = bert.watchTables(1, ["v"]);
    bert.unwatchTables(1);
    const last = bert.watchTables(2, ["v"]);
    assert.deepEqual([code(again), last.open], ["CANCELLED", true]);
    broker.do({ kind: "tables-watched", set: 3, upTo: seqOf(6), absent: [], wrong: [] });
    assert.deepEqual(orders(broker), ["v"]);
    broker.do({ kind: "tables-watched", set: 4, upTo: seqOf(7), absent: [], wrong: isTable ? [] : wrong });
    if (isTable) assert.equal(watching(last).upTo, 7);
    else assert.equal(code(last), "PARAMS_INVALID");
  }
});

test("a write that is done again under a number behind what was told is told as a gap, never behind it", () => {
  const { broker, anna, bert } = cast();
  anna.watchTables(1, ["a"]);
  broker.watched(5);
  broker.killWriter({ jobs: 0, phase: "idle" });
  broker.pass(5000);
  broker.writerReady();
  // Write 9 was committed by the writer before, and write 8, which was refused beside it, is done now.
  broker.watched(9);
  broker.changed(8, [{ table: "a", inserts: 0, updates: 0, deletes: 0, schema: "dropped" }]);
  assert.deepEqual(heard(anna), ["1: gap up to 9", "1: gap up to 9"]);
  // Who was away had heard up to 9, too, and write 8 was not there then.
  const wasAway = watching(bert.watchTables(2, ["a"], { after: { seq: 9, source: "first.2" } }));
  const goesOn = watching(bert.watchTables(1, ["a"], { after: { seq: 9, source: wasAway.source } }));
  assert.deepEqual([wasAway.gap, goesOn.gap, goesOn.absent], [true, false, ["a"]]);
  bert.unwatchTables(2);
  broker.changed(10, ["a"]);
  assert.deepEqual(heard(anna).slice(2), ["1: 10 a +1 ~0 -0"]);
  assert.deepEqual(heard(bert), ["1: 10 a +1 ~0 -0"]);
});

test("tables come and go while they are watched", () => {
  const { broker, anna, bert } = cast();
  anna.watchTables(1, ["a"]);
  broker.watched(5, { absent: ["a"] });
  broker.changed(6, [{ table: "a", inserts: 2, updates: 0, deletes: 0, schema: "created" }]);
  assert.deepEqual(watching(bert.watchTables(1, ["a"])).absent, []);
  broker.changed(7, [{ table: "a", inserts: 0, updates: 0, deletes: 0, schema: "dropped" }]);
  assert.deepEqual(watching(bert.watchTables(2, ["a"])).absent, ["a"]);
  assert.deepEqual(heard(anna), ["1: 6 a +2 ~0 -0 created", "1: 7 a +0 ~0 -0 dropped"]);
});

test("watches and watched tables have an end, each with its own refusal", () => {
  const { broker, anna, bert } = cast({ limits: { watchesPerSessionMax: 2, tablesWatchedMax: 3 } });
  anna.watchTables(1, ["a", "b"]);
  assert.equal(code(anna.watchTables(1, ["c"])), "PARAMS_INVALID");
  assert.equal(code(bert.watchTables(1, ["c", "d"])), "WATCHES_FULL");
  anna.watchTables(2, ["c"]);
  assert.equal(code(anna.watchTables(3, ["a"])), "WATCHES_FULL");
  broker.watched(1);
  broker.watched(1);
  assert.equal(code(bert.watchTables(1, ["a", "b", "c"])), "table-watching");
});

test("a watch that is ended before it began is answered all the same", () => {
  const { broker, anna } = cast();
  const asked = anna.watchTables(1, ["a"]);
  assert.equal(anna.unwatchTables(1).answer.kind, "unwatched");
  assert.equal(code(asked), "CANCELLED");
  assert.equal(anna.unwatchTables(7).answer.kind, "unwatched");
  broker.changed(6, ["a"]);
  assert.deepEqual(heard(anna), []);
});

test("changes of one turn come in one letter", () => {
  const { broker, anna } = cast();
  anna.watchTables(1, ["a"]);
  broker.watched(5);
  for (const at of [6, 7])
    broker.core.handle(
      {
        ...{ kind: "tables-changed", seq: at as never, outside: false, bytes: 1 },
        tables: [{ table: "a", inserts: 1, updates: 0, deletes: 0 }],
      },
      broker.now,
    );
  anna.ping();
  assert.deepEqual(heard(anna), ["1: 6 a +1 ~0 -0, 7 a +1 ~0 -0"]);
});

test("who wants to watch while a transaction is open waits no longer for it than who wants to write", () => {
  const { broker, anna, bert } = cast();
  anna.begin();
  broker.settle();
  const asked = bert.watchTables(1, ["a"]);
  broker.pass(4900);
  assert.equal(broker.writer.waiting.length, 0);
  broker.pass(200);
  assert.deepEqual(
    broker.writer.waiting.map((job) => job.kind === "step" && job.step),
    ["rollback"],
  );
  broker.settle();
  broker.watched(5);
  assert.equal(watching(asked).upTo, 5);
  // Who waits no more is in nobody's way.
  anna.begin();
  broker.settle();
  broker.pass(20_000);
  assert.equal(broker.writer.waiting.length, 0);
});
