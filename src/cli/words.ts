/** Locks, holders and queues in the words in which all commands speak of them. */
import type { HolderRow, LockMode, LockRow, QueuedInfo, RevokingInfo, WaiterRow } from "../client/index.js";
import { count, formatDuration } from "./durations.js";
import { printable } from "./width.js";

/** What is told of a holder by whoever tells of one: a list, the news of a place, a refusal. */
export type HolderFacts = Pick<HolderRow, "program" | "pid" | "reason" | "heldMs"> &
  Partial<Pick<HolderRow, "mode" | "take" | "leaseLeftMs" | "connected">>;

/** `make (pid 4711, 3 min, "release build")` */
export function holderText({ heldMs, ...holder }: HolderFacts): string {
  return who({ ...holder, ms: heldMs });
}

/** `make (pid 4711, waits 3 s, "release build")` */
export function waiterText({ waitedMs, ...waiter }: WaiterRow): string {
  return who({ ...waiter, ms: waitedMs });
}

interface Who {
  readonly program: string;
  readonly pid: number | null;
  readonly reason: string;
  readonly ms: number;
  readonly mode?: LockMode;
  readonly take?: number;
  readonly leaseLeftMs?: number | null;
  readonly connected?: boolean;
}

function who({ program, pid, reason, ms, mode, take, leaseLeftMs, connected }: Who): string {
  const facts = [
    ...(pid === null ? [] : [`pid ${pid}`]),
    ...(mode === "shared" ? ["shared"] : []),
    ...(mode === "semaphore" ? [count(take ?? 1, "slot")] : []),
    formatDuration(ms),
    ...(leaseLeftMs === null || leaseLeftMs === undefined ? [] : [`lease ends in ${formatDuration(leaseLeftMs)}`]),
    ...(reason === "" ? [] : [`"${printable(reason)}"`]),
    ...(connected === false ? ["not connected"] : []),
  ];
  return `${programText(program)} (${facts.join(", ")})`;
}

export function programText(program: string): string {
  return program === "" ? "a program" : printable(program);
}

/** So many are named one by one. */
const namedMax = 3;

/** `held by make (…)`, `held by make (…), tar (…) and 4 more` */
export function heldBy(holders: readonly HolderFacts[], total = holders.length): string {
  const named = holders.slice(0, namedMax).map(holderText);
  const more = total - named.length;
  return `held by ${named.join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

/** Who is in the way of a lock, and how many come before the asker: `held by make (…), 2 before you`. */
export function inTheWay(lock: LockRow | undefined, place: number | undefined): string {
  if (lock === undefined) return "free by now";
  const parts = [lock.holders.length > 0 ? heldBy(lock.holders, lock.holdersTotal) : whyNotHeld(lock)];
  if (place !== undefined && place > 1) parts.push(`${place - 1} before you`);
  if (place === undefined && lock.waitersTotal > 0) parts.push(`${count(lock.waitersTotal, "waiter")}`);
  return parts.join(", ");
}

/** The same of a request that waits, in the words that came with its place. */
export function placeText({ holders, place, ending }: Pick<QueuedInfo, "holders" | "place" | "ending">): string {
  const parts = [holders.length > 0 ? heldBy(holders) : (endingText(ending) ?? "about to be given to the next")];
  if (place > 1) parts.push(`${place - 1} before you`);
  return parts.join(", ");
}

function whyNotHeld({ ending, draining }: LockRow): string {
  return endingText(ending ?? (draining ? "writes" : null)) ?? "free, about to be given to the next";
}

function endingText(ending: LockRow["ending"]): string | undefined {
  if (ending === "processes") return "its last holder is gone, what that had started is being ended";
  return ending === "writes" ? "just given back, its last writes are on their way to the disk" : undefined;
}

/** A few words for the state column. */
export function stateOf({ mode, slots, slotsFree, draining, ending, holders, holdersTotal }: LockRow): string {
  if (holdersTotal > 0 && mode === "semaphore" && slots !== undefined && slotsFree !== undefined)
    return `${slots - slotsFree} of ${slots} slots`;
  if (holdersTotal > 0) {
    const shared = holdersTotal > 1 ? `shared by ${holdersTotal}` : "shared";
    const how = mode === "shared" ? shared : "held";
    return holders.every((one) => one.connected) ? how : `${how}, away`;
  }
  if (ending === "processes") return "ending";
  return draining ? "draining" : "free";
}

/** 1st, 2nd, 3rd, 4th, 11th, 21st */
/** Said by whoever holds it: an operator wants the lock back. */
export function revokingText(name: string, { graceMs, reason, by }: RevokingInfo): string {
  const from = `${programText(by.program)}${by.pid === null ? "" : ` (pid ${by.pid})`}`;
  const why = reason === "" ? "" : `: ${printable(reason)}`;
  return `${quoted(name)} is to be given back within ${formatDuration(graceMs)}, says ${from}${why}`;
}

export function ordinal(place: number): string {
  const tens = place % 100;
  const ending = tens > 10 && tens < 20 ? "th" : (["th", "st", "nd", "rd"][place % 10] ?? "th");
  return `${place}${ending}`;
}

/** The name as it is shown inside a sentence. */
export function quoted(name: string): string {
  return `"${printable(name)}"`;
}

/** A name as it would be typed to a shell. */
export function typed(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${printable(word).replaceAll("'", "'\\''")}'`;
}
