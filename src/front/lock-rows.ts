/** How locks are shown on the wire: instants become lengths of time and wall time, absent things null or no field. */
import type { HolderView, LockEvent, LockView, SessionIdentity, WaiterView } from "../core/index.js";
import type { HolderRow, LockEventRow, LockRow, Someone, WaiterRow } from "../protocol/index.js";
import { between, type Instant, type Millis, type SessionId, type WallTime } from "../terms/index.js";

/** One moment, by both clocks. */
export interface Moment {
  readonly now: Instant;
  readonly wallNow: WallTime;
}

export function someoneOf({ session, identity }: { session: SessionId; identity: SessionIdentity }): Someone {
  return { session, program: identity.program, pid: identity.process?.pid ?? null };
}

export function lockRow(lock: LockView, moment: Moment): LockRow {
  const { name, mode, slots, slotsFree, ending, holders, holdersTotal, waiters, waitersTotal } = lock;
  return {
    name,
    mode: mode ?? null,
    ...(slots === undefined ? {} : { slots }),
    ...(slotsFree === undefined ? {} : { slotsFree }),
    draining: ending !== undefined && holdersTotal === 0,
    ending: ending ?? null,
    holders: holders.map((holder) => holderRow(holder, moment)),
    holdersTotal,
    waiters: waiters.map((waiter) => waiterRow(waiter, moment)),
    waitersTotal,
  };
}

export function holderRow(holder: HolderView, { now, wallNow }: Moment): HolderRow {
  const { token, since, ttlMs = null, leaseUntil, guarded } = holder;
  const heldMs = sinceMs(since, now);
  return {
    ...askingOf(holder),
    token,
    heldMs,
    since: wallNow - heldMs,
    ttlMs,
    leaseLeftMs: leaseUntil === undefined ? null : sinceMs(now, leaseUntil),
    guarded,
  };
}

function waiterRow(waiter: WaiterView, { now }: Moment): WaiterRow {
  const { upgrade, place, since } = waiter;
  return { ...askingOf(waiter), upgrade, place, waitedMs: sinceMs(since, now) };
}

function askingOf(one: HolderView | WaiterView) {
  const { reason, connected, mode, take, also } = one;
  return {
    ...someoneOf(one),
    reason,
    connected,
    mode,
    ...(mode === "semaphore" ? { take } : {}),
    ...(also.length === 0 ? {} : { also }),
  };
}

/** For a person or a program that compares with its own wall clock: the moment is that of the broker's steady clock. */
export function eventRow(event: LockEvent, { now, wallNow }: Moment): LockEventRow {
  const { n, at, kind, name, session, program, pid, token, reason } = event;
  return {
    session,
    program,
    pid: pid ?? null,
    n,
    at: wallNow - sinceMs(at, now),
    kind,
    name,
    ...(token === undefined ? {} : { token }),
    ...(reason === undefined || reason === "" ? {} : { reason }),
  };
}

function sinceMs(start: Instant, end: Instant): Millis {
  return Math.max(0, Math.round(between(start, end)));
}
