/** The front's memory across a kill: rows in, one transaction a turn; rows out at the next start. */
export { Ledger, LedgerFull } from "./ledger.js";
export type { LedgerContents, LedgerMark } from "./rows.js";
