/** Why a request of a transaction is refused. */
import { type Refusal, refuse, type TransactionNumber } from "../../terms/index.js";
import type { Transaction } from "./transaction.js";

export const rolledBack = refuse("TX_LOST", "the transaction was rolled back by its client");

export function lost(number: TransactionNumber, why = "it was never begun, or is over"): Refusal {
  return refuse("TX_LOST", `transaction ${number} is not there: ${why}`, { tx: number });
}

/** Whatever it is to be: its number must be new, and there must be room for it. `open`: how many the session has. */
export function notBegun(
  number: TransactionNumber,
  { high, open, max }: { readonly high: number; readonly open: number; readonly max: number },
): Refusal | undefined {
  if (number <= high) {
    const message = `transaction ${number} comes after ${high}: numbers rise in a session`;
    return refuse("PARAMS_INVALID", message, { path: "params.tx" });
  }
  if (open < max) return undefined;
  return refuse("TRANSACTIONS_FULL", `the session has ${max} transactions already`, { limit: "transactionsMax" });
}

export function lostWithConnection({ number }: Transaction): Refusal {
  return lost(number, "it went with its connection");
}

export function endedBy({ number }: Pick<Transaction, "number">, cause: Refusal): Refusal {
  const message = `SQLite has rolled transaction ${number} back because of a statement in it: ${cause.message}`;
  return refuse("TX_ROLLED_BACK", message, { tx: number, cause: { code: cause.refused, ...cause.details } });
}

/** With this the steps are refused that the writer did not run. */
export function refusalOf({ state, number }: Transaction): Refusal {
  if (!("refusal" in state))
    throw new Error(`transactions: the writer does not know ${number}, which is ${state.kind}`);
  return state.refusal;
}
