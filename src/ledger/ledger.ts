/**
 * What the front knows again after it was killed: sessions, grants, queue places. One SQLite file of the front's own;
 * the lock changes of one turn are one transaction, committed before anything that follows from them leaves.
 *
 * Nothing is synced: a killed process leaves the page cache behind, so the ledger is exact; a power loss ends all
 * local holders too, and then it is deleted unread (rule 13: whether the machine was restarted is known from data.db).
 */
import { rmSync } from "node:fs";
import type { LedgerEntry } from "../core/index.js";
import { type Database, isFull, isSqliteFailure, openDatabase, primaryCode, type Statement } from "../sqlite/index.js";
import { HoldfastError } from "../terms/index.js";
import { type LedgerContents, RowWriter, readRows } from "./rows.js";
import { ledgerVersion, schema } from "./schema.sql.js";

/** The disk has no room for the rows of this turn; none of them is applied, and the same call may succeed later. */
export class LedgerFull extends Error {
  override readonly name = "LedgerFull";
}

/**
 * Pages in the log before they are folded into the file. Without a sync that is no stall: with one grant and one end in
 * a turn, 8 µs at the median, 14 µs at p99 and 0.1 to 0.3 ms for the turn that folds (Node 20, ext4, 2 cores).
 */
const walPagesMax = 1000;

/** Of 4 KiB: 1 GiB, some million locks. The limits of the core are reached long before. */
const pagesMaxStandard = 262_144;

export class Ledger {
  readonly #database: Database;
  readonly #begin: Statement;
  readonly #commit: Statement;
  readonly #rows: RowWriter;
  #contents: LedgerContents | "damaged" | undefined;

  /**
   * Opens the ledger, or makes it. A damaged one (or one of another version) is deleted and a new one made: `read` says so.
   * Throws DISK_FULL or START_FAILED on anything else.
   */
  static open(path: string, pagesMax = pagesMaxStandard): Ledger {
    let database: Database | undefined;
    try {
      database = openFile(path, pagesMax);
      return new Ledger(database, readChecked(database));
    } catch (error) {
      database?.close();
      if (!isDamage(error)) throw cannotOpen(path, error);
      Ledger.discard(path);
      return new Ledger(openFile(path, pagesMax), "damaged");
    }
  }

  /** Deletes the ledger unread. Must not be called while it is open in this process. */
  static discard(path: string): void {
    // The log first: a log without its file is not read, a file without its log is an older state that would be.
    for (const suffix of ["-wal", "-shm", "-journal", ""]) rmSync(`${path}${suffix}`, { force: true });
  }

  private constructor(database: Database, contents: LedgerContents | "damaged") {
    this.#database = database;
    this.#contents = contents;
    this.#begin = database.prepare<unknown[]>("begin immediate");
    this.#commit = database.prepare<unknown[]>("commit");
    this.#rows = new RowWriter(database);
  }

  /** What was in the ledger when it was opened. May be asked once; nothing of it is kept. */
  read(): LedgerContents | "damaged" {
    const contents = this.#contents;
    if (contents === undefined) throw new Error("impossible: the ledger was read before");
    this.#contents = undefined;
    return contents;
  }

  /** One transaction: all entries or none. Throws LedgerFull if the disk is full; after another error the process must end. */
  commit(entries: readonly LedgerEntry[]): void {
    const [first] = entries;
    if (first === undefined) return;
    try {
      // A single statement is a transaction of its own.
      if (entries.length === 1) this.#rows.write(first);
      else this.#commitAll(entries);
    } catch (error) {
      if (this.#database.inTransaction) this.#database.exec("rollback");
      throw hasNoRoom(error)
        ? new LedgerFull(`the ledger cannot be written: ${error.message}`, { cause: error })
        : error;
    }
  }

  close(): void {
    this.#database.close();
  }

  #commitAll(entries: readonly LedgerEntry[]): void {
    this.#begin.run();
    for (const entry of entries) this.#rows.write(entry);
    this.#commit.run();
  }
}

function openFile(path: string, pagesMax: number): Database {
  const database = openDatabase({ path, role: "writer", durability: "off", busyMs: 0, exclusive: true });
  try {
    database.pragma(`wal_autocheckpoint = ${walPagesMax}`);
    database.pragma(`max_page_count = ${pagesMax}`);
    if (tables(database) === 0) database.exec(`begin; ${schema} commit;`);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function tables(database: Database): number {
  return database.prepare<unknown[]>("select count(*) from sqlite_schema").pluck().get() as number;
}

function readChecked(database: Database): LedgerContents {
  const version = database.pragma("user_version", { simple: true });
  if (version !== ledgerVersion) throw new RangeError(`the ledger has version ${String(version)}`);
  const verdict = database.pragma("quick_check(1)", { simple: true });
  if (verdict !== "ok") throw new RangeError(`the ledger is damaged: ${String(verdict)}`);
  return readRows(database);
}

/** RangeError is what the checks above and the makers of names and numbers throw. */
function isDamage(error: unknown): boolean {
  if (error instanceof RangeError) return true;
  if (!isSqliteFailure(error)) return false;
  const code = primaryCode(error);
  // SQLITE_ERROR: a table or a column is not what the statements want.
  return ["SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_ERROR"].includes(code) || error.code === "SQLITE_IOERR_SHORT_READ";
}

function cannotOpen(path: string, cause: unknown): unknown {
  if (!isSqliteFailure(cause)) return cause;
  const code = hasNoRoom(cause) ? "DISK_FULL" : "START_FAILED";
  const details = { path, sqliteCode: cause.code };
  return new HoldfastError(code, `the ledger ${path} cannot be opened: ${cause.message}`, { details, cause });
}

/** A quota and a size limit of the process come as a failed write; nothing is synced here, so there is nothing worse in it. */
function hasNoRoom(error: unknown): error is Error {
  return isFull(error) || (isSqliteFailure(error) && error.code === "SQLITE_IOERR_WRITE");
}
