/**
 * The statements of a batch, one after the other: which of them run, what becomes of the batch when one is refused, and
 * what is answered for each. Who runs a statement, and undoes one that was refused, is not known here.
 */
import { type Encoding, encodeBody, encodeResults, errorOf } from "../../protocol/index.js";
import { isRefusal, type Refusal, type RefusalCode } from "../../terms/index.js";
import { holds, type StepOutcome } from "./conditions.js";
import { inStatement, type RequestPlan } from "./plan.js";

export interface BatchOptions {
  readonly encoding: Encoding;
  readonly bytesMax: number;
  /** Runs one statement; one that is refused has left nothing behind. */
  readonly run: (index: number, bytesMax: number) => Buffer | Refusal;
  /** Whether all of it was undone under the statement that was just refused. */
  readonly undone: () => boolean;
}

/** These are no fault of the statement's: what follows it would meet the same. */
const ofAll: ReadonlySet<RefusalCode> = new Set([
  "DISK_FULL",
  "DISK_FAILED",
  "SQLITE_NOMEM",
  "SQLITE_CORRUPT",
  "INTERNAL",
]);

export function runBatch(
  { statements, conditions, atomic }: Extract<RequestPlan, { kind: "batch" }>,
  { encoding, bytesMax, run, undone }: BatchOptions,
): Buffer | Refusal {
  const bodies: Buffer[] = [];
  const outcomes: StepOutcome[] = [];
  let left = bytesMax;
  for (const index of statements.keys()) {
    const condition = conditions[index];
    const result = condition === undefined || holds(condition, outcomes) ? run(index, left) : undefined;
    if (isRefusal(result) && (atomic || undone() || ofAll.has(result.refused))) return inStatement(result, index);
    outcomes.push(outcomeOf(result));
    const body = Buffer.isBuffer(result) ? result : encodeBody(told(result), encoding);
    bodies.push(body);
    left -= body.length;
  }
  return encodeResults(bodies, encoding);
}

function outcomeOf(result: Buffer | Refusal | undefined): StepOutcome {
  if (result === undefined) return "passed-over";
  return isRefusal(result) ? "error" : "ok";
}

function told(refusal: Refusal | undefined): object | null {
  if (refusal === undefined) return null;
  const { message, data } = errorOf(refusal);
  return { error: { message, data } };
}
