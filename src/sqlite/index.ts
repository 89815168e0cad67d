/**
 * The needle: SQLite as this house uses it. The only room that imports better-sqlite3.
 */
export {
  isBusy,
  isDiskFailure,
  isFull,
  isSqliteFailure,
  primaryCode,
  type SqliteFailure,
  sentenceOf,
} from "./failure.js";
export { FileLock } from "./file-lock.js";
export {
  assertDurable,
  type Database,
  loadSqlite,
  type OpenOptions,
  openDatabase,
  type SqliteValue,
  type Statement,
  sqliteOldest,
  sqliteVersion,
} from "./open.js";
export { StatementCache } from "./statements.js";
