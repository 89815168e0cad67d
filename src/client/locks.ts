/**
 * Locks in the shape of the Web Locks API (https://www.w3.org/TR/web-locks/), so that code written for browsers or for
 * Node's own `locks` reads the same; only that these hold between all programs of the machine.
 */
import type { LockRow } from "../protocol/index.js";
import { HoldfastError, isHoldfastError } from "../terms/index.js";
import type { AcquireOptions } from "./broker.js";
import type { LockHandle } from "./lock-handle.js";

export interface LockRequestOptions {
  /** Only "exclusive" so far. */
  readonly mode?: "exclusive" | undefined;
  /** Do not wait: the callback gets null when the lock is held. */
  readonly ifAvailable?: boolean | undefined;
  /** Not offered: a lock is not taken from a holder that relies on it. */
  readonly steal?: false | undefined;
  /** Ends the wait; the promise rejects with its reason. Without effect once the lock is held. */
  readonly signal?: AbortSignal | undefined;
}

export interface LockInfo {
  readonly name: string;
  readonly mode: "exclusive";
  /** The session that holds it or waits for it. */
  readonly clientId: string;
}

export interface LocksSnapshot {
  readonly held: LockInfo[];
  readonly pending: LockInfo[];
}

/** What these locks are made from. */
export interface LocksParts {
  readonly acquire: (name: string, options: AcquireOptions) => Promise<LockHandle>;
  readonly list: () => Promise<readonly LockRow[]>;
}

export class Locks {
  readonly #parts: LocksParts;

  /** @internal */
  constructor(parts: LocksParts) {
    this.#parts = parts;
  }

  /**
   * Runs `work` while the lock is held, and gives it back when `work` has ended.
   *
   * @returns what `work` returns
   * @throws what `work` throws; LOCK_LOST when the lock was lost before `work` had ended; the reason of `signal`
   * @example await broker.locks.request("index", async (lock) => { await lock?.execute("delete from stale"); });
   */
  request<T>(name: string, work: (lock: LockHandle | null) => T | Promise<T>): Promise<T>;
  request<T>(name: string, options: LockRequestOptions, work: (lock: LockHandle | null) => T | Promise<T>): Promise<T>;
  async request<T>(
    name: string,
    optionsOrWork: LockRequestOptions | ((lock: LockHandle | null) => T | Promise<T>),
    maybeWork?: (lock: LockHandle | null) => T | Promise<T>,
  ): Promise<T> {
    const work = typeof optionsOrWork === "function" ? optionsOrWork : maybeWork;
    const options = typeof optionsOrWork === "function" ? {} : optionsOrWork;
    if (typeof work !== "function")
      throw new HoldfastError("MISUSE", "locks.request(name, options, work) needs a function");
    refuseWhatIsNotOffered(options);
    const lock = await this.#take(name, options);
    return lock === null ? work(null) : runUnder(lock, work);
  }

  /**
   * All locks of the broker, of all programs.
   *
   * @returns those that are held, and the requests that wait (the first 100 of each name), in their order
   * @example const { held } = await broker.locks.query();
   */
  async query(): Promise<LocksSnapshot> {
    const held: LockInfo[] = [];
    const pending: LockInfo[] = [];
    for (const { name, holders, waiters } of await this.#parts.list()) {
      for (const { session } of holders) held.push({ name, mode: "exclusive", clientId: session });
      for (const { session } of waiters) pending.push({ name, mode: "exclusive", clientId: session });
    }
    return { held, pending };
  }

  async #take(name: string, { ifAvailable, signal }: LockRequestOptions): Promise<LockHandle | null> {
    if (ifAvailable !== true) return this.#parts.acquire(name, { signal });
    try {
      return await this.#parts.acquire(name, { waitMs: 0 });
    } catch (error) {
      if (isHoldfastError(error) && error.code === "LOCK_HELD") return null;
      throw error;
    }
  }
}

/** Gives the lock back whatever happens. A loss is told even if the work did not notice: it must not count as done. */
export async function runUnder<T>(lock: LockHandle, work: (lock: LockHandle) => T | Promise<T>): Promise<T> {
  let result: T;
  try {
    result = await work(lock);
  } catch (error) {
    // The work's own error is the one to be told.
    await lock.release().catch(() => {});
    throw error;
  }
  if (lock.lost) throw lock.lossError();
  await lock.release();
  return result;
}

function refuseWhatIsNotOffered({
  mode,
  steal,
  ifAvailable,
  signal,
}: {
  mode?: unknown;
  steal?: unknown;
  ifAvailable?: unknown;
  signal?: unknown;
}): void {
  if (mode !== undefined && mode !== "exclusive")
    throw new HoldfastError("MISUSE", `mode ${JSON.stringify(mode)} is not offered: locks are exclusive`);
  if (steal === true)
    throw new HoldfastError("MISUSE", "steal is not offered: a lock is not taken from a holder that relies on it");
  if (ifAvailable === true && signal !== undefined)
    throw new HoldfastError("MISUSE", "ifAvailable does not wait, so there is nothing for a signal to end");
}
