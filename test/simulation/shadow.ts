/**
 * Who holds what and who waits for what, as a bystander knows it from the rows: each change is looked at by the rules
 * before it is taken in.
 */
import type { CapacityRow, Claim, GrantRow, LedgerEntry, WaiterRow } from "../../src/core/index.js";
import { fits, mayGo } from "./rules.js";

export type RowOf<Kind extends LedgerEntry["kind"]> = Extract<LedgerEntry, { kind: Kind }>;

export interface Held {
  readonly token: number;
  readonly session: string;
  readonly key: number;
  readonly claims: readonly Claim[];
  /** Over for its holder, but it occupies its names: its processes live. */
  readonly ending: boolean;
  /** The first token that it had: an upgrade changes it. */
  readonly origin: number;
  /** The last write that was dispatched under it. */
  lastSeq: number;
}

export interface Place {
  readonly arrival: number;
  readonly session: string;
  readonly key: number;
  readonly claims: readonly Claim[];
  readonly convertOf: number | undefined;
}

/** Over, but for writes that are not settled. */
export interface Draining {
  readonly held: Held;
  until: number;
}

interface Given {
  readonly token: number;
  readonly origin: number;
  readonly claim: Claim;
}

type There = (session: string) => boolean;

export class Shadow {
  readonly held = new Map<number, Held>();
  /** Upgrades first, then in order of arrival. */
  places: readonly Place[] = [];
  draining: readonly Draining[] = [];
  /** The capacity of semaphores. */
  readonly slots = new Map<string, number>();
  tokenHigh = 0;
  /** Everything that was ever granted for a name, in order. */
  readonly #given = new Map<string, Given[]>();
  /** The place of the request that is granted next, when it had one. */
  #left: Place | undefined;

  /** What is believed after a restart. */
  rebuilt(grants: Iterable<GrantRow>, waiters: Iterable<WaiterRow>, capacities: Iterable<CapacityRow>): void {
    const origins = new Map([...this.held].map(([token, { origin }]) => [token, origin]));
    this.held.clear();
    this.slots.clear();
    this.draining = [];
    for (const row of grants) this.held.set(row.token, heldOf(row, origins.get(row.token) ?? row.token));
    for (const { name, slots } of capacities) this.slots.set(name, slots);
    this.places = [...waiters].map(placeOf).sort(byPlace);
  }

  queued(row: WaiterRow): void {
    this.places = [...this.places, placeOf(row)].sort(byPlace);
  }

  unqueued(arrival: number): void {
    this.#left = this.places.find((place) => place.arrival === arrival);
    this.places = this.places.filter((place) => place !== this.#left);
  }

  /** `there`: who has been there all the time. */
  granted(row: GrantRow, there: There): void {
    const left = this.#left;
    const waited = left !== undefined && left.session === row.session && left.key === row.key;
    const held = heldOf(row, row.token);
    const { claims } = held;
    this.#newToken(held);
    for (const claim of claims) {
      const others = [...this.held.values()];
      if (!fits(claim, others, this.#slotsOf))
        throw new Error(`${claim.name} was granted to ${row.session} beside ${others.find(isOn(claim))?.session}`);
      const passed = waited ? this.places.filter((place) => byPlace(place, left) < 0) : this.places;
      const before = passed.filter(({ session }) => there(session));
      if (!fits(claim, [...others, ...before], this.#slotsOf))
        throw new Error(`${claim.name} was granted to ${row.session} past ${before.find(isOn(claim))?.session}`);
    }
    this.held.set(held.token, held);
    this.#give(held);
  }

  /** An upgrade, a downgrade, or the end of one whose processes live. */
  changed(was: number, row: GrantRow): { readonly before: Held; readonly after: Held } {
    const before = this.held.get(was);
    if (before === undefined) throw new Error(`grant ${was} was changed, and was not there`);
    const after = { ...heldOf(row, before.origin), lastSeq: before.lastSeq };
    this.held.delete(was);
    if (after.token !== was) {
      this.#newToken(after);
      for (const claim of after.claims)
        if (!fits(claim, [...this.held.values()], this.#slotsOf))
          throw new Error(`${claim.name} was upgraded under ${after.token} while another had it`);
      this.#give(after);
    }
    this.held.set(after.token, after);
    return { before, after };
  }

  ended(token: number): Held {
    const held = this.held.get(token);
    if (held === undefined) throw new Error(`grant ${token} ended, and was not there`);
    this.held.delete(token);
    this.draining = [...this.draining, { held, until: Number.POSITIVE_INFINITY }];
    return held;
  }

  resized({ name, slots }: CapacityRow): void {
    this.slots.set(name, slots);
  }

  /** Everything up to here is settled. */
  settledThrough(seq: number): void {
    if (this.draining.length > 0) this.draining = this.draining.filter(({ until }) => until > seq);
  }

  /** Who waits and could be granted now. */
  grantable(there: There): Place | undefined {
    if (this.places.length === 0) return undefined;
    const occupants = [...this.held.values(), ...this.draining.map(({ held }) => held)];
    const before: Place[] = [];
    for (const place of this.places) {
      if (!there(place.session)) continue;
      if (mayGo(place, occupants, before, this.#slotsOf)) return place;
      before.push(place);
    }
    return undefined;
  }

  /** Whether somebody else was granted this name, in a way that excludes it, after this grant. */
  excludedBy(name: string, token: number): number | undefined {
    const given = this.#given.get(name) ?? [];
    const mine = given.find((one) => one.token === token);
    if (mine === undefined) return undefined;
    return given.find((one) => one.token > token && one.origin !== mine.origin && excludes(mine.claim, one.claim))
      ?.token;
  }

  readonly #slotsOf = (name: string): number => this.slots.get(name) ?? 0;

  #newToken({ token }: Held): void {
    if (token <= this.tokenHigh) throw new Error(`token ${token} was given after ${this.tokenHigh}`);
    this.tokenHigh = token;
  }

  #give({ token, origin, claims }: Held): void {
    for (const claim of claims) {
      const given = this.#given.get(claim.name) ?? [];
      given.push({ token, origin, claim });
      this.#given.set(claim.name, given);
    }
  }
}

function excludes(a: Claim, b: Claim): boolean {
  return a.mode === "exclusive" || b.mode === "exclusive" || a.mode !== b.mode;
}

function isOn({ name }: Claim): (other: { readonly claims: readonly Claim[] }) => boolean {
  return ({ claims }) => claims.some((claim) => claim.name === name);
}

function byPlace(a: Place, b: Place): number {
  const [first, second] = [a, b].map(({ convertOf }) => (convertOf === undefined ? 1 : 0));
  return first === second ? a.arrival - b.arrival : Number(first) - Number(second);
}

function heldOf(row: GrantRow, origin: number): Held {
  const { token, session, key, claims, ending } = row;
  return { token, session, key, claims, ending: ending !== undefined, origin, lastSeq: 0 };
}

function placeOf(row: WaiterRow): Place {
  const { arrival, session, key, claims, convertOf } = row;
  return { arrival, session, key, claims, convertOf };
}
