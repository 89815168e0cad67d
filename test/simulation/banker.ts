/**
 * Whether everything that waits can come to its end: a second opinion on deadlocks. Step by step, whoever could be granted
 * is taken for done, and what is given back then is taken for given back, until nothing changes. What is left is stuck.
 */
import type { Claim } from "../../src/core/index.js";
import { fits, type Slots } from "./rules.js";

/** A grant that its session still has. */
export interface Owned {
  readonly token: number;
  readonly origin: number;
  readonly session: string;
  readonly claims: readonly Claim[];
}

export interface Wanted {
  readonly session: string;
  readonly claims: readonly Claim[];
  readonly convertOf: number | undefined;
  /** The grants, by their first tokens, that are not given back before this is done. Absent: all that its session had. */
  readonly under: readonly number[] | undefined;
  /** Of these, by their first tokens, what another task of its session has, if nothing was said. */
  readonly beside: readonly number[] | undefined;
  /** Of those that its session has, as far as to this token. */
  readonly knownUpTo: number;
}

export interface Affairs {
  readonly owned: readonly Owned[];
  /** Of those who are there, in order. */
  readonly wanted: readonly Wanted[];
  readonly slots: Slots;
  readonly outerOf: (session: string) => string | undefined;
}

/** Those who would wait for ever. */
export function stuckIn({ owned, wanted, slots, outerOf }: Affairs): Wanted[] {
  let kept: readonly Owned[] = owned;
  let left: Wanted[] = [...wanted];
  const bound = new Map(wanted.map((one) => [one, ownedUnder(one, owned, outerOf)]));
  for (let before = -1; before !== left.length + kept.length; ) {
    before = left.length + kept.length;
    kept = owned.filter((one) => left.some((waiting) => bound.get(waiting)?.has(one) === true));
    left = left.filter((one, place) => !isDone(one, kept, left.slice(0, place), slots));
  }
  return left;
}

function isDone(one: Wanted, kept: readonly Owned[], ahead: readonly Wanted[], slots: Slots): boolean {
  const { claims, convertOf } = one;
  const others = kept.filter(({ origin }) => origin !== convertOf);
  return claims.every((claim) => fits(claim, convertOf === undefined ? [...others, ...ahead] : others, slots));
}

function ownedUnder(one: Wanted, owned: readonly Owned[], outerOf: Affairs["outerOf"]): ReadonlySet<Owned> {
  const found = new Set<Owned>();
  const outers = new Set<string>();
  for (let outer = outerOf(one.session); outer !== undefined && !outers.has(outer); outer = outerOf(outer))
    outers.add(outer);
  for (const grant of owned) {
    if (outers.has(grant.session)) found.add(grant);
    else if (grant.session === one.session && isUnder(one, grant)) found.add(grant);
  }
  return found;
}

function isUnder({ under, beside, claims, convertOf, knownUpTo }: Wanted, grant: Owned): boolean {
  if (convertOf === grant.origin) return true;
  if (under !== undefined) return under.includes(grant.origin);
  if (beside?.includes(grant.origin) === true) return false;
  if (grant.token > knownUpTo) return false;
  // What it waits for and holds itself, another task of it will give back.
  return convertOf !== undefined || claims.every((claim) => !isInTheWay(claim, grant));
}

function isInTheWay({ name, mode }: Claim, { claims }: Owned): boolean {
  return claims.some((other) => other.name === name && !(mode === "shared" && other.mode === "shared"));
}
