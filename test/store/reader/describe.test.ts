/** Descriptions, by a reader in this process beside a writer. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { type DescribeResult, decodeBody, type Encoding, encodeRequest } from "../../../src/protocol/index.js";
import { Reader } from "../../../src/store/reader/reader.js";
import { limitsWith, type Refusal } from "../../../src/terms/index.js";
import { bench, type WriterBench } from "../writer-bench.js";

type Described = DescribeResult["statements"];

class Rig {
  readonly writer: WriterBench;
  readonly #reader: Reader;

  constructor(t: TestContext, limits: { readonly [name: string]: number } = {}) {
    let reader: Reader | undefined;
    t.after(() => reader?.close());
    this.writer = bench(t);
    this.writer.run("create table t (id integer primary key, name varchar(20), free)");
    const { database } = this.writer.orders;
    reader = new Reader({ database, limits: limitsWith(limits), withoutWriter: false });
    this.#reader = reader;
  }

  ask(sql: string, encoding: Encoding = "json"): Described | Refusal {
    const raw = encodeRequest(1, "db.describe", { sql }, encoding);
    const answer = this.#reader.answer({ kind: "read", read: 1, method: "db.describe", encoding, raw }, () => {});
    if (answer.kind === "refused") return answer.refusal;
    assert.equal(answer.kind, "done");
    assert.equal(this.#reader.database.inTransaction, false);
    return (decodeBody(answer.kind === "done" ? answer.bytes : Buffer.alloc(0), encoding) as DescribeResult).statements;
  }

  described(sql: string): Described {
    const found = this.ask(sql);
    if (!Array.isArray(found)) assert.fail((found as Refusal).message);
    return found;
  }

  setting(pragma: string): unknown {
    return this.#reader.database.pragma(pragma, { simple: true });
  }

  refused(sql: string): Refusal {
    const found = this.ask(sql);
    if (Array.isArray(found)) assert.fail(`${sql} was described`);
    return found as Refusal;
  }
}

function columns(described: Described): unknown {
  return described.map((one) => one.columns?.map(({ name }) => name) ?? null);
}

for (const encoding of ["json", "msgpack"] as const)
  test(`each statement is described with its place, parameters and columns, in ${encoding}`, (t) => {
    const rig = new Rig(t);
    const sql = "select id, name as n, 1 + free from t where id = ?3; -- two\nwith x(a) as (select 1) delete from t";
    assert.deepEqual(rig.ask(sql, encoding), [
      {
        position: 0,
        length: 51,
        verb: "SELECT",
        access: "read",
        parameters: [
          { number: 1, name: null },
          { number: 2, name: null },
          { number: 3, name: "?3" },
        ],
        columns: [
          { name: "id", decltype: "INTEGER", table: "t", column: "id" },
          { name: "n", decltype: "varchar(20)", table: "t", column: "name" },
          { name: "1 + free", decltype: null, table: null, column: null },
        ],
      },
      {
        position: sql.indexOf("with"),
        length: 37,
        verb: "DELETE",
        access: "write",
        parameters: [],
        columns: [],
      },
    ]);
  });

// https://sqlite.org/lang_expr.html#varparam
test("parameters are numbered as SQLite numbers them, whatever they are called", (t) => {
  const rig = new Rig(t);
  const parameters = (sql: string) => rig.described(sql)[0]?.parameters.map(({ name }) => name);
  assert.deepEqual(parameters("select ?, ?, ?"), [null, null, null]);
  assert.deepEqual(parameters("select :a, @b, $c, :a"), [":a", "@b", "$c"]);
  assert.deepEqual(parameters("select ?, ?3, :one, ?"), [null, null, "?3", ":one", null]);
  assert.deepEqual(parameters("select ?2, :a, ?1"), ["?1", "?2", ":a"]);
});

test("nothing of the text is run, nor does it act while it is prepared", (t) => {
  const rig = new Rig(t);
  const sql =
    "insert into t (name) values ('x'); drop table t; pragma foreign_keys = off; pragma user_version = 7; begin; pragma defer_foreign_keys = on";
  assert.deepEqual(
    rig.described(sql).map(({ verb, access }) => [verb, access]),
    [
      ["INSERT", "write"],
      ["DROP", "write"],
      ["PRAGMA", "read"],
      ["PRAGMA", "write"],
      ["BEGIN", "read"],
      ["PRAGMA", "write"],
    ],
  );
  assert.deepEqual(columns(rig.described("select * from t")), [["id", "name", "free"]]);
  const settings = ["foreign_keys", "defer_foreign_keys", "user_version"].map((name) => rig.setting(name));
  assert.deepEqual(settings, [1, 0, 0]);
});

test("what returns rows without being a query has columns too", (t) => {
  const rig = new Rig(t);
  assert.deepEqual(columns(rig.described("insert into t (name) values (?) returning id as made, name")), [
    ["made", "name"],
  ]);
  assert.deepEqual(columns(rig.described("explain query plan select 1; pragma table_info(t)")), [
    ["id", "parent", "notused", "detail"],
    ["cid", "name", "type", "notnull", "dflt_value", "pk"],
  ]);
});

test("where a statement before it makes what it needs, the columns are not known, and grammar is told all the same", (t) => {
  const rig = new Rig(t);
  const sql =
    "create table later (a); select a from later; alter table t add column more; select more from t; select 1";
  assert.deepEqual(columns(rig.described(sql)), [[], null, [], null, ["1"]]);
  const wrong = "create table later (a); select a form later";
  assert.deepEqual(rig.refused(wrong).details, {
    sqliteCode: "SQLITE_ERROR",
    statement: 1,
    position: wrong.lastIndexOf("later"),
    length: 5,
  });
});

test("what SQLite does not take is refused with its place in the whole text", (t) => {
  const rig = new Rig(t);
  const sql = "select 1;\nselect nix from t";
  const { refused, message, details } = rig.refused(sql);
  assert.deepEqual([refused, message], ["SQLITE_ERROR", "no such column: nix"]);
  assert.deepEqual(details, { sqliteCode: "SQLITE_ERROR", statement: 1, position: sql.indexOf("nix"), length: 3 });
  assert.equal(rig.refused("select * from _holdfast_meta").refused, "STATEMENT_REFUSED");
});

test("the columns are those of now, also when the schema has changed since the reader has looked at it", (t) => {
  const rig = new Rig(t);
  assert.deepEqual(columns(rig.described("select * from t")), [["id", "name", "free"]]);
  rig.writer.run("alter table t add column more");
  assert.deepEqual(columns(rig.described("select * from t")), [["id", "name", "free", "more"]]);
  rig.writer.run("drop table t");
  assert.equal(rig.refused("select * from t").refused, "SQLITE_ERROR");
});

test("a description is bounded as a result is, however many parameters a few letters ask for", (t) => {
  const rig = new Rig(t, { resultBytesMax: 100_000 });
  assert.equal(rig.described("select ?1000")[0]?.parameters.length, 1000);
  assert.equal(rig.refused("select ?32766").refused, "RESULT_TOO_LARGE");
  assert.equal(rig.refused("select ?1000; ".repeat(10)).refused, "RESULT_TOO_LARGE");
});
