/** What a write says of itself, on a connection that everybody shares (rule 16). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { bench, type WriterBench } from "../writer-bench.js";

/** [rowsAffected, lastInsertRowid] of each, in one group. */
function changes(w: WriterBench, ...texts: readonly string[]): unknown[] {
  return w.group(texts).map(({ result }) => [result.rowsAffected, result.lastInsertRowid]);
}

function withTables(t: Parameters<typeof bench>[0]): WriterBench {
  const w = bench(t);
  w.run("create table t (id integer primary key, a unique)");
  w.run("create table other (id integer primary key, a unique)");
  w.run("create table plain (a primary key, b) without rowid");
  return w;
}

test("an insert tells the rowid of its row, and nothing else tells one", (t) => {
  const w = withTables(t);
  assert.deepEqual(
    changes(
      w,
      "insert into t values (5, 'a'), (9, 'b')",
      "update t set a = a || '!'",
      "delete from t where id = 5",
      "delete from t where id = 5",
      "replace into t values (9, 'c')",
    ),
    [
      [2, 9],
      [2, null],
      [1, null],
      [0, null],
      [1, 9],
    ],
  );
});

test("an insert that inserts nothing tells no stranger's rowid", (t) => {
  const w = withTables(t);
  assert.deepEqual(changes(w, "insert into t values (7, 'a')", "insert or ignore into t values (7, 'b')"), [
    [1, 7],
    [0, null],
  ]);
});

test("an insert into a table without rowids tells none, whatever was inserted before", (t) => {
  const w = withTables(t);
  assert.deepEqual(
    changes(w, "insert into t values (7, 'a')", "insert into plain values (1, 1)", "insert into plain values (2, 2)"),
    [
      [1, 7],
      [1, null],
      [1, null],
    ],
  );
});

test("an upsert tells a rowid when it inserts, and none when it updates", (t) => {
  const w = withTables(t);
  const upsert = "insert into t (id, a) values (3, 'x') on conflict (id) do update set a = a || 'x'";
  assert.deepEqual(changes(w, upsert, upsert, "delete from t", upsert, upsert), [
    [1, 3],
    [1, null],
    [1, null],
    [1, 3],
    [1, null],
  ]);
});

test("the same rowid in another table is told", (t) => {
  const w = withTables(t);
  assert.deepEqual(
    changes(w, "insert into t values (7, 'a')", "insert into other values (7, 'a')", "insert into t values (8, 'b')"),
    [
      [1, 7],
      [1, 7],
      [1, 8],
    ],
  );
});

test("a text whose rowid was unclear stays exact for as long as it runs", (t) => {
  const w = withTables(t);
  const texts = Array.from(
    { length: 200 },
    (_, at) => [`insert into t (a) values (null)`, `insert into other (a) values (null)`][at % 2] as string,
  );
  assert.deepEqual(
    changes(w, ...texts),
    texts.map((_, at) => [1, Math.floor(at / 2) + 1]),
  );
});

test("a statement that returns rows tells what it changed as well", (t) => {
  const w = withTables(t);
  const [inserted, updated, ignored] = w.group([
    "insert into t values (7, 'a') returning a",
    "update t set a = 'b' returning id, a",
    "insert or ignore into t values (7, 'z') returning a",
  ]);
  assert.deepEqual(inserted?.result, { columns: ["a"], rows: [["a"]], rowsAffected: 1, lastInsertRowid: 7 });
  assert.deepEqual(updated?.result, { columns: ["id", "a"], rows: [[7, "b"]], rowsAffected: 1, lastInsertRowid: null });
  assert.deepEqual(ignored?.result, { columns: ["a"], rows: [], rowsAffected: 0, lastInsertRowid: null });
});

test("a batch may use the rowid of its own earlier statement", (t) => {
  const w = withTables(t);
  w.run("insert into t values (1, 'a')");
  const statements = [
    "insert into t values (41, 'b')",
    "insert into other values (41, last_insert_rowid())",
    "insert or ignore into t values (41, 'c')",
    "select last_insert_rowid()",
  ];
  const { result } = w.run({ method: "db.batch", params: { statements: statements.map((sql) => ({ sql })) } });
  assert.deepEqual(result.results[3].rows, [[41]]);
  assert.deepEqual(w.rows("select * from other"), [[41, 41]]);
});

test("a rowid beyond 2^53 comes back to the last digit", (t) => {
  const w = withTables(t);
  const { result } = w.run("insert into t values (9007199254740993, 'a')");
  assert.deepEqual(result.lastInsertRowid, { $int: "9007199254740993" });
});

test("a write whose result is too large leaves nothing behind", (t) => {
  const w = bench(t, { limits: { resultBytesMax: 1024 } });
  w.run("create table t (a)");
  const settled = w.run({
    sql: "insert into t values (?), (?) returning a",
    args: ["x".repeat(600), "y".repeat(600)],
    key: 1,
  });
  assert.equal(settled.refusal?.refused, "RESULT_TOO_LARGE");
  assert.equal(w.value("select count(*) from t"), 0);
  assert.equal(w.value("select count(*) from _holdfast_replies"), 0);
});

test("the columns are named as they are called when the statement runs", (t) => {
  const w = bench(t);
  w.run("create table t (a, b)");
  const all = { sql: "insert into t values (1, 2) returning *" };
  assert.deepEqual(w.run(all).result.columns, ["a", "b"]);
  w.run("alter table t rename column a to c");
  assert.deepEqual(w.run(all).result.columns, ["c", "b"]);
  w.run("alter table t add column d default 3");
  assert.deepEqual(w.run({ sql: "delete from t returning *" }).result.rows, [
    [1, 2, 3],
    [1, 2, 3],
  ]);
});

test("values keep their type on the way in", (t) => {
  const w = bench(t);
  w.run("create table t (v)");
  for (const value of [1, 1.5, { $real: "1" }, { $int: "9223372036854775807" }, "1", { $blob: "AQ==" }, null])
    w.run({ sql: "insert into t values (?)", args: [value] });
  assert.deepEqual(
    w.rows("select typeof(v) from t").map(([type]) => type),
    ["integer", "real", "real", "integer", "text", "blob", "null"],
  );
});

test("rows that a refused insert had inserted before it was refused give their rowids to nobody", (t) => {
  const w = withTables(t);
  w.run("insert into t values (3, 'there')");
  const refused = w.group([
    "insert into t values (101, 'a'), (102, 'b'), (103, 'b')",
    "insert into plain values (1, 1)",
  ]);
  assert.deepEqual(
    refused.map(({ refusal, result }) => refusal?.refused ?? result.lastInsertRowid),
    ["SQLITE_CONSTRAINT", null],
  );
  const returning = w.group([
    "insert into t values (201, 'a'), (202, 'b'), (203, 'b') returning id",
    "insert into t values (3, 'x') on conflict (id) do update set a = 'y' returning id",
  ]);
  assert.deepEqual(
    returning.map(({ refusal, result }) => refusal?.refused ?? result.lastInsertRowid),
    ["SQLITE_CONSTRAINT", null],
  );
});

test("that a table is watched gives no rowid to anybody", (t) => {
  const w = withTables(t);
  w.run("insert into t values (7, 'a')");
  w.writer.take({ kind: "watch", set: 1, tables: [{ table: "other", keys: true }], dropped: [] });
  w.turn();
  assert.deepEqual(changes(w, "insert into plain values (1, 1)"), [[1, null]]);
});
