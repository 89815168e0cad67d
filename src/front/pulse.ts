/**
 * The only clock and the only timer of the front. Says what time it is, wakes the loop at the next deadline and not
 * later, runs a turn when all readable sockets have been read, and notices when the whole process stood still.
 */
import process from "node:process";
import { after, type Instant, instant, type Millis, type WallTime, wallTime } from "../terms/index.js";

/** While any deadline is armed the loop is seen to be alive at least so often; a longer gap is a pause (ms). */
const tickMs = 100;
const pauseMs = 250;

export class Pulse {
  readonly #onTurn: () => void;
  readonly #onPause: (ms: Millis, at: Instant) => void;
  #timer: NodeJS.Timeout | undefined;
  /** When it fires; valid while there is one. */
  #timerAt = instant(0);
  #scheduled = false;
  #stopped = false;
  /** When the loop was last seen alive; valid while ticking. */
  #seenAt: Instant;
  #ticking = false;

  constructor(onTurn: () => void, onPause: (ms: Millis, at: Instant) => void = () => undefined) {
    this.#onTurn = onTurn;
    this.#onPause = onPause;
    this.#seenAt = now();
  }

  /** What came during a pause is looked at after the pause is told: a deadline that it arms must not be moved by it. */
  now(): Instant {
    const at = now();
    const pausedMs = this.pausedFor(at);
    if (pausedMs > 0) this.#onPause(pausedMs, at);
    return at;
  }

  wallNow(): WallTime {
    return wallTime(Date.now());
  }

  /** A turn runs once, after every socket that is readable now has been read: timers never overtake input. */
  soon(): void {
    if (this.#scheduled || this.#stopped) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      if (!this.#stopped) this.#onTurn();
    });
  }

  /** For how long did everything stand still before this moment (0: it did not)? */
  pausedFor(at: Instant): Millis {
    const gap = at - this.#seenAt;
    this.#seenAt = at;
    return this.#ticking && gap > tickMs + pauseMs ? gap : 0;
  }

  /**
   * To be called last in a turn: sleep no longer than until `next`. A timer that fires earlier stays as it is: one turn
   * more in a tenth of a second costs less than a new timer in each.
   */
  wakeAt(next: Instant | undefined, at: Instant): void {
    this.#ticking = next !== undefined;
    if (next === undefined || this.#stopped) return;
    const wakeAt = next - at > tickMs ? after(at, tickMs) : next;
    if (this.#timer !== undefined && this.#timerAt <= wakeAt) return;
    clearTimeout(this.#timer);
    this.#timerAt = wakeAt;
    this.#timer = setTimeout(this.#wake, Math.max(0, wakeAt - at));
  }

  readonly #wake = (): void => {
    this.#timer = undefined;
    this.soon();
  };

  /** Once, after a time; for the few things that are no decision of the core. */
  after(ms: Millis, go: () => void): () => void {
    const timer = setTimeout(go, ms);
    return () => clearTimeout(timer);
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }
}

/** CLOCK_MONOTONIC in milliseconds: the same scale in every process of this boot. */
function now(): Instant {
  const [seconds, nanoseconds] = process.hrtime();
  return instant(seconds * 1000 + nanoseconds / 1e6);
}
