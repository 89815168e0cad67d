/**
 * The one door to SQLite: the only import of better-sqlite3, loaded when the first file is opened and after a check
 * that it fits. Every connection of the house gets the same cautious settings here; only durability differs by role.
 */
import type BetterSqlite3 from "better-sqlite3";
import { checkModule, findModule, loadFailure, requireFromHere } from "./native-module.js";

export type Database = BetterSqlite3.Database;
export type Statement = BetterSqlite3.Statement<unknown[]>;

/** What SQLite hands out with safe integers, and takes: an INTEGER is a bigint, a REAL a number. */
export type SqliteValue = null | bigint | number | string | Uint8Array;

export interface OpenOptions {
  readonly path: string;
  /**
   * `reader`: may not write, and the file must be there. `checker`: the same, and only so does integrity_check evaluate
   * CHECK constraints: SQLite passes over them when it reads the schema of a file that is open for reading only.
   */
  readonly role: "writer" | "reader" | "checker";
  /** `full`: a commit that has returned is on disk. `off`: it is in the page cache, which outlives the process only. */
  readonly durability: "full" | "off";
  /** How long a statement waits for another process's lock before SQLITE_BUSY. */
  readonly busyMs: number;
  /** No other process may open the file while this connection lives; needs no shared memory. */
  readonly exclusive?: boolean;
}

/** Below it two connections that write and checkpoint at once can corrupt a WAL (the WAL-reset bug). */
export const sqliteOldest = "3.51.3";

let loaded: typeof BetterSqlite3 | undefined;

/** Loads and checks the native module; to be called early where a later failure would be in the way. Throws NATIVE_MODULE. */
export function loadSqlite(): typeof BetterSqlite3 {
  if (loaded !== undefined) return loaded;
  const require = requireFromHere();
  const module = findModule(require);
  checkModule(module, process.versions.node);
  try {
    const Sqlite = require("better-sqlite3") as typeof BetterSqlite3;
    // Only a first connection loads the compiled part.
    const memory = new Sqlite(":memory:");
    const version = memory.prepare("select sqlite_version()").pluck().get() as string;
    memory.close();
    if (isOlder(version, sqliteOldest))
      throw new Error(`it brings SQLite ${version}, at least ${sqliteOldest} is needed`);
    loaded = Sqlite;
  } catch (cause) {
    throw loadFailure(module, cause);
  }
  return loaded;
}

export function openDatabase(options: OpenOptions): Database {
  const Sqlite = loadSqlite();
  const readonly = options.role === "reader";
  const fileMustExist = options.role !== "writer";
  const database = new Sqlite(options.path, { readonly, fileMustExist, timeout: options.busyMs });
  try {
    applySettings(database, options);
  } catch (error) {
    database.close();
    throw error;
  }
  return database;
}

function applySettings(database: Database, options: OpenOptions): void {
  if (options.exclusive === true) database.pragma("locking_mode = EXCLUSIVE");
  if (options.role === "writer") {
    const mode = database.pragma("journal_mode = WAL", { simple: true });
    if (mode !== "wal")
      throw new Error(`${options.path} does not take a write-ahead log (journal mode ${String(mode)})`);
  }
  // Said explicitly on every connection: the build's own default is NORMAL as soon as a WAL is there.
  database.pragma(`synchronous = ${options.durability === "full" ? "FULL" : "OFF"}`);
  // Elsewhere a switch without effect; on macOS fsync alone leaves the data in the drive's cache.
  if (options.durability === "full") database.pragma("fullfsync = ON");
  database.pragma("foreign_keys = ON");
  database.pragma("trusted_schema = OFF");
  database.pragma("cell_size_check = ON");
  database.pragma("mmap_size = 0");
  database.pragma("temp_store = MEMORY");
  if (options.role !== "writer") database.pragma("query_only = ON");
}

/**
 * To be called after a connection's first write: only then does SQLite show which durability it really has. Throws when
 * it is not the one that was asked for; the process must not answer anything then.
 */
export function assertDurable(database: Database): void {
  const level = database.pragma("synchronous", { simple: true });
  if (level !== 2)
    throw new Error(`synchronous is ${String(level)} where 2 (FULL) was set: commits would not be durable`);
}

export function sqliteVersion(database: Database): string {
  return database.prepare("select sqlite_version()").pluck().get() as string;
}

function isOlder(version: string, than: string): boolean {
  const [a, b] = [version, than].map((text) => text.split(".").map(Number));
  for (let place = 0; place < 3; place++) {
    const difference = (a?.[place] ?? 0) - (b?.[place] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return false;
}
