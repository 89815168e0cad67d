/** The statements that watch one table, and what has to be known of it to write them. */
import type { Database } from "../../sqlite/index.js";

export type Definition =
  | { readonly kind: "none" }
  /** A view, or a virtual table: SQLite has no triggers of this kind on them. */
  | { readonly kind: "other"; readonly what: string }
  | {
      readonly kind: "table";
      readonly name: string;
      readonly text: string;
      /** The names of the columns of its key, in the key's order. */
      readonly key: readonly string[];
    };

/** Everything of ours in the schema temp begins so; the gate refuses the word to clients. */
export const watchPrefix = "_holdfast_watch";

/** A key with a longer value is counted and not named. */
const keyLengthMax = 1024;
/** Neither is one of more columns: what names it grows with their square. */
const keyColumnsMax = 16;
const operations = ["insert", "update", "delete"] as const;

export function triggerNames(id: number): string[] {
  return operations.map((operation) => `_holdfast_watch_${id}_${operation}`);
}

/** `table` in small letters, as SQLite compares names. */
export function definitionOf(database: Database, table: string): Definition {
  const row = database
    .prepare<unknown[]>(
      `SELECT type, name, rootpage, sql FROM main.sqlite_schema
       WHERE type IN ('table', 'view') AND name = ? COLLATE NOCASE`,
    )
    .raw(true)
    .get(table) as [type: string, name: string, rootpage: number, sql: string] | undefined;
  if (row === undefined) return { kind: "none" };
  const [type, name, rootpage, sql] = row;
  const kind = kindOf(type, rootpage);
  if (kind !== "table") return { kind: "other", what: kind };
  return { kind: "table", name, text: textOf(rootpage, sql), key: keyOf(database, name) };
}

function kindOf(type: string, rootpage: number): "table" | "a view" | "a virtual table" {
  if (type === "view") return "a view";
  return rootpage === 0 ? "a virtual table" : "table";
}

/** What makes it another one: a table that was dropped and made again has gone through nothing here. */
function textOf(rootpage: number, sql: string): string {
  return `${rootpage} ${sql}`;
}

/** The text of the definition of each table that can be watched, by the name in small letters. */
export function textsIn(database: Database): ReadonlyMap<string, string> {
  const rows = database
    .prepare<unknown[]>(
      "SELECT lower(name), rootpage, sql FROM main.sqlite_schema WHERE type = 'table' AND rootpage <> 0",
    )
    .raw(true)
    .all() as [name: string, rootpage: number, sql: string][];
  return new Map(rows.map(([name, rootpage, sql]) => [name, textOf(rootpage, sql)]));
}

/** The names of all triggers of ours. */
export function triggersIn(database: Database): ReadonlySet<string> {
  const names = database.prepare<unknown[]>("SELECT name FROM temp.sqlite_schema WHERE type = 'trigger'").pluck().all();
  return new Set(names as string[]);
}

/** The primary key as it was declared; without one the rowid, by whichever of its names no column has taken. */
function keyOf(database: Database, name: string): string[] {
  const columns = database
    .prepare<unknown[]>("SELECT name, pk FROM pragma_table_xinfo(?, 'main')")
    .raw(true)
    .all(name) as [name: string, pk: number][];
  const key = columns.filter(([, pk]) => pk > 0).sort(([, a], [, b]) => a - b);
  if (key.length > 0) return key.map(([column]) => column);
  const taken = new Set(columns.map(([column]) => column.toLowerCase()));
  return ["rowid", "_rowid_", "oid"].filter((alias) => !taken.has(alias)).slice(0, 1);
}

/** `keysMax`: so many keys are named in one commit; absent: none. */
export function triggersOf(
  id: number,
  { name, key }: Extract<Definition, { kind: "table" }>,
  keysMax: number | undefined,
): string[] {
  return operations.map((operation, change) => {
    const count = `UPDATE _holdfast_watch SET ${operation}s = ${operation}s + 1 WHERE id = ${id};`;
    const isNamed = keysMax !== undefined && key.length > 0 && key.length <= keyColumnsMax;
    const named = isNamed ? naming({ id, change, key, keysMax }) : "";
    const trigger = `_holdfast_watch_${id}_${operation}`;
    return `CREATE TEMP TRIGGER ${trigger} AFTER ${operation.toUpperCase()} ON main.${quoted(name)} BEGIN ${count}${named} END`;
  });
}

interface Naming {
  readonly id: number;
  readonly change: number;
  readonly key: readonly string[];
  readonly keysMax: number;
}

/** One row for each value of the key; of an update that has changed it, behind them the values before. */
function naming({ id, change, key, keysMax }: Naming): string {
  const isUpdate = operations[change] === "update";
  const row = operations[change] === "delete" ? "old" : "new";
  const values = key.map((column) => `${row}.${quoted(column)}`);
  const before = isUpdate ? key.map((column) => `old.${quoted(column)}`) : [];
  const room = `(SELECT inserts + updates + deletes FROM _holdfast_watch WHERE id = ${id}) <= ${keysMax}`;
  const short = [...values, ...before].map((value) => `ifnull(length(${value}) <= ${keyLengthMax}, 1)`);
  const test = [room, ...short].join(" AND ");
  const rows = values.map((value, place) => `${id}, ${change}, ${place}, ${value}`);
  const differs = before.map((value, place) => `${value} IS NOT ${values[place]}`).join(" OR ");
  const rowsBefore = before.map((value, place) => `${id}, ${change}, ${-1 - place}, ${value}`);
  const insert = (cells: string, where: string) =>
    `INSERT INTO _holdfast_watch_keys (id, change, place, value) SELECT ${cells} WHERE ${where};`;
  const all = [
    ...rows.map((cells) => insert(cells, test)),
    ...rowsBefore.map((cells) => insert(cells, `(${differs}) AND ${test}`)),
  ];
  return all.join(" ");
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
