/** How a command gets to its broker: the one that belongs to the options, started if there is none and that is allowed. */
import { createConnection } from "node:net";
import { dirname } from "node:path";
import { type Broker, type ConnectOptions, connect } from "../client/index.js";
import { isHoldfastError } from "../terms/index.js";
import type { BoundSecret } from "./bound-secret.js";
import { type Call, ExitWith } from "./command.js";
import { exitCodes } from "./exit-codes.js";
import { mayStart, placesOf } from "./surroundings.js";
import { quoted } from "./words.js";

export interface ReachOptions {
  /** False: this command never starts a broker. */
  readonly start: boolean;
  /** The name that others see beside a lock. */
  readonly program?: string;
  readonly signal?: AbortSignal;
  readonly integers?: ConnectOptions["integers"];
  readonly role?: ConnectOptions["role"];
  readonly session?: ConnectOptions["session"];
}

export function reach(call: Call, { start, program = "holdfast", ...more }: ReachOptions): Promise<Broker> {
  const { dir, socket } = call.options;
  return connect({ dir, socket, start: start && mayStart(call.options, call.io), program, ...more });
}

/** Who only looks does not wait long for a broker that does not answer. */
const lookMs = 10_000;

/** For commands that look after a broker: the one that runs, or undefined. One that runs and is deaf is an error. */
export async function reachRunning(call: Call): Promise<Broker | undefined> {
  const { dir, socket } = call.options;
  try {
    return await connect({ dir, socket, start: false, startTimeoutMs: lookMs, program: "holdfast", operator: true });
  } catch (error) {
    if (!isHoldfastError(error) || error.code !== "NO_BROKER") throw error;
    const places = placesOf(call.options, call.io);
    if (await nobodyListens(places.socket)) return undefined;
    const words = `a broker listens at ${places.socket}, but does not answer: ${error.message}`;
    // Of a socket that is named, we do not know whose it is.
    const whose = dirname(places.socket) === places.runDir ? `; its process is named in ${places.info}` : "";
    throw new ExitWith(`${words}\n\`holdfast logs\` may tell why${whose}`, {
      exitCode: exitCodes.noBroker,
      cause: error,
    });
  }
}

function nobodyListens(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ path });
    socket.once("connect", () => {
      socket.destroy();
      resolve(false);
    });
    socket.once("error", ({ code }: NodeJS.ErrnoException) => resolve(code === "ENOENT" || code === "ECONNREFUSED"));
  });
}

export interface Resumed {
  readonly broker: Broker;
  /** Whether it has what was acquired. */
  readonly holds: boolean;
}

/** Takes up a session that `holdfast acquire` made. Undefined: it has ended. */
export async function tryResume(
  call: Call,
  { name, also = [], secret, token, process: { pid } }: BoundSecret,
): Promise<Resumed | undefined> {
  const held = token === undefined ? [] : [name, ...also].map((one) => ({ name: one, token }));
  try {
    const broker = await reach(call, { start: true, session: { secret, boundTo: pid, resume: { held } } });
    return { broker, holds: broker.heldLocks().some((lock) => lock.name === name && lock.token === token) };
  } catch (error) {
    if (isHoldfastError(error) && error.code === "SESSION_EXPIRED") return undefined;
    throw error;
  }
}

/** Brokers that end before they have heard a goodbye, one after the other, are no accident. */
const goodbyesMax = 3;

/**
 * Ends a session that was taken up, and with it what it holds. The broker may end before it has heard the goodbye; then
 * the next one has the session from the ledger, and without a goodbye it stays as long as its process.
 */
export async function endResumed(call: Call, secret: BoundSecret, { broker }: Resumed): Promise<void> {
  await broker.close();
  for (let goodbyes = 1; !broker.parted; goodbyes++) {
    if (goodbyes === goodbyesMax)
      throw new ExitWith(`${quoted(secret.name)} may be held still: no broker has confirmed that it was given back`, {
        exitCode: exitCodes.noBroker,
      });
    const again = await tryResume(call, secret);
    if (again === undefined) return;
    broker = again.broker;
    await broker.close();
  }
}
