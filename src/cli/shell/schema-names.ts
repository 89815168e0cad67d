/** The names of tables and columns, as the database has them at this moment. */
import type { Cell } from "../cells.js";

export interface TableNames {
  readonly name: string;
  readonly columns: readonly string[];
}

/** Runs one statement that reads. */
export type Ask = (sql: string, args?: readonly string[]) => Promise<readonly (readonly Cell[])[]>;

/** A schema of more names than this is completed in part. */
const namesMax = 10_000;

/** Tables and views without the broker's own and SQLite's own, in order of their names. */
export async function tableNames(ask: Ask): Promise<TableNames[]> {
  const tables = new Map<string, string[]>();
  for (const [table, column] of await columnsOfAll(ask)) {
    if (typeof table !== "string" || isInternal(table)) continue;
    const columns = tables.get(table) ?? [];
    tables.set(table, columns);
    if (typeof column === "string") columns.push(column);
  }
  return [...tables].map(([name, columns]) => ({ name, columns }));
}

const objects = "sqlite_schema m";
const served = "m.type in ('table', 'view') and m.name not like 'sqlite\\_%' escape '\\'";

async function columnsOfAll(ask: Ask): Promise<readonly (readonly Cell[])[]> {
  const order = `where ${served} order by m.name limit ${namesMax}`;
  try {
    return await ask(`select m.name, c.name from ${objects} left join pragma_table_info(m.name) c ${order}`);
  } catch {
    // A view that does not fit its tables any more has no columns, and spoils the question for all.
    return await ask(`select m.name, null from ${objects} ${order}`);
  }
}

export function isInternal(name: string): boolean {
  return name.toLowerCase().startsWith("_holdfast_");
}
