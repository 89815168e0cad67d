/** What SQLite throws, as the house looks at it: an extended result code by name, and SQLite's own sentence. */

export interface SqliteFailure extends Error {
  /** Extended, such as SQLITE_CONSTRAINT_UNIQUE (https://sqlite.org/rescode.html). */
  readonly code: string;
}

/** By shape and not by class, so that nothing must be loaded to ask. */
export function isSqliteFailure(error: unknown): error is SqliteFailure {
  return error instanceof Error && error.name === "SqliteError" && "code" in error && typeof error.code === "string";
}

/** The result code without its extension: SQLITE_IOERR of SQLITE_IOERR_FSYNC. */
export function primaryCode(failure: SqliteFailure): string {
  const second = failure.code.indexOf("_", "SQLITE_".length);
  return second < 0 ? failure.code : failure.code.slice(0, second);
}

/** A failed read or write of the file itself. Running out of memory on the way is not one. */
export function isDiskFailure(error: unknown): error is SqliteFailure {
  return isSqliteFailure(error) && primaryCode(error) === "SQLITE_IOERR" && error.code !== "SQLITE_IOERR_NOMEM";
}

export function isFull(error: unknown): error is SqliteFailure {
  return isSqliteFailure(error) && primaryCode(error) === "SQLITE_FULL";
}

export function isBusy(error: unknown): error is SqliteFailure {
  return isSqliteFailure(error) && primaryCode(error) === "SQLITE_BUSY";
}
