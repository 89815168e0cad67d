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

  /** The first token that is not reserved; the next block begins there or later. */
  get end(): number {
    return this.#end;
  }

  /** Takes up a reserved block; one that begins below the present end is not new and is passed over. */
  reserved(from: number, to: number): void {
    if (from >= this.#end) {
      // What is left of the old block is used first. What lies between two blocks was not reserved for us.
      if (!this.ready || from > this.#end) this.#next = from;
      this.#end = to;
    }
    this.#half = this.#next + (this.#end - this.#next) / 2;
    this.#asked = false;
  }

  take(): Token {
    if (!this.ready) throw new Error("token block: used up before the next one was reserved");
    return token(this.#next++);
  }

  /** True once, when it is time to reserve the next block. The first one comes with the writer, unasked. */
  mustReserve(): boolean {
    if (this.#end === 0 || this.#asked || this.#next < this.#half) return false;
    this.#asked = true;
    return true;
  }

  /** The reservation was lost with the writer; it will be asked for again. */
  reservationLost(): void {
    this.#asked = false;
  }
}
