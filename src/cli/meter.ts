/** How far long work is: one line on a terminal that is written over; nothing elsewhere, where it would be noise. */
import type { Call } from "./command.js";

const onceInMs = 100;

export class Meter {
  readonly #call: Call;
  #shown = false;
  #shownAt = 0;

  constructor(call: Call) {
    this.#call = call;
  }

  show(text: () => string): void {
    if (!this.#call.io.stderrIsTerminal || this.#call.options.quiet === true) return;
    const now = performance.now();
    if (this.#shown && now - this.#shownAt < onceInMs) return;
    this.#shown = true;
    this.#shownAt = now;
    this.#call.io.say(`\r\u001b[K${text()}`);
  }

  clear(): void {
    if (this.#shown) this.#call.io.say("\r\u001b[K");
    this.#shown = false;
  }
}
