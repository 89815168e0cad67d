/**
 * SQL as it is typed, line by line: when it is whole, and what its statements are. The only place of the command line
 * that reads SQL; it does so with the broker's own gate, so that both cut a text alike.
 */
import {
  type Control,
  type GateRefusal,
  inspectStatement,
  splitScript,
  type Token,
  tokenize,
} from "../../store/gate/index.js";
import { isRefusal } from "../../terms/index.js";

export interface TypedStatement {
  /** Without the comments around it and without its semicolon. */
  readonly text: string;
  /** Of its first unit in the whole text; from 1. */
  readonly line: number;
  /** BEGIN, COMMIT, SAVEPOINT and their kin. */
  readonly control: Control | undefined;
  /** Leaves the database as it is, so it may run twice. */
  readonly reads: boolean;
}

/** Whether the last statement is ended by a semicolon; one inside a text, a comment or a trigger's body ends nothing. */
export function isWhole(text: string): boolean {
  const tokens = tokenize(text);
  if (isRefusal(tokens)) return !isUnfinished(text, tokens) && text.trimEnd().endsWith(";");
  const last = tokens.findLast(isMeaningful);
  if (last?.kind !== ";") return false;
  const spans = splitScript(text);
  return isRefusal(spans) || (spans.at(-1)?.end ?? 0) <= last.start;
}

/** Whether there is nothing but spaces and comments. */
export function isBlank(text: string): boolean {
  const tokens = tokenize(text);
  return !isRefusal(tokens) && !tokens.some(isMeaningful);
}

/** Whether the text ends inside a '…', a quoted name or a comment. */
export function endsInside(text: string): boolean {
  const tokens = tokenize(text);
  if (isRefusal(tokens)) return isUnfinished(text, tokens);
  const last = tokens.at(-1);
  return last?.kind === "comment" && text.startsWith("--", last.start);
}

/** The statements in order. A text that cannot be cut is one: whoever runs it says what is wrong with it, and where. */
export function statementsIn(text: string): TypedStatement[] {
  const spans = splitScript(text);
  if (isRefusal(spans)) return [statement(text, 0)];
  return spans.map((span) => statement(span.text, lineBreaks(text.slice(0, span.start))));
}

function statement(text: string, linesBefore: number): TypedStatement {
  const found = inspectStatement(text, { transactionControl: true });
  const control = !isRefusal(found) && found.kind === "transaction-control" ? found.control : undefined;
  const reads = !isRefusal(found) && found.kind === "statement" && found.access === "read";
  return { text, line: linesBefore + 1, control, reads };
}

/** The same in one line, to be called back as a whole. Undefined where a line break means something. */
export function oneLine(text: string): string | undefined {
  if (!text.includes("\n")) return text.trim();
  const tokens = tokenize(text);
  if (isRefusal(tokens)) return undefined;
  const parts = tokens.map(({ kind, start, end }) => {
    const part = text.slice(start, end);
    if (kind === "space") return part.replace(/[^\n]*\n\s*/g, " ");
    return part.startsWith("--") || part.includes("\n") ? undefined : part;
  });
  return parts.includes(undefined) ? undefined : parts.join("").trim();
}

export function lineBreaks(text: string): number {
  return text.split("\n").length - 1;
}

function isMeaningful({ kind }: Token): boolean {
  return kind !== "space" && kind !== "comment";
}

/** Only what has an end of its own can lack it. */
function isUnfinished(text: string, { details: { position } }: GateRefusal): boolean {
  return /^(?:['"`[]|\/\*)/.test(text.slice(position, position + 2));
}
