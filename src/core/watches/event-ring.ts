/** The last events, by their numbers, which follow each other without a gap as long as any are kept. */
import type { LockEvent } from "../turn.js";

export class EventRing {
  readonly #max: number;
  #events: LockEvent[] = [];
  /** Where the oldest is, once the ring is full. */
  #oldest = 0;

  constructor(max: number) {
    this.#max = max;
  }

  push(event: LockEvent): void {
    if (this.#max === 0) return;
    if (this.#events.length < this.#max) {
      this.#events.push(event);
      return;
    }
    this.#events[this.#oldest] = event;
    this.#oldest = (this.#oldest + 1) % this.#max;
  }

  clear(): void {
    this.#events = [];
    this.#oldest = 0;
  }

  /** All after number `n`, in order, when `last` is the number of the last that happened; absent if some are not kept. */
  after(n: number, last: number): LockEvent[] | undefined {
    if (n === last) return [];
    const first = this.#events[this.#oldest]?.n;
    if (first === undefined || n < first - 1 || n > last) return undefined;
    const skipped = n - (first - 1);
    return [...this.#events.slice(this.#oldest), ...this.#events.slice(0, this.#oldest)].slice(skipped);
  }

  check(): void {
    let before: number | undefined;
    for (let i = 0; i < this.#events.length; i++) {
      const event = this.#events[(this.#oldest + i) % this.#events.length];
      if (event === undefined || (before !== undefined && event.n !== before + 1))
        throw new Error("event ring: the numbers have a gap");
      before = event.n;
    }
  }
}
