/**
 * The rows of one statement as finished messages, as many as there is credit for.
 *
 *   new ──open──► reading ◄──► full (a message is finished and waits for credit) ──► over
 *
 * In memory are one message and the row that did not fit into it; SQLite has the place of the next row. A message is
 * finished when it is full, when the rows come slowly, or with the last row.
 */
import { type BoundValue, type Encoding, RowChunks } from "../../protocol/index.js";
import type { Database, Statement } from "../../sqlite/index.js";
import { type Limits, type Refusal, refuse } from "../../terms/index.js";
import type { BoundStatement } from "../statement/plan.js";

/** Rows that come slowly are not kept for longer than this (ms). */
const keptMsMax = 20;
/** The first message is small, so that the first rows are soon there; each may be twice as large as the one before. */
const firstBytesMax = 16 * 1024;
/**
 * Looking at the clock costs a tenth of a small row: it is done for the first ones, and then every so many. Rows that
 * become slow between two looks wait for each other, and the statement's time runs meanwhile.
 */
const looksEvery = 4;

export interface RowStreamOptions {
  readonly database: Database;
  readonly bound: BoundStatement;
  readonly encoding: Encoding;
  readonly stream: number;
  /** The credit that was given at first: a message that is larger goes when it is all there. */
  readonly windowBytes: number;
  readonly limits: Limits;
}

/** `waits`: for more credit than there is. */
export type Step =
  | { readonly kind: "rows"; readonly message: Buffer }
  | { readonly kind: "waits" }
  | { readonly kind: "over" };

export class RowStream {
  readonly #options: RowStreamOptions;
  readonly #statement: Statement;
  readonly #chunks: RowChunks;
  #messageBytesMax: number;
  #rows: Iterator<unknown> | undefined;
  /** The first row, which was read to know the columns. */
  #first: unknown;
  #full = false;
  #sent = 0;

  /** Throws what SQLite says of the text. */
  constructor(options: RowStreamOptions) {
    this.#options = options;
    const { database, bound, encoding, stream, windowBytes, limits } = options;
    // Not from the cache: one that is being read from cannot be run by others.
    const statement = database.prepare<unknown[]>(bound.statement.text).safeIntegers(true);
    this.#statement = statement.reader ? statement.raw(true) : statement;
    this.#chunks = new RowChunks(encoding, stream);
    this.#messageBytesMax = Math.min(limits.chunkBytesMax, windowBytes, firstBytesMax);
  }

  /** Runs the statement to its first row, and gives the names of its columns as they are now (rule 16). Throws as SQLite does. */
  open(): string[] {
    if (!this.#statement.reader) {
      this.#statement.run(...this.#options.bound.values);
      return [];
    }
    this.#rows = this.#statement.iterate(...this.#options.bound.values);
    const { value, done } = this.#rows.next();
    if (done === true) this.#rows = undefined;
    else this.#first = value;
    return this.#statement.columns().map(({ name }) => name);
  }

  /** How many rows were sent. */
  get sent(): number {
    return this.#sent;
  }

  /** Throws as SQLite does. */
  next(credit: number): Step | Refusal {
    if (!this.#full) this.#fill();
    const { count, bytes } = this.#chunks;
    if (count === 0) return { kind: "over" };
    const { resultBytesMax } = this.#options.limits;
    if (count === 1 && bytes > resultBytesMax) return rowTooLarge(resultBytesMax);
    if (bytes > credit && credit < this.#options.windowBytes) return { kind: "waits" };
    this.#sent += count;
    this.#full = false;
    const { limits, windowBytes } = this.#options;
    this.#messageBytesMax = Math.min(limits.chunkBytesMax, windowBytes, this.#messageBytesMax * 2);
    return { kind: "rows", message: this.#chunks.take() };
  }

  close(): void {
    this.#rows?.return?.();
    this.#rows = undefined;
  }

  #fill(): void {
    const since = performance.now();
    for (let looks = 0; this.#rows !== undefined; looks++) {
      if (this.#chunks.count > 0 && (looks < looksEvery || looks % looksEvery === 0))
        if (performance.now() - since > keptMsMax) break;
      const row = this.#nextRow();
      if (row === undefined) break;
      if (!this.#chunks.add(row, this.#messageBytesMax)) break;
    }
    this.#full = this.#chunks.count > 0;
  }

  #nextRow(): readonly BoundValue[] | undefined {
    const first = this.#first;
    if (first !== undefined) {
      this.#first = undefined;
      return first as readonly BoundValue[];
    }
    const { value, done } = (this.#rows as Iterator<unknown>).next();
    if (done !== true) return value as readonly BoundValue[];
    this.#rows = undefined;
    return undefined;
  }
}

function rowTooLarge(resultBytesMax: number): Refusal {
  return refuse("RESULT_TOO_LARGE", `a row has more than ${resultBytesMax} bytes`, { limit: "resultBytesMax" });
}
