/**
 * What happens at locks, as something to iterate over: first how things are, then each event in its order. After a lost
 * connection it goes on where it was, and where that cannot be it says so and shows how things are now.
 */
import type { LockEventRow, LockRow } from "../protocol/index.js";
import type { Refusal } from "../terms/index.js";
import type { WatchBegin, WatchFilter } from "./conversation/index.js";
import { type Driver, Subscription } from "./driver.js";
import { errorFrom } from "./lock-errors.js";
import { onAbort } from "./on-abort.js";

/** How things are, at the beginning and when events were missed. */
export interface LockSnapshot {
  readonly kind: "snapshot";
  readonly locks: readonly LockRow[];
  /** Something happened since the last event that nobody can tell any more. */
  readonly gap: boolean;
  /** Events with greater numbers follow. */
  readonly n: number;
}

export type LockNews = LockSnapshot | LockEventRow;

export interface WatchOptions {
  /** Ends the iteration, which throws the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** A program that reads so much too slowly is shown how things are instead. */
const eventsKeptMax = 10_000;

interface Turn<T> {
  readonly resolve: (result: IteratorResult<T, undefined>) => void;
  readonly reject: (reason: unknown) => void;
}

export interface FeedParts<T> extends WatchOptions {
  readonly driver: Driver;
  readonly filter: WatchFilter;
  /** What a piece of news becomes for the program; nothing, if it is none for it. `dropped`: what it was given last it may not have. */
  readonly digest: (news: LockNews, dropped: boolean) => readonly T[];
}

export class LockFeed<T> implements AsyncIterableIterator<T, undefined> {
  readonly #parts: FeedParts<T>;
  readonly #subscription: Subscription;
  #begun = false;
  /** Why there is nothing more; set once. */
  #stopListening: (() => void) | undefined;
  #end: { readonly error: unknown } | "done" | undefined;
  #items: T[] = [];
  readonly #waiting: Turn<T>[] = [];
  #missed = false;

  /** @internal */
  constructor(parts: FeedParts<T>) {
    this.#parts = parts;
    this.#subscription = new Subscription(parts.filter, {
      onBegin: (begin) => this.#began(begin),
      onEvents: (events) => this.#happened(events as unknown as readonly LockEventRow[]),
      onEnd: (refusal) => this.#refused(refusal),
    });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<T, undefined>> {
    this.#begin();
    const [item] = this.#items.splice(0, 1);
    if (item !== undefined) return Promise.resolve({ done: false, value: item });
    if (this.#end === "done") return Promise.resolve({ done: true, value: undefined });
    if (this.#end !== undefined) {
      const { error } = this.#end;
      this.#end = "done";
      return Promise.reject(error as Error);
    }
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  return(): Promise<IteratorResult<T, undefined>> {
    this.#finish("done");
    this.#items = [];
    return Promise.resolve({ done: true, value: undefined });
  }

  #begin(): void {
    if (this.#begun) return;
    this.#begun = true;
    const { driver, signal } = this.#parts;
    const aborted = () => this.#finish({ error: signal?.reason });
    if (signal?.aborted === true) return aborted();
    this.#stopListening = onAbort(signal, aborted);
    driver.watch(this.#subscription);
  }

  #began({ locks, upTo, gap }: WatchBegin): void {
    const dropped = this.#missed;
    this.#missed = false;
    this.#add([{ kind: "snapshot", locks: locks as readonly LockRow[], gap: gap || dropped, n: upTo }], dropped);
  }

  #happened(events: readonly LockEventRow[]): void {
    if (this.#items.length + events.length <= eventsKeptMax) return this.#add(events);
    this.#items = [];
    this.#missed = true;
    this.#parts.driver.watch(this.#subscription);
  }

  #add(news: readonly LockNews[], dropped = false): void {
    for (const one of news)
      for (const item of this.#parts.digest(one, dropped)) {
        const turn = this.#waiting.shift();
        if (turn === undefined) this.#items.push(item);
        else turn.resolve({ done: false, value: item });
      }
  }

  #refused(refusal: Refusal): void {
    this.#finish({ error: errorFrom(refusal) });
  }

  #finish(end: { readonly error: unknown } | "done"): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    const { driver } = this.#parts;
    this.#stopListening?.();
    if (this.#begun) driver.unwatch(this.#subscription);
    const [first, ...others] = this.#waiting.splice(0);
    if (first !== undefined && end !== "done") {
      this.#end = "done";
      first.reject(end.error);
    } else first?.resolve({ done: true, value: undefined });
    for (const { resolve } of others) resolve({ done: true, value: undefined });
  }
}
