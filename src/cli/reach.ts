/** How a command gets to its broker: the one that belongs to the options, started if there is none and that is allowed. */
import { type Broker, type ConnectOptions, connect } from "../client/index.js";
import { isHoldfastError } from "../terms/index.js";
import type { BoundSecret } from "./bound-secret.js";
import type { Call } from "./command.js";
import { mayStart } from "./surroundings.js";

export interface ReachOptions {
  /** False: this command never starts a broker. */
  readonly start: boolean;
  /** The name that others see beside a lock. */
  readonly program?: string;
  readonly signal?: AbortSignal;
  /** One of the connections that the broker keeps for who looks after it. */
  readonly operator?: boolean;
  readonly integers?: ConnectOptions["integers"];
  readonly session?: ConnectOptions["session"];
}

/** Who only looks does not wait long for a broker that does not answer. */
const lookMs = 10_000;

export function reach(call: Call, { start, program = "holdfast", ...more }: ReachOptions): Promise<Broker> {
  const { dir, socket } = call.options;
  const patience = start ? {} : { startTimeoutMs: lookMs };
  return connect({ dir, socket, start: start && mayStart(call.options, call.io), program, ...patience, ...more });
}

/** Takes up a session that `holdfast acquire` made. Undefined: it has ended. */
export async function tryResume(
  call: Call,
  { name, secret, token, process: { pid } }: BoundSecret,
): Promise<{ readonly broker: Broker; readonly holds: boolean } | undefined> {
  const held = token === undefined ? [] : [{ name, token }];
  try {
    const broker = await reach(call, { start: true, session: { secret, boundTo: pid, resume: { held } } });
    return { broker, holds: broker.heldLocks().some((lock) => lock.name === name && lock.token === token) };
  } catch (error) {
    if (isHoldfastError(error) && error.code === "SESSION_EXPIRED") return undefined;
    throw error;
  }
}
