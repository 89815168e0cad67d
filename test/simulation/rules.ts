/**
 * By which rules a request may be granted: written down a second time, from the specification and not from the code, for
 * a bystander who checks the core by them.
 */
import type { Claim } from "../../src/core/index.js";

/** Somebody's claims, on several names perhaps. */
export interface Claimer {
  readonly claims: readonly Claim[];
}

export interface Request extends Claimer {
  /** An upgrade of this grant, by its first token: ahead of everybody, and its own grant is not in its way. */
  readonly convertOf: number | undefined;
}

export interface Occupant extends Claimer {
  /** The first token that it had. */
  readonly origin: number;
}

export type Slots = (name: string) => number;

/**
 * Whether the request may be granted beside those who occupy its names and those who are there and wait before it. All
 * its names at once, or none.
 */
export function mayGo(
  { claims, convertOf }: Request,
  occupants: readonly Occupant[],
  before: readonly Request[],
  slots: Slots,
): boolean {
  const others = occupants.filter(({ origin }) => origin !== convertOf);
  const ahead = convertOf === undefined ? before : [];
  return claims.every((claim) => fits(claim, [...others, ...ahead], slots));
}

/** Beside all of these at once: what those who wait before it could need is not taken from them. */
export function fits(claim: Claim, others: readonly Claimer[], slots: Slots): boolean {
  const same = others.flatMap(({ claims }) => claims.filter(({ name }) => name === claim.name));
  if (claim.mode === "exclusive") return same.length === 0;
  if (same.some(({ mode }) => mode !== claim.mode)) return false;
  if (claim.mode === "shared") return true;
  const taken = same.reduce((sum, { take = 1 }) => sum + take, 0);
  return taken + (claim.take ?? 1) <= slots(claim.name);
}
