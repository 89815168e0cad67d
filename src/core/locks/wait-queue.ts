/**
 * Who waits for one name, in order of arrival. Leaving from the middle costs the same as from the head, however long
 * the queue; those whose client is away keep their place and are passed over (rules 8 to 11 of the lock service).
 */
import type { Waiter } from "./lock.js";

export class WaitQueue {
  #head: Waiter | undefined;
  #tail: Waiter | undefined;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(waiter: Waiter): void {
    waiter.ahead = this.#tail;
    waiter.behind = undefined;
    if (this.#tail === undefined) this.#head = waiter;
    else this.#tail.behind = waiter;
    this.#tail = waiter;
    this.#length++;
  }

  remove(waiter: Waiter): void {
    if (waiter.ahead === undefined) this.#head = waiter.behind;
    else waiter.ahead.behind = waiter.behind;
    if (waiter.behind === undefined) this.#tail = waiter.ahead;
    else waiter.behind.ahead = waiter.ahead;
    waiter.ahead = undefined;
    waiter.behind = undefined;
    this.#length--;
  }

  /** The first that `there` accepts. */
  first(there: (waiter: Waiter) => boolean): Waiter | undefined {
    let waiter = this.#head;
    while (waiter !== undefined && !there(waiter)) waiter = waiter.behind;
    return waiter;
  }

  *[Symbol.iterator](): Iterator<Waiter> {
    for (let waiter = this.#head; waiter !== undefined; ) {
      const next: Waiter | undefined = waiter.behind;
      yield waiter;
      waiter = next;
    }
  }

  check(): void {
    let counted = 0;
    let arrival = -1;
    for (const waiter of this) {
      counted++;
      if (waiter.arrival <= arrival) throw new Error("wait queue: not in order of arrival");
      arrival = waiter.arrival;
    }
    if (counted !== this.#length) throw new Error("wait queue: the count is wrong");
  }
}
