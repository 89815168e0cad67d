/**
 * Refusals about locks as errors of their own classes, with what they tell as typed fields. Each is a HoldfastError as
 * well and can be recognised by its `code`, which is safer where two copies of the package live in one program.
 */
import { HoldfastError, type Refusal, type RefusalCode } from "../terms/index.js";

/** Who had the lock when a request was refused. */
export interface HolderBrief {
  /** The session's id. */
  readonly session: string;
  /** What it called itself; may be empty. */
  readonly program: string;
  readonly pid: number | null;
  /** What it said it wants the lock for; may be empty. */
  readonly reason: string;
  /** How long it had held it (ms). */
  readonly heldMs: number;
  readonly token: number;
}

/** One of those who wait for each other in a circle. */
export interface CycleMember {
  readonly session: string;
  readonly program: string;
  readonly pid: number | null;
  /** The lock that it has, and for which the one before it in the circle waits. */
  readonly holds: string;
  /** The lock that it waits for. */
  readonly waitsFor: string;
}

class LockError extends HoldfastError {
  /** The lock that this is about. */
  get lock(): string {
    const { name } = this.details;
    return typeof name === "string" ? name : "";
  }
}

/** A request that could not be granted because of others. */
class NotGotError extends LockError {
  /** The first of `holders`; undefined when nobody held it (its last holder's writes were on their way, or others come first). */
  get holder(): HolderBrief | undefined {
    return this.holders[0];
  }

  /** Who had it; the first few, if many share it. */
  get holders(): readonly HolderBrief[] {
    const { holders, holder } = this.details;
    if (Array.isArray(holders)) return holders as HolderBrief[];
    return typeof holder === "object" && holder !== null ? [holder as HolderBrief] : [];
  }

  /** How many waited for it, without this request. */
  get waiting(): number {
    return numberIn(this, "waiting") ?? 0;
  }
}

/** `LOCK_TIMEOUT`: the lock did not become free within `waitMs`. */
export class LockTimeoutError extends NotGotError {
  override readonly name = "LockTimeoutError";

  /** Where the request stood at the end; 1 was next. */
  get place(): number | undefined {
    return numberIn(this, "place");
  }
}

/** `LOCK_HELD`: the request would not wait, and others have the lock or come first. */
export class LockHeldError extends NotGotError {
  override readonly name = "LockHeldError";
}

/** `DEADLOCK`: to wait would have closed a circle of waits that never ends. Release what is held, then try again. */
export class DeadlockError extends LockError {
  override readonly name = "DeadlockError";

  /** Everybody in the circle, beginning with this session. */
  get cycle(): readonly CycleMember[] {
    const { cycle } = this.details;
    return Array.isArray(cycle) ? (cycle as CycleMember[]) : [];
  }
}

/** `LOCK_LOST`: the lock went away while the program relied on it. */
export class LockLostError extends LockError {
  override readonly name = "LockLostError";

  get token(): number | undefined {
    return numberIn(this, "token");
  }

  /** Why, in words. */
  get reason(): string {
    const { reason } = this.details;
    return typeof reason === "string" ? reason : "";
  }
}

/** `FENCED`: the write relied on a lock that is no longer held; it was not applied. */
export class FencedError extends LockError {
  override readonly name = "FencedError";

  get token(): number | undefined {
    return numberIn(this, "token");
  }
}

/** `QUEUE_FULL`, `LOCKS_FULL`, `WATCHES_FULL`: a limit of the broker is reached. */
export class LockLimitError extends LockError {
  override readonly name = "LockLimitError";

  /** The limit's name, such as `waitersMax`. */
  get limit(): string | undefined {
    const { limit } = this.details;
    return typeof limit === "string" ? limit : undefined;
  }
}

const classes: Partial<Record<RefusalCode, typeof LockError>> = {
  LOCK_TIMEOUT: LockTimeoutError,
  LOCK_HELD: LockHeldError,
  DEADLOCK: DeadlockError,
  LOCK_LOST: LockLostError,
  FENCED: FencedError,
  QUEUE_FULL: LockLimitError,
  LOCKS_FULL: LockLimitError,
  WATCHES_FULL: LockLimitError,
};

/** The refusal as something to throw, of the class that belongs to its code. */
export function errorFrom({ refused, message, outcome, details }: Refusal): HoldfastError {
  const more = { ...(details === undefined ? {} : { details }), ...(outcome === undefined ? {} : { outcome }) };
  return new (classes[refused] ?? HoldfastError)(refused, message, more);
}

function numberIn({ details }: HoldfastError, field: string): number | undefined {
  const value = details[field];
  return typeof value === "number" ? value : undefined;
}
