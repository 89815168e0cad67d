/**
 * What the statements of a text are, without running one of them: the gate knows all but the columns, and those SQLite
 * tells when it has prepared the text. All are asked of one state of the schema.
 *
 * Not prepared is what has no columns and would act while it is prepared: a PRAGMA that sets something, and what begins
 * or ends a transaction.
 */
import { type ColumnDescription, type Encoding, encodeBody, encodeResults } from "../../protocol/index.js";
import type { Database } from "../../sqlite/index.js";
import { isRefusal, type Refusal } from "../../terms/index.js";
import { type Admitted, type ParameterPlan, parameterNames } from "../gate/index.js";
import { inStatement } from "../statement/plan.js";
import { tooLarge } from "../statement/result.js";
import { refusalOf } from "../statement/sqlite-refusal.js";

export interface DescribeParts {
  /** In a transaction in which something was read: else it may know the schema as it was. */
  readonly database: Database;
  readonly encoding: Encoding;
  readonly bytesMax: number;
  /** With the place in the text. */
  readonly explained: (refusal: Refusal, statement: Admitted) => Refusal;
}

export function describeStatements(outline: readonly Admitted[], parts: DescribeParts): Buffer | Refusal {
  const { encoding, bytesMax } = parts;
  const bodies: Buffer[] = [];
  let bytes = 0;
  let schemaChanges = false;
  for (const statement of outline) {
    const columns = columnsOf(statement, schemaChanges, parts);
    if (isRefusal(columns)) return inStatement(columns, bodies.length);
    const { start: position, end, verb, access, parameters } = statement;
    const described = { position, length: end - position, verb, access, parameters: numbered(parameters), columns };
    const body = encodeBody(described, encoding);
    bytes += body.length;
    // Six letters of SQL can ask for 32,766 parameters.
    if (bytes > bytesMax) return tooLarge(bytesMax);
    bodies.push(body);
    schemaChanges ||= statement.schemaChange;
  }
  return encodeResults(bodies, encoding, "statements");
}

function numbered(parameters: ParameterPlan): { readonly number: number; readonly name: string | null }[] {
  return parameterNames(parameters).map((name, at) => ({ number: at + 1, name }));
}

/** Null: it cannot be told before a statement that stands before it has been run. */
function columnsOf(
  statement: Admitted,
  afterSchemaChange: boolean,
  { database, explained }: DescribeParts,
): readonly ColumnDescription[] | null | Refusal {
  if (statement.kind !== "statement" || (statement.verb === "PRAGMA" && statement.access === "write")) return [];
  try {
    const prepared = database.prepare(statement.text);
    if (!prepared.reader) return [];
    return prepared.columns().map(({ name, type, table, column }) => ({ name, decltype: type, table, column }));
  } catch (error) {
    const refusal = refusalOf(error);
    if (afterSchemaChange && refusal.refused === "SQLITE_ERROR" && !isGrammar(refusal.message)) return null;
    return explained(refusal, statement);
  }
}

/** What no change of the schema would mend. */
function isGrammar(complaint: string): boolean {
  return /: syntax error$|^incomplete input$|^unrecognized token/.test(complaint);
}
