/**
 * Who waits for one name, in order of arrival. Leaving from the middle costs the same as from the head, however long
 * the queue. Those whose client is away keep their place and are passed over: beside the row of all there is one of
 * those who are there, and only that is walked when something can be granted (rules 8 to 11 of the lock service).
 *
 *   all        a ⇄ b ⇄ c ⇄ d ⇄ e
 *   present    a ⇄ ─ ⇄ c ⇄ ─ ⇄ e        the barrier: the first of these that wants the name alone
 *
 * Of the slots of a semaphore the head of the present row takes first. How far they went when it was asked last is
 * remembered, and only moved on from there: whoever is asked about costs little, however many stand before him.
 */
import type { Place } from "./request.js";

export class WaitQueue {
  #head: Place | undefined;
  #tail: Place | undefined;
  #first: Place | undefined;
  #last: Place | undefined;
  #barrier: Place | undefined;
  #length = 0;
  #takes = 0;
  /** Up to this one all who are there had slots enough when it was asked last, and want so many. */
  #fitting: Place | undefined;
  #fittingTakes = 0;

  /** All who wait. */
  get length(): number {
    return this.#length;
  }

  /** The first who is there. */
  get first(): Place | undefined {
    return this.#first;
  }

  /** The first who is there and wants the name exclusively. Nobody behind can share it before. */
  get barrier(): Place | undefined {
    return this.#barrier;
  }

  /** Slots that those who are there want. */
  get takes(): number {
    return this.#takes;
  }

  /** At its place by arrival, mostly the last. Counts as present when its session speaks. */
  push(place: Place, present: boolean): void {
    const { arrival } = place.request;
    let ahead = this.#tail;
    if (this.#head !== undefined && this.#head.request.arrival > arrival) ahead = undefined;
    while (ahead !== undefined && ahead.request.arrival > arrival) ahead = ahead.ahead;
    const behind = ahead === undefined ? this.#head : ahead.behind;
    place.ahead = ahead;
    place.behind = behind;
    if (ahead === undefined) this.#head = place;
    else ahead.behind = place;
    if (behind === undefined) this.#tail = place;
    else behind.ahead = place;
    this.#length++;
    if (present) this.appear(place);
  }

  remove(place: Place): void {
    this.vanish(place);
    const { ahead, behind } = place;
    if (ahead === undefined) this.#head = behind;
    else ahead.behind = behind;
    if (behind === undefined) this.#tail = ahead;
    else behind.ahead = ahead;
    place.ahead = undefined;
    place.behind = undefined;
    this.#length--;
  }

  /** Its client is there. */
  appear(place: Place): void {
    if (place.here) return;
    const [ahead, behind] = this.#neighbours(place);
    place.here = true;
    place.presentAhead = ahead;
    place.presentBehind = behind;
    if (ahead === undefined) this.#first = place;
    else ahead.presentBehind = place;
    if (behind === undefined) this.#last = place;
    else behind.presentAhead = place;
    this.#takes += place.take;
    if (this.#isFitting(place)) this.#fittingTakes += place.take;
    if (place.mode === "exclusive" && this.isBeforeBarrier(place)) this.#barrier = place;
  }

  /** Its client is away: it keeps its place. */
  vanish(place: Place): void {
    if (!place.here) return;
    const { presentAhead: ahead, presentBehind: behind } = place;
    if (this.#barrier === place) this.#barrier = nextExclusive(behind);
    if (this.#isFitting(place)) this.#fittingTakes -= place.take;
    if (this.#fitting === place) this.#fitting = ahead;
    if (ahead === undefined) this.#first = behind;
    else ahead.presentBehind = behind;
    if (behind === undefined) this.#last = ahead;
    else behind.presentAhead = ahead;
    place.here = false;
    place.presentAhead = undefined;
    place.presentBehind = undefined;
    this.#takes -= place.take;
  }

  isBeforeBarrier({ request }: Place): boolean {
    return this.#barrier === undefined || request.arrival < this.#barrier.request.arrival;
  }

  /** Whether so many slots are enough for this one and all who are there before it. */
  fits(place: Place, slots: number): boolean {
    let last = this.#fitting;
    for (; last !== undefined && this.#fittingTakes > slots; last = last.presentAhead) this.#fittingTakes -= last.take;
    this.#fitting = last;
    if (this.#isFitting(place)) return true;
    let next = last === undefined ? this.#first : last.presentBehind;
    for (; next !== undefined && this.#fittingTakes + next.take <= slots; next = next.presentBehind) {
      this.#fitting = next;
      this.#fittingTakes += next.take;
      if (next === place) return true;
    }
    return false;
  }

  #isFitting({ request }: Place): boolean {
    return this.#fitting !== undefined && request.arrival <= this.#fitting.request.arrival;
  }

  /** 1 is next; absent beyond `max`. */
  placeOf(place: Place, max: number): number | undefined {
    let number = 1;
    for (let one = place.ahead; one !== undefined; one = one.ahead) {
      number++;
      if (number > max) return undefined;
    }
    return number;
  }

  *[Symbol.iterator](): Iterator<Place> {
    for (let place = this.#head; place !== undefined; ) {
      const next: Place | undefined = place.behind;
      yield place;
      place = next;
    }
  }

  /** Who of those present comes before and after: looked for on both sides at once, so that the nearer one is found. */
  #neighbours(place: Place): readonly [Place | undefined, Place | undefined] {
    if (this.#last === undefined) return [undefined, undefined];
    let { ahead, behind } = place;
    while (ahead !== undefined && behind !== undefined) {
      if (ahead.here) return [ahead, ahead.presentBehind];
      if (behind.here) return [behind.presentAhead, behind];
      ahead = ahead.ahead;
      behind = behind.behind;
    }
    // One side has come to its end, and nobody on it is present.
    return ahead === undefined ? [undefined, this.#first] : [this.#last, undefined];
  }

  check(): void {
    let [counted, takes, fitting] = [0, 0, 0];
    let arrival = Number.NEGATIVE_INFINITY;
    let present: Place | undefined;
    let barrier: Place | undefined;
    for (const place of this) {
      counted++;
      if (place.request.arrival <= arrival) throw new Error("wait queue: not in order of arrival");
      arrival = place.request.arrival;
      if (!place.here) continue;
      if (place.presentAhead !== present || (present?.presentBehind ?? this.#first) !== place)
        throw new Error("wait queue: the row of those present is broken");
      present = place;
      takes += place.take;
      if (this.#isFitting(place)) fitting += place.take;
      if (place.mode === "exclusive") barrier ??= place;
    }
    if (present !== this.#last || present?.presentBehind !== undefined)
      throw new Error("wait queue: the row of those present does not end");
    if (barrier !== this.#barrier) throw new Error("wait queue: the barrier is wrong");
    if (fitting !== this.#fittingTakes || this.#fitting?.here === false)
      throw new Error("wait queue: those who have slots enough are wrong");
    if (counted !== this.#length || takes !== this.#takes) throw new Error("wait queue: the counts are wrong");
  }
}

function nextExclusive(from: Place | undefined): Place | undefined {
  let place = from;
  while (place !== undefined && place.mode !== "exclusive") place = place.presentBehind;
  return place;
}
