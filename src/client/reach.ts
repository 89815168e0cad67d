/**
 * The way to an open socket: connect, and where nobody listens, start a broker and connect. One attempt of the
 * conversation; how often and how long is its business, it ends this by the signal.
 *
 * The order (anchored in how buck2, watchman and others fail): connect → nobody there → take the spawn lock → connect
 * AGAIN → start → connect → free the lock. Whoever does not get the lock looks again, and again, until the one who has
 * it is done. EAGAIN means "busy" and never "dead" (rule 18).
 */
import { existsSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { type Refusal, refuse } from "../terms/index.js";
import { onAbort } from "./on-abort.js";
import { sleep } from "./pulse.js";
import { Socket, type SocketEnd, type SocketHandlers, type SocketOptions } from "./socket.js";
import { type StartPlan, startBroker } from "./spawn.js";
import { SpawnLock } from "./spawn-lock.js";
import { distrust, distrustSocket } from "./trust.js";

export interface ReachPlan {
  readonly socket: SocketOptions;
  /** Whose the broker must be (or root's), unless its socket was named. */
  readonly uid: number;
  /** The user has said which socket it is: whose broker that is, is his affair. */
  readonly named: boolean;
  /** The file that says that the database is served from elsewhere by now. */
  readonly moved: string;
  /** Absent: no broker may be started. */
  readonly start: StartPlan | undefined;
}

export interface ReachEvents extends Omit<SocketHandlers, "onOpen"> {
  /** Nobody listens; told each time it is seen. `left`: nobody will come back there, as far as one can see. */
  readonly onNobody: (left: boolean) => void;
}

export type Reached =
  | { readonly kind: "open"; readonly socket: Socket }
  | { readonly kind: "failed"; readonly why: "nobody" | "busy" | "failed"; readonly refusal: Refusal };

const firstWaitMs = 5;
const mostWaitMs = 100;
const looksMost = 10;

/** Rejects only with the signal's reason. */
export async function reach(plan: ReachPlan, events: ReachEvents, signal: AbortSignal): Promise<Reached> {
  const first = await tryToConnect(plan, events, signal);
  if (first.kind === "open" || first.why !== "nobody") return first;
  events.onNobody(isLeft(plan));
  if (plan.start === undefined) return first;
  const starter = new Starter(plan.start, plan);
  try {
    return await starter.bringUp(() => tryToConnect(plan, events, signal), events, signal);
  } finally {
    starter.free();
  }
}

class Starter {
  readonly #plan: StartPlan;
  readonly #way: ReachPlan;
  #lock: SpawnLock | undefined;
  #owned = false;
  #waits = 0;
  /** How often a broker that we started has found another in its place. */
  #stepsBack = 0;
  /** So often it is looked for that other one before a start is tried again. */
  #looksLeft = 0;

  constructor(plan: StartPlan, way: ReachPlan) {
    this.#plan = plan;
    this.#way = way;
  }

  async bringUp(connect: () => Promise<Reached>, events: ReachEvents, signal: AbortSignal): Promise<Reached> {
    for (;;) {
      const obstacle = this.#tryTake();
      if (obstacle !== undefined) return { kind: "failed", why: "failed", refusal: obstacle };
      // AGAIN, now that nobody else is starting one.
      const reached = await connect();
      if (reached.kind === "open" || reached.why !== "nobody") return reached;
      events.onNobody(isLeft(this.#way));
      if (this.#owned && this.#looksLeft-- <= 0) {
        const refusal = await this.#start(signal);
        if (refusal !== undefined) return { kind: "failed", why: "failed", refusal };
        if (this.#looksLeft <= 0) continue;
      }
      await this.#wait(signal);
    }
  }

  async #start(signal: AbortSignal): Promise<Refusal | undefined> {
    const outcome = await startBroker(this.#plan, signal);
    if (outcome.kind === "failed") {
      this.#lock?.noteFailure(outcome.refusal);
      return outcome.refusal;
    }
    // Another has the place. It will be there in a moment; or it is about to end, which may take it some seconds.
    if (outcome.kind === "running") this.#looksLeft = Math.min(looksMost, 2 ** ++this.#stepsBack);
    return undefined;
  }

  free(): void {
    if (this.#owned) this.#lock?.free();
  }

  /** Why it is pointless to go on. */
  #tryTake(): Refusal | undefined {
    try {
      if (this.#lock === undefined) {
        const { runDir, spawnLock } = this.#plan.places;
        mkdirSync(runDir, { recursive: true, mode: 0o700 });
        const distrusted = distrust(runDir, this.#way.uid);
        if (distrusted !== undefined) return distrusted;
        this.#lock = new SpawnLock(spawnLock);
      }
      if (this.#owned) return undefined;
      this.#owned = this.#lock.tryTake();
      // Looked at after the lock is ours as well: who had it before us has left his note before he freed it.
      return this.#lock.failureOfOther();
    } catch (error) {
      const { message, path } = error as NodeJS.ErrnoException;
      return refuse("PERMISSION", `the broker's run directory cannot be used: ${message}`, { path });
    }
  }

  #wait(signal: AbortSignal): Promise<void> {
    const most = Math.min(mostWaitMs, firstWaitMs * 2 ** this.#waits++);
    return sleep(most / 2 + (most / 2) * Math.random(), signal);
  }
}

/**
 * Where a broker that serves its database from now on leaves word: a socket that was named may lie elsewhere. Only where
 * it can be seen: what another container calls so may be missing here all the time.
 */
export function runDirIn({ runDir }: { readonly runDir?: unknown }): string | undefined {
  return typeof runDir === "string" && existsSync(runDir) ? runDir : undefined;
}

/**
 * The run directory was taken away (a logout), or a broker that works elsewhere has left word: then locks may be given to
 * others without our hearing of it.
 */
function isLeft({ socket, moved }: ReachPlan): boolean {
  // A socket whose path would be too long lies in another directory than the rest.
  return existsSync(moved) || !existsSync(dirname(moved)) || !existsSync(dirname(socket.path));
}

/** One WebSocket, open or not. After it is open its events go where all events go. */
function tryToConnect(plan: ReachPlan, events: ReachEvents, signal: AbortSignal): Promise<Reached> {
  const { socket: options } = plan;
  const obstacle = plan.named ? undefined : obstacleOnTheWay(options.path, plan.uid);
  if (obstacle !== undefined && !signal.aborted) return Promise.resolve(obstacle);
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason as Error);
    const stop = () => {
      socket.drop();
      reject(signal.reason as Error);
    };
    let open = false;
    let stopWaiting: (() => void) | undefined;
    const socket = new Socket(options, {
      onOpen: () => {
        open = true;
        stopWaiting?.();
        resolve({ kind: "open", socket });
      },
      onFrame: events.onFrame,
      onEnd: (end) => {
        if (open) return events.onEnd(end);
        stopWaiting?.();
        resolve(failureOf(end, options.path));
      },
    });
    stopWaiting = onAbort(signal, stop);
  });
}

/**
 * Whoever listens gets statements, values and the session's secret. So nothing is opened where somebody else could have
 * put his socket; nor where there is no directory yet, which he could make in the very next moment.
 */
function obstacleOnTheWay(path: string, uid: number): Reached | undefined {
  try {
    const refusal = distrust(dirname(path), uid) ?? distrustSocket(path, uid);
    return refusal === undefined ? undefined : { kind: "failed", why: "failed", refusal };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return failureOf({ errno: code, refusal: undefined, reason: message }, path);
  }
}

function failureOf({ errno, refusal, reason }: Omit<SocketEnd, "opened">, path: string): Reached {
  if (refusal !== undefined) {
    const why = refusal.refused === "CONNECTIONS_FULL" || refusal.refused === "SHUTTING_DOWN" ? "busy" : "failed";
    return { kind: "failed", why, refusal };
  }
  switch (errno) {
    case "ENOENT":
    case "ECONNREFUSED":
      return {
        kind: "failed",
        why: "nobody",
        refusal: refuse("NO_BROKER", `no broker is running (nobody listens at ${path})`, { path }),
      };
    case "EACCES":
    case "EPERM":
      return {
        kind: "failed",
        why: "failed",
        refusal: refuse("PERMISSION", `the broker's socket ${path} belongs to somebody else`, { path }),
      };
    case "ENOTSOCK":
    case "EPROTOTYPE":
    case "ENOTDIR":
    case "ENAMETOOLONG":
      return {
        kind: "failed",
        why: "failed",
        refusal: refuse("CONFIGURATION", `${path} is not a broker's socket (${errno})`, { path }),
      };
    default:
      // EAGAIN: its backlog is full. A reset before hello: it is ending, or has just begun.
      return {
        kind: "failed",
        why: "busy",
        refusal: refuse("NO_BROKER", `the broker does not take the connection: ${reason}`, { path }),
      };
  }
}
