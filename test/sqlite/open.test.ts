/** What every connection of the house promises, asked of SQLite itself. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { assertDurable, type Database, isSqliteFailure, openDatabase, primaryCode } from "../../src/sqlite/index.js";
import { type TestLife, tempDir } from "../support/temp-dir.js";

function open(
  t: TestLife,
  role: "writer" | "reader",
  durability: "full" | "off" = "full",
  path = join(tempDir(t), "data.db"),
): Database {
  const database = openDatabase({ path, role, durability, busyMs: 1000 });
  t.after(() => database.close());
  return database;
}

function settings(database: Database): unknown[] {
  const names = ["journal_mode", "synchronous", "foreign_keys", "trusted_schema", "cell_size_check", "temp_store"];
  return names.map((name) => database.pragma(name, { simple: true }));
}

test("a writer is durable and careful, also after its first write", (t) => {
  const database = open(t, "writer");
  database.exec("create table t (a)");
  assert.deepEqual(settings(database), ["wal", 2, 1, 0, 1, 2]);
  assertDurable(database);
});

test("a connection that is less durable than it was asked to be is found out", (t) => {
  const database = open(t, "writer");
  database.exec("create table t (a)");
  database.pragma("synchronous = NORMAL");
  assert.throws(() => assertDurable(database), /synchronous is 1 where 2 \(FULL\) was set/);
});

test("a second connection is durable as well, though the build's own default is not", (t) => {
  const path = join(tempDir(t), "data.db");
  open(t, "writer", "full", path).exec("create table t (a)");
  const second = open(t, "writer", "full", path);
  second.exec("insert into t values (1)");
  assertDurable(second);
});

test("a reader cannot write, and makes no database", (t) => {
  const path = join(tempDir(t), "data.db");
  assert.throws(() => open(t, "reader", "full", path), /unable to open database file/);
  open(t, "writer", "full", path).exec("create table t (a)");
  const reader = open(t, "reader", "full", path);
  assert.throws(
    () => reader.exec("insert into t values (1)"),
    (error) => isSqliteFailure(error) && primaryCode(error) === "SQLITE_READONLY",
  );
  assert.deepEqual(settings(reader), ["wal", 2, 1, 0, 1, 2]);
});

test("a file that is no database is told apart from one that is locked", (t) => {
  const path = join(tempDir(t), "data.db");
  const first = openDatabase({ path, role: "writer", durability: "off", busyMs: 0, exclusive: true });
  first.exec("create table t (a)");
  assert.throws(
    () => openDatabase({ path, role: "writer", durability: "off", busyMs: 0 }),
    (error) => isSqliteFailure(error) && primaryCode(error) === "SQLITE_BUSY",
  );
  first.close();
});
