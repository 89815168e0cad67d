/**
 * A writer died, its successor has made its first durable write: what becomes of every write that was in its hands
 * (rule 8). Pure and total: each gets exactly one fate, in the old order.
 */
import { type Refusal, refuse, type Seq } from "../../terms/index.js";
import type { WriterProgress } from "../command.js";
import type { Write } from "./write.js";

export type Fate =
  /** Surely not committed: it runs again, with its fences looked at again. */
  | { readonly kind: "again" }
  /** Committed, or refused by SQLite before: the store knows under its key. */
  | { readonly kind: "replay" }
  | { readonly kind: "refused"; readonly refusal: Refusal };

/** Beyond so many dispatches a write is taken for the cause, though no progress note named it. */
const triesMax = 3;

/** `storedSeq`: the highest sequence that is committed. `progress`: what the dead writer was doing. */
export function fateOf(write: Write, storedSeq: Seq, progress: WriterProgress | undefined): Fate {
  if (write.seq === undefined) throw new Error("settlement: a write that was never dispatched");
  if (write.settles !== undefined) return { kind: "again" };
  if (write.seq <= storedSeq) {
    if (write.key !== undefined) return { kind: "replay" };
    const message = "the writer died after it may have applied this write, which had no request key";
    return { kind: "refused", refusal: refuse("OUTCOME_UNKNOWN", message) };
  }
  const culprit = progress?.phase === "running" && progress.seq === write.seq;
  if (culprit) return { kind: "refused", refusal: culpritRefusal(write) };
  if (write.tries >= triesMax) {
    const message = `the writer died ${write.tries} times with this write in its hands; nothing was applied`;
    return { kind: "refused", refusal: refuse("STATEMENT_CRASHED", message) };
  }
  return { kind: "again" };
}

function culpritRefusal(write: Write): Refusal {
  if (write.killed === "cancel") return refuse("CANCELLED", "the statement was cancelled while it ran; nothing was applied");
  if (write.killed === "timeout") return refuse("STATEMENT_TIMEOUT", "the statement ran out of its time and was ended; nothing was applied");
  return refuse("STATEMENT_CRASHED", "the writer died while it ran this statement; nothing was applied");
}
