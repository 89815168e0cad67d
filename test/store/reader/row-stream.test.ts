/** Rows in messages, as many as there is credit for. The statement runs in this process, beside a writer. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type BoundValue, decodeFrame } from "../../../src/protocol/index.js";
import { type Database, openDatabase } from "../../../src/sqlite/index.js";
import { RowStream, type Step } from "../../../src/store/reader/row-stream.js";
import { Planner } from "../../../src/store/statement/plan.js";
import { isRefusal, limitsWith } from "../../../src/terms/index.js";
import { bench, type WriterBench } from "../writer-bench.js";

interface Options {
  readonly windowBytes?: number;
  readonly limits?: { readonly [name: string]: number };
}

const counted = "with recursive c(x) as (select 1 union all select x + 1 from c where x < 10000) select x from c";

const opened: RowStream[] = [];

function stage(t: Parameters<typeof bench>[0]): { w: WriterBench; database: Database } {
  let database: Database | undefined;
  t.after(() => {
    for (const stream of opened.splice(0)) stream.close();
    database?.close();
  });
  const w = bench(t);
  w.run("create table t (a, b)");
  database = openDatabase({ path: w.orders.database, role: "reader", durability: "full", busyMs: 1000 });
  return { w, database };
}

function streamOf(database: Database, sql: string, { windowBytes = 100_000, limits = {} }: Options = {}): RowStream {
  const all = limitsWith(limits);
  const plan = new Planner(all).plan("db.query", { sql });
  if (isRefusal(plan)) throw new Error(plan.message);
  const [bound] = plan.statements;
  if (bound === undefined) throw new Error("no statement");
  const stream = new RowStream({ database, bound, encoding: "json", stream: 1, windowBytes, limits: all });
  opened.push(stream);
  return stream;
}

function rowsIn(message: Buffer): BoundValue[][] {
  const frame = decodeFrame(message, "json", "broker");
  return frame.kind === "notification" ? (frame.params as { rows: BoundValue[][] }).rows : [];
}

/** Reads to the end with credit as it is asked for. */
function all(stream: RowStream): { rows: BoundValue[][]; messages: number[] } {
  const rows: BoundValue[][] = [];
  const messages: number[] = [];
  for (;;) {
    const step = stream.next(100_000);
    if (isRefusal(step)) throw new Error(step.message);
    if (step.kind !== "rows") return { rows, messages };
    rows.push(...rowsIn(step.message));
    messages.push(step.message.length);
  }
}

function stepped(step: ReturnType<RowStream["next"]>): Step {
  if (isRefusal(step)) throw new Error(step.message);
  return step;
}

test("all rows come, in order, in messages of which the first is small and none is larger than is allowed", (t) => {
  const { database } = stage(t);
  const stream = streamOf(database, counted, { limits: { chunkBytesMax: 32 * 1024 } });
  assert.deepEqual(stream.open(), ["x"]);
  const { rows, messages } = all(stream);
  assert.deepEqual(
    rows,
    Array.from({ length: 10_000 }, (_, at) => [at + 1]),
  );
  assert.equal(stream.sent, 10_000);
  assert.ok((messages[0] ?? 0) <= 16 * 1024, `the first message has ${messages[0]} bytes`);
  for (const bytes of messages) assert.ok(bytes <= 32 * 1024);
});

test("a message for which there is no credit waits, and is not made anew", (t) => {
  const { database } = stage(t);
  const stream = streamOf(database, counted);
  stream.open();
  assert.equal(stepped(stream.next(100)).kind, "waits");
  assert.equal(stepped(stream.next(100)).kind, "waits");
  const step = stepped(stream.next(20_000));
  assert.ok(step.kind === "rows");
  assert.deepEqual(rowsIn(step.message)[0], [1]);
});

test("no message is larger than the window", (t) => {
  const { database } = stage(t);
  const stream = streamOf(database, counted, { windowBytes: 1000 });
  stream.open();
  const step = stepped(stream.next(1000));
  assert.ok(step.kind === "rows" && step.message.length <= 1000);
});

test("a row that is larger than the window goes when the window is fully open, and not before", (t) => {
  const { database } = stage(t);
  const stream = streamOf(database, "select hex(zeroblob(5000)) as a", { windowBytes: 1000 });
  stream.open();
  assert.equal(stepped(stream.next(999)).kind, "waits");
  const step = stepped(stream.next(1000));
  assert.ok(step.kind === "rows" && step.message.length > 10_000);
  assert.equal(stepped(stream.next(1000)).kind, "over");
});

test("a row that no answer could hold ends the stream", (t) => {
  const { database } = stage(t);
  const stream = streamOf(database, "select 1 as a union all select hex(zeroblob(5000))", {
    limits: { resultBytesMax: 1024, chunkBytesMax: 1024 },
  });
  stream.open();
  assert.equal(stepped(stream.next(100_000)).kind, "rows");
  const refusal = stream.next(100_000);
  assert.ok(isRefusal(refusal));
  assert.equal(refusal.refused, "RESULT_TOO_LARGE");
});

test("no rows are columns and an end", (t) => {
  const { database } = stage(t);
  const stream = streamOf(database, "select a, b, a from t");
  assert.deepEqual(stream.open(), ["a", "b", "a"]);
  assert.equal(stepped(stream.next(1)).kind, "over");
});

// rule 16: names of columns never come from a cache
test("the columns are those of the rows, though the table was altered after the statement was prepared", (t) => {
  const { w, database } = stage(t);
  w.run("insert into t values (1, 2)");
  const stream = streamOf(database, "select * from t");
  w.run("alter table t add column c default 3");
  assert.deepEqual(stream.open(), ["a", "b", "c"]);
  assert.deepEqual(all(stream).rows, [[1, 2, 3]]);
});

test("all rows are of the moment at which it was opened, whatever is written meanwhile", (t) => {
  const { w, database } = stage(t);
  w.run(
    "insert into t (a) with recursive c(x) as (select 1 union all select x + 1 from c where x < 5000) select x from c",
  );
  const stream = streamOf(database, "select a from t", { windowBytes: 2000 });
  stream.open();
  stream.next(2000);
  w.run("update t set a = -1");
  w.run("drop table t");
  const { rows } = all(stream);
  assert.ok(rows.every(([a]) => Number(a) > 0));
  assert.equal(stream.sent, 5000);
});

test("an error in the middle is thrown where it happens, after the rows before it", (t) => {
  const { database } = stage(t);
  const stream = streamOf(database, "select abs(x) from (select 1 as x union all select -9223372036854775807 - 1)");
  stream.open();
  assert.throws(() => stream.next(100_000), /integer overflow/);
});

test("a stream that is closed lets go of its snapshot", (t) => {
  const { w, database } = stage(t);
  w.run("insert into t values (1, 2), (3, 4)");
  const stream = streamOf(database, "select a from t", { windowBytes: 100 });
  stream.open();
  stream.next(10);
  w.run("delete from t");
  stream.close();
  assert.deepEqual(database.prepare("select count(*) as left from t").all(), [{ left: 0 }]);
});

test("a pragma is streamed as any statement", (t) => {
  const { database } = stage(t);
  const stream = streamOf(database, "pragma foreign_key_list(t)");
  assert.ok(Array.isArray(stream.open()));
  assert.equal(stepped(stream.next(1)).kind, "over");
});

test("rows that become slow in the middle do not wait for many others", (t) => {
  const { database } = stage(t);
  const heavy =
    "(select count(*) from (with recursive n(y) as (select 1 union all select y + 1 from n where y < 100000 + x) select y from n))";
  const stream = streamOf(database, `select x, case when x > 16 then ${heavy} end from (${counted})`);
  stream.open();
  const step = stepped(stream.next(100_000));
  assert.ok(step.kind === "rows");
  const { length } = rowsIn(step.message);
  assert.ok(length <= 21, `${length} rows`);
});
