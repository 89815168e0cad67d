/** What is committed to tables, as the program takes it: one change after the other, and gaps where some are not known. */
import type { TableChangeRow, WireValue } from "../protocol/index.js";
import { HoldfastError, type Refusal } from "../terms/index.js";
import type { ChangeCursor, TableEffect } from "./conversation/index.js";
import { type Driver, TableSubscription } from "./driver.js";
import { checkOptions, type KnownOptions } from "./known-options.js";
import { onAbort } from "./on-abort.js";
import { cells, type Spelling, type Value } from "./values.js";

export interface TableWatchOptions {
  /** Whether the keys of the changed rows are wanted. They cost each write a little; at most 1,000 a commit are named. */
  readonly keys?: boolean | undefined;
  /** Goes on after this: the `cursor` of the last news that the program has done with. */
  readonly after?: string | undefined;
  /** Ends it; the loop throws the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** A row whose key is named. */
export interface ChangedRow {
  readonly change: "insert" | "update" | "delete";
  /** The values of the table's primary key, in its order; of a table without one, the rowid. */
  readonly key: readonly Exclude<Value, ArrayBuffer>[];
  /** The key before, when an update has changed it. */
  readonly was?: readonly Exclude<Value, ArrayBuffer>[];
}

/** What one commit has done to one table. */
export interface TableChange {
  readonly gap: false;
  /** As the program has spelled it. */
  readonly table: string;
  /** The number of the commit: rises. */
  readonly seq: number;
  readonly inserts: number;
  readonly updates: number;
  /** Without rows that REPLACE has removed. */
  readonly deletes: number;
  /** What became of the table itself; rows that came or went with it are not counted. */
  readonly schema?: "created" | "changed" | "dropped";
  /** With the option `keys`: which rows, in order, the same once. */
  readonly keys?: readonly ChangedRow[];
  /** More rows have changed than `keys` names. */
  readonly keysCut: boolean;
  /** For `after`: everything up to here is done with. */
  readonly cursor: string;
}

/** What was committed before it is not all known: read anew what you show. */
export interface ChangesGap {
  readonly gap: true;
  readonly seq: number;
  readonly cursor: string;
}

export type TableNews = TableChange | ChangesGap;

export interface TableChangesParts {
  readonly driver: Driver;
  readonly spelling: Spelling;
}

const watchOptions: KnownOptions<TableWatchOptions> = { keys: true, after: true, signal: true };

/** So many wait for the program to take them; then they are dropped and a gap is told. */
const waitingMax = 10_000;
/** The same for the memory that their keys take: 1,000 keys of a commit are about 125 KB, those of 10,000 commits 1.2 GB. */
const keyBytesMax = 64 * 1024 * 1024;
/** A named row in memory, without its texts and blobs (measured: 100 to 140 bytes; Node 20, 2026-11). */
const namedRowBytes = 128;

/** As it came: of a key that cannot be read the program is to hear in its loop. */
interface Untaken {
  /** Undefined: a gap. */
  readonly row: TableChangeRow | undefined;
  readonly cursor: ChangeCursor;
  readonly keyBytes: number;
}

/**
 * An async iterable, to be read once. Begins at once, not with the first `next`: what is committed after `opened` has
 * resolved will be told. Leaving the loop ends it; so do `return()`, `await using` and the signal.
 *
 * @example for await (const news of broker.watch(["job"])) console.log(news);
 */
export class TableChanges implements AsyncIterableIterator<TableNews> {
  /** Resolves when the tables are watched, with those of them that do not exist. Rejects as `next` does. */
  readonly opened: Promise<{ readonly absent: readonly string[] }>;
  readonly #parts: TableChangesParts;
  readonly #subscription: TableSubscription;
  readonly #signal: AbortSignal | undefined;
  #news: Untaken[] = [];
  /** Of all that is not taken yet. */
  #keyBytes = 0;
  /** Of what is not taken yet, the last. */
  #cursor: ChangeCursor | undefined;
  #over = false;
  #refusal: Refusal | undefined;
  #open!: (found: { readonly absent: readonly string[] }) => void;
  #fail!: (why: unknown) => void;
  readonly #waits: (() => void)[] = [];
  readonly #stopListening: () => void;

  /** @internal */
  constructor(parts: TableChangesParts, tables: readonly string[], options: TableWatchOptions) {
    checkOptions("watch", options, watchOptions);
    const { keys = false, after, signal } = options;
    signal?.throwIfAborted();
    this.#parts = parts;
    this.#signal = signal;
    this.opened = new Promise((resolve, reject) => {
      this.#open = resolve;
      this.#fail = reject;
    });
    // Who only loops hears of it there.
    this.opened.catch(() => undefined);
    const filter = { tables, keys, after: after === undefined ? undefined : readCursor(after) };
    this.#subscription = new TableSubscription(filter, {
      onNews: (news) => this.#hear(news),
      onEnd: (refusal) => this.#ends(refusal),
    });
    this.#stopListening = onAbort(signal, () => this.#close());
    parts.driver.watch(this.#subscription);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /**
   * The next news. Throws what the watch is refused for, the signal's reason, CLOSED; MISUSE, which ends the watch, when a
   * key is beyond 2^53 and `integers` is "number".
   */
  async next(): Promise<IteratorResult<TableNews>> {
    for (;;) {
      const untaken = this.#news.shift();
      if (untaken !== undefined) return { value: this.#taken(untaken), done: false };
      this.#signal?.throwIfAborted();
      if (this.#refusal !== undefined) throw HoldfastError.from(this.#refusal);
      if (this.#over) return { value: undefined, done: true };
      await new Promise<void>((go) => this.#waits.push(go));
    }
  }

  /** Ends it: what was not taken is dropped. */
  return(): Promise<IteratorResult<TableNews>> {
    this.#close();
    return Promise.resolve({ value: undefined, done: true });
  }

  /** `await using changes = broker.watch(…)` ends it with the block. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  #taken({ row, cursor, keyBytes }: Untaken): TableNews {
    this.#keyBytes -= keyBytes;
    if (row === undefined) return { gap: true, seq: cursor.seq, cursor: cursorText(cursor) };
    try {
      return this.#changeOf(row, cursor);
    } catch (error) {
      this.#close();
      throw error;
    }
  }

  #changeOf(row: TableChangeRow, cursor: ChangeCursor): TableChange {
    const { keys, keysCut = false, seq, table, inserts, updates, deletes, schema } = row;
    const { integers } = this.#parts.spelling;
    const named = keys?.map(({ change, key, was }) => ({
      ...{ change, key: cells(key, integers) },
      ...(was === undefined ? {} : { was: cells(was, integers) }),
    }));
    return {
      ...{ gap: false, table, seq, inserts, updates, deletes },
      ...(schema === undefined ? {} : { schema }),
      ...(named === undefined ? {} : { keys: named }),
      ...{ keysCut, cursor: cursorText(cursor) },
    };
  }

  #hear(effect: TableEffect): void {
    if (this.#over) return;
    switch (effect.kind) {
      case "tables-watched":
        this.#cursor ??= this.#subscription.after;
        return this.#open({ absent: effect.absent });
      case "tables-gap":
        return this.#push([gapAt(effect.at)], effect.at);
      case "tables-changed":
        return this.#changed(effect);
    }
  }

  #changed({ source, changes }: Extract<TableEffect, { kind: "tables-changed" }>): void {
    const rows = changes as readonly unknown[] as readonly TableChangeRow[];
    const news = rows.map((row, at) => {
      // The last of a commit's tables is done with it; before, only the commit before is.
      const complete = rows[at + 1]?.seq !== row.seq;
      const last = { seq: row.seq, source };
      const before = this.#cursor ?? last;
      if (complete) this.#cursor = last;
      return { row, cursor: complete ? last : before, keyBytes: keyBytesOf(row) };
    });
    this.#push(news, { seq: rows.at(-1)?.seq ?? 0, source });
  }

  #push(news: readonly Untaken[], last: ChangeCursor): void {
    this.#cursor = last;
    // One by one: what was missed in a while may be more than a call takes as arguments.
    for (const one of news) {
      this.#news.push(one);
      this.#keyBytes += one.keyBytes;
    }
    if (this.#news.length > waitingMax || this.#keyBytes > keyBytesMax) {
      this.#news = [gapAt(last)];
      this.#keyBytes = 0;
    }
    this.#wake();
  }

  #ends(refusal: Refusal | undefined): void {
    if (this.#over) return;
    this.#over = true;
    this.#refusal = refusal;
    this.#stopListening();
    const why = refusal === undefined ? this.#signal?.reason : HoldfastError.from(refusal);
    this.#fail(why ?? new HoldfastError("CLOSED", "the watch was ended before it began"));
    this.#wake();
  }

  #close(): void {
    if (this.#over) return;
    this.#ends(undefined);
    this.#news = [];
    this.#keyBytes = 0;
    this.#parts.driver.unwatch(this.#subscription);
  }

  #wake(): void {
    for (const go of this.#waits.splice(0)) go();
  }
}

function gapAt(cursor: ChangeCursor): Untaken {
  return { row: undefined, cursor, keyBytes: 0 };
}

const noCells: readonly WireValue[] = [];

/** About so much memory: of texts the units, of marked values their text. */
function keyBytesOf({ keys }: TableChangeRow): number {
  if (keys === undefined) return 0;
  let bytes = keys.length * namedRowBytes;
  for (const { key, was = noCells } of keys) {
    for (const cell of key) bytes += cellBytes(cell);
    for (const cell of was) bytes += cellBytes(cell);
  }
  return bytes;
}

function cellBytes(cell: WireValue): number {
  if (typeof cell === "string" || cell instanceof Uint8Array) return cell.length;
  if (typeof cell !== "object" || cell === null) return 0;
  return "$blob" in cell ? cell.$blob.length : 0;
}

function cursorText({ source, seq }: ChangeCursor): string {
  return `${source}:${seq}`;
}

function readCursor(text: string): ChangeCursor {
  const match = /^(.+):([0-9]{1,16})$/.exec(text);
  if (match === null) throw new HoldfastError("MISUSE", `${JSON.stringify(text)} is not the cursor of a change`);
  return { source: match[1] as string, seq: Number(match[2]) };
}
