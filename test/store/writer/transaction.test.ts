/** What every transaction of the writer looks after, whatever runs in it. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { type Database, openDatabase } from "../../../src/sqlite/index.js";
import { ProgressFile, readProgress } from "../../../src/store/pipe/progress-file.js";
import { MetaRow } from "../../../src/store/writer/meta-row.js";
import { OwnKeys } from "../../../src/store/writer/own-keys.js";
import { RepliesKept } from "../../../src/store/writer/replies-kept.js";
import { SchemaWatch } from "../../../src/store/writer/schema-watch.js";
import { ToldChanges } from "../../../src/store/writer/told-changes.js";
import { Transaction } from "../../../src/store/writer/transaction.js";
import { WatchTriggers } from "../../../src/store/writer/watch-triggers.js";
import { WriteAheadLog } from "../../../src/store/writer/write-ahead-log.js";
import { limitsWith, seq } from "../../../src/terms/index.js";
import { type TestLife, tempDir } from "../../support/temp-dir.js";

function wire(t: TestLife) {
  const dir = tempDir(t);
  const path = join(dir, "data.db");
  const database = openDatabase({ path, role: "writer", durability: "full", busyMs: 100 });
  t.after(() => database.close());
  const meta = MetaRow.start(database, "boot-1");
  const schema = new SchemaWatch(database);
  const replies = new RepliesKept(database, limitsWith(), 0);
  const ownKeys = new OwnKeys(database, limitsWith());
  const progress = new ProgressFile(join(dir, "progress"));
  const watches = new WatchTriggers(database, 10);
  const told = new ToldChanges(seq(0));
  const parts = { database, meta, schema, replies, ownKeys, progress, watches, told };
  const transaction = new Transaction({ ...parts, now: () => 0 });
  return { path, database, schema, transaction, progress, look: () => readProgress(join(dir, "progress")) };
}

const commit = { upTo: seq(3), noted: seq(3), housekeeping: true, schemaChange: true };

// rule 16: a TEMP table would hide everybody's table of that name
test("a writer in whose schema temp something has come to be commits nothing and ends", (t) => {
  const { database, schema, transaction } = wire(t);
  database.exec("create table users (a)");
  transaction.begin();
  database.exec("create temp table users (a)");
  assert.equal(schema.temporary(), "users");
  assert.throws(() => transaction.commit(commit), /the schema temp holds users/);
  assert.ok(database.inTransaction);
});

test("a commit that has not returned is noted as one that is under way", (t) => {
  const { transaction, look } = wire(t);
  transaction.begin();
  transaction.running(seq(3));
  assert.deepEqual([look()?.phase, look()?.seq], ["running", 3]);
  transaction.commit(commit);
  assert.deepEqual([look()?.phase, look()?.seq], ["committing", 3]);
  transaction.idle();
  assert.equal(look()?.phase, "idle");
});

test("what is abandoned is undone, also when SQLite has undone it before", (t) => {
  const { database, transaction } = wire(t);
  for (const before of [() => {}, () => database.exec("rollback")]) {
    transaction.begin();
    database.exec("create table t (a)");
    before();
    transaction.abandon();
    assert.equal(transaction.open, false);
    assert.equal(database.prepare("select count(*) from sqlite_schema where name = 't'").pluck().get(), 0);
  }
});

test("the schema is looked at again after it has changed", (t) => {
  const { database, schema, transaction } = wire(t);
  transaction.begin();
  database.exec(
    "create table p (id integer primary key); create table c (p references p deferrable initially DEFERRED)",
  );
  assert.equal(schema.deferred, false);
  transaction.commit(commit);
  assert.equal(schema.deferred, true);
});

function grow(database: Database): void {
  database.exec("create table if not exists g (a)");
  for (let turn = 0; turn < 3; turn++) database.prepare("insert into g values (zeroblob(2000000))").run();
}

test("the log is folded when it has grown, and written from its beginning again", (t) => {
  const { database, path, progress } = wire(t);
  const log = new WriteAheadLog(database, path, progress);
  grow(database);
  const { bytes } = log;
  assert.ok(bytes > 6_000_000);
  log.foldIfDue();
  database.exec("delete from g");
  assert.equal(log.bytes, bytes);
  assert.ok(log.truncate());
  assert.equal(log.bytes, 0);
});

test("while the log is folded the writer is seen to be at that, and not to stand still", (t) => {
  const { database, path, progress, look } = wire(t);
  const phases: unknown[] = [];
  const noting: Pick<ProgressFile, "note"> = {
    note(at, phase) {
      progress.note(at, phase);
      phases.push(look()?.phase);
    },
  };
  assert.ok(new WriteAheadLog(database, path, noting).truncate());
  assert.deepEqual(phases, ["folding", "idle"]);
});

test("a log that is to be empty at once waits for nobody, and what comes later waits as before", (t) => {
  const { database, path, progress } = wire(t);
  const waits = () => database.pragma("busy_timeout", { simple: true });
  const seen: unknown[] = [];
  let failing = false;
  const noting: Pick<ProgressFile, "note"> = {
    note(at, phase) {
      progress.note(at, phase);
      seen.push(waits());
      if (failing) throw new Error("no note can be made");
    },
  };
  const log = new WriteAheadLog(database, path, noting);
  const reader = openDatabase({ path, role: "reader", durability: "full", busyMs: 100 });
  t.after(() => reader.close());
  grow(database);
  reader.exec("begin");
  reader.prepare("select count(*) from sqlite_schema").get();
  grow(database);
  assert.deepEqual([log.truncateAtOnce(), waits()], [false, 100]);
  reader.exec("commit");
  assert.deepEqual([log.truncateAtOnce(), log.bytes, waits()], [true, 0, 100]);
  failing = true;
  assert.throws(() => log.truncateAtOnce(), /no note/);
  assert.equal(waits(), 100);
  assert.ok(seen.length > 0 && seen.every((ms) => ms === 0));
});

test("a log that a snapshot pins is over its bound until the snapshot ends", (t) => {
  const { database, path, progress } = wire(t);
  const log = new WriteAheadLog(database, path, progress);
  const reader = openDatabase({ path, role: "reader", durability: "full", busyMs: 100 });
  t.after(() => reader.close());
  reader.exec("begin");
  reader.prepare("select count(*) from sqlite_schema").get();
  grow(database);
  assert.deepEqual([log.isOver(1_000_000), log.isOver(100_000_000), log.truncate()], [true, false, false]);
  log.foldIfDue();
  reader.exec("commit");
  assert.equal(log.isOver(1_000_000), false);
});
