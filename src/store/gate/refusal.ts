/** How the gate says no: a refusal of the house with the place in the SQL text that it speaks of. */
import { type Refusal, type RefusalCode, refuse } from "../../terms/index.js";

/** The codes that the gate uses; none of these statements was shown to SQLite. */
export type GateCode = Extract<
  RefusalCode,
  | "STATEMENT_REFUSED"
  | "TRANSACTION_CONTROL"
  | "SQL_EMPTY"
  | "SQL_MANY"
  | "SQL_TOO_LONG"
  | "SQL_INVALID_TEXT"
  | "PARAMETER_MISSING"
  | "PARAMETER_SURPLUS"
  | "PARAMETER_CLASH"
>;

/** A stretch of the SQL text: `position` counts UTF-16 code units from 0, as JavaScript's strings do. */
export interface Place {
  readonly position: number;
  readonly length: number;
}

export interface GateRefusal extends Refusal {
  readonly refused: GateCode;
  readonly details: Place & { readonly [field: string]: unknown };
}

export function refuseAt(code: GateCode, message: string, position: number, length: number): GateRefusal {
  const details = { position, length };
  return { ...refuse(code, message), refused: code, details };
}

/** How much of a name or a text of the caller's is repeated in a message, in UTF-16 units. */
const shownUnitsMax = 40;

export function shortened(text: string): string {
  return text.length > shownUnitsMax ? `${text.slice(0, shownUnitsMax)}…` : text;
}
