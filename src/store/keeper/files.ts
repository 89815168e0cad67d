/** What the keeper's works have in common: drafts that become files in one step, and failures in words. */
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  linkSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { FileLock, isBusy, isSqliteFailure, loadSqlite, primaryCode } from "../../sqlite/index.js";
import { HoldfastError } from "../../terms/index.js";
import { bootIdElsewhere } from "../writer/internal-tables.sql.js";
import { told, usersOf, writersOf } from "../writer/lock-holders.js";

export type Connection = InstanceType<ReturnType<typeof loadSqlite>>;

/** Beside the database: the lock that whoever writes to it has. */
export interface KeeperPlaces {
  readonly database: string;
  readonly writerLock: string;
}

/** How long another program may finish its transaction (ms), in a file that is taken over. */
export const busyMs = 1000;
const lockMs = 10_000;
/** Pages that are copied in one step: between two steps an end is heard of. */
export const pagesAtOnce = 1000;

/** The broker's own tables. Other names may begin like theirs: those of what belongs to a virtual table `_holdfast`. */
export const ownTables = ["_holdfast_meta", "_holdfast_replies", "_holdfast_sessions", "_holdfast_keys"] as const;
const ownNames = ownTables.map((name) => `'${name}'`).join(", ");

export const userTables = `select count(*) from sqlite_schema where type = 'table' and name not like 'sqlite\\_%' escape '\\' and name not in (${ownNames})`;
export const internalTables = `select count(*) from sqlite_schema where type = 'table' and name in (${ownNames})`;

/** What SQLite keeps beside a database. */
export const companions = ["-wal", "-shm", "-journal"] as const;

/** So that no writer begins meanwhile. Throws ALREADY_RUNNING when one is there, PERMISSION where nothing may be written. */
export function takeWriterLock({ database, writerLock }: KeeperPlaces): FileLock {
  const lock = writerLockTaken(writerLock);
  if (lock === undefined)
    throw new HoldfastError("ALREADY_RUNNING", `a writer has ${database} open: ${told(writersOf(writerLock))}`);
  sweepDrafts(database);
  return lock;
}

function writerLockTaken(writerLock: string): FileLock | undefined {
  try {
    return FileLock.take(writerLock, lockMs);
  } catch (error) {
    throw explained(error, writerLock);
  }
}

/** The draft of a file that is to take the database's place. */
export function draftFor(database: string, why: "restore" | "import", wallNow: number): string {
  return `${database}.${why}-${wallNow}`;
}

/** Drafts of works that were killed. Nobody is at one: the writer's lock is ours. */
function sweepDrafts(database: string): void {
  const head = basename(database);
  for (const name of readdirSync(dirname(database)))
    if (name.startsWith(head) && /^\.(?:restore|import)-\d+(?:-wal|-shm|-journal)?$/.test(name.slice(head.length)))
      rmSync(join(dirname(database), name), { force: true });
}

/** In exclusive mode the first access takes a lock that nobody else's connection survives. */
export function claim(connection: Connection): void {
  connection.pragma("locking_mode = EXCLUSIVE");
  connection.exec("begin exclusive; commit");
}

/**
 * Copies a database, page by page, that nobody else has open: what others wrote later would be lost. `check` may refuse
 * it, and what it answers is answered; `progress` is called before each step and may end it by throwing. Throws SQLITE_CORRUPT, what `check` throws, and what SQLite throws.
 */
export async function copyClaimed<Found>(
  from: string,
  draft: string,
  {
    quick,
    check,
    progress,
  }: {
    readonly quick: boolean;
    readonly check: (source: Connection) => Found;
    readonly progress?: (() => void) | undefined;
  },
): Promise<Found> {
  const Sqlite = loadSqlite();
  const readonly = isProtected(from);
  const source = new Sqlite(from, { fileMustExist: true, readonly, timeout: busyMs });
  try {
    if (readonly) claimToRead(source, from);
    else claim(source);
    const damage = damageIn(source, { quick });
    if (damage !== undefined) throw damaged(from, damage);
    const found = check(source);
    await source.backup(draft, {
      progress() {
        progress?.();
        return pagesAtOnce;
      },
    });
    return found;
  } finally {
    source.close();
  }
}

/** That it is not there is said when it is opened. */
function isProtected(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return false;
  } catch (error) {
    return ["EACCES", "EPERM", "EROFS"].includes((error as NodeJS.ErrnoException).code ?? "");
  }
}

/** Who may not write to a file cannot lock it for itself either: one moment of it is read, when nobody is there to go on. */
function claimToRead(connection: Connection, path: string): void {
  connection.exec("begin");
  count(connection, "select count(*) from sqlite_schema");
  const users = usersOf(path);
  const [first] = users;
  if (first === undefined) return;
  const details = { path, pid: first.pid };
  throw new HoldfastError("SQLITE_BUSY", `${path} is in use by ${told(users)}: end it first`, { details });
}

export function count(connection: Connection, sql: string): number {
  return connection.prepare(sql).pluck().get() as number;
}

/** What a database that takes the place of another must know of it. */
export interface Left {
  /** Where the tokens end that were reserved: it goes on above them. */
  readonly tokensTo: number;
  /** In this run of the machine somebody may have held a lock when the last broker ended. */
  readonly held: boolean;
  /** From which run directory it was served, if that is known: there is the ledger that knows who held them. */
  readonly place: string | null;
}

/** Of no database, or of one that no broker has had. */
export const nothingLeft: Left = { tokensTo: 1, held: false, place: null };
/** Of one that cannot be read any more: nobody can say that nothing was held. */
export const unreadable: Left = { tokensTo: 1, held: true, place: null };

export function leftIn(connection: Connection, bootId: string): Left {
  const all = (sql: string) => connection.prepare(sql).raw().all() as (number | string | null)[][];
  const [row] = all("select 1 from sqlite_schema where name = '_holdfast_meta'");
  if (row === undefined) return nothingLeft;
  const columns = all("select name from pragma_table_info('_holdfast_meta')").flat();
  const [held, place] = [columns.includes("held") ? "held" : "1", columns.includes("place") ? "place" : "null"];
  const [[tokensTo, lastBootId, noted, from] = []] = all(
    `select tokens_to, boot_id, ${held}, ${place} from _holdfast_meta where id = 1`,
  );
  const thisRun = lastBootId === bootId || lastBootId === bootIdElsewhere;
  return {
    tokensTo: Number(tokensTo ?? 1),
    held: thisRun && noted !== 0,
    place: typeof from === "string" ? from : null,
  };
}

/** The first thing that is wrong with the file, or undefined. `quick` leaves out whether indexes fit their tables. */
export function damageIn(connection: Connection, { quick }: { readonly quick: boolean }): string | undefined {
  const verdict = connection.pragma(quick ? "quick_check(1)" : "integrity_check(1)", { simple: true });
  return verdict === "ok" ? undefined : String(verdict);
}

export function damaged(path: string, damage: string): HoldfastError {
  return new HoldfastError("SQLITE_CORRUPT", `${path} is damaged: ${damage}`, { details: { path } });
}

export function removeWithCompanions(path: string): void {
  for (const suffix of ["", ...companions]) rmSync(`${path}${suffix}`, { force: true });
}

/** On disk before it has its name, and its name on disk before this returns. */
export function putInPlace(draft: string, path: string): void {
  syncPath(draft);
  renameSync(draft, path);
  syncPath(dirname(path));
}

/**
 * What the broker has now gets a second name, whole: nothing is deleted. Its first name stays until another file takes
 * it, so there is no moment without a database. Undefined: there was nothing, or an empty file.
 */
export function putAside(database: string, why: string, wallNow: number): string | undefined {
  const aside = `${database}.before-${why}-${new Date(wallNow).toISOString().replaceAll(":", "")}`;
  const isThere = (statSync(database, { throwIfNoEntry: false })?.size ?? 0) > 0;
  if (isThere) {
    try {
      linkSync(database, aside);
    } catch {
      // A file system without links: for a moment there is no file under the first name.
      renameSync(database, aside);
    }
  }
  // A log that is left belongs to this file, or to one that is gone, and would be taken for the next one's.
  for (const suffix of companions)
    if (existsSync(`${database}${suffix}`)) renameSync(`${database}${suffix}`, `${aside}${suffix}`);
  return isThere ? aside : undefined;
}

export function sizeOf(path: string): number {
  return statSync(path).size;
}

/** `done`: what could not be done with it, because the log cannot be folded while it is done. */
export function crowded(database: string, bytes: number, done: "copied" | "checked"): HoldfastError {
  return new HoldfastError(
    "DISK_FULL",
    `the log of ${database} has grown to ${bytes} bytes while it was ${done}, and must be folded: try when less is written`,
    { details: { path: database, limit: "walBytesHardMax" } },
  );
}

function syncPath(path: string): void {
  const handle = openSync(path, "r");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** What SQLite threw over `from`, or over its copy, as a refusal; anything else as it is. */
export function explained(error: unknown, from: string): unknown {
  if (!isSqliteFailure(error)) return explainedFile(error, from);
  const { code: sqliteCode, message } = error;
  const details = { path: from, sqliteCode };
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
  if (code === "SQLITE_CANTOPEN" || code === "SQLITE_READONLY" || code === "SQLITE_PERM")
    return new HoldfastError("PERMISSION", `${from} or its copy cannot be opened: ${message}`, {
      details,
      cause: error,
    });
  // What is common to all connections lies in a file of its own beside a database, which wants room even to be read.
  if (sqliteCode === "SQLITE_IOERR_SHMSIZE")
    return new HoldfastError("DISK_FULL", `no room beside ${from} for what SQLite needs to open it`, {
      details,
      cause: error,
    });
  if (code === "SQLITE_IOERR" && sqliteCode !== "SQLITE_IOERR_NOMEM")
    return new HoldfastError("DISK_FAILED", `${from} cannot be read or written: ${message} (${sqliteCode})`, {
      details,
      cause: error,
    });
  return error;
}

function explainedFile(error: unknown, from: string): unknown {
  const { code, path = from, message } = error as NodeJS.ErrnoException;
  if (code === "ENOSPC" || code === "EDQUOT")
    return new HoldfastError("DISK_FULL", `no room for a copy of ${from}`, { details: { path: from }, cause: error });
  if (code === "EACCES" || code === "EPERM" || code === "EROFS")
    return new HoldfastError("PERMISSION", `${path}: ${message}`, { details: { path }, cause: error });
  if (code === "ENOENT" || code === "ENOTDIR" || code === "EISDIR" || code === "ENAMETOOLONG")
    return new HoldfastError("CONFIGURATION", `${path}: ${message}`, { details: { path }, cause: error });
  return error;
}
