/**
 * A circle through the slots of a semaphore. They may come from any of its holders, so that each way out may count on
 * another which is closed too: what is stuck for certain does not show it. So it is looked for from the other end.
 *
 * All that the newcomer waits for, and what that waits for, is taken for stuck. Then, again and again, whatever could be
 * had if those who are not stuck gave everything back is taken off. What is left can never end, and if the newcomer is in
 * it there is a circle through it, for before it came nothing was stuck.
 *
 * It costs as much as there is to be walked, several times: it is asked only where a wait for slots was met that something
 * stuck stands in the way of, but not enough of it.
 */
import { isPresent } from "../sessions/session.js";
import type { Wait } from "./deadlock.js";
import { type Grant, type Holding, isHeld } from "./grant.js";
import type { Lock } from "./lock.js";
import { type Conversion, locksOf, type Place, placesOf, type Waiting } from "./request.js";
import { excludes, waitsUnder } from "./under.js";

/** The circle, from the newcomer's own wait on. `ends`: a grant that is to end in any case. */
export function circleThroughSlots(newcomer: Waiting, ends: Grant | undefined): readonly Wait[] | undefined {
  const left = new Remainder(newcomer, ends);
  while (left.has(newcomer)) if (!left.takeOff()) return left.wayBack(newcomer);
  return undefined;
}

/** One that stands in the way, and whose end that needs. */
interface Obstacle {
  readonly lock: Lock;
  readonly grant: Grant | undefined;
  readonly next: Waiting;
}

class Remainder {
  readonly #waiting = new Set<Waiting>();
  /** What is not given back before one of these is done. */
  readonly #grants = new Map<Grant, Set<Waiting>>();
  readonly #locks = new Set<Lock>();
  readonly #ends: Grant | undefined;

  constructor(newcomer: Waiting, ends: Grant | undefined) {
    this.#ends = ends;
    const reached = [newcomer];
    for (let one = reached.pop(); one !== undefined; one = reached.pop()) {
      if (this.#waiting.has(one)) continue;
      this.#waiting.add(one);
      for (const lock of locksOf(one)) if (!this.#locks.has(lock)) reached.push(...this.#reach(lock));
    }
  }

  has(waiting: Waiting): boolean {
    return this.#waiting.has(waiting);
  }

  /** Takes off what could be had now; false: nothing is left that could. */
  takeOff(): boolean {
    const stuck = new Set<Waiting>();
    for (const lock of this.#locks) this.#lookAt(lock, stuck);
    const done = [...this.#waiting].filter((one) => !stuck.has(one));
    for (const one of done) this.#waiting.delete(one);
    for (const [grant, waits] of this.#grants) {
      for (const one of done) waits.delete(one);
      if (waits.size === 0) this.#grants.delete(grant);
    }
    return done.length > 0;
  }

  /** The shortest. */
  wayBack(newcomer: Waiting): Wait[] | undefined {
    const ways = new Map<Waiting, readonly Wait[]>([[newcomer, []]]);
    // Grows while it is walked: who is nearest comes first.
    for (const [waiting, way] of ways)
      for (const { lock, grant, next } of this.#inTheWayOf(waiting)) {
        const further = [...way, { waiting, name: lock.name, grant, next }];
        if (next === newcomer) return further;
        if (!ways.has(next)) ways.set(next, further);
      }
    return undefined;
  }

  /** Who waits for it, and for whom who holds it waits. */
  *#reach(lock: Lock): Iterable<Waiting> {
    this.#locks.add(lock);
    for (const { grant } of lock.holdings()) {
      if (!isHeld(grant) || grant === this.#ends || this.#grants.has(grant)) continue;
      const waits = [...waitsUnder(grant)].filter(({ session }) => isPresent(session));
      if (waits.length > 0) this.#grants.set(grant, new Set(waits));
      yield* waits;
    }
    if (lock.conversion !== undefined && isPresent(lock.conversion.session)) yield lock.conversion;
    for (let place = lock.queue?.first; place !== undefined; place = place.presentBehind) yield place.request;
  }

  /** Who waits for this name and could not have it, if all that is not stuck were given back. */
  #lookAt(lock: Lock, stuck: Set<Waiting>): void {
    const holders = [...lock.holdings()].filter(({ grant }) => this.#grants.has(grant));
    const conversion = this.#conversionOf(lock);
    if (conversion !== undefined && holders.some(({ grant }) => grant !== conversion.holding.grant))
      stuck.add(conversion);
    let ahead = 0;
    let free = holders.reduce((slots, { take }) => slots - take, lock.slots);
    let barrier = holders.some((holding) => excludes(holding, "shared"));
    for (const { request, mode, take } of this.#placesOn(lock)) {
      const isFree = mode === "exclusive" ? holders.length + ahead === 0 : !barrier;
      const passes = conversion === undefined && (mode === "semaphore" ? free >= take : isFree);
      if (!passes) stuck.add(request);
      ahead++;
      free -= take;
      barrier ||= mode === "exclusive";
    }
  }

  *#inTheWayOf(waiting: Waiting): Iterable<Obstacle> {
    if (waiting.kind === "conversion") {
      const { lock, grant } = waiting.holding;
      for (const other of lock.holdings()) if (other.grant !== grant) yield* this.#neededFor(other);
      return;
    }
    for (const { lock, mode } of placesOf(waiting)) {
      for (const holding of lock.holdings()) if (excludes(holding, mode)) yield* this.#neededFor(holding);
      const conversion = this.#conversionOf(lock);
      if (conversion !== undefined) yield { lock, grant: undefined, next: conversion };
      for (const place of this.#placesOn(lock)) {
        if (place.request === waiting) break;
        if (mode !== "shared" || place.mode === "exclusive") yield { lock, grant: undefined, next: place.request };
      }
    }
  }

  *#neededFor({ lock, grant }: Holding): Iterable<Obstacle> {
    for (const next of this.#grants.get(grant) ?? []) yield { lock, grant, next };
  }

  #conversionOf({ conversion }: Lock): Conversion | undefined {
    return conversion !== undefined && this.#waiting.has(conversion) ? conversion : undefined;
  }

  *#placesOn(lock: Lock): Iterable<Place> {
    for (let place = lock.queue?.first; place !== undefined; place = place.presentBehind)
      if (this.#waiting.has(place.request)) yield place;
  }
}
