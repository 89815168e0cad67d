import assert from "node:assert/strict";
import { copyFileSync, existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { FileLock, loadSqlite, openDatabase } from "../../../src/sqlite/index.js";
import { backupDatabase, restoreDatabase } from "../../../src/store/index.js";
import { ownTables } from "../../../src/store/keeper/files.js";
import { MetaRow } from "../../../src/store/writer/meta-row.js";
import { makeTablesOlder } from "../../support/older-tables.js";
import { tempDir } from "../../support/temp-dir.js";

const madeAt = Date.UTC(2026, 0, 1);
const wallNow = Date.UTC(2026, 0, 2, 3, 4, 5);
const bootId = "boot";

function open(path: string) {
  return openDatabase({ path, role: "writer", durability: "full", busyMs: 1000 });
}

/** A database with one row, and its backup; then the database goes on. */
async function backedUp(t: TestContext) {
  const dir = tempDir(t);
  const database = join(dir, "data.db");
  const places = { database, writerLock: `${database}.writer.lock` };
  const connection = open(database);
  const meta = MetaRow.start(connection, "boot", { nowWall: madeAt });
  connection.exec("create table t (a); insert into t values ('then')");
  connection.exec("insert into _holdfast_sessions values (x'01', 1, 1, null, 0)");
  const from = join(dir, "copy.db");
  await backupDatabase({ database, to: from, force: false, walBytesHardMax: 2 ** 30, progress: () => {} });
  connection.exec("insert into t values ('later')");
  return { dir, database, places, from, connection, meta };
}

function rows(path: string, sql = "select a from t order by rowid"): unknown {
  const connection = new (loadSqlite())(path, { readonly: true });
  try {
    return connection.prepare(sql).pluck().all();
  } finally {
    connection.close();
  }
}

test("what was backed up is there again, what came later is kept beside it, and the lineage is another", async (t) => {
  const { dir, database, places, from, connection, meta } = await backedUp(t);
  connection.close();
  const done = await restoreDatabase({ from, places, wallNow, bootId });
  assert.deepEqual([done.database, done.tables], [database, 1]);
  assert.deepEqual(rows(database), ["then"]);
  assert.equal(done.before, `${database}.before-restore-2026-01-02T030405.000Z`);
  assert.deepEqual(rows(done.before ?? ""), ["then", "later"]);
  assert.deepEqual(rows(database, "select count(*) from _holdfast_sessions"), [0]);
  assert.notDeepEqual(rows(database, "select incarnation from _holdfast_meta"), [meta.ready.incarnation]);
  assert.deepEqual(rows(from), ["then"]);
  assert.deepEqual(
    readdirSync(dir).filter((name) => name.includes("restore-") && !name.includes("before")),
    [],
  );
});

test("tokens do not go back, though neither the ledger nor the clock at the backup knows of them", async (t) => {
  const { database, places, from, connection, meta } = await backedUp(t);
  const given = meta.reserve(0, false);
  connection.close();
  await restoreDatabase({ from, places, wallNow, bootId });
  const again = open(database);
  t.after(() => again.close());
  // The same run of the machine: without a mark of the restore it would go on where the backup was made.
  const next = MetaRow.start(again, "boot", { nowWall: wallNow });
  assert.ok(next.ready.tokensFrom >= (given?.tokensTo ?? 0), `${next.ready.tokensFrom} after ${given?.tokensTo}`);
});

// rule 13: should the ledger be gone, this is all that tells whether somebody may hold a lock
for (const [what, held, before] of [
  ["a lock may be held in what it takes the place of", true, () => undefined],
  ["nothing was held in what it takes the place of", false, (meta) => meta.nothingHeld()],
  ["the machine was restarted since", false, undefined],
] as readonly (readonly [string, boolean, ((meta: MetaRow) => void) | undefined])[])
  test(`a backup that was put back knows that ${what}, whatever was so when it was made`, async (t) => {
    for (const then of [true, false]) {
      const { dir, database, places, connection, meta } = await backedUp(t);
      if (!then) meta.nothingHeld();
      const from = join(dir, "second.db");
      await backupDatabase({ database, to: from, force: false, walBytesHardMax: 2 ** 30, progress: () => {} });
      before?.(MetaRow.start(connection, bootId, { nowWall: wallNow }));
      connection.close();
      await restoreDatabase({ from, places, wallNow, bootId: before === undefined ? "another run" : bootId });
      const again = open(database);
      assert.equal(MetaRow.start(again, bootId, { nowWall: wallNow }).ready.heldBefore, held);
      again.close();
    }
  });

test("a backup that is put in the place of what cannot be read, or of nothing, knows what can be known of locks", async (t) => {
  for (const [wreck, held] of [
    [(database: string) => writeFileSync(database, "no database ".repeat(1000)), true],
    [(database: string) => rmSync(database), false],
  ] as const) {
    const { database, places, from, connection, meta } = await backedUp(t);
    meta.nothingHeld();
    connection.close();
    wreck(database);
    await restoreDatabase({ from, places, wallNow, bootId });
    const again = open(database);
    assert.equal(MetaRow.start(again, bootId, { nowWall: wallNow }).ready.heldBefore, held);
    again.close();
  }
});

test("a backup of an older version is put back, with what is known of locks", async (t) => {
  const { database, places, from, connection, meta } = await backedUp(t);
  const older = open(from);
  makeTablesOlder(older, 1);
  older.close();
  meta.nothingHeld();
  connection.close();
  await restoreDatabase({ from, places, wallNow, bootId });
  assert.deepEqual(rows(database, "select held from _holdfast_meta"), [0]);
});

test("tokens do not go back either when the clock was set back since they were given", async (t) => {
  const { database, places, from, connection } = await backedUp(t);
  const ahead = MetaRow.start(connection, "a run whose clock was ahead", { nowWall: Date.UTC(2030, 0, 1) });
  connection.close();
  await restoreDatabase({ from, places, wallNow, bootId });
  const again = open(database);
  t.after(() => again.close());
  const { tokensFrom } = MetaRow.start(again, "boot", { nowWall: wallNow }).ready;
  assert.ok(tokensFrom >= ahead.ready.tokensTo, `${tokensFrom} after ${ahead.ready.tokensTo}`);
});

test("the log that is left of a database that is gone is not taken for the backup's", async (t) => {
  const { dir, database, places, from, connection } = await backedUp(t);
  connection.exec("insert into t values ('of the log')");
  copyFileSync(`${database}-wal`, join(dir, "left"));
  connection.close();
  rmSync(database);
  copyFileSync(join(dir, "left"), `${database}-wal`);
  const { before } = await restoreDatabase({ from, places, wallNow, bootId });
  assert.equal(before, null);
  assert.deepEqual(rows(database), ["then"]);
  assert.ok(existsSync(`${database}.before-restore-2026-01-02T030405.000Z-wal`), "the log was thrown away");
});

test("what one that was killed has left of its draft is cleared away by the next, and nothing else", async (t) => {
  const { dir, database, places, from, connection } = await backedUp(t);
  connection.close();
  const left = ["restore-1767000000000", "restore-1767000000000-journal", "import-1767000000000-wal"];
  for (const name of left) writeFileSync(`${database}.${name}`, "half");
  const others = [`${database}.before-restore-1`, `${database}.restore-notes`, join(dir, "other.db.restore-1")];
  for (const path of others) writeFileSync(path, "precious");
  await restoreDatabase({ from, places, wallNow, bootId });
  assert.deepEqual(
    left.filter((name) => existsSync(`${database}.${name}`)),
    [],
  );
  assert.deepEqual(
    others.filter((path) => !existsSync(path)),
    [],
  );
});

test("what belongs to a virtual table whose name begins like the broker's own is data, and is put back", async (t) => {
  const { database, places, from, connection } = await backedUp(t);
  connection.close();
  const copy = new (loadSqlite())(from);
  copy.exec("create virtual table _holdfast using fts5 (a); insert into _holdfast values ('word')");
  copy.close();
  await restoreDatabase({ from, places, wallNow, bootId });
  assert.deepEqual(rows(database, "select a from _holdfast('word')"), ["word"]);
  assert.deepEqual(rows(database, "select count(*) from _holdfast_sessions"), [0]);
});

test("all of the broker's own tables are known to be its own", async (t) => {
  const { database, connection } = await backedUp(t);
  connection.exec("drop table t");
  connection.close();
  assert.deepEqual(
    rows(database, "select name from sqlite_schema where type = 'table' order by 1"),
    [...ownTables].sort(),
  );
});

test("while a writer has the database nothing is restored", async (t) => {
  const { database, places, from, connection } = await backedUp(t);
  t.after(() => connection.close());
  // SQLite's own lock, though nobody has the writer's.
  connection.exec("begin immediate");
  await assert.rejects(restoreDatabase({ from, places, wallNow, bootId }), { code: "SQLITE_BUSY" });
  connection.exec("rollback");
  assert.deepEqual(rows(database), ["then", "later"]);
});

test("the writer's lock is asked for", { timeout: 60_000 }, async (t) => {
  const { places, from, connection } = await backedUp(t);
  connection.close();
  const lock = FileLock.take(places.writerLock, 0);
  t.after(() => lock?.release());
  // Of this very process: SQLite lets two of its connections exclude each other.
  await assert.rejects(restoreDatabase({ from, places, wallNow, bootId }), { code: "ALREADY_RUNNING" });
});

test("what is no backup of a broker's database is refused, and nothing has changed", async (t) => {
  const { dir, database, places, from, connection } = await backedUp(t);
  connection.close();
  const other = join(dir, "other.db");
  const plain = new (loadSqlite())(other);
  plain.exec("create table o (a)");
  plain.close();
  const newer = join(dir, "newer.db");
  const copy = new (loadSqlite())(newer);
  copy.exec(`attach '${from}' as f; create table _holdfast_meta as select * from f._holdfast_meta`);
  copy.exec("update _holdfast_meta set version = 999");
  copy.close();
  const torn = join(dir, "torn.db");
  writeFileSync(torn, `SQLite format 3\0${"x".repeat(5000)}`);
  for (const [file, code, message] of [
    [other, "DATA_FOREIGN", /import takes over others/],
    [newer, "DATA_FOREIGN", /newer version of holdfast/],
    [torn, "SQLITE_CORRUPT", /torn\.db/],
    [database, "CONFIGURATION", /itself/],
  ] as const)
    await assert.rejects(restoreDatabase({ from: file, places, wallNow, bootId }), { code, message }, file);
  assert.deepEqual(rows(database), ["then", "later"]);
});

test("a database that cannot be read any more is put aside as it is, with its log", async (t) => {
  const { database, places, from, connection } = await backedUp(t);
  connection.close();
  writeFileSync(database, "destroyed ".repeat(1000));
  writeFileSync(`${database}-wal`, "a log that belongs to it");
  const { before } = await restoreDatabase({ from, places, wallNow, bootId });
  assert.deepEqual(rows(database), ["then"]);
  assert.deepEqual([existsSync(`${before}`), existsSync(`${before}-wal`)], [true, true]);
});

test("where there was nothing a backup is simply put", async (t) => {
  const { dir, from, connection } = await backedUp(t);
  connection.close();
  const database = join(dir, "fresh.db");
  const done = await restoreDatabase({ from, places: { database, writerLock: `${database}.lock` }, wallNow, bootId });
  assert.equal(done.before, null);
  assert.deepEqual(rows(database), ["then"]);
});
