/**
 * Where they stand is told to those who wait and want to know: when they come, and when it has changed, at most once a
 * second. Of several names it is told of one that is in the way, and of more of these of the one where most are before
 * it. A tick walks each queue once, however many of those in it are told.
 */
import { after, type Instant, type Millis } from "../../terms/index.js";
import type { Deadline, Deadlines } from "../deadlines.js";
import type { Draft } from "../draft.js";
import { connectionOf } from "../sessions/session.js";
import type { Ending } from "../turn.js";
import { isHeld } from "./grant.js";
import type { Lock } from "./lock.js";
import { endingOf, holderViews } from "./lock-view.js";
import { type Hindrance, hindranceOf } from "./multi-lock.js";
import { type LockRequest, type Place, placesOf, type Waiting } from "./request.js";

export interface PlaceNewsParts {
  readonly draft: Draft;
  readonly deadlines: Deadlines;
}

const everyMs: Millis = 1000;
/** So many holders are named. */
const holdersMax = 16;

/** Where a request stands on one of its names. */
interface Standing {
  readonly place: Place;
  /** 1 is next. */
  readonly number: number;
  readonly hindrance: Hindrance;
}

/** What a request was told last. */
interface Told {
  lock: Lock | undefined;
  place: number;
  /** The token of the first who holds the name; 0: nobody does. */
  holder: number;
  /** What is not over then. */
  ending: Ending | undefined;
}

export class PlaceNews {
  readonly #parts: PlaceNewsParts;
  /** Those who want to know. */
  readonly #told = new Map<LockRequest, Told>();
  #next: Deadline | undefined;

  constructor(parts: PlaceNewsParts) {
    this.#parts = parts;
  }

  joined(waiting: Waiting, now: Instant): void {
    if (waiting.kind !== "request" || !waiting.terms.tell.place) return;
    this.#told.set(waiting, notTold());
    let worst: Standing | undefined;
    for (const place of placesOf(waiting)) worst = worse(worst, place, place.lock.queue?.length ?? 1);
    if (worst !== undefined && waiting.asker !== undefined) this.#tell(worst, now);
    this.#arm(now);
  }

  /** Its client asks again, and has heard nothing on this connection. */
  attached(waiting: Waiting, now: Instant): void {
    if (waiting.kind !== "request" || !waiting.terms.tell.place) return;
    this.#told.set(waiting, notTold());
    this.#arm(now);
  }

  left(waiting: Waiting): void {
    if (waiting.kind !== "request" || !this.#told.delete(waiting) || this.#told.size > 0) return;
    this.#parts.deadlines.cancel(this.#next);
  }

  /** A second is over: what has changed is told. */
  tick(now: Instant): void {
    const worst = this.#worstPlaces();
    for (const [request, told] of this.#told) {
      const stands = worst.get(request);
      if (stands === undefined) continue;
      const { lock } = stands.place;
      const isThere = told.lock === lock && told.place === stands.number;
      if (!isThere || told.holder !== firstHolder(lock) || told.ending !== endingUnheld(lock)) this.#tell(stands, now);
    }
    if (this.#told.size > 0) this.#arm(now);
  }

  /** Of each request that is told. */
  #worstPlaces(): Map<LockRequest, Standing> {
    const worst = new Map<LockRequest, Standing>();
    const walked = new Set<Lock>();
    for (const request of this.#told.keys())
      for (const { lock } of placesOf(request)) {
        if (walked.has(lock)) continue;
        walked.add(lock);
        let number = 0;
        for (const place of lock.queue ?? []) {
          number++;
          const { request } = place;
          if (this.#told.has(request)) worst.set(request, worse(worst.get(request), place, number));
        }
      }
    return worst;
  }

  #tell({ place, number }: Standing, now: Instant): void {
    const { request, lock } = place;
    const { asker, session, key } = request;
    const told = this.#told.get(request);
    // Nobody hears it now: it is told when somebody does.
    if (told === undefined || asker === undefined || connectionOf(session) !== asker.connection) return;
    told.lock = lock;
    told.place = number;
    told.holder = firstHolder(lock);
    told.ending = endingUnheld(lock);
    this.#parts.draft.send.push({
      kind: "queued",
      to: asker.connection,
      asked: asker.request,
      key,
      name: lock.name,
      place: number,
      waiting: lock.waiting,
      holders: holderViews(lock, holdersMax),
      ending: told.ending,
      now,
    });
  }

  #arm(now: Instant): void {
    if (!this.#next?.armed) this.#next = this.#parts.deadlines.arm("place-news", undefined, after(now, everyMs));
  }

  check(waits: (request: LockRequest) => boolean): void {
    for (const request of this.#told.keys())
      if (!waits(request)) throw new Error(`request ${request.key} does not wait and is told its place`);
    if ((this.#next?.armed ?? false) !== this.#told.size > 0)
      throw new Error("places are told to nobody, or to somebody never");
  }
}

function notTold(): Told {
  return { lock: undefined, place: 0, holder: 0, ending: undefined };
}

/** Of two names of a request the one that is told. */
function worse(known: Standing | undefined, place: Place, number: number): Standing {
  const one = { place, number, hindrance: hindranceOf(place) };
  if (known === undefined) return one;
  const by = one.hindrance - known.hindrance || one.number - known.number;
  return by > 0 ? one : known;
}

function firstHolder(lock: Lock): number {
  for (const { grant } of lock.holdings()) if (isHeld(grant)) return grant.token;
  return 0;
}

/** Why a name that nobody holds is not free. */
function endingUnheld(lock: Lock): Ending | undefined {
  return firstHolder(lock) === 0 ? endingOf(lock) : undefined;
}
