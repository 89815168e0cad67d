/**
 * The only clock and the only timer of the library: says what time it is, and wakes whoever asked at the next deadline.
 * Nothing here keeps the program alive unless it is told to.
 */
import { performance } from "node:perf_hooks";
import { type Instant, instant, type Millis, type WallTime, wallTime } from "../terms/index.js";
import { onAbort } from "./on-abort.js";

export function now(): Instant {
  return instant(performance.now());
}

/** For what lies in files and sessions beyond this program's life; never for a deadline. */
export function wallNow(): WallTime {
  return wallTime(Date.now());
}

/** A Node timer of 2^31 ms or more fires at once. Longer waits are cut. */
const timerMsMax = 2 ** 31 - 1;
const waitMsMax = 60_000;

/** One deadline at a time. Waking early is allowed and cheap, so an armed timer stays when the deadline moves away. */
export class Pulse {
  readonly #due: () => void;
  #timer: NodeJS.Timeout | undefined;
  /** When the timer fires; meaningful while there is one. */
  #at = 0;
  #stopped = false;
  /** Whether the timer keeps the program alive. */
  #keeps = true;

  constructor(due: () => void) {
    this.#due = due;
  }

  wakeAt(deadline: Instant | undefined, keepAlive: boolean): void {
    if (deadline === undefined || this.#stopped) return this.#keep(false);
    if (this.#timer === undefined || deadline < this.#at) this.#arm(deadline);
    this.#keep(keepAlive);
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #keep(keeps: boolean): void {
    if (keeps === this.#keeps || this.#timer === undefined) return;
    this.#keeps = keeps;
    if (keeps) this.#timer.ref();
    else this.#timer.unref();
  }

  #arm(deadline: Instant): void {
    clearTimeout(this.#timer);
    const wait = Math.min(waitMsMax, Math.max(0, Math.ceil(deadline - now())));
    this.#at = deadline;
    this.#keeps = true;
    // What the sockets have to say goes before what the clock says: after a pause both are due at once.
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      setImmediate(() => this.#fire());
    }, wait);
  }

  #fire(): void {
    if (!this.#stopped) this.#due();
  }
}

/** Rejects with the signal's reason as soon as it is aborted. */
export function sleep(ms: Millis, signal: AbortSignal): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const slept = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  return orAborted(slept, signal, () => clearTimeout(timer));
}

/** Runs `late` if the promise has not settled in time. The wait does not keep the program alive. */
export function withTimeLimit<T>(promise: Promise<T>, ms: Millis, late: () => void): Promise<T> {
  const timer = setTimeout(late, Math.min(ms, timerMsMax));
  timer.unref();
  return promise.finally(() => clearTimeout(timer));
}

/** Runs `go` after a while, if the program still lives then. */
export function afterwards(ms: Millis, go: () => void): void {
  setTimeout(go, ms).unref();
}

/** The promise, or a rejection with the signal's reason; then `leave` is called, and the promise is on its own. */
export function orAborted<T>(promise: Promise<T>, signal: AbortSignal, leave: () => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      leave();
      reject(signal.reason as Error);
    };
    if (signal.aborted) return stop();
    const stopWaiting = onAbort(signal, stop);
    promise.finally(stopWaiting).then(resolve, reject);
  });
}
