/**
 * Whether a wait that begins can never end. Looked for at its beginning, and where one that waits is put before others or
 * is left fewer slots: what asks for that is refused, so nothing that waits is ever stuck, and whatever could be would be
 * so because of the newcomer.
 *
 * What cannot go on before the newcomer is done is stuck: first the newcomer and all that was granted to it before; then
 *
 *   a grant     that is not given back before a stuck request is done
 *   a request   with a name that only stuck grants could give it, or that a stuck request before it takes
 *
 * until nothing more is found. If then the newcomer itself waits for something stuck, the circle is closed. Slots of a
 * semaphore may come from any of its holders, so a request for some is stuck only when those who are not stuck could
 * never give it enough; where that was so near, stuck-slots.ts has the last word.
 *
 * A grant is not given back before a request is done if the request was made under it (under.ts). Who is away is passed
 * over, so nobody waits for it; its waits are looked at again when it is back.
 */
import type { LockName } from "../../terms/index.js";
import { isPresent, type Session } from "../sessions/session.js";
import { Grant, holdingsOf, isHeld } from "./grant.js";
import type { Lock } from "./lock.js";
import { type Conversion, type LockRequest, locksOf, type Place, placesOf, type Waiting } from "./request.js";
import { circleThroughSlots } from "./stuck-slots.js";
import { excludes, grantsUnder } from "./under.js";
import { UnderIndex, WaitsBelow } from "./under-index.js";

/** One wait of a circle: who waits for which name, and for whom in the end. */
export interface Wait {
  readonly waiting: Waiting;
  readonly name: LockName;
  /** The grant that is in the way; absent: it stands behind the next one. */
  readonly grant: Grant | undefined;
  readonly next: Waiting;
}

/** Why a request is stuck: for this name it waits for a stuck grant, or behind a stuck request. */
interface Cause {
  readonly lock: Lock;
  readonly by: Grant | Waiting;
}

/** What is known to be stuck on one name. */
interface Stuck {
  /** One of the holders. */
  holder: Grant | undefined;
  /** Slots that they have. */
  takes: number;
}

/**
 * The circle that this one closes. It must have its places already.
 *
 * `isBack`: not at the end of its queues, but in the middle. `ends`: a grant that is to end in any case, so that nobody
 * waits for it.
 */
export function circleOf(newcomer: Waiting, isBack: boolean, ends?: Grant): readonly Wait[] | undefined {
  const circle = mayCloseCircle(newcomer, isBack) ? ownCircleOf(newcomer, ends) : undefined;
  return circle ?? (newcomer.kind === "conversion" ? circleBehind(newcomer) : undefined);
}

/** From its own wait on. */
function ownCircleOf(newcomer: Waiting, ends?: Grant): readonly Wait[] | undefined {
  const search = new Search(newcomer, ends);
  const cause = search.causeOf(newcomer);
  if (cause !== undefined) return search.wayBack(newcomer, cause);
  return search.spared ? circleThroughSlots(newcomer, ends) : undefined;
}

/**
 * Who waits to share what is upgraded waits for that grant then, which it did not before: it may not be given back before
 * something is done that waits for them.
 */
function circleBehind(conversion: Conversion): readonly Wait[] | undefined {
  const { grant, lock } = conversion.holding;
  if (lock.waiting === 1) return undefined;
  for (const waiting of new WaitsBelow(new UnderIndex()).under(grant)) {
    const circle = waiting === conversion ? undefined : ownCircleOf(waiting);
    if (circle !== undefined) return circle;
  }
  return undefined;
}

class Search {
  /** Stuck grants, and the request each waits to see done. */
  readonly #grants = new Map<Grant, Waiting>();
  /** Stuck requests; the newcomer without a cause. */
  readonly #waiting = new Map<Waiting, Cause | undefined>();
  readonly #locks = new Map<Lock, Stuck>();
  /** Names to be looked at, because something on them is newly stuck; one that is in it more often, once. */
  readonly #look: Lock[] = [];
  readonly #changed = new Set<Lock>();
  readonly #index = new UnderIndex();
  /** Of sessions something of which is stuck: grants that were not found to be so yet. */
  readonly #left = new Map<Session, Iterable<Grant>>();
  readonly #ends: Grant | undefined;
  /** A wait for slots was not stuck, though something stuck was in its way. */
  spared = false;

  constructor(newcomer: Waiting, ends: Grant | undefined) {
    this.#ends = ends;
    this.#isStuck(newcomer, undefined);
    for (let lock = this.#look.pop(); lock !== undefined; lock = this.#look.pop())
      if (this.#changed.delete(lock)) this.#lookAt(lock);
  }

  wayBack(newcomer: Waiting, first: Cause): Wait[] {
    const way: Wait[] = [];
    let waiting = newcomer;
    let cause: Cause | undefined = first;
    while (cause !== undefined) {
      const { by, lock }: Cause = cause;
      const next: Waiting = by instanceof Grant ? (this.#grants.get(by) ?? newcomer) : by;
      way.push({ waiting, name: lock.name, grant: by instanceof Grant ? by : undefined, next });
      waiting = next;
      cause = next === newcomer ? undefined : this.#waiting.get(next);
    }
    return way;
  }

  /** What stuck thing this one waits for, if any. */
  causeOf(waiting: Waiting): Cause | undefined {
    if (waiting.kind === "conversion") {
      const { lock, grant } = waiting.holding;
      for (const other of lock.holdings())
        if (other.grant !== grant && this.#grants.has(other.grant)) return { lock, by: other.grant };
      return undefined;
    }
    for (const place of placesOf(waiting)) {
      const by: Grant | Waiting | undefined = this.#inTheWay(place, this.#stuckAhead(place));
      if (by !== undefined) return { lock: place.lock, by };
    }
    return undefined;
  }

  // ── what is stuck makes others stuck ──────────────────────────────────────────────────────────────────────────────

  #isStuck(waiting: Waiting, cause: Cause | undefined): void {
    if (this.#waiting.has(waiting)) return;
    this.#waiting.set(waiting, cause);
    this.#keepsGrants(waiting);
    for (const lock of locksOf(waiting)) if (lock.waiting > 1) this.#lookLater(lock);
  }

  /** Each of its session's grants is looked at until it is found stuck, however many of its waits are. */
  #keepsGrants(waiting: Waiting): void {
    const { session } = waiting;
    if (waiting.under !== undefined) for (const grant of waiting.under) this.#grantIsStuck(grant, waiting);
    else {
      const left: Grant[] = [];
      const besides = this.#index.besides(waiting);
      for (const grant of this.#left.get(session) ?? session.grants.values()) {
        if (besides.has(grant)) left.push(grant);
        else this.#grantIsStuck(grant, waiting);
      }
      this.#left.set(session, left);
    }
    for (let { outer } = session; outer !== undefined; outer = outer.outer) {
      for (const grant of this.#left.get(outer) ?? outer.grants.values()) this.#grantIsStuck(grant, waiting);
      this.#left.set(outer, []);
    }
  }

  #lookLater(lock: Lock): void {
    this.#look.push(lock);
    this.#changed.add(lock);
  }

  #grantIsStuck(grant: Grant, waiting: Waiting): void {
    if (!isHeld(grant) || grant === this.#ends || this.#grants.has(grant)) return;
    this.#grants.set(grant, waiting);
    for (const { lock, take } of holdingsOf(grant)) {
      const stuck = this.#locks.get(lock);
      if (stuck === undefined) this.#locks.set(lock, { holder: grant, takes: take });
      else stuck.takes += take;
      if (lock.waiting > 0) this.#lookLater(lock);
    }
  }

  /** From the head of the queue: who is stuck here now? */
  #lookAt(lock: Lock): void {
    const { conversion } = lock;
    if (conversion !== undefined && isPresent(conversion.session) && !this.#waiting.has(conversion)) {
      const cause = this.causeOf(conversion);
      if (cause !== undefined) this.#isStuck(conversion, cause);
    }
    const ahead = new Ahead();
    for (let place = lock.queue?.first; place !== undefined; place = place.presentBehind) {
      const { request } = place;
      const by = this.#waiting.has(request) ? undefined : this.#inTheWay(place, ahead);
      if (by !== undefined) this.#isStuck(request, { lock, by });
      if (this.#waiting.has(request)) ahead.add(place);
    }
  }

  #stuckAhead(place: Place): Ahead {
    const ahead = new Ahead();
    for (let one = place.lock.queue?.first; one !== undefined && one !== place; one = one.presentBehind)
      if (this.#waiting.has(one.request)) ahead.add(one);
    return ahead;
  }

  /** What stuck thing keeps this place waiting. */
  #inTheWay({ request, lock, mode, take }: Place, ahead: Ahead): Grant | Waiting | undefined {
    const stuck = this.#locks.get(lock);
    if (mode === "semaphore") {
      const taken = (stuck?.takes ?? 0) + ahead.takes + this.#kept(request, lock);
      if (lock.slots - taken < take) return stuck?.holder ?? ahead.any;
      this.spared ||= taken > 0;
      return undefined;
    }
    if (stuck?.holder !== undefined && (mode === "exclusive" || lock.isHeldAlone)) return stuck.holder;
    const { conversion } = lock;
    if (conversion !== undefined && this.#waiting.has(conversion)) return conversion;
    const upgraded = conversion?.holding;
    if (upgraded !== undefined && this.#grants.has(upgraded.grant) && excludes(upgraded, mode)) return upgraded.grant;
    return mode === "exclusive" ? ahead.any : ahead.exclusive;
  }

  /** Slots that it holds itself until it is done, though nothing is stuck so far. */
  #kept(request: LockRequest, lock: Lock): number {
    let kept = 0;
    for (const { grant, take } of this.#index.keptOf(request, lock))
      if (isHeld(grant) && grant !== this.#ends && !this.#grants.has(grant)) kept += take;
    return kept;
  }
}

/** Stuck requests that go before one. */
class Ahead {
  any: LockRequest | undefined;
  exclusive: LockRequest | undefined;
  takes = 0;

  add({ request, mode, take }: Place): void {
    this.any ??= request;
    if (mode === "exclusive") this.exclusive ??= request;
    this.takes += take;
  }
}

/**
 * Whether a wait that begins can close a circle at all. One at the end of its queues can if something was granted to it
 * before. One that comes back into the middle of a queue can also hold up who is behind it, unless those wait for what
 * it waits for just as well.
 */
function mayCloseCircle(waiting: Waiting, isBack: boolean): boolean {
  for (const _ of grantsUnder(waiting)) return true;
  if (!isBack || waiting.kind === "conversion") return false;
  const { next, mode, lock } = waiting.first;
  return next !== undefined || !(mode === "shared" || (mode === "exclusive" && lock.isHeldAlone));
}
