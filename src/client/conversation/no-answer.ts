/** What a call is refused with whose answer does not come any more, or cannot be read. */
import { type Millis, type Refusal, refuse } from "../../terms/index.js";

/** How long was waited for a connection, and why there was none. */
export interface Patience {
  readonly ms: Millis;
  readonly reason: string;
}

export const outcomeUnknown = refuse(
  "OUTCOME_UNKNOWN",
  "the connection broke before the answer, and this request cannot be sent twice",
);

export const tooOld = refuse(
  "RETRY_TOO_OLD",
  "the session ended before the answer, and the broker does not know any more what became of this write",
);

export function tooOften(tries: number) {
  return refuse("CONNECTION_LOST", `sent ${tries} times, and each time the connection broke before the answer`);
}

/** One that an earlier broker had taken, and this one would not. */
export function notSentAnew(refusal: Refusal): Refusal {
  const message = `${refusal.message}; it was sent before, and what became of it then is not known`;
  return { ...refusal, message, outcome: "unknown" };
}

export function noConnection({ ms, reason }: Patience) {
  return refuse("CONNECTION_LOST", `no connection to the broker for ${ms} ms: ${reason}`);
}

export function notUnderstood(what: string) {
  return refuse("INTERNAL", `the broker's answer to ${what} is not understood`);
}
