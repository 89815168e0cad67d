/**
 * Where they stand is told to those who wait and want to know: when they come, and when it has changed, at most once a
 * second. A tick walks each queue once, however many of those in it are told.
 */
import { after, type Instant, type Millis } from "../../terms/index.js";
import type { Deadline, Deadlines } from "../deadlines.js";
import type { Draft } from "../draft.js";
import { connectionOf } from "../sessions/session.js";
import type { Lock } from "./lock.js";
import { holderViews } from "./lock-view.js";
import { type LockRequest, type Place, placesOf, type Waiting } from "./request.js";

export interface PlaceNewsParts {
  readonly draft: Draft;
  readonly deadlines: Deadlines;
}

const everyMs: Millis = 1000;
/** So many holders are named. */
const holdersMax = 16;

/** What a request was told last. */
interface Told {
  place: number;
  /** The token of the first who holds the name. */
  holder: number;
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
    this.#told.set(waiting, { place: 0, holder: 0 });
    let last: { place: Place; number: number } | undefined;
    for (const place of placesOf(waiting)) {
      const number = place.lock.queue?.length ?? 1;
      if (last === undefined || number > last.number) last = { place, number };
    }
    if (last !== undefined && waiting.asker !== undefined) this.#tell(last.place, last.number, now);
    this.#arm(now);
  }

  /** Its client asks again, and has heard nothing on this connection. */
  attached(waiting: Waiting, now: Instant): void {
    if (waiting.kind !== "request" || !waiting.terms.tell.place) return;
    this.#told.set(waiting, { place: 0, holder: 0 });
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
      const holder = firstHolder(stands.place.lock);
      if (told.place !== stands.number || told.holder !== holder) this.#tell(stands.place, stands.number, now);
    }
    if (this.#told.size > 0) this.#arm(now);
  }

  /** Of each request the name where most are before it. */
  #worstPlaces(): Map<LockRequest, { readonly place: Place; readonly number: number }> {
    const worst = new Map<LockRequest, { readonly place: Place; readonly number: number }>();
    const walked = new Set<Lock>();
    for (const request of this.#told.keys())
      for (const { lock } of placesOf(request)) {
        if (walked.has(lock)) continue;
        walked.add(lock);
        let number = 0;
        for (const place of lock.queue ?? []) {
          number++;
          const known = worst.get(place.request);
          if (known === undefined || number > known.number) worst.set(place.request, { place, number });
        }
      }
    return worst;
  }

  #tell(place: Place, number: number, now: Instant): void {
    const { request, lock } = place;
    const { asker, session, key } = request;
    const told = this.#told.get(request);
    // Nobody hears it now: it is told when somebody does.
    if (told === undefined || asker === undefined || connectionOf(session) !== asker.connection) return;
    told.place = number;
    told.holder = firstHolder(lock);
    this.#parts.draft.send.push({
      kind: "queued",
      to: asker.connection,
      asked: asker.request,
      key,
      name: lock.name,
      place: number,
      waiting: lock.waiting,
      holders: holderViews(lock, holdersMax),
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

function firstHolder({ first }: Lock): number {
  return first?.grant.token ?? 0;
}
