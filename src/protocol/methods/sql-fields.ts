/** Fields that the methods of the datastore and of transactions share, and what SQL can be refused for. */
import * as is from "../schema.js";
import type { Condition } from "./condition.js";
import { refusalData } from "./refusal-fields.js";

export const sql = is.Text({ description: "SQL text" });

export const statement = {
  sql,
  args: is.Optional(is.ArrayOf(is.Value, { description: "Values by position" })),
  named: is.Optional(is.RecordOf(is.Value, "Values by name, with or without its `:`, `@` or `$`")),
};

export const timeoutMs = is.Optional(
  is.WholeNumber("The time that the statement may run, at most the limit timeoutMsMax", 1),
);

/** More than anybody relies on at once: each is looked up when the request goes on. */
const heldLocksMax = 1024;

export function fence(description: string) {
  return is.Optional(
    is.ArrayOf(is.ObjectOf({ name: is.LockNameField, token: is.TokenField }), {
      maxItems: heldLocksMax,
      description: `${description}; at most ${heldLocksMax}`,
    }),
  );
}

export const release = is.Optional(
  is.ArrayOf(is.ObjectOf({ name: is.LockNameField, token: is.TokenField }), {
    maxItems: heldLocksMax,
    description:
      "Locks of this session that are given back in the moment in which it is on disk, and only then. One that is not held under its token is passed over",
  }),
);

/** The session's key, a number, or one of the caller's own making, a text. */
export function key(description: string) {
  return {
    key: is.Optional(
      is.Union([is.RequestKeyField(), is.Text({ minLength: 1, maxLength: 128 })], {
        description: `${description}. A text of up to 128 bytes is the caller's own, and holds in all sessions`,
      }),
    ),
    keepMs: is.Optional(
      is.WholeNumber("How long a text is kept as a key, at most the limit keepMsMax; a day if absent", 1),
    ),
  };
}

export const statements = is.ArrayOf(
  is.ObjectOf({
    ...statement,
    if: is.Optional(
      // The reference stands alone: what it refers to says the rest.
      is.Unsafe<Condition>({ $ref: "#/components/schemas/Condition" }),
    ),
  }),
  { minItems: 1, maxItems: 1024, description: "The statements, in order" },
);

export const atomic = is.Optional(
  is.Flag({
    description:
      "All statements or none (default true); false: one that is refused is undone by itself, and the rest goes on",
  }),
);

export const statementResult = {
  columns: is.ArrayOf(is.Text(), { description: "The columns' names; may repeat" }),
  rows: is.ArrayOf(is.ArrayOf(is.Value), { description: "The rows, each with as many cells as there are columns" }),
  rowsAffected: is.WholeNumber("Rows inserted, updated or deleted; 0 for reads"),
  lastInsertRowid: is.Union([is.AnyInteger, is.Null()], {
    description: "The rowid of the last row inserted; null if the statement inserted none",
  }),
};

/** Of a batch: what became of each statement. */
export const results = is.ArrayOf(
  is.Union([
    is.ObjectOf(statementResult),
    is.ObjectOf({
      error: is.ObjectOf({ message: is.Text({ description: "What is wrong, in a sentence" }), data: refusalData }),
    }),
    is.Null(),
  ]),
  { description: "Of each statement its result; `null` when it was passed over; `{ error }` when it was refused" },
);

/** What SQL can be refused for, wherever it runs. */
export const ofSql = [
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
