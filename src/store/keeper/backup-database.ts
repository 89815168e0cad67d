/**
 * A copy of the database while the broker works on it: page by page from one snapshot (rule 20: a copy that follows the
 * writes never ends), by a process of its own, verified before it gets its name. Writers are not in its way, nor it in
 * theirs; but the log cannot be folded while it runs. So it gives up when the log comes to its hard cap.
 */
import { existsSync, lstatSync, realpathSync, rmSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { loadSqlite, openDatabase } from "../../sqlite/index.js";
import { HoldfastError } from "../../terms/index.js";
import {
  type Connection,
  companions,
  count,
  crowded,
  damaged,
  damageIn,
  explained,
  pagesAtOnce,
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

const busyMs = 10_000;

/** Throws DISK_FULL, SQLITE_CORRUPT, PERMISSION, CONFIGURATION (the file is there); then there is no file. */
export async function backupDatabase(order: BackupOrder): Promise<BackedUp> {
  if (!existsSync(order.database))
    throw new HoldfastError("CONFIGURATION", `there is no database ${order.database}`, {
      details: { path: order.database },
    });
  // Its log lies beside the file itself, and not beside a link to it.
  const database = realpathSync(order.database);
  // What a link leads to is replaced, and not the link.
  const to = existsSync(order.to) ? realpathSync(order.to) : order.to;
  const draft = `${to}.draft-${process.pid}`;
  try {
    checkPlace(order, database);
    // Its name, with what SQLite puts beside it, is longer than that of the copy.
    for (const suffix of companions) statSync(`${draft}${suffix}`, { throwIfNoEntry: false });
  } catch (error) {
    throw explained(error, database);
  }
  try {
    await copySnapshot({ ...order, database }, draft);
    const found = verify(draft);
    // What is left of a database that had this name would be taken for a part of the copy.
    for (const suffix of companions) rmSync(`${to}${suffix}`, { force: true });
    putInPlace(draft, to);
    return { file: to, bytes: sizeOf(to), ...found };
  } catch (error) {
    throw explained(error, database);
  } finally {
    removeWithCompanions(draft);
  }
}

/** Where the copy is to lie: not where there is something else, and never where the database lies, whatever it is called. */
function checkPlace({ to, force }: BackupOrder, database: string): void {
  const refused = (message: string) => new HoldfastError("CONFIGURATION", message, { details: { path: to } });
  if (statSync(dirname(to), { throwIfNoEntry: false })?.isDirectory() !== true)
    throw refused(`${to} cannot be there: ${dirname(to)} is no directory`);
  const there = statSync(to, { throwIfNoEntry: false });
  if (there === undefined) {
    // A disk that is not mounted, perhaps: a copy in the link's place would not be where it is looked for.
    if (lstatSync(to, { throwIfNoEntry: false })?.isSymbolicLink() === true)
      throw refused(`${to} is a link that leads nowhere`);
    return;
  }
  if (!there.isFile()) throw refused(`${to} is ${there.isDirectory() ? "a directory" : "no plain file"}`);
  for (const part of [database, ...companions.map((suffix) => `${database}${suffix}`)]) {
    const its = statSync(part, { throwIfNoEntry: false });
    if (its?.ino === there.ino && its.dev === there.dev)
      throw refused(part === database ? `${to} is the database itself` : `${to} belongs to the database itself`);
  }
  if (!force) throw refused(`${to} is there already; --force replaces it`);
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
        if (walBytes(database) >= walBytesHardMax) throw crowded(database, walBytesHardMax, "copied");
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
