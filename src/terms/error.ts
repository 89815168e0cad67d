/**
 * The one error class at the edges. Recognised by a symbol and not by `instanceof`, because two copies of the package
 * may live in one program. Inside the core refusals are values; here they become something to throw.
 */
import { type Outcome, type Refusal, type RefusalCode, refusals } from "./refusals.js";

const mark: unique symbol = Symbol.for("holdfast.error") as never;

export class HoldfastError extends Error {
  /** The fixed upper-case word; see PROTOCOL.md. */
  readonly code: RefusalCode;
  /** Whether the same request may succeed later. */
  readonly retryable: boolean;
  /**
   * `none`: surely not applied; `partial`: of a script that is not atomic as many statements were applied as
   * `details.applied` says; `unknown`: nobody can tell.
   */
  readonly outcome: Outcome;
  /** Holder, place, limit, position in the SQL: what the code speaks of. */
  readonly details: { readonly [field: string]: unknown };
  readonly [mark] = true;

  constructor(
    code: RefusalCode,
    message: string,
    more: { details?: { readonly [field: string]: unknown }; outcome?: Outcome; cause?: unknown } = {},
  ) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.code = code;
    this.retryable = refusals[code].retryable;
    this.outcome = more.outcome ?? refusals[code].outcome;
    this.details = more.details ?? {};
  }

  static {
    // On the prototypes, of which the stack is made: a bundler calls the class by another name, and so would the stack.
    Object.defineProperty(HoldfastError.prototype, "name", {
      value: "HoldfastError",
      configurable: true,
      writable: true,
    });
    Object.defineProperty(HoldfastError, "name", { value: "HoldfastError", configurable: true });
  }

  static from(refusal: Refusal): HoldfastError {
    const { refused, message, outcome, details } = refusal;
    return new HoldfastError(refused, message, {
      ...(details === undefined ? {} : { details }),
      ...(outcome === undefined ? {} : { outcome }),
    });
  }
}

export function isHoldfastError(value: unknown): value is HoldfastError {
  return typeof value === "object" && value !== null && mark in value;
}

/** Closes a switch over a union: the compiler proves that nothing is left; if something is, the process must not go on. */
export function impossible(value: never, where: string): never {
  throw new Error(`impossible ${where}: ${JSON.stringify(value)}`);
}
