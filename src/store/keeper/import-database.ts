/**
 * Takes over an existing SQLite database as the broker's own: a page-by-page copy (VACUUM INTO would renumber rowids),
 * checked, synced, and put in place in one step. The file itself stays as it is. To be called only by whoever holds
 * the broker's lock, so that no broker begins meanwhile; the writer's lock is taken here.
 */
import { closeSync, fsyncSync, openSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { FileLock, isBusy, isSqliteFailure, loadSqlite, primaryCode } from "../../sqlite/index.js";
import { HoldfastError } from "../../terms/index.js";
import { told, writersOf } from "../writer/lock-holders.js";

type Connection = InstanceType<ReturnType<typeof loadSqlite>>;

export interface ImportOrder {
  /** Absolute path of the database to take over. */
  readonly from: string;
  readonly places: { readonly database: string; readonly writerLock: string };
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

/** How long another program may finish its transaction (ms), in the file that is taken over. */
const busyMs = 1000;
const lockMs = 10_000;

const userTables =
  "select count(*) from sqlite_schema where type = 'table' and name not like 'sqlite\\_%' escape '\\' and name not like '\\_holdfast\\_%' escape '\\'";
const internalTables = "select count(*) from sqlite_schema where name like '\\_holdfast\\_%' escape '\\'";

/** Throws SQLITE_BUSY, SQLITE_CORRUPT, DATA_FOREIGN, CONFIGURATION, DISK_FULL; then nothing has changed. */
export async function importDatabase(order: ImportOrder): Promise<Imported> {
  const { from, places } = order;
  const lock = FileLock.take(places.writerLock, lockMs);
  if (lock === undefined)
    throw new HoldfastError(
      "ALREADY_RUNNING",
      `a writer has ${places.database} open: ${told(writersOf(places.writerLock))}`,
    );
  const draft = `${places.database}.import-${order.wallNow}`;
  try {
    if (from === places.database)
      throw new HoldfastError("CONFIGURATION", `${from} is the broker's own database already`);
    const tables = await copyChecked(from, draft);
    makeRoom(order);
    syncFile(draft);
    renameSync(draft, places.database);
    syncFile(dirname(places.database));
    return { database: places.database, bytes: statSync(places.database).size, tables };
  } catch (error) {
    throw explained(error, from);
  } finally {
    for (const suffix of ["", "-wal", "-shm", "-journal"]) rmSync(`${draft}${suffix}`, { force: true });
    lock.release();
  }
}

/** Whoever else has the file open would write to a database that nobody reads any more. */
async function copyChecked(from: string, draft: string): Promise<number> {
  const Sqlite = loadSqlite();
  const source = new Sqlite(from, { fileMustExist: true, timeout: busyMs });
  try {
    claim(source);
    const verdict = source.pragma("quick_check(1)", { simple: true });
    if (verdict !== "ok")
      throw new HoldfastError("SQLITE_CORRUPT", `${from} is damaged: ${String(verdict)}`, { details: { path: from } });
    if (count(source, internalTables) > 0)
      throw new HoldfastError(
        "DATA_FOREIGN",
        `${from} is a database of another broker; serve it where it lies (serve --database)`,
        { details: { path: from } },
      );
    await source.backup(draft);
    return count(source, userTables);
  } finally {
    source.close();
  }
}

/** In exclusive mode the first access takes a lock that nobody else's connection survives. */
function claim(source: Connection): void {
  source.pragma("locking_mode = EXCLUSIVE");
  source.exec("begin exclusive; commit");
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
  renameSync(database, `${database}.before-import-${new Date(wallNow).toISOString().replaceAll(":", "")}`);
  for (const suffix of ["-wal", "-shm", "-journal"]) rmSync(`${database}${suffix}`, { force: true });
}

function count(connection: Connection, sql: string): number {
  return connection.prepare(sql).pluck().get() as number;
}

function syncFile(path: string): void {
  const handle = openSync(path, "r");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

function explained(error: unknown, from: string): unknown {
  if (!isSqliteFailure(error)) return error;
  const details = { path: from, sqliteCode: error.code };
  const { message } = error;
  if (isBusy(error)) {
    const holders = writersOf(from);
    const [pid] = holders.map((holder) => holder.pid);
    const more = { ...details, ...(pid === undefined ? {} : { pid }) };
    return new HoldfastError("SQLITE_BUSY", `${from} is in use by ${told(holders)}: end it first`, {
      details: more,
      cause: error,
    });
  }
  const code = primaryCode(error);
  if (code === "SQLITE_FULL")
    return new HoldfastError("DISK_FULL", `no room for a copy of ${from}`, { details, cause: error });
  if (code === "SQLITE_CORRUPT" || code === "SQLITE_NOTADB")
    return new HoldfastError("SQLITE_CORRUPT", `${from} cannot be read: ${message}`, { details, cause: error });
  return error;
}
