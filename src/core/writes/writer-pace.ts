/**
 * How much the writer is to have in its hands. What it has is first in, first out, so whoever comes waits for all of it,
 * however fair the queues before it are; with less than two groups it would stand still between them.
 *
 * So: two groups of as many writes as it runs in `workMs`, or, where the disk takes longer than that for a sync, in the
 * time of a sync: then a group takes others at most twice the time that it takes by itself.
 */
import type { GroupTimes } from "../store-event.js";

/** With a flood beside a polite client: see the question about it in ARCHITECTURE.md. */
const workMs = 1;
const writesMin = 4;
/** What was measured counts for three quarters with the next group. */
const kept = 0.75;

export class WriterPace {
  #writes = 0;
  #ranMs = 0;
  #committedMs = 0;
  #groups = 0;

  /** So many writes were settled as one group. */
  settled(writes: number, { ranMs, committedMs }: GroupTimes): void {
    if (writes === 0 || !(ranMs > 0)) return;
    this.#writes = this.#writes * kept + writes;
    // One that has a group for itself shares no sync with others: each costs one.
    this.#ranMs = this.#ranMs * kept + ranMs + (writes === 1 ? committedMs : 0);
    this.#groups = this.#groups * kept + 1;
    this.#committedMs = this.#committedMs * kept + committedMs;
  }

  /** How many writes it is to have at most; without bound before anything is known. */
  get writesMax(): number {
    if (this.#groups === 0) return Number.POSITIVE_INFINITY;
    const groupMs = Math.max(workMs, this.#committedMs / this.#groups);
    return Math.max(writesMin, Math.ceil((2 * groupMs * this.#writes) / this.#ranMs));
  }
}
