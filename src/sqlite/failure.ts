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

/** A failed read or write of the file itself. Running out of memory, or of room, on the way is not one. */
export function isDiskFailure(error: unknown): error is SqliteFailure {
  return (
    isSqliteFailure(error) &&
    primaryCode(error) === "SQLITE_IOERR" &&
    error.code !== "SQLITE_IOERR_NOMEM" &&
    !isFull(error)
  );
}

/** The index of the log (`-shm`) could not grow: SQLite gives it a name among the failures of the disk, and has undone what it was for. */
const indexFull = "SQLITE_IOERR_SHMSIZE";

export function isFull(error: unknown): boolean {
  return isSqliteFailure(error) && (primaryCode(error) === "SQLITE_FULL" || error.code === indexFull);
}

/** SQLite's own sentence, and what it leaves out. */
export function sentenceOf(failure: SqliteFailure): string {
  if (failure.code !== indexFull) return failure.message;
  return `the disk is full: there is no room for the index of the write-ahead log (${failure.message})`;
}

export function isBusy(error: unknown): error is SqliteFailure {
  return isSqliteFailure(error) && primaryCode(error) === "SQLITE_BUSY";
}
