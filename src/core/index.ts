/**
 * The judge. Decides who holds what, in which order writes reach the writer, which reader runs what, who is there and
 * who is over; never does any of it. Closed and deterministic: the same commands at the same instants give the same
 * turns.
 *
 *   command, now ──► Core.handle ──► machines: sessions · locks · watches · writes · reads, snapshots · deadlines
 *                                              │
 *   Turn { ledger, dispatch, send } ◄── takeTurn   obeyed in this order by the front's outbox, and by nobody else
 *
 * Deliberately absent: a clock (time is an argument), sockets, files, processes, randomness (ids come in), promises,
 * logging, and any knowledge of SQL or of the wire: what the store runs passes through as an opaque parcel.
 */
export * from "./command.js";
export { Contradiction } from "./contradiction.js";
export { Core } from "./core.js";
export type { Memory } from "./recall.js";
export { ledgerFull } from "./request-refusals.js";
export { forbidden, type Role } from "./sessions/role.js";
export * from "./turn.js";
