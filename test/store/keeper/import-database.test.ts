import assert from "node:assert/strict";
import { copyFileSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { loadSqlite, openDatabase } from "../../../src/sqlite/index.js";
import { importDatabase } from "../../../src/store/index.js";
import { MetaRow } from "../../../src/store/writer/meta-row.js";
import { isHoldfastError, type RefusalCode } from "../../../src/terms/index.js";
import { tempDir } from "../../support/temp-dir.js";

const wallNow = Date.UTC(2026, 0, 2, 3, 4, 5);

function make(path: string, ...statements: readonly string[]): void {
  const database = new (loadSqlite())(path);
  for (const sql of statements) database.exec(sql);
  database.close();
}

function ask(path: string, sql: string): unknown {
  const database = new (loadSqlite())(path, { readonly: true });
  try {
    return database.prepare(sql).pluck().all();
  } finally {
    database.close();
  }
}

function order(dir: string, force = false) {
  const database = join(dir, "data.db");
  const places = { database, writerLock: `${database}.writer.lock` };
  return { from: join(dir, "app.db"), places, force, wallNow, bootId: "boot" };
}

function refusedWith(code: RefusalCode) {
  return (error: unknown) => {
    assert.ok(isHoldfastError(error), String(error));
    assert.equal(error.code, code);
    return true;
  };
}

test("rows, rowids and what is still in the log come along, and the file stays as it is", async (t) => {
  const dir = tempDir(t);
  const { from, places, ...rest } = order(dir);
  make(
    from,
    "pragma journal_mode = wal",
    "create table t (a)",
    "insert into t (rowid, a) values (7, 'x'), (9, 'y')",
    "delete from t where rowid = 7",
  );
  const before = readFileSync(from);
  const imported = await importDatabase({ from, places, ...rest });
  assert.equal(imported.tables, 1);
  assert.deepEqual(ask(places.database, "select rowid from t"), [9]);
  assert.deepEqual(readFileSync(from), before);
  assert.deepEqual(
    readdirSync(dir).filter((name) => name.includes("import")),
    [],
  );
});

test("a database with tables of its own is not written over, and is put aside when that is wanted", async (t) => {
  const dir = tempDir(t);
  const { from, places } = order(dir);
  make(from, "create table fresh (a)");
  make(places.database, "create table old (a)", "insert into old values (1)");
  await assert.rejects(importDatabase(order(dir)), refusedWith("CONFIGURATION"));
  assert.deepEqual(ask(places.database, "select a from old"), [1]);
  await importDatabase(order(dir, true));
  assert.deepEqual(ask(places.database, "select count(*) from fresh"), [0]);
  assert.deepEqual(ask(`${places.database}.before-import-2026-01-02T030405.000Z`, "select a from old"), [1]);
});

function open(path: string) {
  return openDatabase({ path, role: "writer", durability: "full", busyMs: 1000 });
}

// promise 5; the machine may have been restarted since, and the ledger be gone
test("tokens go on above those that were given in what is put aside, whatever the clock says and whether there is a ledger", async (t) => {
  const dir = tempDir(t);
  const { from, places } = order(dir);
  make(from, "create table t (a)");
  const before = open(places.database);
  MetaRow.start(before, "boot", { nowWall: wallNow });
  const { tokensTo } = MetaRow.start(before, "a run whose clock was ahead", { nowWall: Date.UTC(2030, 0, 1) }).ready;
  before.close();
  await importDatabase(order(dir));
  const next = open(places.database);
  t.after(() => next.close());
  const { ready } = MetaRow.start(next, "boot", { nowWall: wallNow });
  assert.ok(ready.tokensFrom >= tokensTo, `${ready.tokensFrom} after ${tokensTo}`);
  assert.deepEqual(next.prepare("select count(*) from t").pluck().all(), [0]);
});

// rule 13: should the ledger be gone, this is all that tells whether somebody may hold a lock
test("what is imported knows whether a lock may be held in what it takes the place of", async (t) => {
  for (const held of [true, false]) {
    const dir = tempDir(t);
    const { from, places, bootId } = order(dir);
    make(from, "create table t (a)");
    const before = open(places.database);
    const meta = MetaRow.start(before, bootId, { nowWall: wallNow });
    if (!held) meta.nothingHeld();
    before.close();
    await importDatabase(order(dir));
    const next = open(places.database);
    assert.equal(MetaRow.start(next, bootId, { nowWall: wallNow }).ready.heldBefore, held);
    next.close();
  }
});

test("the log that is left of a database that is gone is not taken for that of the imported one", async (t) => {
  const dir = tempDir(t);
  const { from, places } = order(dir);
  make(from, "create table t (a)", "insert into t values ('mine')");
  const gone = open(places.database);
  gone.exec("create table t (a); insert into t values ('of the log')");
  copyFileSync(`${places.database}-wal`, join(dir, "left"));
  gone.close();
  rmSync(places.database);
  copyFileSync(join(dir, "left"), `${places.database}-wal`);
  await importDatabase(order(dir));
  assert.deepEqual(ask(places.database, "select a from t"), ["mine"]);
});

test("what the broker has now and cannot be read is named, and by force put aside as it is", async (t) => {
  const dir = tempDir(t);
  const { from, places } = order(dir);
  make(from, "create table t (a)");
  writeFileSync(places.database, "destroyed ".repeat(1000));
  await assert.rejects(importDatabase(order(dir)), { code: "SQLITE_CORRUPT", message: /data\.db cannot be read/ });
  await importDatabase(order(dir, true));
  assert.deepEqual(ask(places.database, "select count(*) from t"), [0]);
  assert.ok(existsSync(`${places.database}.before-import-2026-01-02T030405.000Z`));
});

test("a file that another program has open is not taken over", async (t) => {
  const dir = tempDir(t);
  const { from, places } = order(dir);
  make(from, "create table t (a)");
  const other = new (loadSqlite())(from);
  other.exec("begin immediate");
  try {
    await assert.rejects(importDatabase(order(dir)), refusedWith("SQLITE_BUSY"));
  } finally {
    other.close();
  }
  assert.ok(!readdirSync(dir).includes("data.db"), `nothing may be left at ${places.database}`);
});

test("a damaged file, and another broker's database, are refused", async (t) => {
  const dir = tempDir(t);
  const { from } = order(dir);
  writeFileSync(from, Buffer.concat([Buffer.from("SQLite format 3\0"), Buffer.alloc(5000, 7)]));
  await assert.rejects(importDatabase(order(dir)), refusedWith("SQLITE_CORRUPT"));
  const second = tempDir(t);
  make(order(second).from, "create table _holdfast_meta (id)");
  await assert.rejects(importDatabase(order(second)), refusedWith("DATA_FOREIGN"));
});
