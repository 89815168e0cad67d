/** Reads, one after the other, each from a snapshot of its own. The reader runs in this process beside a writer. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeBody, type Encoding, encodeRequest } from "../../../src/protocol/index.js";
import type { StoreMethod } from "../../../src/store/pipe/messages.js";
import { Reader } from "../../../src/store/reader/reader.js";
import { limitsWith } from "../../../src/terms/index.js";
import { bench, type Settled, type WriterBench } from "../writer-bench.js";

class ReaderBench {
  readonly reader: Reader;
  /** How often what came before was sent away first. */
  flushes = 0;

  constructor(w: WriterBench, limits: { readonly [name: string]: number } = {}) {
    this.reader = new Reader({ database: w.orders.database, limits: limitsWith(limits), withoutWriter: false });
  }

  read(params: object, method: StoreMethod = "db.query", encoding: Encoding = "json"): Settled {
    const raw = encodeRequest(1, method, params, encoding);
    const answer = this.reader.answer({ kind: "read", read: 1, method, encoding, raw }, (mayBeSlow) => {
      if (mayBeSlow) this.flushes++;
    });
    if (answer.kind !== "done") return answer;
    return { kind: "done", result: decodeBody(answer.bytes, encoding) };
  }
}

function benches(
  t: Parameters<typeof bench>[0],
  limits: { readonly [name: string]: number } = {},
): { w: WriterBench; r: ReaderBench } {
  let r: ReaderBench | undefined;
  t.after(() => r?.reader.close());
  const w = bench(t);
  w.run("create table t (id integer primary key, a)");
  r = new ReaderBench(w, limits);
  return { w, r };
}

test("a read sees what was settled before it, and what was not is not there", (t) => {
  const { w, r } = benches(t);
  w.run("insert into t (a) values ('x')");
  w.give({ sql: "insert into t (a) values ('y')" });
  assert.deepEqual(r.read({ sql: "select a from t" }).result, {
    columns: ["a"],
    rows: [["x"]],
    rowsAffected: 0,
    lastInsertRowid: null,
  });
});

// rule 4
test("no read is served from the snapshot of an earlier one, whatever that was", (t) => {
  const { w, r } = benches(t);
  const earlier: readonly [object, StoreMethod?][] = [
    [{ sql: "select a from t" }],
    [{ sql: "select a from t", rowsMax: 1 }],
    [{ statements: [{ sql: "select a from t" }, { sql: "select count(*) from t" }] }, "db.batch"],
    [{ statements: [{ sql: "select a from t" }, { sql: "select nix from t" }] }, "db.batch"],
    [{ sql: "select nix from t" }],
    [{ sql: "select zeroblob(20000000) from t" }],
  ];
  for (const [at, [params, method]] of earlier.entries()) {
    w.group(["insert into t (a) values (1)", "insert into t (a) values (2)"]);
    r.read(params, method);
    w.run("insert into t (a) values (3)");
    assert.deepEqual(r.read({ sql: "select count(*) from t" }).result.rows, [[3 * (at + 1)]], JSON.stringify(params));
  }
});

test("a batch of reads has conditions and refusals of its own, as one that writes", (t) => {
  const { r } = benches(t);
  const statements = [
    { sql: "select nix from t" },
    { sql: "select 1", if: { error: 0 } },
    { sql: "select 2", if: { ok: 0 } },
  ];
  const { results } = r.read({ statements, atomic: false }, "db.batch").result;
  assert.equal(results[0].error.data.code, "SQLITE_ERROR");
  assert.deepEqual(results[1].rows, [[1]]);
  assert.equal(results[2], null);
  assert.equal(r.read({ statements }, "db.batch").refusal?.refused, "SQLITE_ERROR");
});

test("the reads of a batch see one state", (t) => {
  const { w, r } = benches(t);
  w.run("insert into t (a) values (1)");
  const { result } = r.read(
    { statements: [{ sql: "select count(*) from t" }, { sql: "select a from t where a = ?", args: [1] }] },
    "db.batch",
  );
  assert.deepEqual(
    result.results.map((one: { rows: unknown }) => one.rows),
    [[[1]], [[1]]],
  );
});

test("a statement that writes is refused by a reader, whatever led it there", (t) => {
  const { r } = benches(t);
  assert.equal(r.read({ sql: "delete from t" }).refusal?.refused, "READ_ONLY");
  assert.equal(r.read({ sql: "delete from t" }, "db.execute").refusal?.refused, "READ_ONLY");
  assert.equal(r.read({ statements: [{ sql: "delete from t" }] }, "db.batch").refusal?.refused, "READ_ONLY");
});

test("a result over the bound is refused as soon as it is", (t) => {
  const { r } = benches(t, { resultBytesMax: 2048 });
  const endless = "with recursive n(x) as (select 1 union all select x + 1 from n) select x from n";
  assert.equal(r.read({ sql: endless }).refusal?.refused, "RESULT_TOO_LARGE");
  const large = { sql: "select ?", args: ["ü".repeat(900)] };
  assert.equal(r.read(large).refusal, undefined);
  assert.equal(r.read({ statements: [large, large] }, "db.batch").refusal?.details?.["statement"], 1);
});

test("reading stops where it is asked to", (t) => {
  const { r } = benches(t);
  const endless = "with recursive n(x) as (select 1 union all select x + 1 from n) select x from n";
  assert.deepEqual(r.read({ sql: endless, rowsMax: 3 }).result.rows, [[1], [2], [3]]);
});

test("all types arrive as they are, in both encodings", (t) => {
  const { r } = benches(t);
  const sql = "select 1, 9007199254740993, 1.5, 2.0, -0.0, 9e999, 'ü', x'00ff', null";
  assert.deepEqual(r.read({ sql }).result.rows, [
    [
      1,
      { $int: "9007199254740993" },
      1.5,
      { $real: "2" },
      { $real: "-0" },
      { $real: "Infinity" },
      "ü",
      { $blob: "AP8=" },
      null,
    ],
  ]);
  assert.deepEqual(r.read({ sql }, "db.query", "msgpack").result.rows, [
    [
      1,
      9007199254740993n,
      1.5,
      { $real: "2" },
      { $real: "-0" },
      { $real: "Infinity" },
      "ü",
      Buffer.from([0, 255]),
      null,
    ],
  ]);
});

// rule 16
test("columns are named after the schema that the rows come from", (t) => {
  const { w, r } = benches(t);
  w.run("insert into t values (1, 2)");
  assert.deepEqual(r.read({ sql: "select * from t" }).result.columns, ["id", "a"]);
  w.run("alter table t rename column a to b");
  w.run("alter table t add column c default 3");
  const { columns, rows } = r.read({ sql: "select * from t" }).result;
  assert.deepEqual([columns, rows], [["id", "b", "c"], [[1, 2, 3]]]);
});

test("an error says where it is", (t) => {
  const { r } = benches(t);
  const { refusal } = r.read({ sql: "  select nix from t" });
  assert.deepEqual(
    [refusal?.refused, refusal?.details?.["position"], refusal?.details?.["length"]],
    ["SQLITE_ERROR", 9, 3],
  );
});

test("the answers before a statement that may be slow do not wait for it", (t) => {
  const { r } = benches(t);
  r.read({ sql: "select 1" });
  assert.equal(r.flushes, 1);
  const slow =
    "with recursive n(x) as (select 1 union all select x + 1 from n where x < 300000) select count(*) from n";
  r.read({ sql: slow });
  r.read({ sql: slow });
  assert.equal(r.flushes, 3);
});

test("of a very long text nobody remembers that it was quick", (t) => {
  const { r } = benches(t);
  const [short, long] = ["select 1", `select /* ${"x".repeat(9000)} */ 1`];
  for (const sql of [short, short, short, long, long, long]) r.read({ sql });
  assert.ok(r.flushes >= 4, `${r.flushes} times`);
});
