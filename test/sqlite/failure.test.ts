/** What SQLite throws, sorted. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  isBusy,
  isDiskFailure,
  isFull,
  isSqliteFailure,
  loadSqlite,
  primaryCode,
  type SqliteFailure,
} from "../../src/sqlite/index.js";

function failure(code: string): SqliteFailure {
  return Object.assign(new Error("it failed"), { name: "SqliteError", code });
}

test("what SQLite throws is known, whatever copy of the package has thrown it", () => {
  const database = new (loadSqlite())(":memory:");
  try {
    database.exec("nonsense");
    assert.fail("it did not throw");
  } catch (error) {
    assert.ok(isSqliteFailure(error));
    assert.equal(error.code, "SQLITE_ERROR");
  }
  assert.ok(isSqliteFailure(failure("SQLITE_BUSY")));
  assert.ok(!isSqliteFailure(Object.assign(new Error("no"), { code: "ENOSPC" })));
});

test("an extended code is led back to its family", () => {
  assert.deepEqual(
    ["SQLITE_CONSTRAINT_UNIQUE", "SQLITE_IOERR_FSYNC", "SQLITE_FULL"].map((code) => primaryCode(failure(code))),
    ["SQLITE_CONSTRAINT", "SQLITE_IOERR", "SQLITE_FULL"],
  );
});

test("running out of memory in the middle of a write is not a failed disk", () => {
  assert.deepEqual(
    ["SQLITE_IOERR_FSYNC", "SQLITE_IOERR", "SQLITE_IOERR_NOMEM", "SQLITE_FULL"].map((code) =>
      isDiskFailure(failure(code)),
    ),
    [true, true, false, false],
  );
});

test("a full disk and a locked file are known", () => {
  assert.ok(
    isFull(failure("SQLITE_FULL")) && isBusy(failure("SQLITE_BUSY_SNAPSHOT")) && !isBusy(failure("SQLITE_FULL")),
  );
});
