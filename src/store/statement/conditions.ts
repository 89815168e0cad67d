/**
 * When a statement of a batch runs: by what became of those before it. Looked at before anything runs, so that evaluating
 * it cannot fail: it names only statements that stand before its own, and is of a bounded depth.
 */
import { type Condition, soleWordOf } from "../../protocol/index.js";
import { type Refusal, refuse } from "../../terms/index.js";

export type StepOutcome = "ok" | "error" | "passed-over";

const depthMax = 16;

/** What is wrong with it, as it came from the wire; nothing: it is a Condition for the statement at `index`. */
export function conditionFault(given: unknown, index: number): Refusal | undefined {
  const fault = faultOf(given, index, depthMax);
  if (fault === undefined) return undefined;
  const path = `params.statements[${index}].if`;
  return refuse("PARAMS_INVALID", `${path} ${fault}`, { path });
}

export function holds(condition: Condition, outcomes: readonly StepOutcome[]): boolean {
  if ("ok" in condition) return outcomes[condition.ok] === "ok";
  if ("error" in condition) return outcomes[condition.error] === "error";
  if ("not" in condition) return !holds(condition.not, outcomes);
  if ("and" in condition) return condition.and.every((one) => holds(one, outcomes));
  return condition.or.some((one) => holds(one, outcomes));
}

function faultOf(given: unknown, index: number, depth: number): string | undefined {
  if (depth === 0) return `is nested more than ${depthMax} deep`;
  const word = soleWordOf(given);
  const value = word === undefined ? undefined : (given as { readonly [word: string]: unknown })[word];
  switch (word) {
    case "ok":
    case "error":
      if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value < index) return undefined;
      return `names statement ${String(value)}, and only one that stands before it can be named`;
    case "not":
      return faultOf(value, index, depth - 1);
    case "and":
    case "or":
      if (!Array.isArray(value)) return `must have a list under ${word}`;
      for (const one of value) {
        const fault = faultOf(one, index, depth - 1);
        if (fault !== undefined) return fault;
      }
      return undefined;
    default:
      return "must be one of { ok }, { error }, { not }, { and }, { or }";
  }
}
