/**
 * Takes over an existing SQLite database as the broker's own: a page-by-page copy (VACUUM INTO would renumber rowids),
 * checked, synced, and put in place in one step. The file itself stays as it is. To be called only by whoever holds
 * the broker's lock, so that no broker begins meanwhile; the writer's lock is taken here.
 */
import { statSync } from "node:fs";
import { loadSqlite } from "../../sqlite/index.js";
import { HoldfastError } from "../../terms/index.js";
import {
  busyMs,
  type Connection,
  claim,
  copyClaimed,
  count,
  explained,
  internalTables,
  type KeeperPlaces,
  putAside,
  putInPlace,
  removeWithCompanions,
  sizeOf,
  takeWriterLock,
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
}

export interface Imported {
  readonly database: string;
  readonly bytes: number;
  readonly tables: number;
}

/** Throws SQLITE_BUSY, SQLITE_CORRUPT, DATA_FOREIGN, CONFIGURATION, DISK_FULL; then nothing has changed. */
export async function importDatabase(order: ImportOrder): Promise<Imported> {
  const { from, places } = order;
  const lock = takeWriterLock(places);
  const draft = `${places.database}.import-${order.wallNow}`;
  try {
    if (from === places.database)
      throw new HoldfastError("CONFIGURATION", `${from} is the broker's own database already`);
    const tables = await copyClaimed(from, draft, { quick: true, check: (source) => checkOrigin(source, from) });
    makeRoom(order);
    putInPlace(draft, places.database);
    return { database: places.database, bytes: sizeOf(places.database), tables };
  } catch (error) {
    throw explained(error, from);
  } finally {
    removeWithCompanions(draft);
    lock.release();
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

function makeRoom({ places, force, wallNow }: ImportOrder): void {
  const { database } = places;
  const stats = statSync(database, { throwIfNoEntry: false });
  if (stats === undefined || stats.size === 0) return;
  const Sqlite = loadSqlite();
  const present = new Sqlite(database, { timeout: busyMs });
  try {
    claim(present);
    const tables = count(present, userTables);
    if (tables > 0 && !force)
      throw new HoldfastError(
        "CONFIGURATION",
        `the broker's database has ${tables} tables of its own; --force puts it aside`,
        { details: { path: database, tables } },
      );
  } finally {
    // Closing the last connection folds its log into the file, so that what is put aside is whole.
    present.close();
  }
  putAside(database, "import", wallNow);
}
