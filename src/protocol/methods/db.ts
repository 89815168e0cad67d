/** The methods of the datastore. A statement that only reads goes to a reader, also under db.execute. */
import type { Method } from "../method.js";
import type { WireInteger, WireValue } from "../numbers.js";
import * as is from "../schema.js";
import type { HeldLock } from "./session.js";

/** One statement and its values: by position, by name (with or without its `:`, `@` or `$`), or both. */
export interface StatementParams {
  readonly sql: string;
  readonly args?: readonly WireValue[];
  readonly named?: { readonly [name: string]: WireValue };
}

/** What every request that may write carries. */
export interface WriteParams {
  readonly key?: number;
  readonly ack?: number;
  readonly fence?: readonly HeldLock[];
  readonly timeoutMs?: number;
}

export interface ExecuteParams extends StatementParams, WriteParams {}

export interface QueryParams extends StatementParams {
  readonly timeoutMs?: number;
  readonly rowsMax?: number;
}

export interface BatchParams extends WriteParams {
  readonly statements: readonly StatementParams[];
}

export interface ScriptParams extends WriteParams {
  readonly sql: string;
  readonly atomic?: boolean;
}

export interface StatementResult {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly WireValue[])[];
  readonly rowsAffected: number;
  readonly lastInsertRowid: WireInteger | null;
}

export interface BatchResult {
  readonly results: readonly StatementResult[];
}

export interface ScriptStatementResult extends StatementResult {
  /** Where the statement begins in the script, in UTF-16 units. */
  readonly position: number;
}

export interface ScriptResult {
  readonly results: readonly ScriptStatementResult[];
}

const sql = is.Text({ description: "SQL text" });

const statement = {
  sql,
  args: is.Optional(is.ArrayOf(is.Value, { description: "Values by position" })),
  named: is.Optional(is.RecordOf(is.Value, "Values by name, with or without its `:`, `@` or `$`")),
};

const timeoutMs = is.Optional(is.WholeNumber("The time that the statement may run, at most the limit timeoutMsMax", 1));

const writing = {
  key: is.Optional(
    is.RequestKeyField("The request key. Without one a write happens at most once, and nobody can tell after a crash"),
  ),
  ack: is.Ack,
  fence: is.Optional(
    is.ArrayOf(is.ObjectOf({ name: is.LockNameField, token: is.TokenField }), {
      description: "Applied only while these locks are held under these tokens",
    }),
  ),
  timeoutMs,
};

const statementResult = {
  columns: is.ArrayOf(is.Text(), { description: "The columns' names; may repeat" }),
  rows: is.ArrayOf(is.ArrayOf(is.Value), { description: "The rows, each with as many cells as there are columns" }),
  rowsAffected: is.WholeNumber("Rows inserted, updated or deleted; 0 for reads"),
  lastInsertRowid: is.Union([is.AnyInteger, is.Null()], {
    description: "The rowid of the last row inserted; null if the statement inserted none",
  }),
};

/** What SQL can be refused for, wherever it runs. */
const ofSql = [
  "STATEMENT_REFUSED",
  "TRANSACTION_CONTROL",
  "SQL_EMPTY",
  "SQL_MANY",
  "SQL_TOO_LONG",
  "SQL_INVALID_TEXT",
  "PARAMETER_MISSING",
  "PARAMETER_SURPLUS",
  "PARAMETER_CLASH",
  "PARAMETER_INVALID",
  "VALUE_TOO_LARGE",
  "SQLITE_ERROR",
  "SQLITE_MISMATCH",
  "SQLITE_TOOBIG",
  "SQLITE_BUSY",
  "SQLITE_CORRUPT",
  "SQLITE_NOMEM",
  "RESULT_TOO_LARGE",
  "STATEMENT_TIMEOUT",
  "STATEMENT_CRASHED",
  "READER_UNAVAILABLE",
  "DISK_FAILED",
] as const;

const ofWrites = [
  ...ofSql,
  "SQLITE_CONSTRAINT",
  "FENCED",
  "KEY_REUSED",
  "RETRY_TOO_OLD",
  "RESULT_NOT_KEPT",
  "OUTCOME_UNKNOWN",
  "WRITER_UNAVAILABLE",
  "DISK_FULL",
] as const;

export const dbMethods = {
  "db.execute": {
    summary: "Runs one statement that reads or writes, in a transaction of its own.",
    params: is.schemaOf<ExecuteParams>()(is.ObjectOf({ ...statement, ...writing })),
    result: is.schemaOf<StatementResult>()(is.ObjectOf(statementResult)),
    keyed: "when-writing",
    beforeHello: false,
    refusals: ofWrites,
  } satisfies Method<ExecuteParams, StatementResult>,
  "db.query": {
    summary: "Runs one statement that only reads.",
    params: is.schemaOf<QueryParams>()(
      is.ObjectOf({ ...statement, timeoutMs, rowsMax: is.Optional(is.WholeNumber("Stop after so many rows", 1)) }),
    ),
    result: is.schemaOf<StatementResult>()(is.ObjectOf(statementResult)),
    keyed: "never",
    beforeHello: false,
    refusals: [...ofSql, "READ_ONLY"],
  } satisfies Method<QueryParams, StatementResult>,
  "db.batch": {
    summary: "Runs several statements in one transaction: all of them, or none. Only reads: all see one snapshot.",
    params: is.schemaOf<BatchParams>()(
      is.ObjectOf({
        statements: is.ArrayOf(is.ObjectOf(statement), {
          minItems: 1,
          maxItems: 1024,
          description: "The statements, in order",
        }),
        ...writing,
      }),
    ),
    result: is.schemaOf<BatchResult>()(is.ObjectOf({ results: is.ArrayOf(is.ObjectOf(statementResult)) })),
    keyed: "when-writing",
    beforeHello: false,
    refusals: ofWrites,
  } satisfies Method<BatchParams, BatchResult>,
  "db.script": {
    summary: "Runs the statements of one text, without values, alone in the writer.",
    params: is.schemaOf<ScriptParams>()(
      is.ObjectOf({
        sql: is.Text({ description: "Statements, separated by semicolons" }),
        atomic: is.Optional(
          is.Flag({
            description: "One transaction for all (default true), or one for each, ending at the first error",
          }),
        ),
        ...writing,
      }),
    ),
    result: is.schemaOf<ScriptResult>()(
      is.ObjectOf({
        results: is.ArrayOf(
          is.ObjectOf({
            position: is.WholeNumber("Where the statement begins in the text, in UTF-16 units"),
            ...statementResult,
          }),
        ),
      }),
    ),
    keyed: "when-writing",
    beforeHello: false,
    refusals: ofWrites,
  } satisfies Method<ScriptParams, ScriptResult>,
};
