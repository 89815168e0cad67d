/**
 * Writes of different programs share one transaction and one sync. Whatever one of them does to it, the others are
 * applied and answered as if they had been alone; and so is what one leaves behind for the next.
 */
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { Home } from "../support/broker.js";
import { Canary } from "../support/canary.js";
import type { Wire } from "../support/wire.js";

const home = new Home({ after });
let canary: Canary;
let admin: Wire;

before(async () => {
  await home.start({ limits: { walBytesMax: 1_048_576 } });
  canary = await Canary.start(home);
  admin = await home.wire();
  await admin.call("db.execute", { sql: "create table pace (n integer)", key: admin.key() });
});

afterEach(() => canary.goesOn());

const slowly = "(with recursive c(x) as (select 1 union all select x + 1 from c limit 100000) select max(x) from c)";

async function script(sql: string): Promise<void> {
  await admin.call("db.script", { sql, key: admin.key() });
}

/** One write of each client, so many at once that they meet in one group behind the slow first one. */
async function together(writes: readonly string[]): Promise<(string | undefined)[]> {
  const wires = await Promise.all(writes.map(() => home.wire()));
  const first = admin.post("db.execute", { sql: `insert into pace values (${slowly})`, key: admin.key() });
  // It is with the writer before the others come.
  await admin.call("session.ping", {});
  const answers = await Promise.all(
    writes.map((sql, n) => wires[n]!.post("db.execute", { sql, ...(n % 2 === 0 ? { key: 1 } : {}) })),
  );
  assert.equal((await first).error, undefined);
  return answers.map(({ error }) => error?.data.code);
}

// rule 3: the group transaction vanishes
test("a neighbour that rolls the whole transaction back is refused alone, in each way to do so", async () => {
  await script(
    `create table unique_a (n integer unique); insert into unique_a values (0);
     create table rolls_back (n integer unique on conflict rollback); insert into rolls_back values (0);
     create table raises (n integer); create trigger raise before insert on raises when new.n = 0 begin select raise(rollback, 'no'); end;
     create table item (n integer primary key)`,
  );
  const offenders = [
    "insert or rollback into unique_a values (0)",
    "insert into rolls_back values (0)",
    "insert into raises values (0)",
    "update or rollback unique_a set n = 0",
  ];
  const writes = Array.from({ length: 20 }, (_, n) =>
    n % 5 === 2 ? (offenders[(n - 2) / 5] ?? "") : `insert into item values (${n})`,
  );
  await script("insert into unique_a values (1)");
  const codes = await together(writes);
  for (const [n, code] of codes.entries()) assert.equal(code, n % 5 === 2 ? "SQLITE_CONSTRAINT" : undefined, writes[n]);
  const { rows } = await admin.call("db.query", { sql: "select count(*) from item" });
  assert.deepEqual(rows, [[16]]);
});

// rule 7: deferred constraints
test("a deferred constraint is judged for each write alone, not mended or broken by a neighbour", async () => {
  await script(
    `create table parent (id integer primary key);
     create table child (id integer primary key, parent integer references parent (id) deferrable initially deferred);
     create table other (n integer primary key)`,
  );
  // Together they would be in order.
  const mended = await together([
    "insert into child values (1, 1)",
    "insert into parent values (1)",
    "insert into other values (1)",
  ]);
  assert.deepEqual(mended, ["SQLITE_CONSTRAINT", undefined, undefined]);
  const broken = await together([
    "insert into other values (2)",
    "insert into child values (2, 99)",
    "insert into other values (3)",
  ]);
  assert.deepEqual(broken, [undefined, "SQLITE_CONSTRAINT", undefined]);
  const counts = "select (select count(*) from child), (select count(*) from parent), (select count(*) from other)";
  assert.deepEqual((await admin.call("db.query", { sql: counts })).rows, [[0, 1, 3]]);
  await script("drop table child; drop table parent; drop table other");
});

// rule 7: connection state
test("a setting that one write makes is not there for the next", async () => {
  await script(
    "create table up (id integer primary key); create table down (up integer references up (id)); insert into up values (1); insert into down values (1)",
  );
  const setter = await home.wire();
  await setter.post("db.script", { sql: "pragma defer_foreign_keys = on; select 1", key: setter.key() });
  await setter.post("db.script", { sql: "pragma foreign_keys = off; select 1", key: setter.key() });
  assert.equal(
    (await admin.refusal("db.execute", { sql: "delete from up", key: admin.key() })).data.code,
    "SQLITE_CONSTRAINT",
  );
});

// rule 16: rowids of strangers
test("a write that inserts nothing is not told the rowid that a neighbour inserted", async () => {
  await script(
    "create table numbered (id integer primary key, n integer unique); insert into numbered values (100, 1)",
  );
  const other = await home.wire();
  await other.call("db.execute", { sql: "insert into numbered values (500, 2)", key: other.key() });
  const ignored = await admin.call("db.execute", {
    sql: "insert or ignore into numbered (n) values (1)",
    key: admin.key(),
  });
  assert.deepEqual([ignored.rowsAffected, ignored.lastInsertRowid], [0, null]);
  const mine = await admin.call("db.execute", { sql: "insert into numbered (n) values (3)", key: admin.key() });
  assert.equal(mine.lastInsertRowid, 501);
});

// rule 16: names of columns
test("a statement that was prepared before another program changed the table is told with the new columns", async () => {
  await script("create table shape (a, b); insert into shape values (1, 2)");
  const reader = await home.wire();
  for (let n = 0; n < 3; n++)
    assert.deepEqual((await reader.call("db.query", { sql: "select * from shape" })).columns, ["a", "b"]);
  await script("alter table shape add column c default 3");
  for (let n = 0; n < 3; n++) {
    const { columns, rows } = await reader.call("db.query", { sql: "select * from shape" });
    assert.deepEqual([columns, rows], [["a", "b", "c"], [[1, 2, 3]]]);
  }
  const returned = await admin.call("db.execute", { sql: "update shape set a = a returning *", key: admin.key() });
  assert.deepEqual(returned.columns, ["a", "b", "c"]);
});

// rule 16: the log is bounded
test("the log stays bounded while readers never rest", async () => {
  await script("create table bulk (id integer primary key, body blob)");
  const readers = await Promise.all([home.wire(), home.wire(), home.wire()]);
  let reading = true;
  const loops = readers.map(async (reader) => {
    while (reading)
      await reader.call("db.query", { sql: `select count(*), ${slowly.replace("100000", "20000")} from bulk` });
  });
  let largest = 0;
  for (let n = 0; n < 60; n++) {
    await admin.call("db.execute", { sql: "insert into bulk (body) values (randomblob(200000))", key: admin.key() });
    largest = Math.max(largest, (await home.status()).database.walBytes);
  }
  reading = false;
  await Promise.all(loops);
  // 12 MB were written; the limit is 1 MiB, and what was under way when it was reached comes on top.
  assert.ok(largest < 4 * 1_048_576, `the log has grown to ${largest} bytes`);
  assert.deepEqual((await admin.call("db.query", { sql: "select count(*) from bulk" })).rows, [[60]]);
});
