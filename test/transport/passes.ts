/** An event loop that a test turns by hand: each pass has looked for input. */
export class Passes {
  readonly #waiting: (() => void)[] = [];

  readonly after = (_ms: number, go: () => void): void => {
    this.#waiting.push(go);
  };

  /** Whether anybody counts them. */
  get wanted(): boolean {
    return this.#waiting.length > 0;
  }

  some(count: number): void {
    for (let n = 0; n < count; n++) for (const go of this.#waiting.splice(0)) go();
  }

  /** Until nobody counts them any more. */
  all(): void {
    while (this.wanted) this.some(1);
  }
}
