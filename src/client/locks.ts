/**
 * Locks in the shape of the Web Locks API (https://www.w3.org/TR/web-locks/), so that code written for browsers or for
 * Node's own `locks` reads the same; only that these hold between all programs of the machine. Beside it, what an
 * operator wants: to look, to step in, to watch.
 */
import type { EndedGrant, ListResult, LockEventRow, LockMode, LockRow } from "../protocol/index.js";
import { HoldfastError, type Millis } from "../terms/index.js";
import { failure } from "./datastore.js";
import { type Driver, Question } from "./driver.js";
import { type HeldLocks, type LockWork, workOf } from "./held-locks.js";
import { checkOptions, type KnownOptions } from "./known-options.js";
import { LockFeed, type LockNews, type WatchOptions } from "./lock-feed.js";
import type { LockHandle } from "./lock-handle.js";
import { checkLockName } from "./lock-request.js";

export interface LockRequestOptions {
  /** `shared` is held beside others that share it. Default "exclusive". */
  readonly mode?: "exclusive" | "shared" | undefined;
  /** Do not wait: the callback gets null when the lock is not to be had at once. */
  readonly ifAvailable?: boolean | undefined;
  /** Take it from whoever holds it, before all who wait: they lose it, and are told. Only for exclusive locks. */
  readonly steal?: boolean | undefined;
  /** Ends the wait; the promise rejects with its reason. Without effect once the lock is held. */
  readonly signal?: AbortSignal | undefined;
}

export interface LockInfo {
  readonly name: string;
  readonly mode: LockMode;
  /** The session that holds it or waits for it. */
  readonly clientId: string;
}

export interface LocksSnapshot {
  readonly held: LockInfo[];
  readonly pending: LockInfo[];
}

/** Which locks; without any of these, all. */
export interface LockFilter {
  readonly name?: string | undefined;
  /** Names that begin so. */
  readonly prefix?: string | undefined;
  /** Names that the session with this id holds or waits for. */
  readonly session?: string | undefined;
  /** True: only names that somebody waits for. */
  readonly contended?: boolean | undefined;
  /** False: waiters are counted and not listed. */
  readonly waiters?: boolean | undefined;
}

export interface HistoryOptions {
  /** At most so many events, the latest. Default: all that the broker remembers of the name. */
  readonly max?: number | undefined;
}

export interface BreakOptions {
  /** Only the grant under this token. Default: all who hold the lock. */
  readonly token?: number | undefined;
  /** How long its holders have to release it themselves (ms). Default 0. */
  readonly graceMs?: Millis | undefined;
  /** Why; they are told. Up to 4 KiB. */
  readonly reason?: string | undefined;
}

export interface HandOverOptions {
  /** Of which grant, when several hold it. */
  readonly token?: number | undefined;
  /** Why; its holder is told. Up to 4 KiB. */
  readonly reason?: string | undefined;
}

/** What is to be watched: a name, all names with a prefix, or with `{}` all. */
export type WatchSubject = string | { readonly name: string } | { readonly prefix?: string };

const requestOptions: KnownOptions<LockRequestOptions> = { mode: true, ifAvailable: true, steal: true, signal: true };
const filterOptions: KnownOptions<LockFilter> = {
  ...{ name: true, prefix: true },
  ...{ session: true, contended: true, waiters: true },
};
const historyOptions: KnownOptions<HistoryOptions> = { max: true };
const breakOptions: KnownOptions<BreakOptions> = { token: true, graceMs: true, reason: true };
const subjectOptions: KnownOptions<Pick<LockFilter, "name" | "prefix">> = { name: true, prefix: true };
const watchOptions: KnownOptions<WatchOptions> = { signal: true };
const handOverOptions: KnownOptions<HandOverOptions> = { token: true, reason: true };

/** What these locks are made from. */
export interface LocksParts {
  readonly held: HeldLocks;
  readonly driver: Driver;
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
   * @throws what `work` throws; LockLostError when the lock was lost before `work` had ended, also by `steal`; the reason
   *   of `signal` (an AbortError, unless the program gave another)
   * @example await broker.locks.request("index", async (lock) => { await lock?.execute("delete from stale"); });
   * @example await broker.locks.request("index", { mode: "shared" }, async () => report());
   */
  request<T>(name: string, work: LockWork<T, LockHandle | null>): Promise<T>;
  request<T>(name: string, options: LockRequestOptions, work: LockWork<T, LockHandle | null>): Promise<T>;
  async request<T>(
    name: string,
    options: LockRequestOptions | LockWork<T, LockHandle | null>,
    maybeWork?: LockWork<T, LockHandle | null>,
  ): Promise<T> {
    const [wishes, work] = workOf<LockRequestOptions, LockWork<T, LockHandle | null>>(
      "locks.request",
      options,
      maybeWork,
    );
    checkOptions("locks.request", wishes, requestOptions);
    refuseWhatCannotBe(wishes);
    const { mode, ifAvailable, steal, signal } = wishes;
    if (ifAvailable === true) return this.#parts.held.runIfFree(name, { mode }, work);
    return this.#parts.held.run(name, { mode, signal }, steal === true ? { steal } : {}, work);
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
    for (const { name, holders, waiters } of await this.list()) {
      for (const { session, mode } of holders) held.push({ name, mode, clientId: session });
      for (const { session, mode } of waiters) pending.push({ name, mode, clientId: session });
    }
    return { held, pending };
  }

  /**
   * Who holds and who waits, with everything that is known of them. Where there are very many it is asked for in parts, and
   * not all of it is of the same moment.
   *
   * @returns names that are held, waited for or not yet free, by name; of each the first 100 holders and waiters
   * @throws NAME_INVALID
   * @example const crowded = await broker.locks.list({ prefix: "deploy/", contended: true });
   */
  async list(filter: LockFilter = {}): Promise<readonly LockRow[]> {
    checkOptions("locks.list", filter, filterOptions);
    const all: LockRow[] = [];
    for (let after: string | undefined; ; ) {
      const { locks, more } = (await this.#ask(new Question("read", "lock.list", { ...filter, after }))) as ListResult;
      for (const lock of locks) all.push(lock);
      after = locks.at(-1)?.name;
      if (more !== true || after === undefined) return all;
    }
  }

  /**
   * What happened at a name lately, oldest first: requests, grants, losses with their reasons.
   *
   * @param options `max`: at most so many, from the latest; the broker remembers a limited number of each name
   * @throws NAME_INVALID
   * @example for (const { at, kind, program } of await broker.locks.history("index")) console.log(new Date(at), kind, program);
   */
  async history(name: string, options: HistoryOptions = {}): Promise<readonly LockEventRow[]> {
    checkLockName(name);
    checkOptions("locks.history", options, historyOptions);
    const { max } = options;
    const { events } = (await this.#ask(new Question("read", "lock.history", { name, max }))) as {
      events: LockEventRow[];
    };
    return events;
  }

  /**
   * Takes a lock from its holders. They are told at once, and have `graceMs` to release it; then it is lost for them,
   * and their fenced writes are refused.
   *
   * @returns when it is over: of each holder whether it released in time or was broken; nothing, if nobody held it
   *   (under `token`)
   * @throws NAME_INVALID, META_TOO_LARGE, OUTCOME_UNKNOWN without `token`, when the broker was restarted before it answered
   * @example await broker.locks.break("deploy/prod", { graceMs: 10_000, reason: "rollback by hand" });
   */
  async break(name: string, options: BreakOptions = {}): Promise<readonly EndedGrant[]> {
    checkLockName(name);
    checkOptions("locks.break", options, breakOptions);
    const { token, graceMs, reason } = options;
    const question = new Question("change", "lock.break", { name, token, graceMs, reason });
    return ((await this.#ask(question)) as { ended: EndedGrant[] }).ended;
  }

  /**
   * Hands a lock from its holder to a session that waits for it, before all others and in one step. The holder is told
   * that it lost it.
   *
   * @param session the id of the session that waits, as `list` shows it
   * @throws NOT_WAITING, LOCK_NOT_HELD, NAME_INVALID, OUTCOME_UNKNOWN without `token`, when the broker was restarted before
   *   it answered
   * @example await broker.locks.transfer("deploy/prod", session, { reason: "the fix goes first" });
   */
  async transfer(name: string, session: string, options: HandOverOptions = {}): Promise<void> {
    checkLockName(name);
    checkOptions("locks.transfer", options, handOverOptions);
    const { token, reason } = options;
    await this.#ask(new Question("change", "lock.transfer", { name, token, to: session, reason }));
  }

  /**
   * Gives a semaphore another number of slots. Who holds more than there are then keeps them until they are given back.
   *
   * @param slots from 1
   * @throws SLOTS_MISMATCH when the name is held otherwise than in slots, NAME_INVALID
   * @example await broker.locks.resize("gpu", 8);
   */
  async resize(name: string, slots: number): Promise<void> {
    checkLockName(name);
    await this.#ask(new Question("change", "lock.resize", { name, slots }));
  }

  /**
   * How things are at a name, or at all names with a prefix, and then what happens there. Goes on over lost connections
   * and broker crashes; where events are missed it gives a snapshot with `gap: true`. Ends with `break`, or throws the
   * reason of `signal`.
   *
   * @returns an iterable: first `{ kind: "snapshot", locks, gap }`, then events by their kind ("granted", "released", …)
   * @throws WATCHES_FULL, NAME_INVALID, CONNECTION_LOST when the broker could not be reached for too long, CLOSED
   * @example
   * for await (const news of broker.locks.watch({ prefix: "deploy/" })) {
   *   if (news.kind === "snapshot") console.log(`${news.locks.length} are held or waited for`);
   *   else if (news.kind === "granted") break;
   * }
   */
  watch(subject: WatchSubject, options: WatchOptions = {}): AsyncIterableIterator<LockNews, undefined> {
    const filter = typeof subject === "string" ? { name: subject } : subject;
    checkOptions("what locks.watch watches", filter, subjectOptions);
    checkOptions("locks.watch", options, watchOptions);
    const { signal } = options;
    if ("name" in filter) checkLockName(filter.name);
    return new LockFeed<LockNews>({ driver: this.#parts.driver, filter, signal, digest: (news) => [news] });
  }

  async #ask(question: Question): Promise<unknown> {
    await this.#parts.driver.ask(question);
    if (question.refusal !== undefined) throw failure(question, undefined);
    return question.result;
  }
}

/** As the API says: these do not go together. */
function refuseWhatCannotBe({ mode, steal, ifAvailable, signal }: LockRequestOptions): void {
  if (mode !== undefined && mode !== "exclusive" && mode !== "shared")
    throw new HoldfastError("MISUSE", `mode must be exclusive or shared, not ${JSON.stringify(mode)}`);
  if (steal === true && mode === "shared")
    throw new HoldfastError("MISUSE", "steal takes a lock alone: it is for exclusive locks");
  if (steal === true && ifAvailable === true)
    throw new HoldfastError("MISUSE", "either steal, or only ifAvailable: not both");
  if (signal !== undefined && (steal === true || ifAvailable === true))
    throw new HoldfastError("MISUSE", "steal and ifAvailable do not wait, so there is nothing for a signal to end");
}
