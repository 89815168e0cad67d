/**
 * The request keys of one session, and how far all are answered.
 *
 * Two runs that both rise: writes from 1, lock requests from `lockKeysFrom`. A lock may be waited for a day, and the
 * acknowledgement says "everything below is answered": in one run such a wait would keep the broker from forgetting the
 * replies of all writes that come after it. So what is acknowledged speaks of writes only; the broker keeps the
 * outcomes of lock requests in a bounded list of its own.
 */

/** Beyond every write key that a session can reach, below 2^53 with room for both. */
export const lockKeysFrom = 2 ** 48;

export class RequestKeys {
  #nextWrite: number;
  #nextLock: number;
  #below: number;
  readonly #answeredAbove = new Set<number>();

  /** `skip`: how many keys of each run may have been used by an earlier program that spoke for this session. */
  constructor(skip = 0) {
    this.#nextWrite = 1 + skip;
    this.#nextLock = lockKeysFrom + skip;
    this.#below = this.#nextWrite;
  }

  /** All write keys below this one are answered. */
  get below(): number {
    return this.#below;
  }

  takeForWrite(): number {
    return this.#nextWrite++;
  }

  takeForLock(): number {
    return this.#nextLock++;
  }

  answered(key: number): void {
    if (key >= lockKeysFrom) return;
    if (key !== this.#below) {
      if (key > this.#below) this.#answeredAbove.add(key);
      return;
    }
    this.#below++;
    if (this.#answeredAbove.size === 0) return;
    while (this.#answeredAbove.delete(this.#below)) this.#below++;
  }

  check(): void {
    if (this.#below > this.#nextWrite) throw new Error("request keys: acknowledged beyond what was used");
    for (const key of this.#answeredAbove)
      if (key <= this.#below || key >= this.#nextWrite) throw new Error(`request keys: ${key} is wrongly kept`);
  }
}
