/**
 * The rows of one statement, as many as the program takes: a few messages are on the way, and no more are sent until it
 * has done with some of them.
 */
import type { StreamResult } from "../protocol/index.js";
import { HoldfastError, type Refusal } from "../terms/index.js";
import type { Driver, Question } from "./driver.js";
import { onAbort } from "./on-abort.js";
import { failure } from "./outcome.js";
import { type RowShape, rowReader, type Spelling } from "./values.js";

/** Bytes that may be on the way when the program says nothing: several messages of the broker's, so that none is waited for. */
export const creditStandard = 1024 * 1024;

export interface RowStreamParts {
  readonly driver: Driver;
  readonly spelling: Spelling;
  readonly question: Question;
  readonly credit: number;
  readonly shape: RowShape | undefined;
  readonly signal: AbortSignal | undefined;
}

interface Message {
  readonly rows: readonly unknown[];
  readonly bytes: number;
}

/**
 * An async iterable of rows, to be read once. Leaving the loop ends the stream; so do `return()`, `await using` and the
 * signal.
 *
 * @example for await (const row of broker.stream("select * from event")) console.log(row);
 */
export class RowStream<R> implements AsyncIterableIterator<R> {
  readonly #parts: RowStreamParts;
  /** Arrived and not begun. */
  readonly #messages: Message[] = [];
  #message: Message | undefined;
  /** Of the message that is being read. */
  #next = 0;
  #read: ((row: unknown) => R) | undefined;
  /** Bytes that the program has done with, and for which no credit was given yet. */
  #owed = 0;
  #state: "new" | "open" | "over" = "new";
  #opened: Promise<void> | undefined;
  /** Why it ended; undefined when it was complete or the program has closed it. */
  #refusal: Refusal | undefined;
  /** Why a row could not be read; then the stream is closed. */
  #unreadable: { readonly error: unknown } | undefined;
  readonly #waits: (() => void)[] = [];
  #stopListening: (() => void) | undefined;

  /** @internal */
  constructor(parts: RowStreamParts) {
    this.#parts = parts;
    const { question } = parts;
    question.onRows = (rows, bytes) => this.#arrived({ rows, bytes });
    question.onDone = (refusal) => this.#ends(refusal);
  }

  /** The names of the columns. Begins the stream, as the first `next` does. CLOSED when it was closed before it had any. */
  async columns(): Promise<string[]> {
    await this.#open();
    const result = this.#parts.question.result as StreamResult | undefined;
    if (result === undefined) throw new HoldfastError("CLOSED", "the stream was closed before it was open");
    return [...result.columns];
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /**
   * The next row. Throws what the statement is refused for, SNAPSHOT_ENDED, CONNECTION_LOST, the signal's reason; MISUSE,
   * which ends the stream, when a value is beyond 2^53 and `integers` is "number".
   */
  next(): Promise<IteratorResult<R>> {
    const row = this.#take();
    return row === undefined ? this.#waitForNext() : Promise.resolve(row);
  }

  /** Ends the stream: what is on its way is dropped. */
  return(): Promise<IteratorResult<R>> {
    this.#close();
    return Promise.resolve({ value: undefined, done: true });
  }

  /** `await using rows = broker.stream(…)` ends it with the block. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  async #waitForNext(): Promise<IteratorResult<R>> {
    await this.#open();
    for (;;) {
      const row = this.#take();
      if (row !== undefined) return row;
      if (this.#unreadable !== undefined) throw this.#unreadable.error;
      this.#parts.signal?.throwIfAborted();
      if (this.#state === "over") {
        if (this.#refusal === undefined) return { value: undefined, done: true };
        throw HoldfastError.from(this.#refusal);
      }
      await new Promise<void>((go) => this.#waits.push(go));
    }
  }

  #take(): IteratorResult<R> | undefined {
    const message = this.#message ?? this.#nextMessage();
    if (message === undefined || this.#read === undefined) return undefined;
    let value: R;
    try {
      value = this.#read(message.rows[this.#next++]);
    } catch (error) {
      this.#unreadable = { error };
      this.#close();
      return undefined;
    }
    if (this.#next >= message.rows.length) this.#doneWith(message);
    return { value, done: false };
  }

  #nextMessage(): Message | undefined {
    this.#next = 0;
    this.#message = this.#messages.shift();
    return this.#message;
  }

  /** Credit is given back when half of the window is owed, or nothing is left to read: a row may need all of it. */
  #doneWith({ bytes }: Message): void {
    this.#message = undefined;
    this.#owed += bytes;
    if (this.#messages.length > 0 && this.#owed < this.#parts.credit / 2) return;
    if (this.#state === "open") this.#parts.driver.credit(this.#parts.question, this.#owed);
    this.#owed = 0;
  }

  #open(): Promise<void> {
    this.#opened ??= this.#begin();
    return this.#opened;
  }

  async #begin(): Promise<void> {
    const { driver, question, signal, spelling, shape } = this.#parts;
    if (this.#state === "over") return;
    signal?.throwIfAborted();
    this.#stopListening = onAbort(signal, () => this.#close());
    this.#state = "open";
    await driver.ask(question);
    if (question.refusal === undefined) {
      this.#read = rowReader((question.result as StreamResult).columns, spelling, shape) as (row: unknown) => R;
      return;
    }
    // Closed by the program meanwhile: it does not hear why there are no rows.
    const closed = this.#isOver && signal?.aborted !== true;
    this.#ends(undefined);
    if (!closed) throw failure(question, signal);
  }

  get #isOver(): boolean {
    return this.#state === "over";
  }

  #arrived(message: Message): void {
    if (this.#state !== "open") return;
    this.#messages.push(message);
    this.#wake();
  }

  #ends(refusal: Refusal | undefined): void {
    if (this.#state === "over") return;
    this.#state = "over";
    this.#refusal = refusal;
    this.#stopListening?.();
    this.#wake();
  }

  #close(): void {
    const { driver, question } = this.#parts;
    const before = this.#state;
    this.#ends(undefined);
    this.#messages.length = 0;
    this.#message = undefined;
    if (before !== "open") return;
    // Asked and not answered, or open: one of the two finds it.
    driver.cancel(question);
    driver.closeStream(question);
  }

  #wake(): void {
    for (const go of this.#waits.splice(0)) go();
  }
}
