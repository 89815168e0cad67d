/**
 * Several names in one request, all or nothing. Each has a place in the queue of its name and holds up who comes behind,
 * so it cannot starve; it never holds a part. Whether all can be had is looked at where something changes, and a request
 * that was not granted remembers one place that was in the way: until that one passes, nothing else needs to be looked at.
 */
import { type Refusal, refuse } from "../../terms/index.js";
import type { Claim } from "../command.js";
import { mismatch } from "./capacities.js";
import type { Asked } from "./grant.js";
import { quote } from "./lock-view.js";
import { type LockRequest, type Place, placesOf } from "./request.js";

/** Each name once: exclusive takes in shared, slots add up. */
export function merged(claims: readonly Claim[]): readonly Claim[] | Refusal {
  if (claims.length < 2) return claims.length === 1 ? claims : refuse("PARAMS_INVALID", "no lock is asked for");
  const byName = new Map<Claim["name"], Claim>();
  for (const claim of claims) {
    const other = byName.get(claim.name);
    if (other === undefined) {
      byName.set(claim.name, claim);
      continue;
    }
    const both = mergedTwo(other, claim);
    if ("refused" in both) return both;
    byName.set(claim.name, both);
  }
  return byName.size === claims.length ? claims : [...byName.values()];
}

function mergedTwo(a: Claim, b: Claim): Claim | Refusal {
  if (a.mode !== "semaphore" && b.mode !== "semaphore") return a.mode === "exclusive" ? a : b;
  if (a.mode !== b.mode) return mismatch(a.name, `is asked for both ${a.mode} and ${b.mode}`, null);
  const slots = a.slots ?? b.slots;
  if (b.slots !== undefined && b.slots !== slots)
    return mismatch(a.name, `cannot have both ${a.slots} and ${b.slots} slots`, null);
  return { name: a.name, mode: "semaphore", slots, take: (a.take ?? 1) + (b.take ?? 1) };
}

/** Whether a newcomer may have all at once. */
export function admitsAll({ claims, locks }: Asked): boolean {
  let at = 0;
  for (const { mode, take = 1 } of claims) if (!locks[at++]?.admits(mode, take)) return false;
  return true;
}

/** The first of its places that does not pass; absent: all can be granted. */
export function obstacleOf(request: LockRequest): Place | undefined {
  for (let place: Place | undefined = request.first; place !== undefined; place = place.next)
    if (!place.lock.passes(place)) return place;
  return undefined;
}

/** How much a name keeps a request waiting. */
export type Hindrance = 0 | 1 | 2;

/** 2: those who occupy the name; 1: only that others come before it, or that it is away; 0: not at all. */
export function hindranceOf(place: Place): Hindrance {
  const { lock, mode, take } = place;
  if (!lock.hasRoomFor(mode, take)) return 2;
  return lock.passes(place) ? 0 : 1;
}

/** The name that is told as the one in the way: of those that hinder it most the first. */
export function mostInTheWay(request: LockRequest): Place {
  let most = request.first;
  for (const place of placesOf(request)) if (hindranceOf(place) > hindranceOf(most)) most = place;
  return most;
}

export function namesOf(claims: readonly Claim[]): string {
  return claims.map(({ name }) => quote(name)).join(", ");
}
