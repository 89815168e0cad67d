/** What SQLite throws at a statement, told to the client: our word for it, SQLite's own sentence, and the place if there is one. */
import { isFull, isSqliteFailure, primaryCode, type SqliteFailure, sentenceOf } from "../../sqlite/index.js";
import { type Refusal, type RefusalCode, refuse } from "../../terms/index.js";

const words: { readonly [primary: string]: RefusalCode } = {
  SQLITE_CONSTRAINT: "SQLITE_CONSTRAINT",
  SQLITE_MISMATCH: "SQLITE_MISMATCH",
  SQLITE_TOOBIG: "SQLITE_TOOBIG",
  SQLITE_BUSY: "SQLITE_BUSY",
  SQLITE_LOCKED: "SQLITE_BUSY",
  SQLITE_CORRUPT: "SQLITE_CORRUPT",
  SQLITE_NOTADB: "SQLITE_CORRUPT",
  SQLITE_NOMEM: "SQLITE_NOMEM",
  SQLITE_IOERR: "DISK_FAILED",
};

/**
 * Anything else that is thrown while a statement runs comes from the binding, which cannot hold a value (a text of half
 * a gigabyte): the statement is undone and the process is sound.
 */
export function refusalOf(error: unknown): Refusal {
  if (isSqliteFailure(error)) return refusalOfSqlite(error);
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof RangeError || isTooLong(error))
    return refuse("RESULT_TOO_LARGE", `a value of the result cannot be held: ${message}`);
  return { ...refuse("INTERNAL", message), outcome: "none" };
}

function refusalOfSqlite(error: SqliteFailure): Refusal {
  return refuse(codeOf(error), sentenceOf(error), { sqliteCode: error.code });
}

function codeOf(error: SqliteFailure): RefusalCode {
  if (isFull(error)) return "DISK_FULL";
  // The disk's own error names are extensions of IOERR; running out of memory on the way is not the disk.
  return error.code === "SQLITE_IOERR_NOMEM" ? "SQLITE_NOMEM" : (words[primaryCode(error)] ?? "SQLITE_ERROR");
}

function isTooLong(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ERR_STRING_TOO_LONG";
}
