/** The few questions that are asked of instants which may not be set. */
import type { Instant } from "../../terms/index.js";

export function isDue(deadline: Instant | undefined, now: Instant): boolean {
  return deadline !== undefined && deadline <= now;
}

export function earliest(...instants: readonly (Instant | undefined)[]): Instant | undefined {
  let first: Instant | undefined;
  for (const one of instants) if (one !== undefined && (first === undefined || one < first)) first = one;
  return first;
}
