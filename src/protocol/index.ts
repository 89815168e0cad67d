/**
 * The tongue: bytes to typed messages and back. What is said, and how it is spelled in JSON and in MessagePack; told
 * for writers of other clients in proto/PROTOCOL.md.
 *
 *   bytes ── decodeFrame ──► Request ── checkParams ──► ParamsOf<method> ── boundArgs ──► what SQLite binds
 *   bytes ◄─ encodeResult ── body  ◄─ RowsEncoder, encodeBody ◄── rows as SQLite returned them, plain data
 *
 * It promises that no bytes make it throw, that nothing is rounded on the way, and that what it writes is valid.
 *
 * Absent, on purpose: sockets, time, randomness, state (but for scratch buffers), decisions. It does not know the core,
 * nor which connection a frame came from; the front translates. Programs import it with the library, so nothing of
 * the schema library shows in its types, and no schema is compiled when it is loaded.
 */
export { depthMax, isRequestId, nodesMax, type Sender } from "./bounds.js";
export { type Closing, closings } from "./closing.js";
export { commonVersion, type Encoding, encodingOf, protocolVersions, subprotocols } from "./encoding.js";
export * from "./envelope.js";
export { type JsonSchema, type Method, type NotificationRow, refusalsOfAll, type Schema } from "./method.js";
export type * from "./methods/admin.js";
export type * from "./methods/condition.js";
export type * from "./methods/db.js";
export type * from "./methods/describe.js";
export type * from "./methods/lock.js";
export { guardedStartMs } from "./methods/lock.js";
export type * from "./methods/lock-interventions.js";
export type * from "./methods/lock-notices.js";
export type * from "./methods/lock-views.js";
export { waitersListedMax } from "./methods/lock-views.js";
export type { LockMode } from "./methods/lock-words.js";
export type * from "./methods/session.js";
export type * from "./methods/stream.js";
export type * from "./methods/tx.js";
export type * from "./methods/watch.js";
export * from "./methods.js";
export {
  type BlobMark,
  type BoundValue,
  boundArgs,
  boundNamed,
  boundValue,
  type Integers,
  type IntMark,
  isReal,
  Real,
  type RealMark,
  type ResultValue,
  resultInteger,
  resultValue,
  type SqlValue,
  soleWordOf,
  type WireInteger,
  type WireValue,
  wireArgs,
  wireInteger,
  wireNamed,
  wireOfBound,
  wireValue,
} from "./numbers.js";
export { errorNumber, errorOf, refusalOf, type WireError } from "./refusal-wire.js";
export { RowChunks } from "./row-chunks.js";
export { type Changes, encodeChanges, encodeResults, encodeRows, noChanges, RowsEncoder } from "./rows.js";
export { secretText, sessionIdOf } from "./secret.js";
export { encodeSettled, type Settled, transcode } from "./stored.js";
export { unpairedIn } from "./unpaired.js";
export { clientFrameHead, type FrameKind, firstBytes, serverFrameHead } from "./web-socket-frame.js";
