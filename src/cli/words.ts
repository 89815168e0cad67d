/** Locks, holders and queues in the words in which all commands speak of them. */
import { count, formatDuration } from "./durations.js";
import { printable } from "./width.js";

/** As `lock.list` tells it. */
export interface HolderInfo {
  readonly session: string;
  readonly token: number;
  readonly program: string;
  readonly pid: number | null;
  readonly reason: string;
  readonly heldMs: number;
  readonly since: number;
  readonly connected: boolean;
}

export interface WaiterInfo {
  readonly session: string;
  readonly program: string;
  readonly pid: number | null;
  readonly reason: string;
  /** 1 is next. */
  readonly place: number;
  readonly waitedMs: number;
  readonly connected: boolean;
}

export interface LockInfo {
  readonly name: string;
  /** The last grant has ended, its writes have not settled. */
  readonly draining: boolean;
  readonly holders: readonly HolderInfo[];
  readonly waiters: readonly WaiterInfo[];
  readonly waitersTotal: number;
}

/** `make (pid 4711, 3 min, "release build")` */
export function holderText({ program, pid, heldMs, reason, connected }: HolderInfo): string {
  return who({ program, pid, reason, ms: heldMs, connected });
}

/** `make (pid 4711, waits 3 s, "release build")` */
export function waiterText({ program, pid, waitedMs, reason, connected }: WaiterInfo): string {
  return who({ program, pid, reason, ms: waitedMs, connected });
}

interface Who {
  readonly program: string;
  readonly pid: number | null;
  readonly reason: string;
  readonly ms: number;
  readonly connected: boolean;
}

function who({ program, pid, reason, ms, connected }: Who): string {
  const facts = [
    ...(pid === null ? [] : [`pid ${pid}`]),
    formatDuration(ms),
    ...(reason === "" ? [] : [`"${printable(reason)}"`]),
    ...(connected ? [] : ["not connected"]),
  ];
  return `${program === "" ? "a program" : printable(program)} (${facts.join(", ")})`;
}

/** Who is in the way of a lock, and how many come before the asker: `held by make (…), 2 before you`. */
export function inTheWay(lock: LockInfo | undefined, place: number | undefined): string {
  if (lock === undefined) return "free by now";
  const parts: string[] = [];
  if (lock.holders.length > 0) parts.push(`held by ${lock.holders.map(holderText).join(", ")}`);
  else if (lock.draining) parts.push("just given back, its last writes are on their way to the disk");
  else parts.push("free, about to be given to the next");
  if (place !== undefined && place > 1) parts.push(`${place - 1} before you`);
  if (place === undefined && lock.waitersTotal > 0) parts.push(`${count(lock.waitersTotal, "waiter")}`);
  return parts.join(", ");
}

/** One word for the state column. */
export function stateOf({ draining, holders }: LockInfo): string {
  if (holders.length > 0) return holders.every((one) => one.connected) ? "held" : "held, away";
  return draining ? "draining" : "free";
}

/** The name as it is shown inside a sentence. */
export function quoted(name: string): string {
  return `"${printable(name)}"`;
}
