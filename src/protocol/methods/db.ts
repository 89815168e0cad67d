/** The methods of the datastore. A statement that only reads goes to a reader, also under db.execute. */
import type { Method } from "../method.js";
import type { WireInteger, WireValue } from "../numbers.js";
import * as is from "../schema.js";
import type { Condition } from "./condition.js";
import type { HeldLock, SettledError } from "./session.js";
import {
  atomic,
  fence,
  key,
  ofSql,
  release,
  results,
  statement,
  statementResult,
  statements,
  timeoutMs,
} from "./sql-fields.js";

/** One statement and its values: by position, by name (with or without its `:`, `@` or `$`), or both. */
export interface StatementParams {
  readonly sql: string;
  readonly args?: readonly WireValue[];
  readonly named?: { readonly [name: string]: WireValue };
}

/** What every request that may write carries. */
export interface WriteParams {
  /** A text is the caller's own, and holds in all sessions. */
  readonly key?: number | string;
  readonly keepMs?: number;
  readonly ack?: number;
  readonly fence?: readonly HeldLock[];
  /** Only where something is written. */
  readonly release?: readonly HeldLock[];
  readonly timeoutMs?: number;
}

export interface ExecuteParams extends StatementParams, WriteParams {}

export interface QueryParams extends StatementParams {
  readonly timeoutMs?: number;
  readonly rowsMax?: number;
}

export interface BatchStatement extends StatementParams {
  readonly if?: Condition;
}

export interface BatchParams extends WriteParams {
  readonly statements: readonly BatchStatement[];
  readonly atomic?: boolean;
}

export interface ScriptParams extends WriteParams {
  readonly sql: string;
  readonly atomic?: boolean;
  readonly contendedMs?: number;
}

export interface StatementResult {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly WireValue[])[];
  readonly rowsAffected: number;
  readonly lastInsertRowid: WireInteger | null;
}

/** Null: it was passed over. */
export type StepResult = StatementResult | { readonly error: SettledError } | null;

export interface BatchResult {
  readonly results: readonly StepResult[];
}

export interface ScriptStatementResult extends StatementResult {
  /** Where the statement begins in the script, in UTF-16 units. */
  readonly position: number;
}

export interface ScriptResult {
  readonly results: readonly ScriptStatementResult[];
}

const writing = {
  ...key("The request key. Without one a write happens at most once, and nobody can tell after a crash"),
  ack: is.Ack,
  fence: fence("Applied only while these locks are held under these tokens"),
  release,
  timeoutMs,
};

const ofWrites = [
  ...ofSql,
  "SQLITE_CONSTRAINT",
  "FENCED",
  "NAME_INVALID",
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
    summary:
      "Runs several statements in one transaction: all of them, or none, if nothing else is said. Only reads: all see one snapshot.",
    params: is.schemaOf<BatchParams>()(
      is.ObjectOf({
        statements,
        atomic,
        ...writing,
      }),
    ),
    result: is.schemaOf<BatchResult>()(is.ObjectOf({ results })),
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
        contendedMs: is.Optional(
          is.WholeNumber(
            "The time that it may run while others wait to write, instead of the limit writeContendedMs; at most the limit timeoutMsMax. Needs the role admin: nobody else writes meanwhile",
            1,
          ),
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
