/**
 * Who holds what and who waits for what, as a bystander knows it from the rows that were committed; and the rules by
 * which a request may be granted, written down a second time, from the specification and not from the code.
 */
import type { GrantRow, LedgerEntry, WaiterRow } from "../../src/core/index.js";

export interface Claim {
  readonly name: string;
  readonly mode: "exclusive" | "shared" | "semaphore";
  readonly take: number;
}

export interface Held {
  readonly token: number;
  readonly session: string;
  readonly key: number;
  readonly claims: readonly Claim[];
  /** The last write that was dispatched under it. */
  lastSeq: number;
}

export interface Place {
  readonly arrival: number;
  readonly session: string;
  readonly key: number;
  readonly claims: readonly Claim[];
}

/** Over, but for writes that are not settled. */
export interface Draining {
  readonly held: Held;
  until: number;
}

export class Shadow {
  readonly held = new Map<number, Held>();
  /** In order of arrival. */
  places: Place[] = [];
  draining: Draining[] = [];
  /** Everything that was ever granted for a name, in order. */
  readonly #given = new Map<string, { readonly token: number; readonly claim: Claim }[]>();
  tokenHigh = 0;
  /** The place of the request that is granted next, when it had one. */
  #left: Place | undefined;

  /** What is believed after a restart. */
  rebuilt(grants: Iterable<GrantRow>, waiters: Iterable<WaiterRow>): void {
    this.held.clear();
    this.draining = [];
    this.places = [];
    for (const row of grants) this.held.set(row.token, heldOf(row));
    for (const row of waiters) this.places.push(placeOf(row));
    this.places.sort((a, b) => a.arrival - b.arrival);
  }

  queued(row: WaiterRow): void {
    this.places.push(placeOf(row));
    this.places.sort((a, b) => a.arrival - b.arrival);
  }

  unqueued(arrival: number): void {
    this.#left = this.places.find((place) => place.arrival === arrival);
    this.places = this.places.filter((place) => place !== this.#left);
  }

  /** Checks the rules and takes it in. `there`: who has been there all the time. */
  granted(row: GrantRow, there: (session: string) => boolean): void {
    const left = this.#left;
    const waited = left !== undefined && left.session === row.session && left.key === row.key;
    const arrival = waited ? left.arrival : Number.POSITIVE_INFINITY;
    const held = heldOf(row);
    const { claims, token, session } = held;
    if (token <= this.tokenHigh) throw new Error(`token ${token} was given after ${this.tokenHigh}`);
    for (const claim of claims) {
      const other = [...this.held.values()].find((one) => !compatible(claim, one.claims));
      if (other !== undefined)
        throw new Error(`${claim.name} was granted to ${session} while ${other.session} held it`);
      const passed = this.places.find(
        (place) => place.arrival < arrival && there(place.session) && !compatible(claim, place.claims),
      );
      if (passed !== undefined)
        throw new Error(`${claim.name} was granted to ${session} past ${passed.session}, which was there before`);
      const given = this.#given.get(claim.name) ?? [];
      given.push({ token, claim });
      this.#given.set(claim.name, given);
    }
    this.held.set(token, held);
    this.tokenHigh = token;
  }

  ended(token: number): Held | undefined {
    const held = this.held.get(token);
    this.held.delete(token);
    if (held !== undefined) this.draining.push({ held, until: Number.POSITIVE_INFINITY });
    return held;
  }

  /** Everything up to here is settled. */
  settledThrough(seq: number): void {
    this.draining = this.draining.filter(({ until }) => until > seq);
  }

  /** Who waits and could be granted now. */
  grantable(there: (session: string) => boolean): Place | undefined {
    if (this.places.length === 0) return undefined;
    return this.places.find((place) => there(place.session) && this.#canGo(place, there));
  }

  /** Whether somebody else was granted this name, in a way that excludes it, after this grant. */
  excludedBy(name: string, token: number): number | undefined {
    const given = this.#given.get(name) ?? [];
    const mine = given.find((one) => one.token === token)?.claim;
    if (mine === undefined) return undefined;
    return given.find((one) => one.token > token && !compatible(mine, [one.claim]))?.token;
  }

  #canGo(place: Place, there: (session: string) => boolean): boolean {
    const before = this.places.filter((one) => one.arrival < place.arrival && there(one.session));
    const occupying = [...this.held.values(), ...this.draining.map(({ held }) => held)];
    return place.claims.every(
      (claim) =>
        occupying.every((one) => compatible(claim, one.claims)) && before.every((one) => compatible(claim, one.claims)),
    );
  }
}

/** Both can have the name at once. */
function compatible(claim: Claim, others: readonly Claim[]): boolean {
  return others.every((other) => other.name !== claim.name || (other.mode === "shared" && claim.mode === "shared"));
}

function heldOf(row: GrantRow): Held {
  const { token, session, key } = row;
  return { token, session, key, claims: claimsOf(row), lastSeq: 0 };
}

function placeOf(row: WaiterRow): Place {
  const { arrival, session, key } = row;
  return { arrival, session, key, claims: claimsOf(row) };
}

function claimsOf({ name }: GrantRow | WaiterRow): readonly Claim[] {
  return [{ name, mode: "exclusive", take: 1 }];
}

export type RowOf<Kind extends LedgerEntry["kind"]> = Extract<LedgerEntry, { kind: Kind }>;
