/**
 * What each commit changes in the tables that are watched. SQLite counts itself, by triggers of this connection alone
 * (TEMP) that write into tables of this connection alone: whatever takes a change back, a savepoint, a statement that
 * fails, a COMMIT that fails, takes the count back with it. What is asked for just before COMMIT is what is committed.
 *
 * The triggers and their tables exist only while somebody watches. A trigger does not show in changes() and
 * last_insert_rowid() of the statement that fires it. Rows that REPLACE removes fire no trigger, and changes by another
 * process none of ours (https://sqlite.org/lang_createtrigger.html, lang_replace.html).
 */
import type { ChangedKey, ChangedTable } from "../../core/index.js";
import { type BoundValue, wireOfBound } from "../../protocol/index.js";
import { type Database, isSqliteFailure, primaryCode, type Statement } from "../../sqlite/index.js";
import type { WatchedTable } from "../pipe/messages.js";
import { type Definition, definitionOf, textsIn, triggerNames, triggersIn, triggersOf } from "./watch-sql.js";

interface Entry {
  readonly id: number;
  readonly table: string;
  keys: boolean;
  /** Why SQLite let no trigger hang on it when it was tried last; counts where none does. */
  barred: string | undefined;
}

/** What there is to be said of tables that are watched from now on. */
export interface WatchStanding {
  /** Tables that do not exist. */
  readonly absent: readonly string[];
  /** What has that name and cannot be watched. */
  readonly wrong: readonly { readonly table: string; readonly what: string }[];
}

interface Tools {
  readonly counted: Statement;
  readonly keyed: Statement;
  readonly reset: Statement;
  readonly forget: Statement;
  readonly seen: Statement;
  readonly definitions: Statement;
}

/** What the keys of one table in one commit may take as JSON; beyond it they are cut. */
export const keysBytesMax = 64 * 1024;

/** Without rowid: a row of ours must not show as the last that was inserted (rule 16). */
const createCounts = `CREATE TEMP TABLE _holdfast_watch (
  id INTEGER NOT NULL PRIMARY KEY,
  inserts INTEGER NOT NULL DEFAULT 0,
  updates INTEGER NOT NULL DEFAULT 0,
  deletes INTEGER NOT NULL DEFAULT 0,
  definition TEXT,
  existed INTEGER NOT NULL,
  redefined INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID`;
/** One row for each value of a key; `place` is negative for the key before an update. */
const createKeys = `CREATE TEMP TABLE _holdfast_watch_keys (
  n INTEGER PRIMARY KEY,
  id INTEGER NOT NULL,
  change INTEGER NOT NULL,
  place INTEGER NOT NULL,
  value
)`;

export class WatchTriggers {
  readonly #database: Database;
  readonly #keysMax: number;
  readonly #entries = new Map<string, Entry>();
  #tools: Tools | undefined;
  #lastId = 0;

  constructor(database: Database, keysMax: number) {
    this.#database = database;
    this.#keysMax = keysMax;
  }

  /** Somebody watches something. */
  get active(): boolean {
    return this.#tools !== undefined;
  }

  /** Watches these tables from now on, and those no more: all of it or, when it throws, as before. Between transactions. */
  change(tables: readonly WatchedTable[], dropped: readonly string[]): WatchStanding {
    const before = { tools: this.#tools, entries: [...this.#entries.values()].map((entry) => ({ ...entry })) };
    this.#database.exec("BEGIN");
    try {
      const standing = this.#change(tables, dropped);
      this.#database.exec("COMMIT");
      return standing;
    } catch (error) {
      if (this.#database.inTransaction) this.#database.exec("ROLLBACK");
      this.#tools = before.tools;
      this.#entries.clear();
      for (const entry of before.entries) this.#entries.set(entry.table, entry);
      throw error;
    }
  }

  /** ALTER rewrites what hangs on a table and refuses what it cannot: nothing of ours is to be in its way. */
  beforeAlter(): void {
    for (const entry of this.#entries.values()) this.#unhang(entry);
  }

  /** In the transaction: a statement may have made, changed or dropped a table that is watched. */
  schemaChanged(): void {
    if (this.#tools === undefined) return;
    // Looked at for all at once: one by one it took half a second with 900 tables.
    const texts = textsIn(this.#database);
    const hung = triggersIn(this.#database);
    const seen = new Map(this.#tools.definitions.all() as [id: number, text: string | null][]);
    for (const entry of this.#entries.values()) {
      const text = texts.get(entry.table) ?? null;
      const same = seen.get(entry.id) === text;
      const [trigger = ""] = triggerNames(entry.id);
      if (same && (text === null || hung.has(trigger))) continue;
      if (!same) this.#tools.seen.run(text, 1, entry.id);
      this.#hang(entry, this.#definition(entry));
    }
  }

  /** In the transaction, just before its COMMIT: what it has changed. */
  take(): ChangedTable[] {
    const tools = this.#tools;
    if (tools === undefined) return [];
    const rows = tools.counted.all() as Counted[];
    if (rows.length === 0) return [];
    const names = new Map([...this.#entries.values()].map((entry) => [entry.id, entry]));
    const changes = rows.map((row) => this.#changeOf(row, names.get(row[0]) as Entry));
    tools.reset.run();
    tools.forget.run();
    return changes.filter((change): change is ChangedTable => change !== undefined);
  }

  // ── one commit ────────────────────────────────────────────────────────────────────────────────────────────────────

  #changeOf([id, inserts, updates, deletes, exists, existed, redefined]: Counted, entry: Entry) {
    const schema = redefined === 0 ? undefined : schemaChange(existed === 1, exists === 1);
    if (inserts + updates + deletes === 0 && schema === undefined) return undefined;
    const counts = { table: entry.table, inserts, updates, deletes, ...(schema === undefined ? {} : { schema }) };
    return entry.keys ? { ...counts, ...this.#keysOf(id, inserts + updates + deletes) } : counts;
  }

  #keysOf(id: number, rows: number): { keys: ChangedKey[]; keysCut?: boolean } {
    const found = keysIn(this.#tool.keyed.all(id) as KeyCell[]);
    const keys: ChangedKey[] = [];
    const known = new Set<string>();
    let bytes = 0;
    let cut = found.length < rows;
    for (const key of found) {
      const text = JSON.stringify(key);
      if (known.has(text)) continue;
      known.add(text);
      bytes += text.length;
      if (bytes > keysBytesMax) {
        cut = true;
        break;
      }
      keys.push(key);
    }
    return cut ? { keys, keysCut: true } : { keys };
  }

  // ── the tables ────────────────────────────────────────────────────────────────────────────────────────────────────

  get #tool(): Tools {
    if (this.#tools === undefined) throw new Error("watches: asked for what nobody watches");
    return this.#tools;
  }

  #change(tables: readonly WatchedTable[], dropped: readonly string[]): WatchStanding {
    const absent: string[] = [];
    const wrong: { table: string; what: string }[] = [];
    for (const table of dropped) this.#drop(table);
    for (const { table, keys } of tables) {
      const { definition, barred } = this.#want(table, keys);
      if (definition.kind === "none") absent.push(table);
      else if (definition.kind === "other") wrong.push({ table, what: definition.what });
      else if (barred !== undefined) wrong.push({ table, what: `a table that SQLite tells nothing of (${barred})` });
    }
    if (this.#entries.size === 0) this.#stop();
    return { absent, wrong };
  }

  #start(): Tools {
    const database = this.#database;
    database.exec(createCounts);
    database.exec(createKeys);
    const raw = (sql: string): Statement => database.prepare<unknown[]>(sql).raw(true);
    return {
      counted: raw(
        `SELECT id, inserts, updates, deletes, definition IS NOT NULL, existed, redefined FROM temp._holdfast_watch
         WHERE inserts + updates + deletes + redefined > 0`,
      ),
      keyed: raw("SELECT change, place, value FROM temp._holdfast_watch_keys WHERE id = ? ORDER BY n").safeIntegers(
        true,
      ),
      reset: database.prepare(
        `UPDATE temp._holdfast_watch SET inserts = 0, updates = 0, deletes = 0, redefined = 0,
         existed = definition IS NOT NULL WHERE inserts + updates + deletes + redefined > 0`,
      ),
      forget: database.prepare("DELETE FROM temp._holdfast_watch_keys"),
      seen: database.prepare("UPDATE temp._holdfast_watch SET definition = ?, redefined = ? WHERE id = ?"),
      definitions: raw("SELECT id, definition FROM temp._holdfast_watch"),
    };
  }

  #stop(): void {
    if (this.#tools === undefined) return;
    this.#tools = undefined;
    this.#database.exec("DROP TABLE temp._holdfast_watch; DROP TABLE temp._holdfast_watch_keys");
  }

  #want(table: string, keys: boolean): { readonly definition: Definition; readonly barred: string | undefined } {
    this.#tools ??= this.#start();
    const known = this.#entries.get(table);
    const entry = known ?? { id: ++this.#lastId, table, keys, barred: undefined };
    const definition = this.#definition(entry);
    if (known === undefined) {
      this.#entries.set(table, entry);
      this.#database
        .prepare("INSERT INTO temp._holdfast_watch (id, definition, existed) VALUES (?, ?, ?)")
        .run(entry.id, textOf(definition), definition.kind === "table" ? 1 : 0);
    }
    entry.keys = keys;
    this.#hang(entry, definition);
    return { definition, barred: entry.barred };
  }

  #drop(table: string): void {
    const entry = this.#entries.get(table);
    if (entry === undefined) return;
    this.#unhang(entry);
    this.#entries.delete(entry.table);
    this.#database.prepare("DELETE FROM temp._holdfast_watch WHERE id = ?").run(entry.id);
  }

  /** Where SQLite allows none, as on what a virtual table keeps its things in, nobody else is to suffer by the wish. */
  #hang(entry: Entry, definition: Definition): void {
    this.#unhang(entry);
    entry.barred = undefined;
    if (definition.kind !== "table") return;
    try {
      for (const sql of triggersOf(entry.id, definition, entry.keys ? this.#keysMax : undefined))
        this.#database.exec(sql);
    } catch (error) {
      if (!isSqliteFailure(error) || primaryCode(error) !== "SQLITE_ERROR") throw error;
      this.#unhang(entry);
      entry.barred = error.message;
    }
  }

  #unhang({ id }: Entry): void {
    for (const name of triggerNames(id)) this.#database.exec(`DROP TRIGGER IF EXISTS temp.${name}`);
  }

  #definition({ table }: Entry): Definition {
    return definitionOf(this.#database, table);
  }
}

type Counted = [
  id: number,
  inserts: number,
  updates: number,
  deletes: number,
  exists: number,
  existed: number,
  redefined: number,
];
type KeyCell = [change: bigint, place: bigint, value: BoundValue];

const changes = ["insert", "update", "delete"] as const;

/** The values of each key lie behind each other; the first place begins the next one. */
function keysIn(cells: readonly KeyCell[]): ChangedKey[] {
  const keys: { change: ChangedKey["change"]; key: unknown[]; was?: unknown[] }[] = [];
  for (const [change, place, value] of cells) {
    if (place === 0n) keys.push({ change: changes[Number(change)] as ChangedKey["change"], key: [] });
    const last = keys.at(-1);
    if (last === undefined) throw new Error("watches: a key without beginning");
    const cell = wireOfBound(value, "json");
    if (place >= 0n) last.key.push(cell);
    else if (last.was === undefined) last.was = [cell];
    else last.was.push(cell);
  }
  return keys;
}

function schemaChange(existed: boolean, exists: boolean): ChangedTable["schema"] {
  if (!existed) return exists ? "created" : undefined;
  return exists ? "changed" : "dropped";
}

/** What of a definition makes it another one. Where a view or a virtual table has the name, there is no table. */
function textOf(definition: Definition): string | null {
  return definition.kind === "table" ? definition.text : null;
}
