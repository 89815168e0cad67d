/**
 * A copy of the database while the broker works on it: page by page from one snapshot (rule 20: a copy that follows the
 * writes never ends), by a process of its own, verified before it gets its name. Writers are not in its way, nor it in
 * theirs; but the log cannot be folded while it runs. So it gives up when the log comes to its hard cap.
 */
import { existsSync, statSync } from "node:fs";
import { loadSqlite, openDatabase } from "../../sqlite/index.js";
import { HoldfastError } from "../../terms/index.js";
import {
  type Connection,
  count,
  damaged,
  damageIn,
  explained,
  putInPlace,
  removeWithCompanions,
  sizeOf,
  userTables,
} from "./files.js";

export interface BackupOrder {
  readonly database: string;
  /** Absolute path of the copy. */
  readonly to: string;
  /** Whether a file that is there already may be replaced. */
  readonly force: boolean;
  /** Where the log would be cut for growing too long (bytes); then the backup ends. */
  readonly walBytesHardMax: number;
  readonly progress: (done: BackupProgress) => void;
}

export interface BackupProgress {
  readonly pages: number;
  readonly pagesAll: number;
}

export interface BackedUp {
  readonly file: string;
  readonly bytes: number;
  readonly tables: number;
  /** The last commit that it holds. */
  readonly seq: number;
}

/** Pages in one step: between two steps progress is told and the log is looked at. */
const pagesAtOnce = 1000;

const busyMs = 10_000;

/** Throws DISK_FULL, SQLITE_CORRUPT, PERMISSION, CONFIGURATION (the file is there); then there is no file. */
export async function backupDatabase(order: BackupOrder): Promise<BackedUp> {
  const { database, to, force } = order;
  if (!existsSync(database))
    throw new HoldfastError("CONFIGURATION", `there is no database ${database}`, { details: { path: database } });
  if (existsSync(to) && !force)
    throw new HoldfastError("CONFIGURATION", `${to} is there already; --force replaces it`, { details: { path: to } });
  if (to === database) throw new HoldfastError("CONFIGURATION", `${to} is the database itself`);
  const draft = `${to}.draft-${process.pid}`;
  try {
    await copySnapshot(order, draft);
    const found = verify(draft);
    putInPlace(draft, to);
    return { file: to, bytes: sizeOf(to), ...found };
  } catch (error) {
    throw explained(error, database);
  } finally {
    removeWithCompanions(draft);
  }
}

async function copySnapshot({ database, walBytesHardMax, progress }: BackupOrder, draft: string): Promise<void> {
  const source = openDatabase({ path: database, role: "reader", durability: "full", busyMs });
  try {
    // The copy comes from the connection's own open transaction: what others commit meanwhile does not begin it anew.
    source.exec("BEGIN");
    source.prepare("SELECT count(*) FROM sqlite_schema").get();
    const done = await source.backup(draft, {
      progress({ totalPages, remainingPages }) {
        progress({ pages: totalPages - remainingPages, pagesAll: totalPages });
        if (walBytes(database) >= walBytesHardMax) throw crowded(database, walBytesHardMax);
        return pagesAtOnce;
      },
    });
    progress({ pages: done.totalPages, pagesAll: done.totalPages });
  } finally {
    source.close();
  }
}

/** By stat: the file must not be opened in a process that has the database open (rule 19). */
function walBytes(database: string): number {
  return statSync(`${database}-wal`, { throwIfNoEntry: false })?.size ?? 0;
}

function crowded(database: string, bytes: number): HoldfastError {
  return new HoldfastError(
    "DISK_FULL",
    `the log of ${database} has grown to ${bytes} bytes while it was copied, and must be folded: try when less is written`,
    { details: { path: database, limit: "walBytesHardMax" } },
  );
}

/** One file, without a log beside it, whole in every page and index, and with the broker's own row. */
function verify(draft: string): { tables: number; seq: number } {
  const Sqlite = loadSqlite();
  const copy = new Sqlite(draft, { fileMustExist: true });
  try {
    copy.pragma("journal_mode = DELETE");
    const damage = damageIn(copy, { quick: false });
    if (damage !== undefined) throw damaged(`the copy (as the database itself?)`, damage);
    return { tables: count(copy, userTables), seq: seqIn(copy) };
  } finally {
    copy.close();
  }
}

function seqIn(copy: Connection): number {
  const known = copy.prepare("select 1 from sqlite_schema where name = '_holdfast_meta'").get();
  return known === undefined ? 0 : count(copy, "select seq from _holdfast_meta where id = 1");
}
