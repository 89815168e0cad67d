/**
 * Puts a backup in the place of the broker's database. To be called only by whoever holds the broker's lock; the
 * writer's lock is taken here. What was there before is kept beside it.
 *
 * The data goes back, time does not (rules 14 and 20): the copy becomes a new incarnation, so sessions, stored answers
 * and cursors of before mean nothing to it. Its tokens go on above those of what it takes the place of, whatever the
 * clock says; and it is marked as having been elsewhere, so that its writer begins by the clock as well, above all that
 * were given since the backup was made, also where neither a database of before nor the ledger is left.
 */
import { closeSync, existsSync, openSync, readSync } from "node:fs";
import { type FileLock, loadSqlite } from "../../sqlite/index.js";
import { HoldfastError } from "../../terms/index.js";
import { bootIdElsewhere, tablesVersion } from "../writer/internal-tables.sql.js";
import { bringUpToDate, makeIncarnation } from "../writer/meta-row.js";
import {
  busyMs,
  type Connection,
  claim,
  copyClaimed,
  count,
  draftFor,
  explained,
  type KeeperPlaces,
  type Left,
  leftIn,
  nothingLeft,
  ownTables,
  putAside,
  putInPlace,
  removeWithCompanions,
  sizeOf,
  takeWriterLock,
  unreadable,
  userTables,
} from "./files.js";

export interface RestoreOrder {
  /** Absolute path of the backup. */
  readonly from: string;
  readonly places: KeeperPlaces;
  /** ms since 1970; names what is put aside. */
  readonly wallNow: number;
  /** The present run of the machine. */
  readonly bootId: string;
  /** Called between the steps of the copy, which it may end by throwing: then nothing has changed. */
  readonly progress?: () => void;
}

export interface Restored {
  readonly database: string;
  readonly bytes: number;
  readonly tables: number;
  /** Where what was there before is now. */
  readonly before: string | null;
}

/** Throws SQLITE_CORRUPT, SQLITE_BUSY, DATA_FOREIGN (not a backup, or a newer program's), DISK_FULL; then nothing has changed. */
export async function restoreDatabase(order: RestoreOrder): Promise<Restored> {
  const { from, places, wallNow, bootId, progress } = order;
  const { database } = places;
  let lock: FileLock | undefined;
  const draft = draftFor(database, "restore", wallNow);
  try {
    lock = takeWriterLock(places);
    if (from === database) throw new HoldfastError("CONFIGURATION", `${from} is the broker's database itself`);
    await copyClaimed(from, draft, { quick: false, check: (source) => checkOrigin(source, from), progress });
    const tables = makeAnother(draft, foldPresent(database, bootId));
    const before = putAside(database, "restore", wallNow) ?? null;
    putInPlace(draft, database);
    return { database, bytes: sizeOf(database), tables, before };
  } catch (error) {
    throw explained(error, from);
  } finally {
    if (lock !== undefined) {
      removeWithCompanions(draft);
      lock.release();
    }
  }
}

function checkOrigin(source: Connection, from: string): void {
  const details = { path: from };
  if (source.prepare("select 1 from sqlite_schema where name = '_holdfast_meta'").get() === undefined)
    throw new HoldfastError("DATA_FOREIGN", `${from} is no backup of a broker's database; import takes over others`, {
      details,
    });
  const version = source.prepare("select version from _holdfast_meta where id = 1").pluck().get() as number | undefined;
  if (version === undefined)
    throw new HoldfastError("DATA_FOREIGN", `the table _holdfast_meta of ${from} has lost its row`, { details });
  if (version > tablesVersion)
    throw new HoldfastError(
      "DATA_FOREIGN",
      `${from} comes from a newer version of holdfast (its tables have version ${version}, this program knows ${tablesVersion}); update holdfast`,
      { details },
    );
}

/** `held`: in what it takes the place of; whatever was held when the backup was made is told of there. */
function makeAnother(draft: string, { tokensTo, held, place }: Left): number {
  const Sqlite = loadSqlite();
  const copy = new Sqlite(draft, { fileMustExist: true });
  try {
    // What is changed now must be in the one file that gets the name.
    copy.pragma("journal_mode = DELETE");
    const change =
      "UPDATE _holdfast_meta SET incarnation = ?, boot_id = ?, held = ?, place = ?, replies_bytes = 0, tokens_to = max(tokens_to, ?) WHERE id = 1";
    copy.transaction(() => {
      // That of an older version has no column for what is held.
      bringUpToDate(copy);
      copy.prepare(change).run(makeIncarnation(), bootIdElsewhere, held ? 1 : 0, place, tokensTo);
      // All but the one row that says what the file is: they are about sessions that are over.
      for (const table of ownTables) if (table !== "_holdfast_meta") copy.exec(`DELETE FROM ${table}`);
    })();
    return count(copy, userTables);
  } finally {
    copy.close();
  }
}

/**
 * What is put aside must be whole without its log. A file that is no database any more is put aside as it is, with it.
 */
function foldPresent(database: string, bootId: string): Left {
  if (!existsSync(database)) return nothingLeft;
  if (!hasDatabaseHead(database)) return unreadable;
  const Sqlite = loadSqlite();
  const present = new Sqlite(database, { timeout: busyMs });
  try {
    claim(present);
    return leftIn(present, bootId);
  } catch (error) {
    const why = explained(error, database);
    if (!(why instanceof HoldfastError) || why.code !== "SQLITE_CORRUPT") throw why;
    return unreadable;
  } finally {
    present.close();
  }
}

/** Looked at before this process has it open as a database (rule 19). */
function hasDatabaseHead(path: string): boolean {
  const magic = "SQLite format 3\0";
  const handle = openSync(path, "r");
  try {
    const head = Buffer.alloc(magic.length);
    readSync(handle, head, 0, head.length, 0);
    return head.toString("latin1") === magic;
  } finally {
    closeSync(handle);
  }
}
