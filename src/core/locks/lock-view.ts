/**
 * A lock as it is shown: to the client that was granted it, to one that looks, to one that is refused because of it.
 * Whoever is in the way is named, in words and as fields.
 */
import {
  between,
  type Instant,
  type LockName,
  type Refusal,
  type RequestKey,
  refuse,
  type SessionId,
} from "../../terms/index.js";
import type { ListCommand } from "../command.js";
import { isPresent } from "../sessions/session.js";
import type { GrantView, HolderView, LockView, WaiterView } from "../turn.js";
import type { Grant, Lock, Waiter } from "./lock.js";

export function grantView({ lock, token, key }: Grant): GrantView {
  return { token, key, claims: [{ name: lock.name, mode: "exclusive" }] };
}

/** One lock by its name, or all whose names begin so, by name. */
export function listLocks(
  locks: ReadonlyMap<LockName, Lock>,
  { name, prefix, session, contended, waitersMax }: ListCommand,
): LockView[] {
  if (name !== undefined) {
    const lock = locks.get(name);
    return lock === undefined ? [] : [lockView(lock, waitersMax)];
  }
  const views: LockView[] = [];
  for (const lock of locks.values()) {
    if (!lock.name.startsWith(prefix) || (contended && lock.queue.length === 0)) continue;
    if (session === undefined || concerns(lock, session)) views.push(lockView(lock, waitersMax));
  }
  return views.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function concerns({ holder, queue }: Lock, session: SessionId): boolean {
  return holder?.session.id === session || queue.first((waiter) => waiter.session.id === session) !== undefined;
}

/** With the first `waitersMax` of those who wait. */
function lockView(lock: Lock, waitersMax: number): LockView {
  const { name, queue, holder, state } = lock;
  const waiters: WaiterView[] = [];
  for (const waiter of queue) {
    if (waiters.length >= waitersMax) break;
    waiters.push(waiterView(waiter, waiters.length + 1));
  }
  const holders = holder === undefined ? [] : [holderView(holder)];
  return {
    name,
    mode: holder === undefined && queue.length === 0 ? undefined : "exclusive",
    slots: undefined,
    slotsFree: undefined,
    ending: state.kind === "draining" ? "writes" : undefined,
    holders,
    holdersTotal: holders.length,
    waiters,
    waitersTotal: queue.length,
  };
}

function waiterView({ session, reason, since }: Waiter, place: number): WaiterView {
  return {
    session: session.id,
    identity: session.identity,
    reason,
    place,
    since,
    connected: isPresent(session),
    mode: "exclusive",
    take: 1,
    also: [],
    upgrade: false,
  };
}

function holderView({ session, token, reason, since }: Grant): HolderView {
  return {
    session: session.id,
    token,
    identity: session.identity,
    reason,
    since,
    connected: isPresent(session),
    mode: "exclusive",
    take: 1,
    also: [],
    ttlMs: undefined,
    leaseUntil: undefined,
    guarded: false,
  };
}

/** Why a request for this lock is refused. `waiter`: the one that is refused, when it stood in the queue. */
export function heldRefusal(lock: Lock, code: "LOCK_HELD" | "LOCK_TIMEOUT", now: Instant, waiter?: Waiter): Refusal {
  const { name, holder: grant } = lock;
  const waiting = lock.queue.length - (waiter === undefined ? 0 : 1);
  if (grant === undefined)
    return refuse(code, `${quote(name)} is not free: ${whyNotFree(lock)}`, { name, holder: null, waiting });
  const { id: session, identity } = grant.session;
  const pid = identity.process?.pid ?? null;
  const heldMs = Math.round(between(grant.since, now));
  const who = `${identity.program}${pid === null ? "" : ` (pid ${pid})`}`;
  const { reason, token } = grant;
  const holder = { session, program: identity.program, pid, reason, heldMs, token };
  const message = `${quote(name)} is held by ${who} for ${heldMs} ms, ${waiting} waiting`;
  return refuse(code, message, { name, holder, waiting });
}

function whyNotFree(lock: Lock): string {
  if (lock.state.kind === "draining") return "the last holder's writes are being settled";
  return "nothing can be granted now, because it is not known who holds what";
}

export function quote(name: string): string {
  return JSON.stringify(name);
}

export function reused(key: RequestKey): Refusal {
  return refuse("KEY_REUSED", `request key ${key} was used for another lock`, { key });
}
