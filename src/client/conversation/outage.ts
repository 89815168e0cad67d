/**
 * The times without a connection: since when, when the next attempt is due, when calls have waited long enough, and
 * when locks can no longer be relied on. Instants only; who acts on them is the conversation.
 */
import { after, type Instant, limitTable, type Millis, type Refusal } from "../../terms/index.js";
import { backoffMs } from "./backoff.js";

const standardWindowMs: Millis = limitTable.resumeWindowMs.standard;

export class Outage {
  /** The reason that was heard last. */
  lastRefusal: Refusal | undefined;
  /** The broker said that it ends: it is not started again merely because we were connected. */
  dismissed = false;
  #since: Instant;
  /** The last moment at which a broker was surely not counting the end of our window. */
  #safeSince: Instant;
  /** Whoever serves now does not do it where we look. */
  #left = false;
  #attempts = 0;
  #startFailed = false;
  #retryAfterMs: Millis = 0;

  constructor(now: Instant) {
    this.#since = this.#safeSince = now;
  }

  get since(): Instant {
    return this.#since;
  }

  began(now: Instant): void {
    this.#since = this.#safeSince = now;
  }

  /** A call comes after all hope was lost: its time begins now. */
  beganAgain(now: Instant): void {
    this.#since = now;
    this.#attempts = 0;
  }

  /**
   * Nobody listens there: a window is counted from when a broker is ready again (rule 18). `left`: one may be ready
   * elsewhere, and then the window runs, whatever is seen here later.
   */
  nobodyThere(now: Instant, left: boolean): void {
    this.#left ||= left;
    if (!this.#left) this.#safeSince = now;
  }

  failed(refusal: Refusal, startFailed: boolean): void {
    this.lastRefusal = refusal;
    this.#startFailed = startFailed;
  }

  /** The broker asked not to be bothered for so long. */
  askedToWait(ms: Millis): void {
    this.#retryAfterMs = Math.max(this.#retryAfterMs, ms);
  }

  nextAttempt(now: Instant, luck: number): Instant {
    const wait = Math.max(this.#retryAfterMs, backoffMs(this.#attempts, luck, this.#startFailed));
    this.#attempts++;
    this.#retryAfterMs = 0;
    return after(now, wait);
  }

  over(): void {
    this.#attempts = 0;
    this.#startFailed = this.dismissed = this.#left = false;
    this.lastRefusal = undefined;
  }

  /** When the broker may have given our locks to others. */
  windowEnds(windowMs: Millis): Instant {
    // Who serves elsewhere knows of no window that was agreed upon here, and waits for its own.
    const ms = this.#left ? Math.min(windowMs, standardWindowMs) : windowMs;
    return after(this.#safeSince, ms - Math.min(1000, ms / 10));
  }
}
