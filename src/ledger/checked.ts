/** What comes back out of the ledger, checked: anything that we cannot have written throws, and the ledger is damaged. */
import { type LockName, lockName } from "../terms/index.js";

/** A name was checked against its limit when it came in; the limit may have been lowered since. */
export function storedName(stored: unknown): LockName {
  const name = lockName(text(stored), Number.MAX_SAFE_INTEGER);
  if (typeof name === "string") return name;
  throw new RangeError(`a lock name in the ledger ${name.wrong}`);
}

export function record(value: unknown): { readonly [field: string]: unknown } {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new RangeError("an object was expected in the ledger");
  return value as { readonly [field: string]: unknown };
}

export function list(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new RangeError(`a list was expected in the ledger, not ${typeof value}`);
  return value;
}

export function number(value: unknown): number {
  if (typeof value !== "number") throw new RangeError(`a number was expected in the ledger, not ${typeof value}`);
  return value;
}

export function text(value: unknown): string {
  if (typeof value !== "string") throw new RangeError(`a text was expected in the ledger, not ${typeof value}`);
  return value;
}
