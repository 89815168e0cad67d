/**
 * HOLDFAST_LOCKS: how a command, and all that it starts, is told under which locks it runs; from the outermost to the
 * innermost. By it processes are known to belong to a lock, whatever becomes of those that started them.
 */
import type { Environment } from "./io.js";

export interface CarriedLock {
  readonly name: string;
  readonly token: number;
  /** The id of the session that holds it: tokens of two brokers can be equal. */
  readonly session: string;
}

const variable = "HOLDFAST_LOCKS";

/** Under which locks we run ourselves. What cannot be understood says nothing: anybody may have set it to anything. */
export function carriedLocks(text: string | undefined): CarriedLock[] {
  let value: unknown;
  try {
    value = JSON.parse(text ?? "[]");
  } catch {
    return [];
  }
  if (!Array.isArray(value)) return [];
  return value.filter((entry: Partial<CarriedLock> | null): entry is CarriedLock => {
    return typeof entry?.name === "string" && typeof entry.token === "number" && typeof entry.session === "string";
  });
}

/** The surroundings of a command that runs under these locks as well. `secret` proves that it does. */
export function withLocks(
  env: Environment,
  locks: readonly [CarriedLock, ...CarriedLock[]],
  secret: string,
): { [name: string]: string | undefined } {
  const [{ name, token }] = locks;
  return {
    ...env,
    HOLDFAST_LOCK_NAME: name,
    HOLDFAST_LOCK_TOKEN: String(token),
    HOLDFAST_LOCK_SESSION: secret,
    [variable]: JSON.stringify([...carriedLocks(env[variable]), ...locks]),
  };
}

/** `man 5 proc`: NAME=VALUE, each ended by a NUL. */
export function carriedIn(environment: string): CarriedLock[] {
  const entry = environment.split("\0").find((one) => one.startsWith(`${variable}=`));
  return entry === undefined ? [] : carriedLocks(entry.slice(variable.length + 1));
}
