/**
 * Sockets whose request has not come yet. When there are many, who has been silent longest is ended for who comes: the
 * system has only so many places, and a client of ours sends its head as soon as it is connected.
 */
import type { Socket } from "node:net";
import { silentMsMin } from "./admission.js";

export class HeadlessSockets {
  readonly #max: number;
  readonly #now: () => number;
  /** When each came; in that order. */
  readonly #since = new Map<Socket, number>();

  /** `max`: so many may be there for as long as they like; `now`: milliseconds on any clock that does not go back. */
  constructor(max: number, now: () => number) {
    this.#max = max;
    this.#now = now;
  }

  get size(): number {
    return this.#since.size;
  }

  came(socket: Socket): void {
    this.#since.set(socket, this.#now());
    socket.once("close", () => this.#since.delete(socket));
    this.thin();
  }

  /** Its request is there. */
  hasHead(socket: Socket): void {
    this.#since.delete(socket);
  }

  /** Ends the longest silent ones of those that are too many, but for those that have only just come. */
  thin(): void {
    const before = this.#now() - silentMsMin;
    for (const [socket, since] of this.#since) {
      if (this.#since.size <= this.#max || since > before) return;
      this.#since.delete(socket);
      socket.destroy();
    }
  }
}
