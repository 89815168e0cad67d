/** What the statements of a text are: for shells, for clients of other protocols, for those who check SQL before they send it. */
import type { Method } from "../method.js";
import * as is from "../schema.js";
import { timeoutMs } from "./sql-fields.js";

export interface DescribeParams {
  readonly sql: string;
  readonly timeoutMs?: number;
}

export interface ParameterDescription {
  readonly number: number;
  readonly name: string | null;
}

export interface ColumnDescription {
  readonly name: string;
  readonly decltype: string | null;
  readonly table: string | null;
  readonly column: string | null;
}

export interface StatementDescription {
  readonly position: number;
  readonly length: number;
  readonly verb: string;
  readonly access: "read" | "write";
  readonly parameters: readonly ParameterDescription[];
  readonly columns: readonly ColumnDescription[] | null;
}

export interface DescribeResult {
  readonly statements: readonly StatementDescription[];
}

const textOrNull = (description: string) => is.Union([is.Text(), is.Null()], { description });

const parameter = is.ObjectOf({
  number: is.WholeNumber("Its number, as SQLite counts; values by position go in this order", 1),
  name: textOrNull("As it is written, with its prefix: `:id`, `?3`; null for a plain `?`, and for a number left out"),
});

const column = is.ObjectOf({
  name: is.Text({ description: "As it will stand in `columns` of the result" }),
  decltype: textOrNull("The type that its column was declared with; null for an expression"),
  table: textOrNull("The table that it comes from; null for an expression"),
  column: textOrNull("Its name in that table; null for an expression"),
});

const statementDescription = is.ObjectOf({
  position: is.WholeNumber("Where the statement begins in the text, in UTF-16 units"),
  length: is.WholeNumber("How long it is, without the semicolon"),
  verb: is.Text({
    description: "What it is: `SELECT`, `INSERT`, `CREATE` …; behind WITH, the verb of its main statement",
  }),
  access: is.OneOf(
    ["read", "write"],
    "Whether it writes, and so needs the writer. Of BEGIN: whether it asks for the writer at once",
  ),
  parameters: is.ArrayOf(parameter, { description: "All numbers from 1 to the largest" }),
  columns: is.Union([is.ArrayOf(column), is.Null()], {
    description:
      "The columns of its rows, none if it has no rows; null where it needs what a statement before it in the text creates",
  }),
});

export const describeMethods = {
  "db.describe": {
    summary: "Says what the statements of a text are, and runs none of them.",
    params: is.schemaOf<DescribeParams>()(
      is.ObjectOf({ sql: is.Text({ description: "Statements, separated by semicolons" }), timeoutMs }),
    ),
    result: is.schemaOf<DescribeResult>()(
      is.ObjectOf({
        statements: is.ArrayOf(statementDescription, { description: "The statements of the text, in order" }),
      }),
    ),
    keyed: "never",
    beforeHello: false,
    refusals: [
      "STATEMENT_REFUSED",
      "SQL_TOO_LONG",
      "SQL_INVALID_TEXT",
      "PARAMETER_CLASH",
      "SQLITE_ERROR",
      "SQLITE_BUSY",
      "SQLITE_CORRUPT",
      "SQLITE_NOMEM",
      "RESULT_TOO_LARGE",
      "STATEMENT_TIMEOUT",
      "STATEMENT_CRASHED",
      "READER_UNAVAILABLE",
      "DISK_FAILED",
    ],
  } satisfies Method<DescribeParams, DescribeResult>,
};
