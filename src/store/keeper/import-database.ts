/**
 * Takes over an existing SQLite database as the broker's own: a page-by-page copy (VACUUM INTO would renumber rowids),
 * checked, synced, and put in place in one step. The file itself stays as it is. To be called only by whoever holds
 * the broker's lock, so that no broker begins meanwhile; the writer's lock is taken here.
 */
import { statSync } from "node:fs";
import { type FileLock, loadSqlite } from "../../sqlite/index.js";
import { HoldfastError } from "../../terms/index.js";
import { bootIdElsewhere } from "../writer/internal-tables.sql.js";
import { createTables } from "../writer/meta-row.js";
import {
  busyMs,
  type Connection,
  claim,
  copyClaimed,
  count,
  draftFor,
  explained,
  internalTables,
  type KeeperPlaces,
  type Left,
  leftIn,
  nothingLeft,
  putAside,
  putInPlace,
  removeWithCompanions,
  sizeOf,
  takeWriterLock,
  unreadable,
  userTables,
} from "./files.js";

export interface ImportOrder {
  /** Absolute path of the database to take over. */
  readonly from: string;
  readonly places: KeeperPlaces;
  /** Puts the broker's present database aside when it has tables of its own. */
  readonly force: boolean;
  /** ms since 1970; names what is put aside. */
  readonly wallNow: number;
  /** The present run of the machine. */
  readonly bootId: string;
  /** Called between the steps of the copy, which it may end by throwing: then nothing has changed. */
  readonly progress?: () => void;
}

export interface Imported {
  readonly database: string;
  readonly bytes: number;
  readonly tables: number;
}

/** Throws SQLITE_BUSY, SQLITE_CORRUPT, DATA_FOREIGN, CONFIGURATION, DISK_FULL; then nothing has changed. */
export async function importDatabase(order: ImportOrder): Promise<Imported> {
  const { from, places } = order;
  let lock: FileLock | undefined;
  const draft = draftFor(places.database, "import", order.wallNow);
  try {
    lock = takeWriterLock(places);
    if (from === places.database)
      throw new HoldfastError("CONFIGURATION", `${from} is the broker's own database already`);
    const tables = await copyClaimed(from, draft, {
      quick: true,
      check: (source) => checkOrigin(source, from),
      progress: order.progress,
    });
    const left = lookAtPresent(order);
    if (left !== undefined) takeOver(draft, left);
    putAside(places.database, "import", order.wallNow);
    putInPlace(draft, places.database);
    return { database: places.database, bytes: sizeOf(places.database), tables };
  } catch (error) {
    throw explained(error, from);
  } finally {
    if (lock !== undefined) {
      removeWithCompanions(draft);
      lock.release();
    }
  }
}

/** How many tables it has. */
function checkOrigin(source: Connection, from: string): number {
  if (count(source, internalTables) > 0)
    throw new HoldfastError(
      "DATA_FOREIGN",
      `${from} is a database of another broker; serve it where it lies (serve --database), or restore it as a backup`,
      { details: { path: from } },
    );
  return count(source, userTables);
}

/**
 * What the broker has now: refused when it has tables of its own, unless they may be put aside, and folded, so that it is
 * whole by itself. Undefined when no broker has had it.
 */
function lookAtPresent({ places: { database }, force, bootId }: ImportOrder): Left | undefined {
  if ((statSync(database, { throwIfNoEntry: false })?.size ?? 0) === 0) return undefined;
  const Sqlite = loadSqlite();
  const connection = new Sqlite(database, { timeout: busyMs });
  try {
    claim(connection);
    const tables = count(connection, userTables);
    if (tables > 0 && !force)
      throw new HoldfastError(
        "CONFIGURATION",
        `the broker's database has ${tables} ${tables === 1 ? "table" : "tables"} of its own; --force puts it aside`,
        { details: { path: database, tables } },
      );
    const left = leftIn(connection, bootId);
    return left === nothingLeft ? undefined : left;
  } catch (error) {
    const why = explained(error, database);
    // What cannot be read any more is put aside as it is.
    if (force && why instanceof HoldfastError && why.code === "SQLITE_CORRUPT") return unreadable;
    throw why;
  } finally {
    // Closing the last connection folds its log into the file.
    connection.close();
  }
}

/** The broker's own tables, so that its writer knows that this file takes the place of another, and goes on above its tokens. */
function takeOver(draft: string, left: Left): void {
  const Sqlite = loadSqlite();
  const copy = new Sqlite(draft, { fileMustExist: true });
  try {
    // What is changed now must be in the one file that gets the name.
    copy.pragma("journal_mode = DELETE");
    copy.transaction(() => createTables(copy, { bootId: bootIdElsewhere, ...left }))();
  } finally {
    copy.close();
  }
}
