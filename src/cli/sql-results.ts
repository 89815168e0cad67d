/** What became of a statement, for whoever typed it: rows to stdout, what was changed and what went wrong to stderr. */
import type { Result, RowStream } from "../client/index.js";
import type { HoldfastError } from "../terms/index.js";
import { caretLines, positionIn } from "./caret.js";
import type { Cell } from "./cells.js";
import { complaintLines } from "./complaint.js";
import { count } from "./durations.js";
import type { Io } from "./io.js";
import type { Output } from "./output.js";

/** Rows with every INTEGER a bigint, as the connection was told: so a number is a REAL. */
export function showResult(
  output: Output,
  { columns, rows, rowsAffected, lastInsertRowid }: Result<Cell[]>,
  text: string,
  counted: boolean,
): void {
  if (columns.length > 0) {
    output.rows({ columns, rows });
    if (counted) output.comment(count(rows.length, "row"));
  }
  if (rowsAffected > 0) {
    const rowid = lastInsertRowid === null ? "" : `, rowid ${lastInsertRowid}`;
    output.comment(`${count(rowsAffected, "row")} changed${rowid}`);
  } else if (columns.length === 0) output.comment(definesSomething(text) ? "done" : "0 rows changed");
}

/** Rows that are written together. */
const partRows = 500;

export interface StreamManner {
  readonly counted: boolean;
  /** Resolves when what was written has been taken. */
  readonly flushed: () => Promise<void>;
}

/** Of any size: what was written is forgotten, and a reader that is slow slows the broker down. */
export async function showStream(
  output: Output,
  rows: RowStream<Cell[]>,
  { counted, flushed }: StreamManner,
): Promise<void> {
  const parts = output.parts(await rows.columns());
  let part: Cell[][] = [];
  let shown = 0;
  const flush = async () => {
    if (part.length > 0) parts.add(part);
    shown += part.length;
    part = [];
    await flushed();
  };
  for await (const row of rows) {
    part.push(row);
    if (part.length === partRows) await flush();
  }
  await flush();
  parts.end();
  if (counted) output.comment(count(shown, "row"));
}

/** Statements that change no row are not said to have changed none. */
function definesSomething(text: string): boolean {
  return !/^(?:\s|--[^\n]*\n|\/\*[\s\S]*?\*\/)*(?:insert|replace|update|delete|with)\b/i.test(text);
}

/** The complaint, with marks below the place in the statement that it speaks of. */
export function complainOfSql(error: HoldfastError, sql: string, io: Io): void {
  const position = positionIn(error.details);
  const caret = position === undefined ? undefined : caretLines(sql, position, (io.columns ?? 80) - 2);
  const [first = "", ...more] = complaintLines(error);
  io.say(`${[first, ...(caret ?? []), ...more].join("\n")}\n`);
}
