/** When something must happen by itself: every deadline of the conversation, computed from how things stand. */
import { after, type Instant } from "../../terms/index.js";
import type { Grants } from "./grants.js";
import type { InFlight } from "./in-flight.js";
import type { Outage } from "./outage.js";
import type { ConversationOptions, State } from "./state.js";

/** How things stand. */
export interface Standing {
  readonly state: State;
  /** Whether the conversation has been open before; until then `openBy` counts. */
  readonly opened: boolean;
  readonly openBy: Instant;
  /** Until when a closing program waits for a connection. */
  readonly closeBy: Instant | undefined;
  readonly options: ConversationOptions;
  readonly windowMs: number;
  readonly grants: Grants;
  readonly inFlight: InFlight;
  readonly outage: Outage;
}

/** When the broker may have given our locks to others: then the program must hear it, though nobody has told us. */
export function grantsEnd({ opened, options, grants, outage, windowMs }: Standing): Instant | undefined {
  return opened && options.bound !== true && grants.anyHeld ? outage.windowEnds(windowMs) : undefined;
}

/** When the oldest call, or the mere wish to be connected, has waited long enough. */
export function patienceEnds({ state, opened, options, grants, inFlight, outage }: Standing): Instant | undefined {
  if (!opened || state.at === "resting" || state.at === "parting") return undefined;
  if (inFlight.size > 0) return inFlight.patienceEnds(outage.since, options.patienceMs);
  return grants.size > 0 ? undefined : after(outage.since, options.patienceMs);
}

/** When the state itself is over. */
export function stateEnds({ state, opened, openBy, closeBy, inFlight }: Standing): Instant | undefined {
  if (state.at === "parting") return state.until;
  const waited = state.at === "waiting" ? state.until : undefined;
  const settles = state.at === "settling" && state.request === undefined ? state.retryAt : undefined;
  const opens = opened || state.at === "new" ? undefined : openBy;
  return earliest(waited, settles, opens, inFlight.size === 0 ? closeBy : undefined);
}

export function nextOf(standing: Standing): Instant | undefined {
  return earliest(stateEnds(standing), patienceEnds(standing), grantsEnd(standing));
}

export function isDue(deadline: Instant | undefined, now: Instant): boolean {
  return deadline !== undefined && deadline <= now;
}

export function sooner(a: Instant | undefined, b: Instant | undefined): Instant | undefined {
  return b === undefined || (a !== undefined && a <= b) ? a : b;
}

function earliest(...instants: readonly (Instant | undefined)[]): Instant | undefined {
  let first: Instant | undefined;
  for (const one of instants) first = sooner(first, one);
  return first;
}
