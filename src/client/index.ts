/**
 * The library. `connect()` gives a handle to the broker: one shared SQLite database, and named locks, for all programs
 * of this machine.
 *
 *   program ──► Broker, LockHandle ──► driver ──► conversation (pure: decides)
 *                  (broker.ts …)        │  ▲
 *                                       ▼  │ events
 *                           socket.ts, reach.ts, spawn.ts, pulse.ts (do)
 *
 * Absent, on purpose: the broker's own code, native modules, timers outside pulse.ts, decisions outside conversation/.
 */
export {
  type ColumnDescription,
  type Condition,
  type EndedGrant,
  type HolderRow,
  type LockEventKind,
  type LockEventRow,
  type LockMode,
  type LockRow,
  type ParameterDescription,
  protocolVersions,
  Real,
  type ResultValue,
  type Someone,
  type StatementDescription,
  type StatusResult,
  type WaiterRow,
} from "../protocol/index.js";
export { HoldfastError, isHoldfastError, type Outcome, type RefusalCode } from "../terms/index.js";
export type { Broker, BrokerEvents, DescribeOptions } from "./broker.js";
export { connect } from "./connect.js";
export type {
  BatchOptions,
  Fence,
  ReadOptions,
  ScriptOptions,
  Statement,
  Step,
  StepResult,
  StreamOptions,
  WriteOptions,
} from "./datastore.js";
export type { CampaignOptions, Elections, Leader, Leadership } from "./elections.js";
export type { LockWork } from "./held-locks.js";
export {
  type CycleMember,
  DeadlockError,
  FencedError,
  type HolderBrief,
  LockHeldError,
  LockLimitError,
  LockLostError,
  LockTimeoutError,
} from "./lock-errors.js";
export type { LockNews, LockSnapshot, WatchOptions } from "./lock-feed.js";
export type { ConfirmOptions, LockHandle, TransferOptions, UpgradeOptions } from "./lock-handle.js";
export type {
  AcquireOptions,
  ContendedInfo,
  LockClaim,
  LockWish,
  QueuedInfo,
  RevokingInfo,
} from "./lock-request.js";
export type {
  BreakOptions,
  HandOverOptions,
  HistoryOptions,
  LockFilter,
  LockInfo,
  LockRequestOptions,
  Locks,
  LocksSnapshot,
  WatchSubject,
} from "./locks.js";
export type { MigrateOptions, Migration } from "./migrate.js";
export type { ConnectOptions, SessionOptions } from "./options.js";
export type { RowStream } from "./row-stream.js";
export type {
  ChangedRow,
  ChangesGap,
  TableChange,
  TableChanges,
  TableNews,
  TableWatchOptions,
} from "./table-changes.js";
export type { TransactionOptions } from "./transact.js";
export type {
  BeginOptions,
  CommitOptions,
  ExecuteOptions,
  StepOptions,
  StepsOptions,
  Transaction,
} from "./transaction.js";
export { type Args, type Result, type Row, real, type ScriptResult, type Value } from "./values.js";
