/**
 * A lock as it is shown: to the client that was granted it, to one that looks, to one that is refused because of it.
 * Whoever is in the way is named, in words and as fields.
 */
import { between, type Instant, type Refusal, refuse } from "../../terms/index.js";
import { overAt } from "../sessions/lease.js";
import { isPresent, type Session } from "../sessions/session.js";
import type { Ending, GrantView, HolderView, LockView, WaiterView } from "../turn.js";
import { claimsOf, type Grant, type Holding, holdingsOf, isHeld } from "./grant.js";
import type { Lock } from "./lock.js";
import { type Conversion, type LockRequest, type Place, placesOf, type Waiting } from "./request.js";

/** So many holders are listed of one name. */
const holdersListedMax = 100;
/** So many are named in a refusal. */
const holdersNamedMax = 16;
/** A place further back is not counted in a refusal. */
const placeNamedMax = 1000;

export function grantView(grant: Grant): GrantView {
  return { token: grant.token, key: grant.key, claims: claimsOf(grant) };
}

/** With the first `waitersMax` of those who wait. */
export function lockView(lock: Lock, waitersMax: number): LockView {
  const { name, slots, slotsFree, waiting } = lock;
  const held = [...lock.holdings()].filter(({ grant }) => isHeld(grant));
  return {
    name,
    mode: modeOf(lock),
    slots: slots === 0 ? undefined : slots,
    slotsFree: slots === 0 ? undefined : Math.max(0, slotsFree),
    ending: endingOf(lock),
    holders: held.slice(0, holdersListedMax).map((one) => holderView(one)),
    holdersTotal: held.length,
    waiters: waiterViews(lock, waitersMax),
    waitersTotal: waiting,
  };
}

function modeOf(lock: Lock): LockView["mode"] {
  if (lock.slots > 0) return "semaphore";
  if (lock.mode === "free") {
    for (const { mode } of lock.queue ?? []) return mode;
    return undefined;
  }
  // One that was downgraded shares it, though others do not get in before its writes are settled.
  return lock.count === 1 ? lock.first?.mode : lock.mode;
}

/** The worse of what keeps it occupied though its holders have ended: processes may live long. */
export function endingOf(lock: Lock): Ending | undefined {
  let ending: Ending | undefined;
  for (const { grant } of lock.holdings()) {
    if (grant.state.kind !== "ending") continue;
    if (grant.state.processes) return "processes";
    ending = "writes";
  }
  return ending;
}

/** The first `max` of those who hold it, without their other names. */
export function holderViews(lock: Lock, max: number): HolderView[] {
  const views: HolderView[] = [];
  for (const holding of lock.holdings()) {
    if (views.length >= max) break;
    if (isHeld(holding.grant)) views.push(holderView(holding, []));
  }
  return views;
}

function holderView({ grant, lock, mode, take }: Holding, also = alsoOf(grant, lock)): HolderView {
  const { session, token, reason, since, terms } = grant;
  return {
    session: session.id,
    token,
    identity: session.identity,
    reason,
    since,
    connected: isPresent(session),
    mode,
    take,
    also,
    ttlMs: terms.ttlMs,
    leaseUntil: grant.lease === undefined ? undefined : overAt(grant),
    guarded: terms.guarded,
  };
}

function alsoOf(grant: Grant, lock: Lock): HolderView["also"] {
  return [...holdingsOf(grant)].flatMap((other) => (other.lock === lock ? [] : [other.lock.name]));
}

/** In the order in which they can be granted: an upgrade goes before all. */
function waiterViews(lock: Lock, max: number): WaiterView[] {
  const views: WaiterView[] = [];
  if (lock.conversion !== undefined && max > 0) views.push(upgradeView(lock.conversion));
  for (const place of lock.queue ?? []) {
    if (views.length >= max) break;
    views.push(waiterView(place, views.length + 1));
  }
  return views;
}

function waiterView({ request, lock, mode, take }: Place, place: number): WaiterView {
  const { session, reason, since } = request;
  return {
    session: session.id,
    identity: session.identity,
    reason,
    place,
    since,
    connected: isPresent(session),
    mode,
    take,
    also: [...placesOf(request)].flatMap((other) => (other.lock === lock ? [] : [other.lock.name])),
    upgrade: false,
  };
}

function upgradeView({ session, reason, since }: Conversion): WaiterView {
  return {
    session: session.id,
    identity: session.identity,
    reason,
    place: 1,
    since,
    connected: isPresent(session),
    mode: "exclusive",
    take: 1,
    also: [],
    upgrade: true,
  };
}

// ── refusals ────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Why a request for this lock is refused. `waiter`: the one that is refused, when it waited; an upgrade also when it did not. */
export function heldRefusal(lock: Lock, code: "LOCK_HELD" | "LOCK_TIMEOUT", now: Instant, waiter?: Waiting): Refusal {
  const { name } = lock;
  const waited = waiter !== undefined && (waiter.kind === "request" || lock.conversion === waiter);
  const waiting = lock.waiting - (waited ? 1 : 0);
  const own = ownGrant(waiter);
  const others = othersHolding(lock, own);
  const place = waiter?.kind === "request" ? placeIn(lock, waiter) : {};
  const [first, ...more] = others;
  if (first === undefined)
    return refuse(code, `${quote(name)} is not free: ${whyNotFree(lock)}`, { name, holder: null, waiting, ...place });
  const holder = holderDetails(first.grant, now);
  const holders = others.slice(0, holdersNamedMax).map(({ grant }) => holderDetails(grant, now));
  // Of more than are named, those whose end is not settled are counted too: nobody walks over all for a number.
  const count = more.length < holdersNamedMax ? more.length : lock.count - (own === undefined ? 1 : 2);
  const who = `${nameOf(first.grant.session)} for ${holder.heldMs} ms${count === 0 ? "" : ` and ${othersText(count)}`}`;
  const message = `${quote(name)} is held by ${who}, ${waiting} waiting`;
  return refuse(code, message, { name, holder, ...(more.length === 0 ? {} : { holders }), waiting, ...place });
}

export function othersText(count: number): string {
  return count === 1 ? "1 other" : `${count} others`;
}

/** As many as are named, and one more. */
function othersHolding(lock: Lock, own: Grant | undefined): Holding[] {
  const found: Holding[] = [];
  for (let one = lock.first; one !== undefined && found.length <= holdersNamedMax; one = one.behind)
    if (isHeld(one.grant) && one.grant !== own) found.push(one);
  return found;
}

function ownGrant(waiter: Waiting | undefined): Grant | undefined {
  return waiter?.kind === "conversion" ? waiter.holding.grant : undefined;
}

function placeIn(lock: Lock, request: LockRequest): { readonly place?: number } {
  for (const place of placesOf(request)) {
    const number = place.lock === lock ? lock.queue?.placeOf(place, placeNamedMax) : undefined;
    if (number !== undefined) return { place: number };
  }
  return {};
}

function holderDetails({ session, reason, token, since }: Grant, now: Instant) {
  const { program, process } = session.identity;
  const heldMs = Math.round(between(since, now));
  return { session: session.id, program, pid: process?.pid ?? null, reason, heldMs, token };
}

function whyNotFree(lock: Lock): string {
  switch (endingOf(lock)) {
    case "processes":
      return "processes of the last holder are being ended";
    case "writes":
      return "the last holder's writes are being settled";
    default:
      return lock.waiting > 0
        ? "others wait for it"
        : "nothing can be granted now, because it is not known who holds what";
  }
}

export function notHeld(fence: { readonly name: string; readonly token?: number | undefined }, who?: Session): Refusal {
  const { name, token } = fence;
  const under = token === undefined ? "" : ` under token ${token}`;
  const message = `${who === undefined ? "nobody holds" : `session ${who.id} does not hold`} ${quote(name)}${under}`;
  return refuse("LOCK_NOT_HELD", message, { name, token: token ?? null });
}

/** A session as people know it. */
export function nameOf({ id, identity }: Pick<Session, "id" | "identity">): string {
  const { program, process } = identity;
  if (program === "") return `session ${id}`;
  return process === undefined ? program : `${program} (pid ${process.pid})`;
}

export function quote(name: string): string {
  return JSON.stringify(name);
}
