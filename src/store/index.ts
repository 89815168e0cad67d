/**
 * The vault: the shared database, by the process that the code runs in.
 *
 *   gate/       [front, children] what a statement is, before SQLite sees it; pure
 *   desk/       [front]           jobs in, events out; starts and ends the children
 *   pipe/       [all]             what they say to each other, and how
 *   statement/  [children]        a request opened, planned, its result encoded
 *   writer/     [writer]          the only one that writes: one transaction and one fsync for many requests
 *   reader/     [reader]          snapshots
 *   keeper/     [a run of its own] long work: a backup and a check beside a broker that runs; taking over a database and
 *                               putting a backup back while none does
 *
 * Deliberately absent: decisions (order, fences, deadlines and kills are the core's), locks, sessions, the network.
 */
export { type BegunChild, beginChildren } from "./desk/begun.js";
export type { StoreLog } from "./desk/child.js";
export type { StoreOptions, StorePlaces } from "./desk/nursery.js";
export { type ChildRecord, currentBootId, killOrphans } from "./desk/orphans.js";
export { startTimeOf } from "./desk/process-identity.js";
export { Store, type StoreProcess } from "./desk/store.js";
export { StoreBody, StoreRequest, StreamPiece } from "./desk/store-request.js";
export * from "./gate/index.js";
export { type BackedUp, type BackupOrder, type BackupProgress, backupDatabase } from "./keeper/backup-database.js";
export { type Checked, type CheckOrder, checkDatabase } from "./keeper/check-database.js";
export { crowded } from "./keeper/files.js";
export { type Imported, type ImportOrder, importDatabase } from "./keeper/import-database.js";
export { type Restored, type RestoreOrder, restoreDatabase } from "./keeper/restore-database.js";
export { compileEarly } from "./pipe/early-compiler.js";
export { type Bundle, loadBundle } from "./pipe/kept-code.js";
export { type Judgement, Planner, type StoreParams } from "./statement/plan.js";
export { bootIdElsewhere } from "./writer/internal-tables.sql.js";
