/**
 * The room's promise against SQLite itself.
 *
 * Method: SQLite prepares (and where it is harmless, runs) what the gate let in, and must agree on where the statement
 * ends, whether it writes, whether it answers with rows and how its parameters are numbered. The texts are of two kinds:
 * pieces thrown together, which find where the two cut differently, and true statements in noisy writing, which find
 * where they understand differently. It cannot show that the list of what is served is complete.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import {
  type Admitted,
  arrange,
  type GateRefusal,
  inspectStatement,
  parameterNames,
  readablePragmas,
} from "../../../src/store/gate/index.js";
import { isRefusal } from "../../../src/terms/index.js";
import { tempDir } from "../../support/temp-dir.js";
import { piece, sqlLike } from "./sql-like.js";
import { letIn } from "./verdict.js";

const { default: Database } = await import("better-sqlite3");

const schema = `
  create table t (a, b, temp);
  create table p (id integer primary key, parent references p deferrable initially deferred);
  create index i on t (a);
  create view v as select a from t;
  create virtual table f using fts5(a, b);
  insert into t values (1, 2, 3), (4, 5, 6);
  insert into f values ('one', 'two');
`;

function memory() {
  const db = new Database(":memory:");
  db.exec(schema);
  return db;
}

/** What SQLite makes of a text: a prepared statement, or its complaint. */
function prepared(db: ReturnType<typeof memory>, sql: string) {
  try {
    return db.prepare(sql);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return error;
  }
}

const everything = { transactionControl: true, inTransaction: true };

/** SQLite's own word on a statement of these is to be trusted. */
const trusted: ReadonlySet<string> = new Set(["SELECT", "VALUES", "INSERT", "REPLACE", "UPDATE", "DELETE"]);

function agrees(db: ReturnType<typeof memory>, found: Admitted): boolean {
  const statement = prepared(db, found.text);
  if (statement instanceof Error) {
    assert.equal(statement.name, "SqliteError", `${found.text}\n${statement.message}`);
    return false;
  }
  if (trusted.has(found.verb)) {
    assert.equal(statement.readonly, found.access === "read", found.text);
    assert.equal(statement.reader, found.returnsRows, found.text);
  }
  return true;
}

const words = (text: string) => text.split(" ");

/** True statements, their words divided by spaces; `~` may be left out. */
const statements: readonly (readonly string[])[] = [
  "select a , ( 1 ) , ';' from t where b = ? ~ ;",
  "select case when a then ( b ) end as end from t as x order by 1 limit 1",
  "values ( 1 ) , ( x'00' )",
  "with w as ( select ')' ) select * from w",
  "with recursive w ( n ) as ( values ( 1 ) union all select n + 1 from w where n < 3 ) select n from w",
  'with replace as ( select 1 ) , "delete" as materialized ( select 2 ) select * from replace , "delete"',
  "with 'update' as not materialized ( with x as ( select 1 ) select * from x ) insert into t ( a ) select * from [update]",
  "with w as ( select 1 ) update t set a = 2 where b in ( select * from w ) returning a , b",
  'with w as ( select 1 as "returning" ) delete from t where a in ( select "returning" from w )',
  "insert or rollback into t ( a ) values ( :one ) on conflict do nothing returning *",
  "replace into main . t ( a ) values ( 1.5e3 )",
  "update t as x set ( a , b ) = ( select 1 , 2 ) from p where x . a = p . id",
  "delete from t where a -> '$.x' is not null and b ->> 'y' = 0x1F",
  "insert into f ( f ) values ( 'optimize' )",
  "select * from pragma_table_info ( 't' )",
  "explain query plan delete from t",
  "explain with w as ( select 1 ) insert into t ( a ) select * from w",
  "create trigger if not exists tr after insert on t for each row when new . a begin update t set b = case when 1 then 2 end ; select raise ( ignore ) ; end",
  "create trigger begin before delete on t begin select 1 end ; delete from p ; end",
  "pragma main . table_info ( t )",
  "begin immediate transaction readonly",
  "release savepoint x",
].map((text) => words(text).filter((word) => word !== "~"));

const joint = fc.constantFrom(" ", "\n", "\t\f ", "/*;*/", " --;'\n", '/* " */ ', " \v", "\ufeff ");
const cased = (word: string) =>
  /^[a-z_]+$/.test(word)
    ? fc.constantFrom(
        word,
        word.toUpperCase(),
        word.replace(/^./, (c) => c.toUpperCase()),
      )
    : fc.constant(word);

/** A byte order mark is a space only where a token begins, so a space stands before it. */
const noisy: fc.Arbitrary<string> = fc
  .constantFrom(...statements)
  .chain((list) => fc.tuple(...list.map((word) => fc.tuple(cased(word), joint))))
  .map((parts) => parts.map(([word, between]) => `${word} ${between}`).join(""));

/** A true statement with something put into it, or a stretch of it replaced. */
const spoilt: fc.Arbitrary<string> = fc
  .tuple(fc.constantFrom(...statements), fc.nat(200), fc.nat(2), fc.array(piece, { minLength: 1, maxLength: 3 }))
  .map(([list, at, length, inserted]) => {
    const sql = list.join(" ");
    const start = at % sql.length;
    return sql.slice(0, start) + inserted.join("") + sql.slice(start + length);
  });

test("what is let in as one statement is one for SQLite, and what is refused as broken is broken", () => {
  const db = memory();
  let understood = 0;
  const check = (sql: string) => {
    const found = inspectStatement(sql, everything);
    if (isRefusal(found)) refusedRightly(db, sql, found);
    else if (agrees(db, found)) understood++;
  };
  fc.assert(fc.property(sqlLike, check), { numRuns: 2000 });
  fc.assert(fc.property(spoilt, check), { numRuns: 3000 });
  // Of 5,000 some 130, and it is chance how many; a gate that lets nothing in would have none.
  assert.ok(understood > 25, `only ${understood} texts were SQL`);
});

function refusedRightly(db: ReturnType<typeof memory>, sql: string, { refused, message, details }: GateRefusal): void {
  if (refused === "SQL_EMPTY") assert.match(String(prepared(db, sql)), /contains no statements/);
  if (refused === "SQL_MANY") assert.ok(prepared(db, sql) instanceof Error, sql);
  // Here the gate is stricter than SQLite, on purpose; and SQLite does not read past the first statement.
  const stricter = /NUL|surrogate|comment|"#"/.test(message) || sql.slice(0, details.position).includes(";");
  if (refused === "SQL_INVALID_TEXT" && !stricter) assert.ok(prepared(db, sql) instanceof Error, sql);
}

test("a true statement is let in however it is written, and SQLite understands it the same way", () => {
  const db = memory();
  const check = (sql: string) => {
    const found = inspectStatement(sql, everything);
    if (isRefusal(found)) assert.fail(`${sql}\n${found.message}`);
    assert.ok(agrees(db, found), `${sql}\n${String(prepared(db, found.text))}`);
  };
  for (const list of statements) check(list.join(" "));
  fc.assert(fc.property(noisy, check), { numRuns: 1500 });
});

test("parameters are counted, numbered and named as SQLite does it", () => {
  const db = memory();
  const item = fc.constantFrom(
    "?",
    "?",
    "?1",
    "?2",
    "?5",
    "?07",
    ":a",
    ":b",
    "@c",
    "$d",
    ":é",
    ":__proto__",
    "'?'",
    '"a" + ?',
    "/* ? */ ?",
  );
  const check = (items: readonly string[]) => {
    const { text, parameters } = letIn(`select ${items.join(", ")} from t limit 1`);
    const names = parameterNames(parameters);
    const numbers = names.map((_, i) => i + 1);
    const values = arrange(parameters, numbers);
    if (isRefusal(values)) assert.fail(values.message);
    // SQLite answers each parameter with its number, since that was bound to it; "a" of the first row is 1.
    const row = db.prepare(text).raw().get(values.anonymous, values.named) as unknown[];
    for (const [i, written] of items.entries()) {
      if (written === "'?'") continue;
      const number = Number(row[i]) - (written.startsWith('"') ? 1 : 0);
      if (written.startsWith("?") && written !== "?") assert.equal(number, Number(written.slice(1)));
      else if (written.endsWith("?")) assert.match(names[number - 1] ?? "?", /^\?/);
      else assert.equal(names[number - 1], written);
    }
  };
  fc.assert(fc.property(fc.array(item, { minLength: 1, maxLength: 12 }), check), { numRuns: 1000 });
});

test("parameters are found wherever SQLite takes them", () => {
  const db = memory();
  const cases: [sql: string, names: (string | null)[]][] = [
    ["with w as (select :a) select * from w, t where a between ? and :a limit ? offset :o", [":a", null, null, ":o"]],
    ["insert into t (a, b) values (?, ?2), (:c, ?) on conflict do nothing returning ?", [null, "?2", ":c", null, null]],
    ["update t set a = $a where b in (?, $a, ?) or temp like ? escape ?", ["$a", null, null, null, null]],
    [
      "select a -> ?, b ->> :k, sum(a) filter (where a > ?) over (partition by ?) from t group by ? having ?",
      [null, ":k", null, null, null, null],
    ],
    ["select count(*) from pragma_table_info(?)", [null]],
    ["explain select ?4, :x", [null, null, null, "?4", ":x"]],
  ];
  for (const [sql, names] of cases) {
    const { text, parameters } = letIn(sql);
    assert.deepEqual(parameterNames(parameters), names, sql);
    const values = arrange(
      parameters,
      names.map(() => 1),
    );
    if (isRefusal(values)) assert.fail(values.message);
    // better-sqlite3 throws a RangeError unless every parameter, and no other, has its value.
    db.prepare(text).bind(values.anonymous, values.named);
  }
});

const reads: readonly string[] = [
  "select * from t, p, v, f where t.a > 0 and f match 'one'",
  "values (1)",
  "with w as (select * from t) select count(*) from w",
  "select * from sqlite_schema",
  "select group_concat(name) from pragma_table_info('t')",
  "select last_insert_rowid(), changes(), random()",
  "explain insert into t values (1, 2, 3)",
  "explain query plan delete from t",
  "explain replace into f values (1, 2)",
  "explain update t set a = 1 returning b",
  ...readablePragmas.map((name) => `pragma ${name}`),
  ...readablePragmas.map((name) => `select * from pragma_${name}`),
  "pragma table_info(t)",
  "pragma integrity_check(10)",
  "pragma quick_check = t",
  "pragma foreign_key_check(p)",
];

const writes: readonly string[] = [
  "insert into t values (7, 8, 9)",
  "replace into t values (7, 8, 9) returning a",
  "update t set a = a + 1",
  "delete from t where a = 5",
  "with w as (select 10) insert into t (a) select * from w",
  "insert into f values ('three', 'four')",
  "create table u (a)",
  "create unique index j on u (a)",
  "create view w as select * from u",
  "create trigger x after insert on u begin delete from u; end",
  "create virtual table r using rtree(id, x0, x1)",
  "alter table u add column c",
  "drop trigger x",
  "drop table r",
  "analyze",
  "reindex i",
  "pragma user_version = 7",
  "pragma application_id = 0x1234",
];

test("what is let in as a read leaves the file as it is, and runs where nothing may be written", (context) => {
  const path = join(tempDir(context), "data.db");
  const writer = new Database(path);
  writer.exec(schema);
  writer.close();
  const before = readFileSync(path);
  const db = new Database(path);
  db.pragma("query_only = 1");
  for (const sql of reads) {
    const { access, text, parameters } = letIn(sql);
    assert.equal(access, "read", sql);
    assert.equal(parameters.count, 0);
    // Some of these have no table-valued function; then SQLite says so while it prepares.
    if (/^select \* from pragma_/.test(sql) && prepared(db, text) instanceof Error) continue;
    const statement = db.prepare(text);
    assert.ok(statement.reader, sql);
    statement.all();
  }
  assert.equal(db.prepare("select total_changes()").pluck().get(), 0);
  assert.equal(db.prepare("select count(*) from temp.sqlite_schema").pluck().get(), 0);
  db.close();
  assert.deepEqual(readFileSync(path), before);
});

test("what is let in as a write writes, and says truly whether it changes the schema", (context) => {
  const path = join(tempDir(context), "data.db");
  const db = new Database(path);
  db.exec(schema);
  const schemaVersion = () => db.pragma("schema_version", { simple: true });
  for (const sql of writes) {
    const { access, text, schemaChange, alone, returnsRows } = letIn(sql);
    assert.equal(access, "write", sql);
    const version = schemaVersion();
    const file = readFileSync(path);
    const statement = db.prepare(text);
    if (statement.reader) statement.all();
    else statement.run();
    assert.equal(statement.reader, returnsRows, sql);
    assert.equal(schemaVersion() !== version, schemaChange, sql);
    if (schemaChange) assert.ok(alone, sql);
    assert.notDeepEqual(readFileSync(path), file, sql);
  }
  assert.equal(db.prepare("select count(*) from temp.sqlite_schema").pluck().get(), 0);
  db.close();
});

test("no write runs on a connection that may only read", () => {
  for (const sql of writes) {
    const db = memory();
    db.exec("create table u (a); create trigger x after insert on u begin delete from u; end; create table r (a)");
    if (sql.startsWith("create")) db.exec("drop trigger x; drop table r; drop table u");
    if (/ on u| from u/.test(sql)) db.exec("create table u (a)");
    db.pragma("query_only = 1");
    const run = () => {
      const statement = db.prepare(letIn(sql).text);
      return statement.reader ? statement.all() : statement.run();
    };
    assert.throws(run, { code: "SQLITE_READONLY" }, sql);
    db.close();
  }
});
