/** What a program may say when it asks for locks, looked at before anything is sent, and the request that it becomes. */
import type { HolderRow, LockMode, Someone } from "../protocol/index.js";
import { HoldfastError, lockName, type Millis, type Refusal, refuse } from "../terms/index.js";
import { checkOptions, type KnownOptions } from "./known-options.js";
import type { LockHandle } from "./lock-handle.js";

/** How one name is wanted. */
export interface LockWish {
  /**
   * `exclusive` has the name alone; `shared` has it beside others that share it; `semaphore` has some of its slots.
   * Default: "exclusive"; with `slots` or `take` "semaphore".
   */
  readonly mode?: LockMode | undefined;
  /** Of a semaphore: how many slots the name has. The first request that says it decides; default: as remembered. */
  readonly slots?: number | undefined;
  /** Of a semaphore: how many of the slots to take. Default 1. */
  readonly take?: number | undefined;
}

/** A further name of a request, and how it is wanted. */
export interface LockClaim extends LockWish {
  readonly name: string;
}

/** Where a request stands, and who is in the way. */
export interface QueuedInfo {
  /** Of its names, the one whose line is spoken of: one that is in the way. */
  readonly name: string;
  /** 1 is next. */
  readonly place: number;
  /** All that wait for it, this request among them. */
  readonly waiting: number;
  readonly holders: readonly HolderRow[];
  /** When nobody holds it, why it is not free: what the last holder has written is not settled, or what it had started lives. */
  readonly ending: "writes" | "processes" | null;
}

/** Somebody waits for what is held. */
export interface ContendedInfo {
  /** How many wait. */
  readonly waiting: number;
}

/** The lock will be taken away, unless it is released before. */
export interface RevokingInfo {
  /** How long there is to release it (ms). */
  readonly graceMs: Millis;
  /** Why, in the words of who does it; may be empty. */
  readonly reason: string;
  readonly by: Someone;
}

export interface AcquireOptions extends LockWish {
  /** Further names: all are granted together, or none. While the request waits it holds none of them. */
  readonly also?: readonly (string | LockClaim)[] | undefined;
  /** How long to wait (ms). 0: not at all (LOCK_HELD). Default: for ever. Counted by the broker. */
  readonly waitMs?: Millis | undefined;
  /**
   * A lease (ms, 1,000 to 86,400,000; true: 30,000): the lock is lost when the broker has not heard of this program for
   * so long. The library keeps it while the program runs. Default: none, the lock lives as long as the session.
   */
  readonly ttl?: Millis | true | undefined;
  /** What for: others who wait see it. Up to 4 KiB. */
  readonly reason?: string | undefined;
  /** Ends the wait; the promise rejects with its reason. Without effect once the lock is held. */
  readonly signal?: AbortSignal | undefined;
  /** While it waits: its place, when it is queued and when that has changed, at most once a second. */
  readonly onQueued?: ((info: QueuedInfo) => void) | undefined;
  /** While it is held: somebody begins to wait for it. */
  readonly onContended?: ((info: ContendedInfo) => void) | undefined;
  /** While it is held: it is about to be broken. What is done in time is to release it. */
  readonly onRevoking?: ((info: RevokingInfo) => void) | undefined;
  /** While it is held with a lease: the broker has not answered for half of it. */
  readonly onJeopardy?: (() => void) | undefined;
  /**
   * For tools that run a command under the lock and name the lock to it in HOLDFAST_LOCKS: should the lock end otherwise
   * than by `release`, the broker ends what carries that before another gets the lock. It is to be started right after
   * `LockHandle.confirm`.
   */
  readonly guard?: boolean | undefined;
  /**
   * Which locks of this program are not given back before this request is done: by these the broker finds deadlocks.
   * `[]`: none, it is asked for by a task that does without them. Default: those of the `withLock` and `locks.request`
   * calls that it is made in, and all that the program has acquired outside of such calls.
   */
  readonly under?: readonly LockHandle[] | undefined;
}

/** What the library itself adds. */
export interface RequestMore {
  /** Tokens that are not given back before this request is done; undefined: all of the session. */
  readonly under?: readonly number[] | undefined;
  readonly steal?: boolean | undefined;
}

const modes: readonly unknown[] = ["exclusive", "shared", "semaphore"] satisfies LockMode[];
const ttlMsStandard = 30_000;
/** Names of a lock longer than this are refused by any broker. */
const nameBytesMax = 4096;

const acquireOptions: KnownOptions<AcquireOptions> = {
  mode: true,
  slots: true,
  take: true,
  also: true,
  waitMs: true,
  ttl: true,
  reason: true,
  signal: true,
  onQueued: true,
  onContended: true,
  onRevoking: true,
  onJeopardy: true,
  guard: true,
  under: true,
};

const claimFields: KnownOptions<LockClaim> = { name: true, mode: true, slots: true, take: true };

/** The parameters of `lock.acquire`. Throws MISUSE or NAME_INVALID. */
export function lockRequest(name: string, options: AcquireOptions, { under, steal }: RequestMore): object {
  checkOptions("a request for a lock", options, acquireOptions);
  const { also, waitMs, ttl, reason, guard, onQueued, onContended, slots, take } = options;
  const wait = wireWait(waitMs);
  const wrong = wrongTtl(ttl);
  if (wrong !== undefined) throw HoldfastError.from(wrong);
  const mode = checkedMode(name, options);
  // One shape for all, with room for what the conversation adds: what is undefined is not sent.
  return {
    name,
    mode,
    slots,
    take,
    also: also === undefined || also.length === 0 ? undefined : also.map(further),
    waitMs: wait,
    ttlMs: ttl === true ? ttlMsStandard : ttl,
    reason,
    guard,
    tell: onQueued === undefined && onContended === undefined ? undefined : news(options),
    under,
    steal,
    key: undefined,
    ack: undefined,
  };
}

/** What it wants to be told. */
function news({ onQueued, onContended }: AcquireOptions): readonly string[] {
  return [...(onQueued === undefined ? [] : ["place"]), ...(onContended === undefined ? [] : ["contended"])];
}

/** Of the names of a request, how the first is wanted. */
export function modeOf({ mode, slots, take }: LockWish): LockMode {
  return mode ?? (slots === undefined && take === undefined ? "exclusive" : "semaphore");
}

export function checkLockName(name: unknown): void {
  if (typeof name !== "string")
    throw new HoldfastError("NAME_INVALID", `a lock's name is a text, not of type ${typeof name}`);
  const checked = lockName(name, nameBytesMax);
  if (typeof checked === "string") return;
  const message = `the lock name ${JSON.stringify(name.slice(0, 100))} ${checked.wrong}`;
  throw new HoldfastError("NAME_INVALID", message, { details: { name } });
}

function further(one: string | LockClaim): object {
  const claim: LockClaim = typeof one === "string" ? { name: one } : one;
  checkOptions("a further name of a request", claim, claimFields);
  const { name, slots, take } = claim;
  return { name, mode: checkedMode(name, claim), slots, take };
}

/** Undefined where it need not be said. Throws MISUSE or NAME_INVALID. */
function checkedMode(name: string, { mode, slots, take }: LockWish): LockMode | undefined {
  checkLockName(name);
  if (mode !== undefined && !modes.includes(mode))
    throw new HoldfastError("MISUSE", `mode must be exclusive, shared or semaphore, not ${JSON.stringify(mode)}`);
  const wish = modeOf({ mode, slots, take });
  if (slots !== undefined) checkSlots("slots", slots, name, wish);
  if (take !== undefined) checkSlots("take", take, name, wish);
  return wish === "exclusive" ? undefined : wish;
}

function checkSlots(field: string, value: number, name: string, wish: LockMode): void {
  if (wish !== "semaphore") throw new HoldfastError("MISUSE", `${field} is for semaphores, and ${name} is ${wish}`);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new HoldfastError("MISUSE", `${field} must be a whole number from 1, not ${String(value)}`);
}

/** As it goes over the wire: for ever is not said. Throws MISUSE. */
export function wireWait(waitMs: Millis | undefined): Millis | undefined {
  if (waitMs === undefined || waitMs === Number.POSITIVE_INFINITY) return undefined;
  if (typeof waitMs === "number" && waitMs >= 0) return waitMs;
  throw new HoldfastError("MISUSE", `waitMs must be a number of milliseconds from 0, not ${String(waitMs)}`);
}

function wrongTtl(ttl: unknown): Refusal | undefined {
  if (ttl === undefined || ttl === true || (typeof ttl === "number" && Number.isFinite(ttl) && ttl > 0))
    return undefined;
  return refuse("MISUSE", `ttl must be a number of milliseconds, or true, not ${String(ttl)}`);
}
