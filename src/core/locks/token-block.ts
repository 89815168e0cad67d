/**
 * Fencing tokens out of blocks that were reserved on disk before use: a token never repeats and never goes back, and no
 * grant ever waits for the disk. A new block is asked for when half of the present one is used (rule 14).
 */
import { type Token, token } from "../../terms/index.js";

export class TokenBlock {
  #next = 0;
  #end = 0;
  #half = 0;
  #asked = false;

  get ready(): boolean {
    return this.#next < this.#end;
  }

  /** Where the next block must begin at the earliest. */
  get end(): number {
    return this.#end;
  }

  /** Takes up a reserved block. `above`: every token already in use, which the next one must exceed. */
  reserved(from: number, to: number, above = 0): void {
    if (from >= this.#end) {
      // What is left of the old block is used first; blocks follow each other without overlap.
      if (!this.ready) this.#next = from;
      this.#end = to;
    }
    this.#next = Math.max(this.#next, above + 1);
    this.#half = this.#next + (this.#end - this.#next) / 2;
    this.#asked = false;
  }

  take(): Token {
    if (!this.ready) throw new Error("token block: used up before the next one was reserved");
    return token(this.#next++);
  }

  /** True once, when it is time to reserve the next block. */
  mustReserve(): boolean {
    if (this.#asked || this.#next < this.#half) return false;
    this.#asked = true;
    return true;
  }

  /** The reservation was lost with the writer; it will be asked for again. */
  reservationLost(): void {
    this.#asked = false;
  }
}
