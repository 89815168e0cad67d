/**
 * The daemon's only clock and its only timers: what a broker looks after from time to time, the wait before it
 * leaves, and the wait for another that does.
 * Chores are counted and not measured, so that a broker that was stopped for an hour finds one second gone.
 */
import type { Millis } from "../terms/index.js";
import { lookMs } from "../transport/index.js";

const looksPerSelfCheck = 2;

export interface Chores {
  /** Each second. */
  readonly look: () => void;
  /** Every other second. */
  readonly selfCheck: () => void;
}

/** Gives the way to end it. */
export function keepHouse({ look, selfCheck }: Chores): () => void {
  let looks = 0;
  const timer = setInterval(() => {
    looks += 1;
    look();
    if (looks % looksPerSelfCheck === 0) selfCheck();
  }, lookMs);
  return () => clearInterval(timer);
}

export function linger(ms: Millis): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/**
 * Calls once, when so long is over and the event loop has looked for input since. A timer alone may fire before that,
 * above all behind a pause. Nothing stays alive for it.
 */
export function afterInput(ms: Millis, go: () => void): void {
  setTimeout(() => setImmediate(go), ms).unref();
}

/** For people to read. */
export function wallNow(): Date {
  return new Date();
}
