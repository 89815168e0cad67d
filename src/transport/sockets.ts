/**
 * All sockets that are open, and which of them have not sent the head of a request. The system has only so many: when
 * they are taken, the longest silent is ended for the one that comes, or that one where nobody has proven to be silent.
 */
import type { Socket } from "node:net";
import type { Chances } from "./chances.js";

export class Sockets {
  readonly #max: number;
  readonly #chances: Chances;
  readonly #open = new Set<Socket>();
  /** Without a head, in the order in which they came: how many chances had been given then. */
  readonly #headless = new Map<Socket, number>();

  constructor(max: number, chances: Chances) {
    this.#max = max;
    this.#chances = chances;
  }

  came(socket: Socket): void {
    if (this.#open.size >= this.#max && !this.#endLongestSilent()) {
      socket.destroy();
      return;
    }
    this.#open.add(socket);
    this.#headless.set(socket, this.#chances.given);
    socket.once("close", () => this.#gone(socket));
    if (this.#open.size >= this.#max) this.#chances.give();
  }

  /** Its request is there. */
  hasHead(socket: Socket): void {
    this.#headless.delete(socket);
  }

  #endLongestSilent(): boolean {
    const [longest] = this.#headless;
    if (longest === undefined) return false;
    const [socket, since] = longest;
    if (!this.#chances.allPassed(since)) return false;
    this.#gone(socket);
    socket.destroy();
    return true;
  }

  #gone(socket: Socket): void {
    this.#open.delete(socket);
    this.#headless.delete(socket);
  }
}
