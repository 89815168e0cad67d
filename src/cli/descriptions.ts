/** What `broker.describe` says of statements, for people and for programs. */
import type { StatementDescription } from "../client/index.js";
import { integer } from "./cells.js";
import type { Output } from "./output.js";

/** As JSON all that was said, and the statement's own text; else one line for each statement. */
export function showDescriptions(statements: readonly StatementDescription[], text: string, output: Output): void {
  if (output.asJson)
    return output.things(
      statements.map((one) => ({ ...one, sql: text.slice(one.position, one.position + one.length) })),
    );
  const rows = statements.map((one) => [
    lineAt(text, one.position),
    one.verb,
    one.access,
    one.parameters.map(({ number, name }) => name ?? `?${number}`).join(", "),
    one.columns === null ? "not known yet" : one.columns.map(columnText).join(", "),
  ]);
  output.rows({ columns: ["line", "verb", "access", "parameters", "columns"], rows });
}

function columnText({ name, decltype }: { readonly name: string; readonly decltype: string | null }): string {
  return decltype === null ? name : `${name} ${decltype}`;
}

function lineAt(text: string, position: number): bigint {
  return integer(text.slice(0, position).split("\n").length);
}
