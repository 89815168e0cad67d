/**
 * One name, and who occupies it.
 *
 *            a grant in that mode                       the last grant that occupies it is over
 *   free ──────────────────────────► exclusive ──────────────────────────────────────────────────► free
 *    │                                ▲      │
 *    │                        upgrade │      │ downgrade, and the writes sent before it are settled
 *    │                                │      ▼
 *    ├──────────────────────────────► shared ────────────────────────────────────────────────────► free
 *    └──────────────────────────────► semaphore ─────────────────────────────────────────────────► free
 *
 * | mode      | what holds                                                      | who may end it                   |
 * |-----------|-----------------------------------------------------------------|----------------------------------|
 * | free      | nobody occupies it; nobody in its queue could be granted it     | a grant                          |
 * | exclusive | one grant, held or ending                                       | that grant's end, its downgrade  |
 * | shared    | one or more grants that share it; one of them may wait to have  | the end of the last, an upgrade  |
 * |           | it alone, and then nobody who is not in it gets in              |                                  |
 * | semaphore | grants that take no more slots than there are, unless it was    | the end of the last              |
 * |           | made smaller under them                                         |                                  |
 *
 * The capacity of a semaphore belongs to the name, and is remembered when nobody occupies it (capacities.ts). A lock that
 * nobody occupies or waits for is kept only as long as its history is (history.ts).
 */
import type { LockName, Token } from "../../terms/index.js";
import type { Mode } from "../command.js";
import { isPresent } from "../sessions/session.js";
import type { Holding } from "./grant.js";
import type { Past } from "./history.js";
import type { Conversion, Place } from "./request.js";
import { WaitQueue } from "./wait-queue.js";

/** So many that occupy a name are found by walking; of more a map by token is kept. */
const walkedMax = 8;

export class Lock {
  readonly name: LockName;
  /** As it is towards who comes. */
  mode: Mode | "free" = "free";
  /** The capacity of a semaphore; 0: the name is none. */
  slots: number;
  /** Slots that are occupied; in the other modes each grant takes one. */
  taken = 0;
  /** How many grants occupy it. */
  count = 0;
  /** The oldest of them; its `ahead` is the youngest. */
  first: Holding | undefined;
  /** Absent while nobody has ever waited since the lock was made. */
  queue: WaitQueue | undefined;
  /** The one upgrade that waits. */
  conversion: Conversion | undefined;
  /** Absent when its history was given up for those of others. */
  past: Past | undefined;
  #crowd: Map<Token, Holding> | undefined;

  constructor(name: LockName, slots: number) {
    this.name = name;
    this.slots = slots;
  }

  /** Nothing to remember but what was. */
  get idle(): boolean {
    return this.count === 0 && this.waiting === 0;
  }

  /** How many wait for it, present or not. */
  get waiting(): number {
    return (this.queue?.length ?? 0) + (this.conversion === undefined ? 0 : 1);
  }

  /** Who shares it waits for nobody who holds it; also while the writes of one that was downgraded keep others out. */
  get isHeldAlone(): boolean {
    return this.first?.mode === "exclusive";
  }

  get slotsFree(): number {
    return this.slots - this.taken;
  }

  // ── who occupies it ───────────────────────────────────────────────────────────────────────────────────────────────

  occupy(holding: Holding): void {
    const { first } = this;
    if (first === undefined) {
      this.first = holding;
      holding.ahead = holding;
      this.mode = holding.mode;
    } else {
      holding.ahead = first.ahead;
      first.ahead.behind = holding;
      first.ahead = holding;
    }
    this.taken += holding.take;
    this.count++;
    if (this.#crowd !== undefined) this.#crowd.set(holding.grant.token, holding);
    else if (this.count > walkedMax) this.#crowd = new Map([...this.holdings()].map((one) => [one.grant.token, one]));
  }

  vacate(holding: Holding): void {
    const { ahead, behind } = holding;
    if (this.first === holding) this.first = behind;
    else ahead.behind = behind;
    if (behind !== undefined) behind.ahead = ahead;
    else if (this.first !== undefined) this.first.ahead = ahead;
    holding.behind = undefined;
    this.taken -= holding.take;
    this.count--;
    this.#crowd?.delete(holding.grant.token);
    if (this.count > 0) return;
    this.mode = "free";
    this.#crowd = undefined;
  }

  /** From the oldest to the youngest. One that leaves while it is looked at does not stop the walk. */
  *holdings(): Iterable<Holding> {
    for (let one = this.first; one !== undefined; ) {
      const next: Holding | undefined = one.behind;
      yield one;
      one = next;
    }
  }

  under(token: Token): Holding | undefined {
    if (this.#crowd !== undefined) return this.#crowd.get(token);
    let one = this.first;
    while (one !== undefined && one.grant.token !== token) one = one.behind;
    return one;
  }

  /** The token of one that occupies it has changed from `before`. */
  retoken(holding: Holding, before: Token): void {
    if (this.#crowd?.delete(before)) this.#crowd.set(holding.grant.token, holding);
  }

  // ── whether one more may ──────────────────────────────────────────────────────────────────────────────────────────

  /** Whether those who occupy it let one more in, whoever waits. */
  hasRoomFor(mode: Mode, take: number): boolean {
    switch (mode) {
      case "exclusive":
        return this.mode === "free";
      case "shared":
        return isSharable(this);
      case "semaphore":
        return this.slotsFree >= take;
    }
  }

  /** Whether a newcomer behind all who wait may have it: what it takes nobody who is there ahead of it could need. */
  admits(mode: Mode, take: number): boolean {
    if (isUpgrading(this)) return false;
    const { queue } = this;
    switch (mode) {
      case "exclusive":
        return this.mode === "free" && (queue === undefined || queue.first === undefined);
      case "shared":
        return isSharable(this) && queue?.barrier === undefined;
      case "semaphore":
        return this.slotsFree - (queue?.takes ?? 0) >= take;
    }
  }

  /** Whether one who waits may have it, as far as this name is concerned. Those who may stand before all who may not. */
  passes(place: Place): boolean {
    const { queue } = this;
    if (queue === undefined || isUpgrading(this)) return false;
    switch (place.mode) {
      case "exclusive":
        return this.mode === "free" && queue.first === place;
      case "shared":
        return isSharable(this) && queue.isBeforeBarrier(place);
      case "semaphore":
        return queue.fits(place, this.slotsFree);
    }
  }

  /** Whether its only grant, that of the upgrade which waits, may have it alone. */
  get yieldsToUpgrade(): boolean {
    return isUpgrading(this) && this.count === 1;
  }

  queueOf(): WaitQueue {
    this.queue ??= new WaitQueue();
    return this.queue;
  }

  check(): void {
    const { name, mode, count } = this;
    this.queue?.check();
    if (this.idle && this.past === undefined) throw new Error(`lock ${name}: kept for nothing`);
    let [counted, taken] = [0, 0];
    for (const holding of this.holdings()) {
      counted++;
      taken += holding.take;
      if (holding.lock !== this || this.under(holding.grant.token) !== holding)
        throw new Error(`lock ${name}: does not know who holds it`);
      // One that was downgraded keeps others out until the writes before it are settled.
      const eases = mode === "exclusive" && holding.mode === "shared" && count === 1;
      if (holding.mode !== mode && !eases) throw new Error(`lock ${name}: ${mode}, and held ${holding.mode}`);
    }
    if (counted !== count || taken !== this.taken) throw new Error(`lock ${name}: the counts are wrong`);
    if ((mode === "free") !== (count === 0)) throw new Error(`lock ${name}: ${mode} with ${count} holders`);
    if (mode === "exclusive" && count !== 1) throw new Error(`lock ${name}: ${count} hold it exclusively`);
    if (mode !== "free" && (mode === "semaphore") !== this.slots > 0)
      throw new Error(`lock ${name}: ${mode} with ${this.slots} slots`);
    if (this.conversion !== undefined && this.conversion.holding.lock !== this)
      throw new Error(`lock ${name}: the upgrade of another lock`);
  }
}

// Functions, not private methods: those cost each lock a word.

function isSharable({ mode }: Lock): boolean {
  return mode === "shared" || mode === "free";
}

/** Somebody who is there waits to have alone what he shares: that goes before all others. */
function isUpgrading({ conversion }: Lock): boolean {
  return conversion !== undefined && isPresent(conversion.session);
}
