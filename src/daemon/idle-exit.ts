/**
 * When a spawned broker leaves: nobody has needed it for `idleExitMs`. It leaves so that a client that comes at this
 * very moment notices nothing: the socket's name is taken away first, so that nobody new finds it and the next client
 * starts another broker; those who had found it are still accepted for a while, and if one was, the broker stays.
 */
import type { Millis } from "../terms/index.js";

export interface IdleExitParts {
  readonly idleExitMs: Millis;
  /** For how long there has been no connection, no session and no lock; 0 while there is one. */
  readonly idleMs: () => Millis;
  /** Sockets ever accepted. */
  readonly accepted: () => number;
  readonly withdraw: () => void;
  readonly restore: () => void;
  /** Waits; the event loop goes on accepting. */
  readonly linger: (ms: Millis) => Promise<void>;
  readonly leave: () => void;
}

/** A connect that had found the name is in the queue by then, and accepted. */
const lingerMs = 100;

export class IdleExit {
  readonly #parts: IdleExitParts;
  #state: "watching" | "lingering" | "left" = "watching";

  constructor(parts: IdleExitParts) {
    this.#parts = parts;
  }

  /** The name is away on purpose. */
  get withdrawn(): boolean {
    return this.#state !== "watching";
  }

  async look(): Promise<void> {
    const { idleExitMs, idleMs, accepted, withdraw, restore, linger, leave } = this.#parts;
    if (this.#state !== "watching" || idleMs() < idleExitMs) return;
    this.#state = "lingering";
    const before = accepted();
    withdraw();
    await linger(lingerMs);
    if (accepted() === before && idleMs() > 0) {
      this.#state = "left";
      leave();
    } else {
      restore();
      this.#state = "watching";
    }
  }
}
