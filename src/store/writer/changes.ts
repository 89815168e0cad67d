/**
 * Runs statements that write and says what each has changed: how many rows, and the rowid of the row it inserted.
 *
 * SQLite knows the last rowid of a connection, and the connection is everybody's: after INSERT OR IGNORE that inserted
 * nothing, after an upsert that updated, or an INSERT into a table without rowids, it still names a stranger's row
 * (rule 16). So a rowid counts only if it differs from the one before. Where it does not, a statement that inserted the
 * same number again cannot be told from one that inserted none: the request is undone and run once more with a mark in
 * the place of the last rowid, and its text with the mark from then on, until the mark has long been needless.
 */
import type { Changes } from "../../protocol/index.js";
import type { Database, Statement, StatementCache } from "../../sqlite/index.js";
import { isRefusal, type Refusal } from "../../terms/index.js";
import type { BoundStatement } from "../statement/plan.js";
import { changesBody, finishRows, type ResultOptions, readRows } from "../statement/result.js";

export interface StatementResult {
  readonly body: Buffer;
  /** Of a statement without columns: all that its body says. */
  readonly changes: Changes | undefined;
}

/** Thrown to have the request undone and run again; after that its rowid is clear. */
export class RowidUnclear extends Error {}

/** The rowid of no row: the smallest integer of 64 bits. */
const markRowid = -(2n ** 63n);
const textsMax = 4096;
const keptTextUnitsMax = 8192;
/** So often in a row the mark must have made no difference before a text runs without it: it costs 2.5 µs. */
const needlessMax = 64;

export class ChangeRunner {
  readonly #cache: StatementCache;
  readonly #said: Statement;
  readonly #mark: readonly Statement[];
  /** Texts whose rowid was unclear, and how often the mark was needless since. */
  readonly #unclear = new Map<string, number>();
  /** What stood where the mark is. */
  #beforeMark = markRowid;
  #last: bigint;

  constructor(database: Database, cache: StatementCache) {
    this.#cache = cache;
    this.#said = database.prepare<unknown[]>("SELECT changes(), last_insert_rowid()").raw(true).safeIntegers(true);
    this.#mark = [
      "SAVEPOINT _holdfast_rowid",
      `INSERT INTO _holdfast_meta (id, version, epoch, seq, incarnation, tokens_to, replies_bytes) VALUES (${markRowid}, 0, 0, 0, '', 0, 0)`,
      "ROLLBACK TO _holdfast_rowid",
      "RELEASE _holdfast_rowid",
    ].map((sql) => database.prepare<unknown[]>(sql));
    this.#last = markRowid;
    // The connection's own start write has inserted a row as well. Rolled back as a whole: a savepoint alone would commit.
    database.exec("BEGIN");
    this.#setMark();
    database.exec("ROLLBACK");
  }

  /**
   * Throws what SQLite throws, and RowidUnclear. `masked`: whether the last rowid may be replaced before this statement;
   * not where the request itself asks for it.
   */
  run({ statement, values }: BoundStatement, options: ResultOptions, masked: boolean): StatementResult | Refusal {
    const prepared = this.#cache.get(statement.text);
    const inserts = statement.verb === "INSERT" || statement.verb === "REPLACE";
    const marked = inserts && masked && this.#isUnclear(statement.text);
    if (marked) this.#setMark();
    const before = this.#last;
    if (!prepared.reader) {
      const { changes, lastInsertRowid } = this.#known(() => prepared.run(...values));
      this.#last = lastInsertRowid as bigint;
      const changed = isChange(statement.verb) ? changes : 0;
      const rowid = inserts && changed > 0 ? this.#inserted(statement.text, before, { marked, masked }) : null;
      const counted = counts(changed, rowid, options);
      return { body: changesBody(counted, options.encoding), changes: counted };
    }
    const rows = this.#known(() => readRows(prepared, values, options));
    const [changes, last] = this.#said.get() as [bigint, bigint];
    this.#last = last;
    if (isRefusal(rows)) return rows;
    const changed = isChange(statement.verb) ? Number(changes) : 0;
    const rowid = inserts && changed > 0 ? this.#inserted(statement.text, before, { marked, masked }) : null;
    const body = finishRows(prepared, rows, counts(changed, rowid, options));
    return isRefusal(body) ? body : { body, changes: undefined };
  }

  /** A statement that fails in its middle has inserted rows before; they are undone, and the last of them stays the last rowid. */
  #known<T>(run: () => T): T {
    try {
      return run();
    } catch (error) {
      [, this.#last] = this.#said.get() as [bigint, bigint];
      throw error;
    }
  }

  #inserted(text: string, before: bigint, { marked, masked }: { marked: boolean; masked: boolean }): bigint | null {
    if (marked) this.#weighMark(text);
    if (this.#last !== before) return this.#last;
    if (marked) return null;
    // Where the mark would be seen, SQLite's own word must do.
    if (!masked) return this.#last;
    if (this.#unclear.size >= textsMax) this.#unclear.clear();
    this.#unclear.set(text, 0);
    throw new RowidUnclear();
  }

  /** Long texts are not remembered, so they always run with the mark. */
  #isUnclear(text: string): boolean {
    return text.length > keptTextUnitsMax || this.#unclear.has(text);
  }

  #weighMark(text: string): void {
    const needless = this.#last !== markRowid && this.#last !== this.#beforeMark;
    const times = needless ? (this.#unclear.get(text) ?? 0) + 1 : 0;
    if (times > needlessMax) this.#unclear.delete(text);
    else if (text.length <= keptTextUnitsMax) this.#unclear.set(text, times);
  }

  #setMark(): void {
    this.#beforeMark = this.#last;
    for (const statement of this.#mark) statement.run();
    this.#last = markRowid;
  }
}

function counts(rowsAffected: number, lastInsertRowid: bigint | null, { position }: ResultOptions): Changes {
  return position === undefined ? { rowsAffected, lastInsertRowid } : { rowsAffected, lastInsertRowid, position };
}

function isChange(verb: string): boolean {
  return verb === "INSERT" || verb === "REPLACE" || verb === "UPDATE" || verb === "DELETE";
}
