/** Scripts: all at once, or statement by statement to the first error, and in both cases once only under one key. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { bench, codes, type WriterBench } from "../writer-bench.js";

function script(w: WriterBench, sql: string, { atomic, key }: { atomic?: boolean; key?: number } = {}) {
  const params = { sql, ...(atomic !== undefined && { atomic }) };
  return w.run({ method: "db.script", params, ...(key !== undefined && { key }) });
}

test("an atomic script is applied as a whole", (t) => {
  const w = bench(t);
  const sql = "create table t (a primary key); insert into t values (1);\n select * from t;";
  const { result } = script(w, sql);
  const positions = result.results.map((one: { position: number }) => one.position);
  assert.deepEqual(positions, [0, sql.indexOf("insert"), sql.indexOf("select")]);
  assert.deepEqual(result.results[2].rows, [[1]]);
});

test("an atomic script that fails leaves nothing, and says at which statement", (t) => {
  const w = bench(t);
  const { refusal } = script(w, "create table t (a primary key); insert into t values (1); insert into t values (1)");
  assert.equal(refusal?.refused, "SQLITE_CONSTRAINT");
  assert.equal(refusal?.details?.["statement"], 2);
  assert.equal(w.value("select count(*) from sqlite_schema where name = 't'"), 0);
});

test("a script that is not atomic keeps what came before the error, and says how much that is", (t) => {
  const w = bench(t);
  const { refusal } = script(
    w,
    "create table t (a primary key); insert into t values (1); insert into t values (1); insert into t values (2)",
    { atomic: false },
  );
  assert.equal(refusal?.refused, "SQLITE_CONSTRAINT");
  assert.deepEqual([refusal?.details?.["statement"], refusal?.details?.["applied"]], [2, 2]);
  assert.equal(refusal?.outcome, "partial");
  assert.deepEqual(w.rows("select a from t"), [[1]]);
});

test("a script comes again under its key and is not applied again, however it ended", (t) => {
  const w = bench(t);
  w.run("create table t (a)");
  for (const [key, atomic] of [
    [1, true],
    [2, false],
  ] as const) {
    const first = script(w, "insert into t values (1); insert into t values (2) returning a", { atomic, key });
    assert.equal(first.kind, "done");
    assert.deepEqual(
      script(w, "insert into t values (1); insert into t values (2) returning a", { atomic, key }),
      first,
    );
  }
  const broken = script(w, "insert into t values (3); insert into nowhere values (4)", { atomic: false, key: 3 });
  const again = script(w, "insert into t values (3); insert into nowhere values (4)", { atomic: false, key: 3 });
  assert.deepEqual([codes([broken]), again.refusal], [["SQLITE_ERROR"], broken.refusal]);
  assert.deepEqual(w.rows("select count(*) from t"), [[5]]);
});

test("what became of a broken script is told when its session is settled", (t) => {
  const w = bench(t);
  w.run("create table t (a)");
  script(w, "insert into t values (3); insert into nowhere values (4)", { atomic: false, key: 3 });
  const [outcome] = w.settle("a".repeat(32) as never, [3]);
  assert.equal(outcome.outcome, "applied");
  const { code, outcome: known, details } = outcome.error.data;
  assert.deepEqual([code, known, details.applied], ["SQLITE_ERROR", "partial", 1]);
});

// rule 16
test("a script that is not atomic ends where the log comes to its hard limit, and goes on where it can be folded", (t) => {
  const w = bench(t, { limits: { walBytesHardMax: 2 * 1024 * 1024, walBytesMax: 1024 * 1024 } });
  w.run("create table t (a)");
  const sql = Array.from({ length: 6 }, () => "insert into t values (zeroblob(900000))").join(";");
  w.look.exec("begin");
  w.rows("select count(*) from t");
  const { refusal } = script(w, sql, { atomic: false });
  assert.deepEqual([refusal?.refused, refusal?.outcome, refusal?.details?.["applied"]], ["DISK_FULL", "partial", 3]);
  assert.equal(refusal?.details?.["statement"], 3);
  w.look.exec("commit");
  assert.equal(script(w, sql, { atomic: false }).kind, "done");
  assert.deepEqual(w.rows("select count(*) from t"), [[9]]);
});

test("a script that fails at its first statement leaves no key", (t) => {
  const w = bench(t);
  script(w, "insert into nowhere values (1)", { atomic: false, key: 1 });
  w.run("create table nowhere (a)");
  assert.equal(script(w, "insert into nowhere values (1)", { atomic: false, key: 1 }).kind, "done");
});

test("a script without statements is a success, also under a key", (t) => {
  const w = bench(t);
  for (const atomic of [true, false]) {
    const first = script(w, " -- nothing\n;", { atomic, key: atomic ? 1 : 2 });
    assert.deepEqual(first.result, { results: [] });
    assert.deepEqual(script(w, " -- nothing\n;", { atomic, key: atomic ? 1 : 2 }), first);
  }
});

test("a script is alone in its transaction", (t) => {
  const w = bench(t);
  w.run("create table t (a)");
  const before = w.give({ sql: "insert into t values (1)" });
  const alone = w.give({ method: "db.script", params: { sql: "insert into t values (2)" } });
  const behind = w.give({ sql: "insert into t values (3)" });
  assert.deepEqual([w.turn(), w.turn(), w.turn()], [[before], [alone], [behind]]);
});

test("the place of an error is counted in the whole text", (t) => {
  const w = bench(t);
  const sql = "select 1;\n  select 2 fromm";
  const { refusal } = script(w, `${sql} x`);
  assert.deepEqual([refusal?.details?.["position"], refusal?.details?.["length"]], [sql.length + 1, 1]);
});

test("all results of a script together have one bound", (t) => {
  const w = bench(t, { limits: { resultBytesMax: 1024 } });
  const text = `select '${"x".repeat(500)}'`;
  for (const atomic of [true, false])
    assert.deepEqual(codes([script(w, `${text}; ${text}; ${text}`, { atomic })]), ["RESULT_TOO_LARGE"]);
});
