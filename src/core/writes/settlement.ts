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
  /**
   * Its group is committed: it was applied, or refused by SQLite. Or it was sent before. What the store knows under its
   * key decides; `otherwise`: what it is refused with when nothing is known there.
   */
  | { readonly kind: "ask"; readonly otherwise?: Refusal | undefined }
  | { readonly kind: "refused"; readonly refusal: Refusal };

export interface Death {
  /** The highest sequence that is committed. */
  readonly storedSeq: Seq;
  /** The write that the writer died of, if that is known. */
  readonly culprit: Seq | undefined;
  /** What it was doing, if that is known. */
  readonly progress: WriterProgress | undefined;
  /** Any write in its hands may be the reason. */
  readonly unexplained: boolean;
  /** It ended because the disk had failed: that is what is said, and not that a statement has crashed it. */
  readonly ioFailed: boolean;
}

/**
 * A write that a writer had in its hands when it died, so often and for no known reason, is taken for the reason. Where the
 * disk fails as often it does so under this write perhaps and no other: it must not be run for ever, before all others.
 */
export const deathsMax = 3;

/** The broker has killed the writer: because of this write, or of none. */
export interface Killing {
  readonly culprit: Seq | undefined;
  /** Somebody had stopped it. */
  readonly stopped?: boolean;
}

/**
 * Who is to blame: the write for which the broker killed the writer, if it did, though it may be answered by now; what
 * ran when the kill came may be another. Without a kill, the one that ran.
 */
export function culpritOf(killing: Killing | undefined, progress: WriterProgress | undefined): Seq | undefined {
  if (killing !== undefined) return killing.culprit;
  return progress?.phase === "running" ? progress.seq : undefined;
}

export function fateOf(write: Write, death: Omit<Death, "unexplained">): Fate {
  const { storedSeq, culprit, progress } = death;
  if (write.seq === undefined) throw new Error("settlement: a write that was never dispatched");
  if (write.seq <= storedSeq && write.settles === undefined) {
    if (hasKey(write)) return { kind: "ask" };
    const message = "the writer died after it may have applied this write, which had no request key";
    return { kind: "refused", refusal: refuse("OUTCOME_UNKNOWN", message) };
  }
  if (write.seq === culprit) return refusedUnlessStored(write, culpritRefusal(write, death));
  if (write.deaths >= deathsMax) {
    const message = `the writer died ${write.deaths} times with this write in its hands`;
    return refusedUnlessStored(write, died(message, death));
  }
  // A part of it may be applied, and without a key the store cannot tell how much: it must not begin anew.
  if (write.piecewise && write.key === undefined && mayHaveBegun(write.seq, progress)) {
    const message = "the writer died when it may have begun this script, which had no request key";
    return { kind: "refused", refusal: refuse("OUTCOME_UNKNOWN", message) };
  }
  // Of one that was sent before, or that is applied piece by piece, only the store can tell.
  if (write.cancelledAt !== undefined && !write.seenBefore && !write.piecewise)
    return { kind: "refused", refusal: refuse("CANCELLED", "the write was cancelled; nothing was applied") };
  return { kind: "again" };
}

/** The writer died of it, so it is not run again; of one that was sent before the store can tell whether it was applied then. */
function refusedUnlessStored(write: Write, refusal: Refusal): Fate {
  if (write.seenBefore && hasKey(write) && !write.piecewise && write.lookup === undefined)
    return { kind: "ask", otherwise: refusal };
  return { kind: "refused", refusal: notFinished(write, refusal) };
}

/** What became of it is stored with what it has done. */
function hasKey({ key, ownKey }: Write): boolean {
  return key !== undefined || ownKey === true;
}

/** A refusal without asking the store: of a write that was sent before nobody can say that it was not applied then. */
export function notRun(write: Pick<Write, "seenBefore">, refusal: Refusal): Refusal {
  return write.seenBefore ? { ...refusal, outcome: "unknown" } : refusal;
}

/** Of one with a transaction for each statement, nobody here knows how many of them were applied. */
function notFinished(write: Write, refusal: Refusal): Refusal {
  return write.piecewise ? { ...refusal, outcome: "unknown" } : notRun(write, refusal);
}

/** The writer begins what it is given in its order; it may be done with this one, though the answer was not heard. */
function mayHaveBegun(at: Seq, progress: WriterProgress | undefined): boolean {
  return progress === undefined || progress.seq >= at;
}

export function culpritRefusal(write: Pick<Write, "killed" | "contendedMs">, death: Pick<Death, "ioFailed">): Refusal {
  if (write.killed === "cancel") return refuse("CANCELLED", "the statement was cancelled while it ran");
  if (write.killed === "timeout") return refuse("STATEMENT_TIMEOUT", "the statement ran out of its time and was ended");
  if (write.killed === "contended") {
    const message =
      "the statement ran out of the time that it has while others wait to write, and was ended: do it in smaller steps";
    return refuse("STATEMENT_TIMEOUT", message, write.contendedMs === undefined ? { limit: "writeContendedMs" } : {});
  }
  return died("the writer died while it ran this statement", death);
}

function died(message: string, { ioFailed }: Pick<Death, "ioFailed">): Refusal {
  if (!ioFailed) return refuse("STATEMENT_CRASHED", message);
  return { ...refuse("DISK_FAILED", `${message}: the disk failed`), outcome: "none" };
}
