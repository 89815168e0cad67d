/** What a commit is said to have changed is what it has changed: no more, no less, whatever was taken back in it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ChangedTable } from "../../../src/core/index.js";
import { openDatabase } from "../../../src/sqlite/index.js";
import type { FromWriter } from "../../../src/store/pipe/messages.js";
import { WatchTriggers } from "../../../src/store/writer/watch-triggers.js";
import { bench, bob, codes, type WriterBench } from "../writer-bench.js";

type Watched = Extract<FromWriter, { kind: "watched" }>;

let sets = 0;

function watch(w: WriterBench, ...tables: string[]): Watched {
  return change(w, tables, []);
}

/** Watches these as well, with keys where there is a star, and those no more. */
function change(w: WriterBench, tables: readonly string[], dropped: readonly string[]): Watched {
  const set = ++sets;
  const wanted = tables.map((table) => ({ table: table.replace("*", ""), keys: table.endsWith("*") }));
  w.writer.take({ kind: "watch", set, tables: wanted, dropped });
  w.turn();
  const said = w.said.findLast((message): message is Watched => message.kind === "watched");
  assert.equal(said?.set, set);
  return said as Watched;
}

/** What was told since the last time, one list for each commit. */
function told(w: WriterBench): string[] {
  const commits = w.said.splice(0).flatMap((message) => (message.kind === "changed" ? [message] : []));
  return commits.map(({ tables, outside }) => `${tables.map(words).join(", ")}${outside ? " and a stranger" : ""}`);
}

function words({ table, inserts, updates, deletes, schema, keys, keysCut }: ChangedTable): string {
  const named = keys?.map(
    ({ change, key, was }) => `${change} ${JSON.stringify(key)}${was ? ` was ${JSON.stringify(was)}` : ""}`,
  );
  const text = named === undefined ? "" : ` (${named.join("; ")}${keysCut ? "; …" : ""})`;
  return `${table} +${inserts} ~${updates} -${deletes}${schema === undefined ? "" : ` ${schema}`}${text}`;
}

function withTables(t: Parameters<typeof bench>[0], options: Parameters<typeof bench>[1] = {}): WriterBench {
  const w = bench(t, options);
  for (const sql of [
    "create table t (id integer primary key, a unique, n int)",
    "create table pair (a text, b int, v, primary key (b, a)) without rowid",
    "create table plain (v)",
  ])
    w.run(sql);
  w.said.length = 0;
  return w;
}

test("each commit tells what it has done to each watched table, under the number of its last write", (t) => {
  const w = withTables(t);
  assert.deepEqual(watch(w, "t", "pair"), {
    ...{ kind: "watched", set: sets, absent: [], wrong: [] },
    upTo: 3,
  });
  const ids = ["insert into t (a) values (1), (2)", "update t set n = 1", "insert into plain values (1)"].map((sql) =>
    w.give({ sql }),
  );
  w.turnAll();
  const changed = w.said.filter(({ kind }) => kind === "changed" || kind === "settled").slice(-2);
  assert.deepEqual(
    changed.map(({ kind }) => kind),
    ["changed", "settled"],
  );
  assert.equal(changed[0]?.kind === "changed" && changed[0].seq, ids.at(-1));
  assert.deepEqual(told(w), ["t +2 ~2 -0"]);
  w.run("insert into pair values ('x', 1, 0)");
  w.run("insert into plain values (2)");
  w.run("delete from t");
  assert.deepEqual(told(w), ["pair +1 ~0 -0", "t +0 ~0 -2"]);
});

test("what was taken back is not told: by a request, a statement, the whole transaction", (t) => {
  const w = withTables(t);
  watch(w, "t");
  w.run("insert into t (id, a) values (1, 1)");
  told(w);
  const settled = w.group([
    { sql: "insert into t (a) values (2)" },
    {
      method: "db.batch",
      params: { statements: [{ sql: "insert into t (a) values (3)" }, { sql: "insert into t (a) values (1)" }] },
    },
    { sql: "insert or fail into t (a) values (4), (1)" },
    { sql: "insert or ignore into t (a) values (5), (1)" },
    { sql: "insert or rollback into t (a) values (1)" },
    { sql: "update t set n = 1 where a = 5" },
  ]);
  assert.deepEqual(codes(settled), [
    "done",
    "SQLITE_CONSTRAINT",
    "SQLITE_CONSTRAINT",
    "done",
    "SQLITE_CONSTRAINT",
    "done",
  ]);
  // What stands before the one that ends the whole transaction, and what stands behind it.
  assert.deepEqual(told(w), ["t +2 ~0 -0", "t +0 ~1 -0"]);
});

test("a statement answers the same whether its table is watched or not", (t) => {
  const w = withTables(t);
  const texts = [
    "insert into t (a) values (1), (2)",
    "insert or ignore into t (a) values (1)",
    "insert into t (a) values (3) returning id, a",
    "update t set n = 5 where a > 1",
    "insert into t (id, a) values (1, 9) on conflict (id) do update set a = 9",
    "delete from t",
  ];
  const answers = () => texts.map((sql) => w.run(sql));
  const before = answers();
  watch(w, "t*");
  assert.deepEqual(answers(), before);
  assert.deepEqual(told(w).length, 5);
});

test("REPLACE tells the row that it inserts, and an upsert the one that it updates", (t) => {
  const w = withTables(t);
  watch(w, "t*");
  w.run("insert into t (id, a) values (1, 1)");
  w.run("replace into t (id, a) values (1, 2)");
  w.run("insert into t (id, a) values (1, 3) on conflict do update set n = 3");
  assert.deepEqual(told(w), ["t +1 ~0 -0 (insert [1])", "t +1 ~0 -0 (insert [1])", "t +0 ~1 -0 (update [1])"]);
});

test("rows that go by a foreign key or a trigger of somebody's are told as any other", (t) => {
  const w = withTables(t);
  w.run("create table child (id integer primary key, t references t on delete cascade)");
  w.run("create trigger follows after insert on plain begin insert into t (a) values (new.v); end");
  watch(w, "child*", "t*");
  w.run("insert into plain values (7)");
  w.run("insert into child values (10, 1), (11, 1)");
  w.run("delete from t");
  assert.deepEqual(told(w), [
    "t +1 ~0 -0 (insert [1])",
    "child +2 ~0 -0 (insert [10]; insert [11])",
    "t +0 ~0 -1 (delete [1]), child +0 ~0 -2 (delete [10]; delete [11])".split(", ").sort().join(", "),
  ]);
});

test("keys are the declared primary key in its order, or the rowid, and say what they were before", (t) => {
  const w = withTables(t);
  w.run("create table odd (rowid text, _rowid_ text, v)");
  w.run("create table none (rowid text, _rowid_ text, oid text)");
  w.run("create table named (k text primary key, v)");
  watch(w, "t*", "pair*", "plain*", "odd*", "none*", "named*");
  told(w);
  for (const sql of [
    "insert into pair values ('x', 9007199254740993, 0)",
    "update pair set a = 'y', v = 1",
    "update pair set v = 2",
    "insert into plain values (x'00ff')",
    "insert into odd values ('a', 'b', 1)",
    "insert into none values ('a', 'b', 'c')",
    "insert into named values ('k', 1), (null, 2)",
    "delete from named where k = 'k'",
  ])
    w.run(sql);
  assert.deepEqual(told(w), [
    'pair +1 ~0 -0 (insert [{"$int":"9007199254740993"},"x"])',
    'pair +0 ~1 -0 (update [{"$int":"9007199254740993"},"y"] was [{"$int":"9007199254740993"},"x"])',
    'pair +0 ~1 -0 (update [{"$int":"9007199254740993"},"y"])',
    "plain +1 ~0 -0 (insert [1])",
    "odd +1 ~0 -0 (insert [1])",
    "none +1 ~0 -0 (; …)",
    'named +2 ~0 -0 (insert ["k"]; insert [null])',
    'named +0 ~0 -1 (delete ["k"])',
  ]);
});

test("keys are bounded in number and in length, and it is said when some are not named", (t) => {
  const w = withTables(t, { limits: { changedKeysMax: 3 } });
  w.run("create table named (k primary key)");
  watch(w, "t*", "named*");
  told(w);
  w.run("insert into t (a) values (1), (2), (3)");
  w.run("insert into t (a) values (4), (5), (6), (7)");
  w.run({ sql: "insert into named values (?), ('short')", args: ["x".repeat(2000)] });
  w.run("insert into t (a) values (8)");
  assert.deepEqual(told(w), [
    "t +3 ~0 -0 (insert [1]; insert [2]; insert [3])",
    "t +4 ~0 -0 (insert [4]; insert [5]; insert [6]; …)",
    'named +2 ~0 -0 (insert ["short"]; …)',
    "t +1 ~0 -0 (insert [8])",
  ]);
});

test("the same change of a row is named once in a commit", (t) => {
  const w = withTables(t);
  w.run("insert into t (a) values (1)");
  watch(w, "t*");
  told(w);
  w.group(["update t set n = 1", "update t set n = 2", "update t set n = 3"]);
  assert.deepEqual(told(w), ["t +0 ~3 -0 (update [1])"]);
});

test("a table that does not exist is watched from the statement on that makes it", (t) => {
  const w = bench(t);
  assert.deepEqual(watch(w, "later*", "never").absent, ["later", "never"]);
  w.run({
    method: "db.script",
    params: { sql: "create table Later (id integer primary key); insert into later values (1), (2);" },
  });
  w.run("insert into LATER values (3)");
  assert.deepEqual(told(w), ["later +2 ~0 -0 created (insert [1]; insert [2])", "later +1 ~0 -0 (insert [3])"]);
});

test("a table that is dropped and made again is told as what became of it, and watched on", (t) => {
  const w = withTables(t);
  watch(w, "t*");
  w.run("insert into t (a) values (1)");
  w.run("drop table t");
  w.run("create table t (k text primary key)");
  w.run("insert into t values ('x')");
  const script =
    "insert into t values ('y'); drop table t; create table t (id integer primary key); insert into t values (5);";
  w.run({ method: "db.script", params: { sql: script } });
  w.run({ method: "db.script", params: { sql: "create table u (a); drop table u;" } });
  assert.deepEqual(told(w), [
    "t +1 ~0 -0 (insert [1])",
    "t +0 ~0 -0 dropped ()",
    "t +0 ~0 -0 created ()",
    't +1 ~0 -0 (insert ["x"])',
    't +2 ~0 -0 changed (insert ["y"]; insert [5])',
  ]);
});

test("a drop that takes rows of others along tells them", (t) => {
  const w = withTables(t);
  w.run("create table child (id integer primary key, t references t on delete cascade)");
  w.run("insert into t (id) values (1)");
  w.run("insert into child values (10, 1)");
  watch(w, "child*");
  told(w);
  w.run("drop table t");
  assert.deepEqual(w.rows("select * from child"), []);
  assert.deepEqual(told(w), ["child +0 ~0 -1 (delete [10])"]);
});

test("ALTER is told and not refused, and the table is watched on under the name that was asked for", (t) => {
  const w = withTables(t);
  watch(w, "t*", "pair*", "moved");
  const alter = (sql: string) => assert.equal(w.run(sql).kind, "done", sql);
  alter("alter table t add column extra");
  w.run("insert into t (a, extra) values (1, 2)");
  alter("alter table t drop column extra");
  alter("alter table pair rename column a to z");
  w.run("insert into pair values ('x', 1, 0)");
  alter("alter table t rename to moved");
  w.run("insert into moved (a) values (3)");
  assert.deepEqual(told(w), [
    "t +0 ~0 -0 changed ()",
    "t +1 ~0 -0 (insert [1])",
    "t +0 ~0 -0 changed ()",
    "pair +0 ~0 -0 changed ()",
    'pair +1 ~0 -0 (insert [1,"x"])',
    "t +0 ~0 -0 dropped (), moved +0 ~0 -0 created",
    "moved +1 ~0 -0",
  ]);
});

test("a change of the schema that is taken back has changed nothing, and the watch goes on", (t) => {
  const w = withTables(t);
  watch(w, "t*", "later");
  const failing = (sql: string) =>
    assert.equal(
      w.run({ method: "db.script", params: { sql: `${sql}; insert into plain values (1, 2);` } }).kind,
      "refused",
    );
  failing("drop table t");
  failing("alter table t rename to u");
  failing("create table later (a); insert into later values (1)");
  assert.deepEqual(told(w), []);
  w.run("insert into t (a) values (1)");
  assert.deepEqual(told(w), ["t +1 ~0 -0 (insert [1])"]);
});

test("an index, a statistic or another table's change is no change of a table", (t) => {
  const w = withTables(t);
  watch(w, "t");
  for (const sql of [
    "create index t_n on t (n)",
    "analyze",
    "drop index t_n",
    "alter table plain add column w",
    "reindex",
  ])
    assert.equal(w.run(sql).kind, "done", sql);
  assert.deepEqual(told(w), []);
});

test("what is no table is named, and watched if it becomes one", (t) => {
  const w = withTables(t);
  w.run("create view v as select 1 as a");
  w.run("create virtual table f using fts5 (body)");
  const { wrong } = watch(w, "v", "f", "t");
  assert.deepEqual(wrong, [
    { table: "v", what: "a view" },
    { table: "f", what: "a virtual table" },
  ]);
  told(w);
  w.run("insert into f values ('x')");
  w.run("drop view v");
  w.run("create table v (a)");
  w.run("insert into v values (1)");
  assert.deepEqual(told(w), ["v +0 ~0 -0 created", "v +1 ~0 -0"]);
});

test("a table in whose place something else is made is told as dropped, and as created when it is a table again", (t) => {
  const w = withTables(t);
  watch(w, "t", "pair", "plain");
  const script = (sql: string) => assert.equal(w.run({ method: "db.script", params: { sql } }).kind, "done", sql);
  script("drop table t; create view t as select 1 as a;");
  script("drop table pair; create virtual table pair using fts5 (body); insert into pair values ('x');");
  script("drop table plain; create view plain as select 1 as v; drop view plain; create table plain (v, w);");
  assert.deepEqual(told(w), ["t +0 ~0 -0 dropped", "pair +0 ~0 -0 dropped", "plain +0 ~0 -0 changed"]);
  script("drop view t; create view t as select 2 as a;");
  script("drop table pair;");
  assert.deepEqual(told(w), []);
  script("drop view t; create table t (a); insert into t values (1);");
  assert.deepEqual(told(w), ["t +1 ~0 -0 created"]);
});

test("a table on which SQLite allows no trigger is named as what cannot be watched, and is in nobody's way", (t) => {
  const w = withTables(t);
  w.run("create virtual table ft using fts5(body)");
  const { wrong, absent } = watch(w, "t", "ft_content", "later_content");
  assert.deepEqual(
    [wrong.map(({ table, what }) => [table, /shadow/.test(what)]), absent],
    [[["ft_content", true]], ["later_content"]],
  );
  w.said.length = 0;
  w.run("create virtual table later using fts5(body)");
  w.run("insert into later values ('x')");
  w.run("insert into t (a) values (1)");
  assert.deepEqual(told(w), ["later_content +0 ~0 -0 created", "t +1 ~0 -0"]);
  w.run("drop table later");
  assert.deepEqual(told(w), ["later_content +0 ~0 -0 dropped"]);
});

test("the rows of a table with a key of very many columns are counted, and not named", (t) => {
  const w = withTables(t);
  const columns = Array.from({ length: 600 }, (_, n) => `c${n}`).join(", ");
  w.run(`create table wide (${columns}, primary key (${columns})) without rowid`);
  assert.deepEqual(watch(w, "wide*").wrong, []);
  w.said.length = 0;
  w.run(`insert into wide values (${Array.from({ length: 600 }, () => "1").join(", ")})`);
  w.run("update wide set c0 = 2");
  assert.deepEqual(told(w), ["wide +1 ~0 -0 (; …)", "wide +0 ~1 -0 (; …)"]);
});

test("names are quoted and compared as SQLite does, keys too", (t) => {
  const w = bench(t);
  w.run('create table "a ""b"" é" ("k ""1""" integer primary key, "select" text)');
  watch(w, 'a "b" é*');
  told(w);
  w.run('insert into "A ""B"" é" values (1, 2)');
  assert.deepEqual(told(w), ['a "b" é +1 ~0 -0 (insert [1])']);
});

test("tables are taken up and given up without the others, and the last leaves nothing behind", (t) => {
  const w = withTables(t);
  watch(w, "t", "pair*");
  change(w, ["pair", "plain*"], ["t"]);
  told(w);
  w.run("insert into t (a) values (1)");
  w.run("insert into pair values ('x', 1, 0)");
  w.run("insert into plain values (1)");
  assert.deepEqual(told(w), ["pair +1 ~0 -0", "plain +1 ~0 -0 (insert [1])"]);
  change(w, [], ["pair", "plain", "never"]);
  told(w);
  w.run("insert into pair values ('y', 1, 0)");
  assert.deepEqual(told(w), []);
  const table = w.run({
    method: "db.batch",
    params: { statements: [{ sql: "pragma table_list" }, { sql: "insert into plain values (1)" }] },
  });
  const schemas = table.result.results[0].rows.map(([schema]: string[]) => schema);
  assert.deepEqual(new Set(schemas), new Set(["main", "temp"]));
  const names = table.result.results[0].rows
    .filter(([schema]: string[]) => schema === "temp")
    .map(([, name]: string[]) => name);
  assert.deepEqual(names, ["sqlite_temp_schema"]);
});

test("one more table, or a change of the schema, costs the same however many are watched already", (t) => {
  const w = withTables(t);
  const database = openDatabase({ path: w.orders.database, role: "writer", durability: "off", busyMs: 100 });
  t.after(() => database.close());
  const watches = new WatchTriggers(database, 10);
  const tables = ["t", "pair", "later", ...Array.from({ length: 50 }, (_, n) => `x${n}`)];
  const wanted = tables.map((table) => ({ table, keys: false }));
  assert.equal(watches.change(wanted, []).absent.length, 51);
  const prepare = database.prepare.bind(database);
  let prepared = 0;
  database.prepare = ((sql: string) => {
    prepared++;
    return prepare(sql);
  }) as typeof database.prepare;
  assert.deepEqual(watches.change([{ table: "plain", keys: false }], []), { absent: [], wrong: [] });
  assert.ok(prepared < 20, `${prepared} statements`);
  prepared = 0;
  database.exec("create index of_plain on plain (v)");
  watches.schemaChanged();
  assert.ok(prepared < 20, `${prepared} statements for a change of the schema that changes none of them`);
});

test("a script whose statements have transactions of their own is told as one, also when it fails", (t) => {
  const w = withTables(t);
  watch(w, "t*");
  told(w);
  const script = (sql: string) => w.run({ method: "db.script", params: { sql, atomic: false } });
  script("insert into t (a) values (1); insert into t (a) values (2); update t set n = 1 where a = 2;");
  script("insert into t (a) values (3); insert into t (a) values (1); insert into t (a) values (4);");
  assert.deepEqual(told(w), ["t +2 ~1 -0 (insert [1]; insert [2]; update [2])", "t +1 ~0 -0 (insert [3])"]);
});

test("a stranger's write is noticed with the next of ours, and what it did to the schema", (t) => {
  const w = withTables(t);
  watch(w, "t*");
  told(w);
  w.asStranger("drop table t; create table t (k text primary key)");
  w.run("insert into plain values (1)");
  w.run("insert into t values ('x')");
  assert.deepEqual(told(w), ["t +0 ~0 -0 changed () and a stranger", 't +1 ~0 -0 (insert ["x"])']);
});

test("a stranger's write is told with the next commit that has a number, and not with what the house commits for itself", (t) => {
  const w = withTables(t);
  watch(w, "t", "later");
  told(w);
  w.asStranger("insert into t (a) values (9); create table later (a)");
  // It is noticed, and nothing is committed.
  w.run("insert into nowhere values (1)");
  w.writer.take({ kind: "end-session", session: bob });
  w.turn();
  w.writer.take({ kind: "reserve", above: 0, newIncarnation: false });
  w.turn();
  assert.deepEqual(told(w), []);
  w.run("insert into t (a) values (1)");
  assert.deepEqual(told(w), ["t +1 ~0 -0, later +0 ~0 -0 created and a stranger"]);
  w.run("insert into t (a) values (2)");
  assert.deepEqual(told(w), ["t +1 ~0 -0"]);
});

test("a reservation of tokens and stored replies are nobody's change", (t) => {
  const w = withTables(t);
  watch(w, "t");
  told(w);
  w.writer.take({ kind: "reserve", above: 5, newIncarnation: false });
  w.run({ sql: "insert into plain values (1)", key: 1 });
  assert.deepEqual(told(w), []);
});
