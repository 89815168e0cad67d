/** How far it is: one line that is written over on a terminal, a line now and then elsewhere. */
import { formatCount } from "../durations.js";
import type { Io } from "../io.js";

const barWidth = 28;

export class Progress {
  readonly #io: Io;
  readonly #total: number;
  readonly #startMs: number;
  #shownShare = 0;
  #lineIsOpen = false;

  constructor(io: Io, total: number, startMs: number) {
    this.#io = io;
    this.#total = total;
    this.#startMs = startMs;
  }

  show(files: number, nowMs: number): void {
    const share = Math.min(1, files / Math.max(1, this.#total));
    const perSecond = Math.round((files * 1000) / Math.max(1, nowMs - this.#startMs));
    const figures = `${formatCount(files)} of ${formatCount(this.#total)} files, ${formatCount(perSecond)}/s`;
    if (this.#io.columns !== undefined) {
      const full = Math.round(share * barWidth);
      this.#io.write(`\r\u001b[K  ${"━".repeat(full)}${"╌".repeat(barWidth - full)}  ${figures}`);
      this.#lineIsOpen = true;
    } else if (share - this.#shownShare >= 0.2 && share < 1) {
      this.#shownShare = share;
      this.line(figures, nowMs);
    }
  }

  /** Something happened: told with its time, and it stays. */
  line(text: string, nowMs: number): void {
    this.close();
    this.#io.write(`  ${((nowMs - this.#startMs) / 1000).toFixed(1).padStart(5)} s  ${text}\n`);
  }

  close(): void {
    if (this.#lineIsOpen) this.#io.write("\r\u001b[K");
    this.#lineIsOpen = false;
  }
}
