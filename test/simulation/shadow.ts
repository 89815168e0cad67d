/**
 * Who holds what and who waits for what, as a bystander knows it from the rows: each change is looked at by the rules
 * before it is taken in.
 */
import type { CapacityRow, Claim, GrantRow, LedgerEntry, WaiterRow } from "../../src/core/index.js";
import { stuckIn, type Wanted } from "./banker.js";
import { fits, mayGo } from "./rules.js";

export type RowOf<Kind extends LedgerEntry["kind"]> = Extract<LedgerEntry, { kind: Kind }>;

export interface Held {
  readonly token: number;
  readonly session: string;
  readonly key: GrantRow["key"];
  readonly claims: readonly Claim[];
  /** Over for its holder, but it occupies its names: its processes live. */
  readonly ending: boolean;
  /** The first token that it had: an upgrade changes it. */
  readonly origin: number;
  readonly ttlMs: number | undefined;
  readonly guarded: boolean;
  /** The key of its last upgrade or downgrade. */
  readonly converted: GrantRow["converted"];
  /** In the broker's running time; valid for what was granted in this life of it. */
  since: number;
  /** The last write that was dispatched under it. */
  lastSeq: number;
}

export interface Place extends Wanted {
  readonly arrival: number;
  readonly key: number;
}

/** Over, but for writes that are not settled. */
export interface Draining {
  readonly held: Held;
  until: number;
}

interface Given {
  readonly token: number;
  readonly origin: number;
  /** As it is now, or was last. */
  claim: Claim;
}

/** What a write was sent under. */
export interface Under {
  readonly token: number;
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
  /** The first token of each grant, by every token that it had. */
  readonly #origins = new Map<number, number>();
  /** Everything that was ever granted for a name, in order. */
  readonly #given = new Map<string, Given[]>();
  /** The place of the request that is granted next, when it had one. */
  #left: Place | undefined;

  /** What was decided and never written down, was never told: a broker that died took it along. */
  forgetUnwritten(isWritten: (token: number) => boolean): void {
    for (const [name, given] of this.#given)
      this.#given.set(
        name,
        given.filter(({ token }) => isWritten(token)),
      );
  }

  /** What is believed after a restart. */
  rebuilt(grants: Iterable<GrantRow>, waiters: Iterable<WaiterRow>, capacities: Iterable<CapacityRow>): void {
    this.held.clear();
    this.slots.clear();
    this.draining = [];
    for (const row of grants) this.held.set(row.token, heldOf(row, this.originOf(row.token)));
    for (const { name, slots } of capacities) this.slots.set(name, slots);
    // What it had when it began to wait nobody knows any more.
    this.places = [...waiters].map((row) => this.#placeOf(row, 0)).sort(byPlace);
  }

  queued(row: WaiterRow): void {
    const moved = this.#left;
    const before = moved?.session === row.session && moved.key === row.key ? moved.knownUpTo : this.tokenHigh;
    this.places = [...this.places, this.#placeOf(row, before)].sort(byPlace);
  }

  unqueued(arrival: number): void {
    this.#left = this.places.find((place) => place.arrival === arrival);
    this.places = this.places.filter((place) => place !== this.#left);
  }

  /** `there`: who has been there all the time. */
  granted(row: GrantRow, there: There): Held {
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
    return held;
  }

  /** An upgrade, a downgrade, or the end of one whose processes live. */
  changed(was: number, row: GrantRow): { readonly before: Held; readonly after: Held } {
    const before = this.held.get(was);
    if (before === undefined) throw new Error(`grant ${was} was changed, and was not there`);
    const after = { ...heldOf(row, before.origin), lastSeq: before.lastSeq, since: before.since };
    this.held.delete(was);
    this.#origins.set(after.token, after.origin);
    if (after.token !== was) {
      this.#newToken(after);
      for (const claim of after.claims)
        if (claim.mode === "exclusive" && !fits(claim, [...this.held.values()], this.#slotsOf))
          throw new Error(`${claim.name} was upgraded under ${after.token} while another had it`);
      this.#give(after);
    } else {
      for (const claim of after.claims) this.#downgraded(after.token, claim);
      // What was sent under it as it was before is settled before others get in.
      if (!after.ending) this.#drain(before);
    }
    this.held.set(after.token, after);
    return { before, after };
  }

  ended(token: number): Held {
    const held = this.held.get(token);
    if (held === undefined) throw new Error(`grant ${token} ended, and was not there`);
    this.held.delete(token);
    this.#drain(held);
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

  /** Who was granted this name after that, though it excludes what it was held for then. */
  excludedBy({ token, claim }: Under): number | undefined {
    const given = this.#given.get(claim.name) ?? [];
    const mine = given.find((one) => one.token === token);
    return given.find((one) => one.token > token && one.origin !== mine?.origin && excludes(claim, one.claim))?.token;
  }

  /** Who would wait for ever, among those who are there. A newcomer's upgrade has its name alone in the end. */
  stuck(there: There, outerOf: (session: string) => string | undefined, newcomer?: Wanted): readonly Wanted[] {
    const wanted: Wanted[] = this.places.filter(({ session }) => there(session));
    if (newcomer !== undefined) wanted.push(newcomer);
    if (wanted.length === 0) return [];
    const owned = [...this.held.values()].filter(({ ending }) => !ending);
    const then = owned.map((one) => (one.origin === newcomer?.convertOf ? upgraded(one, newcomer) : one));
    return stuckIn({ owned: then, wanted, slots: this.#slotsOf, outerOf });
  }

  /** The grants that these tokens mean, or once meant. */
  originsOf(tokens: readonly number[] | undefined): readonly number[] | undefined {
    return tokens?.map((token) => this.originOf(token));
  }

  /** The first token of the grant that has this one, or had it. */
  originOf(token: number): number {
    return this.#origins.get(token) ?? token;
  }

  #placeOf(row: WaiterRow, knownUpTo: number): Place {
    const { arrival, session, key, claims } = row;
    const convertOf = row.convertOf === undefined ? undefined : this.originOf(row.convertOf);
    const [under, beside] = [this.originsOf(row.under), this.originsOf(row.beside)];
    return { arrival, session, key, claims, convertOf, under, beside, knownUpTo };
  }

  /** Whether the two grants of this name could not be there at once. */
  excludes(name: string, one: number, other: number): boolean {
    const given = this.#given.get(name) ?? [];
    const [a, b] = [one, other].map((token) => given.find((grant) => grant.token === token));
    return a !== undefined && b !== undefined && a.origin !== b.origin && excludes(a.claim, b.claim);
  }

  readonly #slotsOf = (name: string): number => this.slots.get(name) ?? 0;

  #newToken({ token }: Held): void {
    if (token <= this.tokenHigh) throw new Error(`token ${token} was given after ${this.tokenHigh}`);
    this.tokenHigh = token;
  }

  #downgraded(token: number, claim: Claim): void {
    for (const one of this.#given.get(claim.name) ?? []) if (one.token === token) one.claim = claim;
  }

  #drain(held: Held): void {
    this.draining = [...this.draining, { held, until: Number.POSITIVE_INFINITY }];
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
  const { token, session, key, claims, ending, ttlMs, guarded, converted } = row;
  const is = { token, session, key, claims, ending: ending !== undefined, origin, ttlMs, guarded, converted };
  return { ...is, since: 0, lastSeq: 0 };
}

function upgraded(held: Held, { claims: [alone] }: Wanted): Held {
  return { ...held, claims: held.claims.map((claim) => (claim.name === alone?.name ? alone : claim)) };
}
