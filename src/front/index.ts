/**
 * The loop that joins the rooms, and the only one that obeys the core's turns. A frame comes in by a link, becomes a
 * command, and what the core makes of it leaves through the outbox: ledger, store, clients, in this order.
 *
 * Deliberately absent: SQL, fsync, decisions about locks or order (the core), sockets (the transport), configuration,
 * signals and log files (the daemon).
 */
export { fileIdAt } from "./file-id.js";
export { Front } from "./front.js";
export type { CarriedLock, LockCarrier, LockCarriers } from "./lock-carriers.js";
export type { FrontLog, FrontOptions } from "./options.js";
export type { ProcessTable } from "./processes.js";
