/**
 * Who says nothing? Time does not tell: when the broker itself stood still all have been silent for long, and nobody was
 * listened to. So chances are counted: times that the event loop has looked for input, of everybody, a moment apart. A
 * loop that stands still, or gets no processor, gives none.
 */
import type { Millis } from "../terms/index.js";

/** Calls once, when so long is over and the loop has looked for input since. */
export type AfterInput = (ms: Millis, go: () => void) => void;

/** Between two chances: a program that is as short of the processor as the broker gets there too meanwhile (ms). */
export const chanceMs: Millis = 10;
/** Who has let so many pass has proven that it says nothing. A client of ours speaks at its first, on a busy machine at its third. */
const chancesMin = 10;

export class Chances {
  readonly #afterInput: AfterInput;
  #given = 0;
  /** They are counted up to here. */
  #due = 0;

  constructor(afterInput: AfterInput) {
    this.#afterInput = afterInput;
  }

  /** Of all so far; to be kept of one who comes. */
  get given(): number {
    return this.#given;
  }

  /** To be called when no place is left: gives everybody who is here all that it takes. Nothing is counted otherwise. */
  give(): void {
    const resting = this.#given === this.#due;
    // The first may have begun before who came last could be read.
    this.#due = this.#given + chancesMin + 1;
    if (resting) this.#wait();
  }

  /** Whether one who came at this count, and has not spoken since, has had all of its chances. */
  allPassed(since: number): boolean {
    return this.#given - since > chancesMin;
  }

  #wait(): void {
    this.#afterInput(chanceMs, () => {
      this.#given += 1;
      if (this.#given < this.#due) this.#wait();
    });
  }
}
