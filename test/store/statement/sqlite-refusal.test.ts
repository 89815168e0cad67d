/** Every family of SQLite's errors has its word. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { refusalOf } from "../../../src/store/statement/sqlite-refusal.js";

function refused(code: string): string {
  return refusalOf(Object.assign(new Error("it failed"), { name: "SqliteError", code })).refused;
}

test("an error of SQLite becomes a refusal with SQLite's own words", () => {
  const error = Object.assign(new Error("UNIQUE constraint failed: t.a"), {
    name: "SqliteError",
    code: "SQLITE_CONSTRAINT_UNIQUE",
  });
  assert.deepEqual(refusalOf(error), {
    refused: "SQLITE_CONSTRAINT",
    message: "UNIQUE constraint failed: t.a",
    details: { sqliteCode: "SQLITE_CONSTRAINT_UNIQUE" },
  });
});

test("each family has its word, and what has none is an error of the statement", () => {
  const words: Record<string, string> = {
    SQLITE_CONSTRAINT_FOREIGNKEY: "SQLITE_CONSTRAINT",
    SQLITE_MISMATCH: "SQLITE_MISMATCH",
    SQLITE_TOOBIG: "SQLITE_TOOBIG",
    SQLITE_BUSY_SNAPSHOT: "SQLITE_BUSY",
    SQLITE_LOCKED: "SQLITE_BUSY",
    SQLITE_CORRUPT_VTAB: "SQLITE_CORRUPT",
    SQLITE_NOTADB: "SQLITE_CORRUPT",
    SQLITE_NOMEM: "SQLITE_NOMEM",
    SQLITE_IOERR_NOMEM: "SQLITE_NOMEM",
    SQLITE_FULL: "DISK_FULL",
    SQLITE_IOERR_READ: "DISK_FAILED",
    SQLITE_ERROR: "SQLITE_ERROR",
    SQLITE_AUTH: "SQLITE_ERROR",
    SQLITE_RANGE: "SQLITE_ERROR",
  };
  for (const [code, word] of Object.entries(words)) assert.equal(refused(code), word, code);
});

test("a value that JavaScript cannot hold makes the result too large", () => {
  const error = Object.assign(new Error("Cannot create a string longer than 0x1fffffe8 characters"), {
    code: "ERR_STRING_TOO_LONG",
  });
  assert.equal(refusalOf(error).refused, "RESULT_TOO_LARGE");
  assert.equal(refusalOf(new RangeError("Invalid string length")).refused, "RESULT_TOO_LARGE");
});

test("a fault of our own is not blamed on the statement, and is known to be undone", () => {
  assert.deepEqual(
    [refusalOf(new TypeError("x")).refused, refusalOf(new TypeError("x")).outcome],
    ["INTERNAL", "none"],
  );
});
