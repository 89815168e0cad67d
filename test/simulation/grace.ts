/** For how long nothing may be granted, because somebody may hold what nobody remembers, and live on (rules 13 and 14). */
import type { WriterReady } from "../../src/front/rebirth.js";
import type { LedgerContents } from "../../src/ledger/index.js";
import { type Limits, limitTable } from "../../src/terms/index.js";

interface GraceParts {
  readonly bootId: string;
  readonly limits: Pick<Limits, "resumeWindowMs">;
}

/** 0: all is known. */
export function graceOf(
  remembered: LedgerContents | "damaged",
  found: WriterReady,
  { bootId, limits: { resumeWindowMs } }: GraceParts,
): number {
  if (remembered === "damaged") return resumeWindowMs;
  return isUnknown(remembered, found, bootId) ? Math.max(resumeWindowMs, limitTable.resumeWindowMs.standard) : 0;
}

function isUnknown({ grants, mark }: LedgerContents, found: WriterReady, bootId: string): boolean {
  if (mark === undefined) return found.heldBefore && found.previousBootId === bootId;
  if (grants.length === 0 && !found.heldBefore) return false;
  const { tokensTo, seq, incarnation } = mark;
  return incarnation !== found.incarnation || seq > found.storedSeq || tokensTo > found.tokensFrom;
}
