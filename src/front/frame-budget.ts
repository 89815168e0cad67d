/**
 * How much of large frames is taken in one turn, of all connections together. Each word of the SQL in them is looked at
 * while everybody waits, so what is too much for the turn waits for one of the next: in the order in which it came, one
 * connection after the other.
 */

/** Smaller frames are taken as they come; of one connection there are only so many in a turn (bytes). */
const largeBytes = 4096;
/** Of SQL that is nothing but one-letter words this takes some hundredth of a second. One frame is taken however large it is. */
const bytesATurn = 256 * 1024;

export class FrameBudget<One> {
  #taken = 0;
  /** Whose frame waits, in the order of that. */
  readonly #waiting = new Set<One>();

  /** Whether a frame of it goes into this turn. If not, it is told when it may come again. */
  takes(one: One, bytes: number): boolean {
    if (bytes < largeBytes) return true;
    if (this.#taken >= bytesATurn) {
      this.#waiting.add(one);
      return false;
    }
    this.#taken += bytes;
    return true;
  }

  gone(one: One): void {
    this.#waiting.delete(one);
  }

  /** A turn is over: those who wait come again, as many as the next one has room for. */
  turned(comesAgain: (one: One) => void): void {
    this.#taken = 0;
    for (const one of this.#waiting) {
      if (this.#taken >= bytesATurn) return;
      this.#waiting.delete(one);
      comesAgain(one);
    }
  }
}
