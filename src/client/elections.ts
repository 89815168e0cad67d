/**
 * Leader election: a lock that is held for long and watched by many. Who leads holds the lock, and its reason is what it
 * wants the others to know of it.
 */

import { Datastore, type DatastoreParts, type Fence } from "./datastore.js";
import type { HeldLocks } from "./held-locks.js";
import { checkOptions, type KnownOptions } from "./known-options.js";
import { LockFeed, type LockNews, type WatchOptions } from "./lock-feed.js";
import type { LockHandle } from "./lock-handle.js";
import type { AcquireOptions } from "./lock-request.js";
import type { TransactionOptions } from "./transact.js";
import type { Transaction } from "./transaction.js";

export interface CampaignOptions
  extends Pick<
    AcquireOptions,
    "signal" | "waitMs" | "ttl" | "onQueued" | "onContended" | "onRevoking" | "onJeopardy" | "guard"
  > {
  /** What those who observe are told of the leader, such as an address. Up to 4 KiB. */
  readonly value?: string | undefined;
}

const campaignOptions: KnownOptions<CampaignOptions> = {
  ...{ value: true, signal: true, waitMs: true, ttl: true },
  ...{ onQueued: true, onContended: true, onRevoking: true, onJeopardy: true, guard: true },
};
const observeOptions: KnownOptions<WatchOptions> = { signal: true };

/** Who leads. */
export interface Leader {
  /** The session's id. */
  readonly session: string;
  /** What it called itself; may be empty. */
  readonly program: string;
  readonly pid: number | null;
  /** What it said of itself; may be empty. */
  readonly value: string;
  /** Greater than that of every leader before. */
  readonly token: number;
}

/** Leadership that was won. What is written through it is applied only while it lasts. */
export class Leadership extends Datastore {
  /** The lock that stands for it. */
  readonly lock: LockHandle;
  readonly value: string;

  /** @internal */
  constructor(parts: DatastoreParts, lock: LockHandle, value: string) {
    super(parts);
    this.lock = lock;
    this.value = value;
  }

  /** What is led. */
  get name(): string {
    return this.lock.name;
  }

  /** Greater than that of every leader before, for ever. */
  get token(): number {
    return this.lock.token;
  }

  /** Aborted when it is lost (never by `resign`); the reason is a LockLostError. */
  get signal(): AbortSignal {
    return this.lock.signal;
  }

  /**
   * Runs `work` in a transaction that relies on this leadership until its commit; else as `broker.transaction`.
   *
   * @throws FENCED when it is lost: all of it is rolled back; as `broker.transaction`
   * @example await leadership.transaction(async (tx) => { await tx.execute("update job set state = 'open'"); });
   */
  transaction<T>(work: (transaction: Transaction) => T | Promise<T>, options: TransactionOptions = {}): Promise<T> {
    return this.lock.transaction(work, options);
  }

  /**
   * Gives it up; the next candidate in line leads. May be called any number of times.
   *
   * @example await leadership.resign();
   */
  resign(): Promise<void> {
    return this.lock.release();
  }

  /** `await using leadership = await broker.elections.campaign("indexer")` resigns at the end of the block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.resign();
  }

  protected override ownFence(): readonly Fence[] {
    return this.lock.fence;
  }
}

export class Elections {
  readonly #parts: DatastoreParts;
  readonly #held: HeldLocks;

  /** @internal */
  constructor(parts: DatastoreParts, held: HeldLocks) {
    this.#parts = parts;
    this.#held = held;
  }

  /**
   * Stands for election and waits until it is won: candidates lead in the order in which they came. What else the program
   * has acquired may be given back meanwhile; only the `withLock` calls that this is called in wait for it.
   *
   * @param name what is to be led; a lock of this name stands for it, so `holdfast locks` shows it
   * @returns leadership, until it is resigned or lost
   * @throws LockHeldError (waitMs 0), LockTimeoutError, DeadlockError, NAME_INVALID, the reason of `signal`
   * @example
   * await using leadership = await broker.elections.campaign("indexer", { value: "http://127.0.0.1:7070" });
   * await leadership.execute("update job set state = 'open' where state = 'running'");
   */
  async campaign(name: string, options: CampaignOptions = {}): Promise<Leadership> {
    checkOptions("elections.campaign", options, campaignOptions);
    const { value = "", ...wishes } = options;
    const lock = await this.#held.acquireApart(name, { ...wishes, reason: value === "" ? undefined : value });
    return new Leadership(this.#parts, lock, value);
  }

  /**
   * Who leads now, and each change of that. Ends with `break`; or throws the reason of `signal`.
   *
   * @returns an iterable of `{ leader }`, null while nobody leads
   * @throws CONNECTION_LOST when the broker could not be reached for too long, CLOSED when the handle is closed
   * @example
   * for await (const { leader } of broker.elections.observe("indexer")) {
   *   console.log(leader === null ? "nobody leads" : `${leader.value} leads`);
   *   if (leader !== null) break;
   * }
   */
  observe(
    name: string,
    options: WatchOptions = {},
  ): AsyncIterableIterator<{ readonly leader: Leader | null }, undefined> {
    checkOptions("elections.observe", options, observeOptions);
    const { signal } = options;
    let known: Leader | null | undefined;
    return new LockFeed({
      ...{ driver: this.#parts.driver, filter: { name }, signal },
      digest: (news, dropped) => {
        const leader = leaderAfter(news, known ?? null);
        if (!dropped && known !== undefined && leader?.token === known?.token) return [];
        known = leader;
        return [{ leader }];
      },
    });
  }
}

function leaderAfter(news: LockNews, before: Leader | null): Leader | null {
  if (news.kind === "snapshot") {
    const holder = news.locks[0]?.holders[0];
    if (holder === undefined) return null;
    const { session, program, pid, reason, token } = holder;
    return { session, program, pid, value: reason, token };
  }
  const { kind, session, program, pid, token = 0, reason = "" } = news;
  if (kind === "granted") return { session, program, pid, value: reason, token };
  return (kind === "released" || kind === "lost") && token === before?.token ? null : before;
}
