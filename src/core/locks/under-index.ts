/**
 * What waits under what, for one search: the same as under.ts says, found without a look at each grant for each wait. Valid
 * as long as nothing is granted, ended or queued.
 */
import { isPresent, type Session } from "../sessions/session.js";
import { type Grant, type Holding, holdingsOf } from "./grant.js";
import type { Lock } from "./lock.js";
import { type LockRequest, placesOf, type Waiting } from "./request.js";
import { besideOf, excludes, withInner } from "./under.js";

/** Of so few grants each is looked at. */
const fewGrants = 8;
const none: ReadonlySet<Grant> = new Set();

export class UnderIndex {
  readonly #besides = new Map<Waiting, ReadonlySet<Grant>>();
  readonly #holdings = new Map<Session, ReadonlyMap<Lock, readonly Holding[]>>();
  readonly #kept = new Map<LockRequest, ReadonlyMap<Lock, readonly Holding[]>>();

  /** Grants of its session that another task has, if it does not say itself what it was made under. */
  besides(waiting: Waiting): ReadonlySet<Grant> {
    if (waiting.kind === "conversion" || waiting.session.grants.size === 0) return none;
    let found = this.#besides.get(waiting);
    if (found === undefined) {
      found = this.#besidesOf(waiting);
      this.#besides.set(waiting, found);
    }
    return found;
  }

  /** Of what is not given back before the request is done, what is of this semaphore. */
  *keptOf(request: LockRequest, lock: Lock): Iterable<Holding> {
    const { session, under } = request;
    // Of its own session's, what is of a name that it wants is another task's.
    if (under !== undefined && under.length > 0) yield* this.#underOf(request, under).get(lock) ?? [];
    for (let { outer } = session; outer !== undefined; outer = outer.outer)
      if (outer.grants.size > 0) yield* this.#holdingsOf(outer).get(lock) ?? [];
  }

  #besidesOf(request: LockRequest): ReadonlySet<Grant> {
    const { session, beside } = request;
    const { grants } = session;
    if (grants.size <= fewGrants) return new Set([...grants.values()].filter(besideOf(request)));
    const found = new Set(beside);
    const holdings = this.#holdingsOf(session);
    for (const { lock, mode } of placesOf(request))
      for (const holding of holdings.get(lock) ?? []) if (excludes(holding, mode)) found.add(holding.grant);
    return found;
  }

  #holdingsOf(session: Session): ReadonlyMap<Lock, readonly Holding[]> {
    let found = this.#holdings.get(session);
    if (found === undefined) {
      found = byLock(session.grants.values());
      this.#holdings.set(session, found);
    }
    return found;
  }

  #underOf(request: LockRequest, under: readonly Grant[]): ReadonlyMap<Lock, readonly Holding[]> {
    let found = this.#kept.get(request);
    if (found === undefined) {
      // What outer sessions hold is counted with them.
      found = byLock(under.filter((grant) => grant.session === request.session));
      this.#kept.set(request, found);
    }
    return found;
  }
}

/** Present waits by the grants that they are under: each is told once, under the first of them that is asked for. */
export class WaitsBelow {
  readonly #index: UnderIndex;
  readonly #left = new Map<Session, Left>();

  constructor(index: UnderIndex) {
    this.#index = index;
  }

  /** First those of its session, in the order in which they came, then those of the sessions that run under it. */
  under(grant: Grant): readonly Waiting[] {
    const { session } = grant;
    const known = this.#left.get(session);
    const left = known ?? leftOf(session);
    const found = left.listed.get(grant) ?? [];
    const rest: Numbered[] = [];
    for (const one of left.others) (this.#index.besides(one.waiting).has(grant) ? rest : found).push(one);
    left.others = rest;
    left.listed.delete(grant);
    const waits = found.sort((a, b) => a.number - b.number).map(({ waiting }) => waiting);
    if (known !== undefined) return waits;
    this.#left.set(session, left);
    for (const inner of withInner(session))
      if (inner !== session && isPresent(inner)) for (const waiting of inner.waits.values()) waits.push(waiting);
    return waits;
  }
}

interface Numbered {
  readonly waiting: Waiting;
  readonly number: number;
}

/** Waits of a session that were not told yet. */
interface Left {
  /** Those that say what they were made under, by that. */
  readonly listed: Map<Grant, Numbered[]>;
  others: readonly Numbered[];
}

function leftOf(session: Session): Left {
  const listed = new Map<Grant, Numbered[]>();
  const others: Numbered[] = [];
  if (!isPresent(session)) return { listed, others };
  let number = 0;
  for (const waiting of session.waits.values()) {
    number++;
    if (waiting.under === undefined) others.push({ waiting, number });
    else for (const grant of waiting.under) addTo(listed, grant, { waiting, number });
  }
  return { listed, others };
}

function byLock(grants: Iterable<Grant>): ReadonlyMap<Lock, readonly Holding[]> {
  const found = new Map<Lock, Holding[]>();
  for (const grant of grants) for (const holding of holdingsOf(grant)) addTo(found, holding.lock, holding);
  return found;
}

export function addTo<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}
