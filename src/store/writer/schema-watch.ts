/** What must be known of the schema before writes may share a transaction; looked up when it may have changed. */
import type { Database, Statement } from "../../sqlite/index.js";
import { watchPrefix } from "./watch-sql.js";

export class SchemaWatch {
  readonly #texts: Statement;
  readonly #temp: Statement;
  readonly #version: Statement;
  #seenVersion: unknown;
  /** Rule 7: a constraint is checked at COMMIT only, so a neighbour's write could break it or mend it. */
  deferred = false;
  /** A trigger or a view asks for the last rowid, so nothing may be put in its place. */
  asksForRowid = false;

  constructor(database: Database) {
    const plucked = (sql: string): Statement => database.prepare<unknown[]>(sql).pluck();
    this.#texts = plucked(
      "SELECT sql FROM sqlite_schema WHERE sql LIKE '%deferred%' OR sql LIKE '%last_insert_rowid%'",
    );
    this.#temp = plucked(`SELECT name FROM temp.sqlite_schema WHERE name NOT LIKE '${watchPrefix}%' LIMIT 1`);
    this.#version = plucked("PRAGMA data_version");
    this.#seenVersion = this.#version.get();
    this.refresh();
  }

  refresh(): void {
    const texts = this.#texts.all() as string[];
    this.deferred = texts.some((sql) => /\bdeferred\b/i.test(sql));
    this.asksForRowid = texts.some((sql) => /last_insert_rowid/i.test(sql));
  }

  /** The name of something in the schema `temp`, where nothing may be but what watches (rule 16). */
  temporary(): string | undefined {
    return this.#temp.get() as string | undefined;
  }

  /** Whether another process has written to the database since this was last asked (rule 26). */
  changedFromOutside(): boolean {
    const version = this.#version.get();
    const changed = version !== this.#seenVersion;
    this.#seenVersion = version;
    return changed;
  }
}
