/**
 * A circle through the slots of a semaphore. They may come from any of its holders, so that each way out may count on
 * another which is closed too: what is stuck for certain does not show it. So it is looked for from the other end.
 *
 * All that the newcomer waits for, and what that waits for, is taken for stuck. Then, again and again, whatever could be
 * had if those who are not stuck gave everything back is taken off. What is left can never end, and if the newcomer is in
 * it there is a circle through it, for before it came nothing was stuck.
 *
 * Each grant, wait and place is walked a few times in all: who waits under what is counted (under-count.ts), and a name is
 * looked at again only when something on it was taken off.
 */
import { isPresent } from "../sessions/session.js";
import type { Wait } from "./deadlock.js";
import { type Grant, type Holding, holdingsOf, isHeld } from "./grant.js";
import type { Lock } from "./lock.js";
import { type Conversion, locksOf, type Place, placesOf, type Waiting } from "./request.js";
import { excludes } from "./under.js";
import { UnderCount } from "./under-count.js";
import { UnderIndex, WaitsBelow } from "./under-index.js";

/** The circle, from the newcomer's own wait on. `ends`: a grant that is to end in any case. */
export function circleThroughSlots(newcomer: Waiting, ends: Grant | undefined): readonly Wait[] | undefined {
  // Who is away is passed over, and stands in nobody's way.
  if (!isPresent(newcomer.session)) return undefined;
  const left = new Remainder(newcomer, ends);
  left.takeOff(newcomer);
  return left.has(newcomer) ? left.wayBack(newcomer) : undefined;
}

/** One that stands in the way, and whose end that needs. */
interface Obstacle {
  readonly lock: Lock;
  readonly grant: Grant | undefined;
  readonly next: Waiting;
}

/** What is left on one name. */
interface Name {
  readonly lock: Lock;
  /** In order; those before `from` are taken off, and some behind may be. */
  readonly places: readonly Place[];
  from: number;
  /** Places that could be had, whose requests wait for other names too. */
  readonly passed: Set<Place>;
  readonly conversion: Conversion | undefined;
  /** Of the holders that are left: how many, how many of them nobody can share with, and the slots that they have. */
  holders: number;
  excluding: number;
  takes: number;
}

/** What of a name was gone through already on the way back. */
interface Walked {
  /** Its holders, for one that would share it; for one that would not. */
  shared: boolean;
  alone: boolean;
  /** So many places, and so many of which those who want it alone. */
  places: number;
  exclusive: number;
}

/** The last wait of a way, and what leads to it. */
interface Step {
  readonly wait: Wait;
  readonly before: Step | undefined;
}

class Remainder {
  readonly #index = new UnderIndex();
  readonly #count = new UnderCount(this.#index);
  /** Each with the number of its names that it could not have. */
  readonly #waiting = new Map<Waiting, number>();
  /** What is not given back before one of these is done. */
  readonly #grants = new Set<Grant>();
  readonly #names = new Map<Lock, Name>();
  /** Names to be looked at, because something on them was taken off. */
  readonly #look = new Set<Name>();
  readonly #ends: Grant | undefined;

  constructor(newcomer: Waiting, ends: Grant | undefined) {
    this.#ends = ends;
    const below = new WaitsBelow(this.#index);
    const reached = [newcomer];
    for (let one = reached.pop(); one !== undefined; one = reached.pop()) {
      if (this.#waiting.has(one)) continue;
      const locks = locksOf(one);
      this.#waiting.set(one, locks.length);
      for (const lock of locks) if (!this.#names.has(lock)) this.#reach(lock, below, reached);
    }
  }

  has(waiting: Waiting): boolean {
    return this.#waiting.has(waiting);
  }

  /** Takes off whatever could be had, until nothing is left that could or `wanted` is off. */
  takeOff(wanted: Waiting): void {
    for (const name of this.#names.values()) this.#look.add(name);
    for (const name of this.#look) {
      this.#look.delete(name);
      this.#lookAt(name);
      if (!this.has(wanted)) return;
    }
  }

  /** The shortest. */
  wayBack(newcomer: Waiting): Wait[] | undefined {
    const below = new WaitsBelow(this.#index);
    const walked = new Map<Lock, Walked>();
    const known = new Map<Waiting, Step | undefined>([[newcomer, undefined]]);
    // Grows while it is walked: who is nearest comes first.
    for (const waiting of known.keys())
      for (const { lock, grant, next } of this.#inTheWayOf(waiting, below, walked)) {
        const step = { wait: { waiting, name: lock.name, grant, next }, before: known.get(waiting) };
        if (next === newcomer) return wayOf(step);
        if (!known.has(next)) known.set(next, step);
      }
    return undefined;
  }

  /** Who waits for it, and for whom who holds it waits. */
  #reach(lock: Lock, below: WaitsBelow, reached: Waiting[]): void {
    const conversion =
      lock.conversion !== undefined && isPresent(lock.conversion.session) ? lock.conversion : undefined;
    const places: Place[] = [];
    for (let place = lock.queue?.first; place !== undefined; place = place.presentBehind) {
      places.push(place);
      reached.push(place.request);
    }
    if (conversion !== undefined) reached.push(conversion);
    const name = { lock, places, from: 0, passed: new Set<Place>(), conversion, holders: 0, excluding: 0, takes: 0 };
    this.#names.set(lock, name);
    for (const holding of lock.holdings()) {
      const { grant } = holding;
      if (!isHeld(grant) || grant === this.#ends || !this.#count.isUnderWaits(grant)) continue;
      this.#grants.add(grant);
      for (const waiting of below.under(grant)) reached.push(waiting);
      name.holders++;
      name.takes += holding.take;
      if (excludes(holding, "shared")) name.excluding++;
    }
  }

  /** Takes off who waits for this name and could have it, if all that is not stuck were given back. */
  #lookAt(name: Name): void {
    const { lock, places, passed } = name;
    const { conversion } = name;
    if (conversion !== undefined && this.has(conversion)) {
      const own = this.#grants.has(conversion.holding.grant) ? 1 : 0;
      if (name.holders > own) return;
      this.#couldHave(conversion);
    }
    while (name.from < places.length && !this.has((places[name.from] as Place).request)) name.from++;
    let free = lock.slots - name.takes;
    let barrier = name.excluding > 0;
    let ahead = 0;
    for (let at = name.from; at < places.length && (lock.slots > 0 ? free > 0 : !barrier); at++) {
      const place = places[at] as Place;
      const { request, mode, take } = place;
      if (!this.has(request)) continue;
      const isFree = mode === "exclusive" ? name.holders + ahead === 0 : !barrier;
      const isNew = (mode === "semaphore" ? free >= take : isFree) && !passed.has(place);
      ahead++;
      free -= take;
      barrier ||= mode === "exclusive";
      if (!isNew) continue;
      passed.add(place);
      this.#couldHave(request);
    }
  }

  /** One name more; with the last it is taken off, and what is given back then. */
  #couldHave(waiting: Waiting): void {
    const names = (this.#waiting.get(waiting) ?? 0) - 1;
    if (names > 0) {
      this.#waiting.set(waiting, names);
      return;
    }
    this.#waiting.delete(waiting);
    for (const lock of locksOf(waiting)) this.#lookAgain(lock);
    for (const grant of this.#count.isDone(waiting)) {
      if (!this.#grants.delete(grant)) continue;
      for (const holding of holdingsOf(grant)) this.#isGivenBack(holding);
    }
  }

  #isGivenBack(holding: Holding): void {
    const name = this.#names.get(holding.lock);
    if (name === undefined) return;
    name.holders--;
    name.takes -= holding.take;
    if (excludes(holding, "shared")) name.excluding--;
    this.#look.add(name);
  }

  #lookAgain(lock: Lock): void {
    const name = this.#names.get(lock);
    if (name !== undefined) this.#look.add(name);
  }

  // ── the circle ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Without what was in the way of one before: whoever that leads to is known already. */
  *#inTheWayOf(waiting: Waiting, below: WaitsBelow, walked: Map<Lock, Walked>): Iterable<Obstacle> {
    if (waiting.kind === "conversion") {
      const { lock, grant } = waiting.holding;
      for (const other of lock.holdings()) if (other.grant !== grant) yield* this.#neededFor(other, below);
      return;
    }
    for (const place of placesOf(waiting)) {
      const { lock } = place;
      const before = walked.get(lock) ?? { shared: false, alone: false, places: 0, exclusive: 0 };
      walked.set(lock, before);
      yield* this.#holdersBefore(place, below, before);
      yield* this.#placesBefore(place, before);
    }
  }

  *#holdersBefore({ lock, mode }: Place, below: WaitsBelow, before: Walked): Iterable<Obstacle> {
    if (before.alone || (mode === "shared" && before.shared)) return;
    before.shared = true;
    before.alone = mode !== "shared";
    for (const holding of lock.holdings()) if (excludes(holding, mode)) yield* this.#neededFor(holding, below);
    const conversion = this.#names.get(lock)?.conversion;
    if (conversion !== undefined && this.has(conversion)) yield { lock, grant: undefined, next: conversion };
  }

  *#placesBefore({ lock, mode, request }: Place, before: Walked): Iterable<Obstacle> {
    const { places = [] } = this.#names.get(lock) ?? {};
    const isShared = mode === "shared";
    let at = isShared ? Math.max(before.places, before.exclusive) : before.places;
    for (; at < places.length; at++) {
      const one = places[at] as Place;
      if (one.request.arrival >= request.arrival) break;
      if ((!isShared || one.mode === "exclusive") && this.has(one.request))
        yield { lock, grant: undefined, next: one.request };
    }
    if (isShared) before.exclusive = at;
    else before.places = at;
  }

  *#neededFor({ lock, grant }: Holding, below: WaitsBelow): Iterable<Obstacle> {
    if (!this.#grants.has(grant)) return;
    for (const next of below.under(grant)) if (this.has(next)) yield { lock, grant, next };
  }
}

function wayOf(last: Step): Wait[] {
  const way: Wait[] = [];
  for (let step: Step | undefined = last; step !== undefined; step = step.before) way.push(step.wait);
  return way.reverse();
}
