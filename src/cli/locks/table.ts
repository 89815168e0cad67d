/** Locks as rows: who holds and who waits, one line each, in the order in which they will come. */
import type { HolderRow, LockRow, WaiterRow } from "../../client/index.js";
import { type Cell, integer } from "../cells.js";
import { formatDuration } from "../durations.js";
import type { Rows } from "../formats.js";
import { ordinal, programText, stateOf } from "../words.js";

/** For people: the name once, lengths of time in words. */
export function peopleRows(locks: readonly LockRow[]): Rows {
  return { columns: ["name", "state", "program", "pid", "for", "lease", "reason"], rows: locks.flatMap(peopleRowsOf) };
}

function peopleRowsOf(lock: LockRow): Cell[][] {
  const { name, holders, holdersTotal, waiters, waitersTotal } = lock;
  const lines: Cell[][] = [
    ...holders.map((holder) => [holderState(lock, holder), ...holderCells(holder)]),
    ...waiters.map((waiter) => [waiterState(waiter), ...personCells(waiter, waiter.waitedMs), "", waiter.reason]),
  ];
  const unnamed = holdersTotal - holders.length + waitersTotal - waiters.length;
  if (unnamed > 0) lines.push([`and ${unnamed} more`, "", "", "", "", ""]);
  if (holders.length === 0) lines.unshift([stateOf(lock), "", "", "", "", ""]);
  return lines.map((line, at) => [at === 0 ? name : "", ...line]);
}

function holderCells(holder: HolderRow): Cell[] {
  const { leaseLeftMs, reason, heldMs } = holder;
  return [...personCells(holder, heldMs), leaseLeftMs === null ? "" : formatDuration(leaseLeftMs), reason];
}

function personCells({ program, pid }: HolderRow | WaiterRow, ms: number): Cell[] {
  return [programText(program), pid === null ? "" : String(pid), formatDuration(ms)];
}

function holderState({ slots }: LockRow, { mode, take, connected }: HolderRow): string {
  const how = { exclusive: "held", shared: "shared", semaphore: `${take ?? 1} of ${slots ?? "?"} slots` }[mode];
  return `${how}${connected ? "" : ", away"}`;
}

function waiterState({ place, upgrade, mode, connected }: WaiterRow): string {
  const wish = mode === "shared" ? " to share it" : "";
  return `${ordinal(place)} in line${upgrade ? " to have it alone" : wish}${connected ? "" : ", away"}`;
}

const columns = [
  "name",
  "role",
  "place",
  "mode",
  "take",
  "program",
  "pid",
  "session",
  "token",
  "ms",
  "lease_ms",
  "reason",
];

/** For programs: everything by its bare value; a lock that nobody holds and nobody waits for has no line. */
export function plainRows(locks: readonly LockRow[]): Rows {
  return { columns, rows: locks.flatMap(plainRowsOf) };
}

function plainRowsOf({ name, holders, waiters }: LockRow): Cell[][] {
  const number = (value: number | null | undefined) => (value === null || value === undefined ? null : integer(value));
  return [
    ...holders.map(({ mode, take, program, pid, session, token, heldMs, leaseLeftMs, reason }): Cell[] => [
      ...[name, "holder", null, mode, number(take), program, number(pid), session, number(token)],
      ...[number(heldMs), number(leaseLeftMs), reason],
    ]),
    ...waiters.map(({ place, mode, take, program, pid, session, waitedMs, reason }): Cell[] => [
      ...[name, "waiter", number(place), mode, number(take), program, number(pid), session, null],
      ...[number(waitedMs), null, reason],
    ]),
  ];
}
