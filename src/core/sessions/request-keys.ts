/**
 * What a request key says of a write before it is looked at: new, sent before, or too old to be executed (rule 6).
 */
import { type Refusal, type RequestKey, refuse } from "../../terms/index.js";
import type { Session } from "./session.js";

export type KeyVerdict =
  | { readonly kind: "fresh" }
  | { readonly kind: "seen" }
  | { readonly kind: "refused"; readonly refusal: Refusal };

export function reused(key: RequestKey): Refusal {
  return refuse("KEY_REUSED", `request key ${key} was used for another request`, { key });
}

/** `seen`: the writer may have had it before. For a session that was restored after a restart that is any key. */
export function judgeKey(session: Session, key: RequestKey | undefined): KeyVerdict {
  if (key === undefined) return { kind: "fresh" };
  if (key < session.finished.ackedBelow) {
    const message = `request key ${key} was acknowledged before; what happened under it is no longer known`;
    return {
      kind: "refused",
      refusal: refuse("RETRY_TOO_OLD", message, { key, ackedBelow: session.finished.ackedBelow }),
    };
  }
  return { kind: session.restored || key <= session.keyHigh ? "seen" : "fresh" };
}
