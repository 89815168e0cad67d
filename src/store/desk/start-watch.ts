/**
 * A writer that has its orders and does not come as far as the writer's lock: somebody has stopped it, or it hangs before
 * that. As long as it lives there is no other, and nobody here hears that another broker has taken the lock meanwhile and
 * will grant what is held here. It is ended in time for the next one to find that out.
 *
 * From the lock on, which its first note in the progress file shows, it may take what it takes: the log may be large and
 * the disk slow, and nobody else can have the lock.
 */
import type { WriterProgress } from "../../core/index.js";

/** Looks are counted, and not time: in which the front stands still, too. */
export const lookEveryMs = 1000;
/**
 * More than a writer tries for the lock (10 s), and so much less than the 30 s for which another broker grants nothing
 * that the next one can try as long.
 */
const looksMax = 12;

type Noted = Pick<WriterProgress, "since"> | undefined;

export class StartWatch {
  readonly #before: Noted;
  readonly #looksMax: number;
  #looks = 0;

  /**
   * @param before what the progress file said before the orders were given
   * @param deaths how many were started before it in vain: each has longer than the last, since a machine may be slow
   */
  constructor(before: Noted, deaths: number) {
    this.#before = before;
    this.#looksMax = looksMax * (deaths + 1);
  }

  /** It has loaded its code. */
  loaded(): void {
    this.#looks = 0;
  }

  /** Whether it hangs. */
  look(noted: Noted): boolean {
    if (noted?.since !== this.#before?.since) return false;
    return ++this.#looks >= this.#looksMax;
  }
}
