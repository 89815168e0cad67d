/**
 * Virtual time: what is to happen when, in order. Nothing happens but from here, one thing after the other, so the same
 * seed lives the same life.
 */
import { type Instant, instant } from "../../src/terms/index.js";

export interface Appointment {
  readonly at: number;
  /** Of two at the same instant, the one that was made first comes first. */
  readonly order: number;
  readonly go: () => void;
  off: boolean;
}

export class Agenda {
  #now = 10_000;
  #made = 0;
  #kept = 0;
  /** A binary heap. */
  readonly #heap: Appointment[] = [];

  get now(): Instant {
    return instant(this.#now);
  }

  /** How much has happened. */
  get kept(): number {
    return this.#kept;
  }

  after(ms: number, go: () => void): Appointment {
    return this.at(this.#now + ms, go);
  }

  at(at: number, go: () => void): Appointment {
    const made: Appointment = { at: Math.max(at, this.#now), order: this.#made++, go, off: false };
    this.#up(made);
    return made;
  }

  cancel(appointment: Appointment | undefined): void {
    if (appointment !== undefined) appointment.off = true;
  }

  /** When the next thing happens. */
  next(): number | undefined {
    while (this.#heap[0]?.off) this.#takeTop();
    return this.#heap[0]?.at;
  }

  /** Does the next thing, unless it lies beyond `end`. */
  step(end: number): boolean {
    const at = this.next();
    if (at === undefined || at > end) return false;
    const { go } = this.#takeTop();
    this.#now = at;
    this.#kept++;
    go();
    return true;
  }

  #takeTop(): Appointment {
    const [top] = this.#heap;
    const last = this.#heap.pop();
    if (top === undefined || last === undefined) throw new Error("the agenda is empty");
    if (this.#heap.length > 0) this.#down(last);
    return top;
  }

  #up(moving: Appointment): void {
    let place = this.#heap.length;
    this.#heap.push(moving);
    while (place > 0) {
      const above = (place - 1) >> 1;
      const parent = this.#heap[above] as Appointment;
      if (isBefore(parent, moving)) break;
      this.#heap[place] = parent;
      place = above;
    }
    this.#heap[place] = moving;
  }

  #down(moving: Appointment): void {
    const { length } = this.#heap;
    let place = 0;
    for (;;) {
      let below = 2 * place + 1;
      if (below >= length) break;
      const [left, right] = [this.#heap[below] as Appointment, this.#heap[below + 1]];
      if (right !== undefined && isBefore(right, left)) below++;
      const child = this.#heap[below] as Appointment;
      if (isBefore(moving, child)) break;
      this.#heap[place] = child;
      place = below;
    }
    this.#heap[place] = moving;
  }
}

function isBefore(a: Appointment, b: Appointment): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
