/**
 * The gate: every SQL text passes here before SQLite sees it.
 *
 *   text ─► tokenizer ─► split ─► statement ─► permission ─► verb, access, parameters …
 *                                  │  main-verb, definition, pragma, transaction-control
 *                                  └─ survey: what may stand nowhere, and the parameters
 *                                                          arrange: values to parameters, as better-sqlite3 wants them
 *
 * Promise: what the gate lets through as one statement is one statement, of the kind it says; `read` leaves the file
 * as it is; nothing is attached, vacuumed, loaded or made TEMP; no PRAGMA is set but those that are named. What the
 * gate cuts into words is what SQLite cuts, so no comment, quote or encoding hides one from it.
 *
 * Why lexical, and why before: some PRAGMAs act while they are prepared, VACUUM INTO writes from a read-only connection,
 * and better-sqlite3 has no authorizer. Why a list of what is served and not of what is refused: SQLite grows.
 *
 * Deliberately absent: SQL's grammar. A text may pass here and still be a syntax error; then SQLite says so, and nothing
 * has happened. No knowledge of the schema: whether a table exists, whether a trigger rolls back, is not seen here.
 * No Node, no clock, no state but the texts that `Gate` keeps.
 */
export { type Arranged, type ArrangeRefusal, arrange } from "./arrange.js";
export { Gate, type GateOptions } from "./gate.js";
export { type InspectOptions, inspectStatement, sqlBytesStandard } from "./inspect.js";
export type { ChangeVerb, QueryVerb } from "./main-verb.js";
export { outlineOf } from "./outline.js";
export { type NamedParameter, type ParameterPlan, parameterNames, parameterNumberMax } from "./parameters.js";
export type { Permissions } from "./permission.js";
export { readablePragmas } from "./pragma-names.js";
export type { GateCode, GateRefusal, Place } from "./refusal.js";
export { type Script, type ScriptOptions, statementsOf } from "./script.js";
export { type Span, splitScript } from "./split.js";
export type { Admitted, SessionSetting, Statement, TransactionControl, Verb } from "./statement.js";
export { type Token, type TokenKind, tokenize } from "./tokenizer.js";
export type { Control, ControlVerb } from "./transaction-control.js";
