/**
 * SQL that is not served, values that cannot be, and results beyond the limit: each refused with its own code,
 * whatever the method that carries it, and nothing of it is done.
 */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { after, afterEach, before, test } from "node:test";
import { connect, isHoldfastError } from "../../src/client/index.js";
import { Home } from "../support/broker.js";
import { Canary } from "../support/canary.js";
import type { Wire, WireError } from "../support/wire.js";

const home = new Home({ after });
const stolen = join(home.dir, "stolen.db");
let canary: Canary;
let wire: Wire;

before(async () => {
  await home.start({
    limits: {
      sqlBytesMax: 4000,
      parametersMax: 100,
      valueBytesMax: 65_536,
      resultBytesMax: 65_536,
      nameBytesMax: 64,
      metaBytesMax: 128,
    },
  });
  canary = await Canary.start(home);
  wire = await home.wire();
  await wire.call("db.script", {
    sql: "create table thing (id integer primary key, name text unique, size integer check (size >= 0)); insert into thing values (1, 'one', 1)",
    key: wire.key(),
  });
});

// The innocent one has noticed nothing, and the table is as it was.
afterEach(async () => {
  await canary.goesOn();
  assert.deepEqual((await wire.call("db.query", { sql: "select * from thing" })).rows, [[1, "one", 1]]);
  assert.ok(!existsSync(stolen));
});

/** Refused before SQLite has seen it, so under every method. */
const refused: readonly (readonly [what: string, sql: string, code: string])[] = [
  ["a NUL", "select 1\0; drop table thing", "SQL_INVALID_TEXT"],
  ["a surrogate without its partner", "select '\ud800'", "SQL_INVALID_TEXT"],
  ["a string that does not end", "select 'abc", "SQL_INVALID_TEXT"],
  ["a comment that does not end", "select 1 /* abc", "SQL_INVALID_TEXT"],
  ["nothing", "", "SQL_EMPTY"],
  ["a comment and nothing else", "-- select 1", "SQL_EMPTY"],
  ["ATTACH", `attach '${stolen}' as stolen`, "STATEMENT_REFUSED"],
  ["ATTACH in disguise", `/**/ aTTaCh\t'${stolen}' as stolen`, "STATEMENT_REFUSED"],
  ["DETACH", "detach main", "STATEMENT_REFUSED"],
  ["VACUUM", "vacuum", "STATEMENT_REFUSED"],
  ["VACUUM INTO", `vacuum into '${stolen}'`, "STATEMENT_REFUSED"],
  ["EXPLAIN of VACUUM INTO", `explain vacuum into '${stolen}'`, "STATEMENT_REFUSED"],
  ["a PRAGMA that opens the schema", "pragma writable_schema = on", "STATEMENT_REFUSED"],
  ["a PRAGMA that weakens durability", "pragma synchronous = off", "STATEMENT_REFUSED"],
  ["a PRAGMA that changes the journal", "pragma journal_mode = delete", "STATEMENT_REFUSED"],
  ["a PRAGMA that checkpoints", "pragma wal_checkpoint(truncate)", "STATEMENT_REFUSED"],
  ["a PRAGMA that locks", "pragma locking_mode = exclusive", "STATEMENT_REFUSED"],
  ["a PRAGMA in a schema of its own", "pragma main.query_only = 0", "STATEMENT_REFUSED"],
  ["a TEMP table", "create temp table shadow (a)", "STATEMENT_REFUSED"],
  [
    "a TEMPORARY trigger",
    "create temporary trigger spy after insert on thing begin select 1; end",
    "STATEMENT_REFUSED",
  ],
  ["a table of the schema temp", "create table temp.thing (a)", "STATEMENT_REFUSED"],
  ["the broker's own table", "select * from _holdfast_meta", "STATEMENT_REFUSED"],
  ["the broker's own table in quotes", 'delete from "_HOLDFAST_replies"', "STATEMENT_REFUSED"],
  ["the broker's own table in brackets", "drop table [_holdfast_meta]", "STATEMENT_REFUSED"],
  ["a name like the broker's own", "create table _holdfast_mine (a)", "STATEMENT_REFUSED"],
  ["an extension", "select load_extension('evil')", "STATEMENT_REFUSED"],
  ["BEGIN", "begin immediate", "TRANSACTION_CONTROL"],
  ["COMMIT", "commit", "TRANSACTION_CONTROL"],
  ["ROLLBACK", "rollback", "TRANSACTION_CONTROL"],
  ["SAVEPOINT", "savepoint _mine", "TRANSACTION_CONTROL"],
  ["RELEASE of the broker's savepoint", "release mine", "TRANSACTION_CONTROL"],
  ["a text over the limit", `select '${"x".repeat(4000)}'`, "SQL_TOO_LONG"],
];

for (const [what, sql, code] of refused)
  test(`${what} is refused with ${code} under every method`, async () => {
    const write = { key: 1_000_000 };
    const answers: { readonly [method: string]: WireError } = {
      "db.execute": await wire.refusal("db.execute", { sql, ...write }),
      "db.query": await wire.refusal("db.query", { sql }),
      "db.batch": await wire.refusal("db.batch", { statements: [{ sql: "select 1" }, { sql }], ...write }),
    };
    for (const [method, { data }] of Object.entries(answers)) {
      assert.equal(data.code, code, method);
      assert.deepEqual([data.retryable, data.outcome], [false, "none"]);
    }
    assert.equal(answers["db.batch"]?.data.details["statement"], 1);
    if (code === "SQL_EMPTY") return; // An empty script is one that does nothing.
    const script = await wire.refusal("db.script", { sql, ...write });
    assert.equal(script.data.code, code, "db.script");
  });

/** Refused by SQLite, or by what is bound; `details` has SQLite's own code where it has one. */
const failing: readonly {
  readonly what: string;
  readonly sql: string;
  readonly args?: readonly unknown[];
  readonly named?: { readonly [name: string]: unknown };
  readonly code: string;
  readonly sqliteCode?: string;
}[] = [
  { what: "a syntax error", sql: "select from where", code: "SQLITE_ERROR" },
  { what: "a table that is not there", sql: "select * from nothing", code: "SQLITE_ERROR" },
  { what: "a column that is not there", sql: "update thing set nothing = 1", code: "SQLITE_ERROR" },
  { what: "an expression that is 1,001 deep", sql: `select ${"1+".repeat(1001)}1`, code: "SQLITE_ERROR" },
  { what: "two statements", sql: "select 1; delete from thing", code: "SQL_MANY" },
  {
    what: "a row that is there already",
    sql: "insert into thing (name) values ('one')",
    code: "SQLITE_CONSTRAINT",
    sqliteCode: "SQLITE_CONSTRAINT_UNIQUE",
  },
  {
    what: "a value that a check forbids",
    sql: "insert into thing (size) values (-1)",
    code: "SQLITE_CONSTRAINT",
    sqliteCode: "SQLITE_CONSTRAINT_CHECK",
  },
  {
    what: "a constraint that rolls back",
    sql: "insert or rollback into thing (name) values ('one')",
    code: "SQLITE_CONSTRAINT",
    sqliteCode: "SQLITE_CONSTRAINT_UNIQUE",
  },
  { what: "a text as rowid", sql: "insert into thing (id) values ('x')", code: "SQLITE_MISMATCH" },
  { what: "a parameter without a value", sql: "select ?", code: "PARAMETER_MISSING" },
  { what: "a value without a parameter", sql: "select ?", args: [1, 2], code: "PARAMETER_SURPLUS" },
  { what: "a name without a parameter", sql: "select :a", named: { a: 1, b: 2 }, code: "PARAMETER_SURPLUS" },
  { what: "names that differ in their prefix only", sql: "select :a, @a", named: { a: 1 }, code: "PARAMETER_CLASH" },
  { what: "true", sql: "select ?", args: [true], code: "PARAMETER_INVALID" },
  { what: "an object", sql: "select ?", args: [{ a: 1 }], code: "PARAMETER_INVALID" },
  { what: "an array", sql: "select ?", args: [[1]], code: "PARAMETER_INVALID" },
  {
    what: "an integer of 65 bits",
    sql: "select ?",
    args: [{ $int: "9223372036854775808" }],
    code: "PARAMETER_INVALID",
  },
  { what: "an integer that is none", sql: "select ?", args: [{ $int: "1e3" }], code: "PARAMETER_INVALID" },
  { what: "NaN", sql: "select ?", args: [{ $real: "NaN" }], code: "PARAMETER_INVALID" },
  { what: "bytes that are no base64", sql: "select ?", args: [{ $blob: "a*b" }], code: "PARAMETER_INVALID" },
  { what: "text with half a surrogate pair", sql: "select ?", args: ["\ud800"], code: "PARAMETER_INVALID" },
  { what: "a text over the limit", sql: "select ?", args: ["x".repeat(65_537)], code: "VALUE_TOO_LARGE" },
  {
    what: "bytes over the limit",
    sql: "select ?",
    args: [{ $blob: Buffer.alloc(65_537).toString("base64") }],
    code: "VALUE_TOO_LARGE",
  },
  {
    what: "more values than the limit",
    sql: `select ${new Array(101).fill("?").join()}`,
    args: new Array(101).fill(1),
    code: "PARAMETER_SURPLUS",
  },
  {
    what: "more rows than fit into a result",
    sql: "with recursive c(x) as (select 1 union all select x + 1 from c limit 100000) select x, 'some text' from c",
    code: "RESULT_TOO_LARGE",
  },
  { what: "a value too large for a result", sql: "select zeroblob(1000000)", code: "RESULT_TOO_LARGE" },
  {
    what: "changed rows that do not fit into a result",
    sql: "with recursive c(x) as (select 10 union all select x + 1 from c limit 9000) insert into thing select x, 'a name' || x, x from c returning *",
    code: "RESULT_TOO_LARGE",
  },
  { what: "a string too big for SQLite", sql: "select hex(zeroblob(600000000))", code: "SQLITE_TOOBIG" },
];

for (const { what, sql, args, named, code, sqliteCode } of failing)
  test(`${what} is refused with ${code}, alone and in a batch`, async () => {
    const statement = { sql, ...(args === undefined ? {} : { args }), ...(named === undefined ? {} : { named }) };
    const alone = await wire.refusal("db.execute", { ...statement, key: wire.key() });
    const inBatch = await wire.refusal("db.batch", {
      statements: [{ sql: "insert into thing (id) values (2)" }, statement],
      key: wire.key(),
    });
    for (const { data } of [alone, inBatch]) {
      assert.equal(data.code, code);
      assert.deepEqual([data.retryable, data.outcome], [false, "none"]);
      if (sqliteCode !== undefined) assert.equal(data.details["sqliteCode"], sqliteCode);
    }
    assert.equal(inBatch.data.details["statement"], 1);
  });

for (const encoding of ["json", "msgpack"] as const)
  test(`half of a surrogate pair is refused by the same codes, whichever way the library writes it (${encoding})`, async (t) => {
    const broker = await connect({ dir: home.dir, start: false, encoding });
    t.after(() => broker.close());
    const sql = "insert into thing (name) values ('\ud83d')";
    const statements = ["select 1", sql];
    for (const [code, run] of [
      ["SQL_INVALID_TEXT", () => broker.execute(sql)],
      ["SQL_INVALID_TEXT", () => broker.query("select '\ud83d'")],
      ["SQL_INVALID_TEXT", () => broker.script(sql)],
      ["SQL_INVALID_TEXT", () => broker.describe(sql)],
      ["SQL_INVALID_TEXT", () => broker.transaction((tx) => tx.execute(sql))],
      ["SQL_INVALID_TEXT", () => broker.stream("select '\ud83d'").next() as Promise<unknown>],
      ["PARAMETER_INVALID", () => broker.execute("select ?", ["\ud83d"])],
      ["NAME_INVALID", () => broker.execute("delete from thing", [], { fence: { name: "\ud83d", token: 1 } })],
      ["PARAMS_INVALID", () => broker.execute("delete from thing", [], { key: "\ud83d" })],
      ["PARAMS_INVALID", () => broker.acquire("a", { reason: "\ud83d" })],
    ] as const)
      await assert.rejects(run, { code }, `${code} ${run}`);
    const inBatch = (error: unknown) => isHoldfastError(error) && error.details["statement"] === 1;
    await assert.rejects(broker.batch(statements), inBatch);
    assert.deepEqual(await broker.locks.list({ name: "a" }), []);
  });

test("a statement that writes is refused with READ_ONLY where only reads are taken", async () => {
  for (const sql of ["delete from thing", "with c as (select 1) insert into thing (id) select * from c", "reindex"])
    assert.equal((await wire.refusal("db.query", { sql })).data.code, "READ_ONLY", sql);
});

test("a syntax error is told with its place in the text", async () => {
  const { data } = await wire.refusal("db.query", { sql: "select 'ä€😀', frm thing" });
  assert.equal(data.code, "SQLITE_ERROR");
  const { message } = await wire.refusal("db.query", { sql: "select 1 frm thing" });
  assert.match(message, /thing/);
});

test("a script stops where it fails: atomic with nothing done, not atomic with what came before", async () => {
  const sql = "insert into thing (id) values (2); insert into thing (id) values (1); insert into thing (id) values (3)";
  const whole = await wire.refusal("db.script", { sql, key: wire.key() });
  assert.deepEqual([whole.data.code, whole.data.details["statement"]], ["SQLITE_CONSTRAINT", 1]);
  assert.deepEqual((await wire.call("db.query", { sql: "select count(*) from thing" })).rows, [[1]]);
  const key = wire.key();
  const parts = await wire.refusal("db.script", { sql, atomic: false, key });
  assert.deepEqual([parts.data.details["statement"], parts.data.details["applied"]], [1, 1]);
  // Asked again under its key it answers the same, and does nothing again.
  const again = await wire.refusal("db.script", { sql, atomic: false, key });
  assert.deepEqual([again.data.code, again.data.details["applied"]], ["SQLITE_CONSTRAINT", 1]);
  assert.deepEqual((await wire.call("db.query", { sql: "select id from thing order by id" })).rows, [[1], [2]]);
  await wire.call("db.execute", { sql: "delete from thing where id = 2", key: wire.key() });
});

test("a lock's name that is too long, has a control character or half a pair is refused with NAME_INVALID", async () => {
  for (const name of ["x".repeat(65), "ä".repeat(33), "a\nb", "a\0b", "a\u007fb", "\ud800"])
    for (const method of ["lock.acquire", "lock.release"])
      assert.equal(
        (await wire.refusal(method, { name, key: 1_000_000, token: 1 })).data.code,
        "NAME_INVALID",
        JSON.stringify(name),
      );
  const { token } = await wire.call("lock.acquire", { name: "x".repeat(64), key: wire.key(), waitMs: 0 });
  await wire.call("lock.release", { name: "x".repeat(64), token, key: wire.key() });
});

test("a reason and a program's name over the limit are refused with META_TOO_LARGE", async () => {
  const long = "x".repeat(129);
  assert.equal(
    (await wire.refusal("lock.acquire", { name: "a", key: 1_000_000, reason: long })).data.code,
    "META_TOO_LARGE",
  );
  const other = await home.silent();
  const { data } = await other.refusal("session.hello", { protocol: { min: 1, max: 1 }, program: long });
  assert.equal(data.code, "META_TOO_LARGE");
});
