/**
 * Looks whether the database is whole: every page, index, NOT NULL and CHECK (integrity_check), every foreign key, the
 * broker's own tables. Beside a broker that runs, from snapshots, by a process of its own; it changes nothing.
 */
import { statSync } from "node:fs";
import { isSqliteFailure, openDatabase } from "../../sqlite/index.js";
import { HoldfastError } from "../../terms/index.js";
import { tablesVersion } from "../writer/internal-tables.sql.js";
import { type Connection, count, explained, internalTables, userTables } from "./files.js";

export interface CheckOrder {
  readonly database: string;
  /** Leaves out whether indexes fit their tables: minutes become seconds on a large file. */
  readonly quick: boolean;
}

export interface Checked {
  readonly database: string;
  /** Of all its pages. */
  readonly bytes: number;
  readonly tables: number;
  /** What is wrong, in SQLite's words; empty when nothing is. */
  readonly problems: readonly string[];
}

const busyMs = 10_000;
/** With what is still in the log. */
const bytesOfPages = "select page_count * page_size from pragma_page_count, pragma_page_size";
const tablesWithForeignKeys =
  "select name from sqlite_schema where type = 'table' and exists (select 1 from pragma_foreign_key_list(name)) order by name";
/** So many of each kind are told. */
const problemsMax = 100;

/** Throws CONFIGURATION when there is no such file, SQLITE_CORRUPT when it is empty or cannot even be read. */
export function checkDatabase({ database, quick }: CheckOrder): Checked {
  try {
    lookAtFile(database);
    const connection = openDatabase({ path: database, role: "reader", durability: "full", busyMs });
    try {
      connection.exec("BEGIN");
      const problems = [
        ...rowsOf(connection, { database, quick }),
        ...foreignKeysOf(connection),
        ...internalsOf(connection),
      ];
      return { database, bytes: count(connection, bytesOfPages), tables: count(connection, userTables), problems };
    } finally {
      connection.close();
    }
  } catch (error) {
    throw explained(error, database);
  }
}

/** SQLite takes an empty file for an empty database; one that was there and is empty now has lost everything. */
function lookAtFile(database: string): void {
  const details = { path: database };
  const stat = statSync(database, { throwIfNoEntry: false });
  if (stat === undefined) throw new HoldfastError("CONFIGURATION", `there is no database ${database}`, { details });
  if (!stat.isFile()) throw new HoldfastError("CONFIGURATION", `${database} is not a file`, { details });
  if (stat.size === 0)
    throw new HoldfastError("SQLITE_CORRUPT", `${database} is empty: there is no database in it`, { details });
}

/** Who could write would fold the log when it is closed: `reader`, which has the file open before and after, keeps it from that. */
function rowsOf(reader: Connection, { database, quick }: CheckOrder): string[] {
  const connection = openDatabase({ path: database, role: "checker", durability: "full", busyMs });
  try {
    return pagesOf(connection, quick);
  } catch (error) {
    // A function that only the programs know which use the file otherwise.
    if (!isSqliteFailure(error) || error.code !== "SQLITE_ERROR") throw error;
    return [`the CHECK constraints cannot be checked: ${error.message}`, ...pagesOf(reader, quick)];
  } finally {
    connection.close();
  }
}

function pagesOf(connection: Connection, quick: boolean): string[] {
  const check = quick ? "quick_check" : "integrity_check";
  const lines = connection.prepare(`PRAGMA ${check}(${problemsMax})`).pluck().all() as string[];
  return lines.filter((line) => line !== "ok");
}

function foreignKeysOf(connection: Connection): string[] {
  const broken: string[] = [];
  const tables = connection.prepare(tablesWithForeignKeys).pluck().all() as string[];
  for (const table of tables) {
    try {
      for (const [rowid, parent] of brokenIn(connection, table)) {
        if (broken.length === problemsMax) return broken;
        const row = rowid === null ? "a row" : `row ${String(rowid)}`;
        broken.push(`${row} of ${table} refers to a row of ${String(parent)} that is not there`);
      }
    } catch (error) {
      // Of a reference that does not fit its parent SQLite looks at no row, and refuses every write to it as well.
      if (!isSqliteFailure(error) || error.code !== "SQLITE_ERROR") throw error;
      broken.push(`the foreign keys of ${table} cannot be checked: ${error.message}`);
    }
  }
  return broken;
}

function brokenIn(connection: Connection, table: string): IterableIterator<unknown[]> {
  const rows = connection.prepare("select rowid, parent from pragma_foreign_key_check(?)").raw(true);
  return rows.iterate(table) as IterableIterator<unknown[]>;
}

function internalsOf(connection: Connection): string[] {
  if (count(connection, internalTables) === 0) return [];
  if (connection.prepare("select 1 from sqlite_schema where name = '_holdfast_meta'").get() === undefined)
    return ["the broker's own table _holdfast_meta is gone"];
  const row = connection.prepare("select version, epoch from _holdfast_meta where id = 1").raw(true).get();
  if (row === undefined) return ["the broker's own table _holdfast_meta has lost its row"];
  const [version] = row as [number, number];
  if (version <= tablesVersion) return [];
  return [`the broker's own tables have version ${version}, this program knows ${tablesVersion}`];
}
