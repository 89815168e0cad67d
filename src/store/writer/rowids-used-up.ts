/**
 * SQLite says that the database or disk is full also when only the rowids of a table are: with AUTOINCREMENT none is taken
 * twice, and behind the largest there is no other (https://sqlite.org/autoinc.html). That is the statement's own doing,
 * and no room on the disk helps.
 */
import type { Database } from "../../sqlite/index.js";
import { type Refusal, refuse } from "../../terms/index.js";

const rowidMax = "9223372036854775807";

/** Of a statement that was refused because something is full: the refusal that names its table, if it is that. */
export function rowidsUsedUp(database: Database, text: string): Refusal | undefined {
  const column = (sql: string): unknown[] => database.prepare<unknown[]>(sql).pluck().all();
  if (column("SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_sequence'").length === 0) return undefined;
  const usedUp = column(`SELECT name FROM sqlite_sequence WHERE seq = ${rowidMax}`).map(String);
  if (usedUp.length === 0) return undefined;
  // A trigger may be what adds the row.
  const triggers = column("SELECT sql FROM sqlite_schema WHERE type = 'trigger'").map(String);
  const texts = [text, ...triggers].map((one) => one.toLowerCase());
  const table = usedUp.find((name) => texts.some((one) => one.includes(name.toLowerCase())));
  if (table === undefined) return undefined;
  const message = `the table ${JSON.stringify(table)} has used its largest rowid, ${rowidMax}, and AUTOINCREMENT takes none twice: no row can be added to it but under a rowid that is given with it; copy its rows into a new table`;
  return refuse("SQLITE_ERROR", message, { sqliteCode: "SQLITE_FULL", table });
}
