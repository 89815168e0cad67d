/** Shows the place in the SQL that an error speaks of: the line, and marks below it. */
import { padEnd, printable, widthOf } from "./width.js";

export interface Position {
  /** UTF-16 units from the start of the text. */
  readonly offset: number;
  readonly length: number;
}

const indent = "  ";

/** Two lines; the first is a window around the place when the line is longer than `widthMax`. Undefined: no such place. */
export function caretLines(sql: string, { offset, length }: Position, widthMax = 76): string[] | undefined {
  if (!Number.isInteger(offset) || offset < 0 || offset > sql.length) return undefined;
  const start = sql.lastIndexOf("\n", offset - 1) + 1;
  const end = sql.indexOf("\n", offset) === -1 ? sql.length : sql.indexOf("\n", offset);
  const until = offset + Math.max(length, wordLength(sql, offset));
  const number = sql.slice(0, start).split("\n").length;
  const label = sql.includes("\n") ? `line ${number}: ` : "";
  const room = Math.max(20, widthMax - indent.length - label.length - 2);
  const from = Math.max(start, Math.min(offset - Math.floor(room / 2), end - room));
  const to = Math.min(end, from + room);
  const head = from > start ? "…" : "";
  const before = `${indent}${label}${head}${shown(sql.slice(from, offset))}`;
  const marked = shown(sql.slice(offset, Math.min(to, until)));
  const after = shown(sql.slice(Math.min(to, until), to));
  const marks = "^".repeat(Math.max(1, widthOf(marked)));
  return [`${before}${marked}${after}${to < end ? "…" : ""}`.trimEnd(), `${padEnd("", widthOf(before))}${marks}`];
}

/** SQLite tells where, but not how far: a word is meant as a whole. */
function wordLength(sql: string, offset: number): number {
  return /[\p{L}\p{N}_$]*/uy.exec(sql.slice(offset))?.[0].length || 1;
}

function shown(text: string): string {
  return printable(text.replace(/\r$/, "").replaceAll("\t", " "));
}

/** What `details.position` may hold, from any broker. */
export function positionIn(details: { readonly [field: string]: unknown }): Position | undefined {
  const found = details["position"];
  if (typeof found === "number") return { offset: found, length: 1 };
  if (typeof found !== "object" || found === null) return undefined;
  const { offset, length } = found as { offset?: unknown; length?: unknown };
  if (typeof offset !== "number") return undefined;
  return { offset, length: typeof length === "number" ? length : 1 };
}
