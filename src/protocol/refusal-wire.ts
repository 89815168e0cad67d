/** A refusal as JSON-RPC's error object, and back. The integer is what JSON-RPC demands; the word is what counts. */
import {
  isOutcome,
  isRefusalCode,
  type Outcome,
  type Refusal,
  type RefusalCode,
  refusals,
  refuse,
} from "../terms/index.js";
import type { RefusalData } from "./methods/session.js";

export interface WireError {
  readonly code: number;
  readonly message: string;
  readonly data: RefusalData;
}

const numbers: { readonly [Code in RefusalCode]?: number } = {
  PARSE_ERROR: -32700,
  INVALID_REQUEST: -32600,
  ARRAY_REFUSED: -32600,
  METHOD_UNKNOWN: -32601,
  PARAMS_INVALID: -32602,
  INTERNAL: -32603,
};

/** JSON-RPC leaves -32000 to -32099 to the server; all that is not its own business has one number. */
export function errorNumber(code: RefusalCode): number {
  return numbers[code] ?? -32000;
}

export function errorOf(refusal: Refusal): WireError {
  const { refused, message, outcome, details } = refusal;
  const row = refusals[refused];
  return {
    code: errorNumber(refused),
    message,
    data: { code: refused, retryable: row.retryable, outcome: outcome ?? row.outcome, details: details ?? {} },
  };
}

/** A code that only a newer broker knows becomes INTERNAL, with the word kept in `details.code`. Never throws. */
export function refusalOf(error: unknown): Refusal {
  const { message, data } = fields(error);
  const { code, outcome, details } = fields(data);
  const text = typeof message === "string" ? message : "the broker refused without a message";
  if (typeof code !== "string" || !isRefusalCode(code))
    return refuse("INTERNAL", text, { code: code ?? fields(error)["code"] });
  const known: Outcome = refusals[code].outcome;
  return {
    ...refuse(code, text, details === undefined ? undefined : fields(details)),
    ...(isOutcome(outcome) && outcome !== known ? { outcome } : {}),
  };
}

function fields(value: unknown): { readonly [field: string]: unknown } {
  return typeof value === "object" && value !== null ? (value as { readonly [field: string]: unknown }) : {};
}
