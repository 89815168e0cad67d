/**
 * Prepared statements, kept by text. SQLite prepares them anew by itself when the schema has changed; what must not be
 * kept beside them is anything learned from an earlier run, the names of the columns above all.
 */
import type { Database, Statement } from "./open.js";

export class StatementCache {
  readonly #database: Database;
  readonly #entriesMax: number;
  readonly #textUnitsMax: number;
  /** In order of last use: a Map keeps the order of insertion, and what is used is inserted anew. */
  readonly #statements = new Map<string, Statement>();
  #last: { readonly sql: string; readonly statement: Statement } | undefined;

  /** A text of more than `textUnitsMax` UTF-16 units is prepared for one use. */
  constructor(database: Database, entriesMax = 512, textUnitsMax = 8192) {
    this.#database = database;
    this.#entriesMax = entriesMax;
    this.#textUnitsMax = textUnitsMax;
  }

  /** Rows come as arrays, INTEGERs as bigint. Throws what SQLite says of the text. */
  get(sql: string): Statement {
    if (this.#last?.sql === sql) return this.#last.statement;
    const known = this.#statements.get(sql);
    if (known !== undefined) this.#statements.delete(sql);
    const statement = known ?? this.#prepare(sql);
    if (sql.length > this.#textUnitsMax) return statement;
    this.#statements.set(sql, statement);
    this.#last = { sql, statement };
    if (this.#statements.size > this.#entriesMax) this.#dropOldest();
    return statement;
  }

  clear(): void {
    this.#statements.clear();
    this.#last = undefined;
  }

  #prepare(sql: string): Statement {
    const statement = this.#database.prepare<unknown[]>(sql).safeIntegers(true);
    return statement.reader ? statement.raw(true) : statement;
  }

  #dropOldest(): void {
    for (const sql of this.#statements.keys()) {
      this.#statements.delete(sql);
      return;
    }
  }
}
