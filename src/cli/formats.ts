/**
 * Rows as text, pure: a table for people; tabs, commas and JSON for programs. Every function gives whole lines.
 *
 *   table   header, aligned, cut to the terminal; control characters shown, not obeyed
 *   tabs    one row a line; tab, newline, return and backslash in values as \t \n \r \\ so that lines stay rows
 *   csv     RFC 4180, with a header
 *   line    a value a line, with the name of its column before it; an empty line between rows
 *   json    one array of objects;  jsonl  one object a line
 */
import { type Cell, jsonText, plainText, tableText } from "./cells.js";
import { cut, widthOf } from "./width.js";

export interface Rows {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
}

export interface TableStyle {
  readonly header: boolean;
  /** Columns of the terminal; 0: unknown, nothing is cut. */
  readonly widthMax: number;
  readonly paint: (text: string, how: "head" | "faint") => string;
}

/** How the columns of a table stand: found by rows that were there, and kept for those that follow. */
export interface TableLayout {
  readonly widths: readonly number[];
  readonly numeric: readonly boolean[];
}

const gap = "  ";
/** A column is never cut below so many signs; lines then wrap. */
const columnWidthLeast = 8;

export function layoutOf({ columns, rows }: Rows, { header, widthMax }: Omit<TableStyle, "paint">): TableLayout {
  const widths = columns.map((column, i) =>
    rows.reduce(
      (width, row) => Math.max(width, widthOf(tableText(row[i] ?? null))),
      header ? widthOf(tableText(column)) : 0,
    ),
  );
  narrow(widths, widthMax);
  return { widths, numeric: columns.map((_, i) => isNumeric(rows, i)) };
}

export function tableLines(table: Rows, style: TableStyle, layout = layoutOf(table, style)): string[] {
  const { columns, rows } = table;
  const { widths, numeric } = layout;
  const texts = rows.map((row) => row.map(tableText));
  const heads = columns.map((column) => tableText(column));
  const put = (text: string, i: number, how?: "head" | "faint") =>
    place(cut(text, widths[i] ?? 0), widths[i] ?? 0, {
      right: numeric[i] === true,
      paint: how && ((shown) => style.paint(shown, how)),
    });
  const lines = texts.map((row, at) =>
    joined(row.map((text, i) => put(text, i, rows[at]?.[i] === null ? "faint" : undefined))),
  );
  if (!style.header) return lines;
  const rule = widths.map((width) => style.paint("─".repeat(width), "faint"));
  return [joined(heads.map((text, i) => put(text, i, "head"))), joined(rule), ...lines];
}

/** The colour is on the text, not on what fills up the column. */
function place(
  text: string,
  width: number,
  { right, paint = (shown) => shown }: { right: boolean; paint?: ((shown: string) => string) | undefined },
): string {
  const filling = " ".repeat(Math.max(0, width - widthOf(text)));
  return right ? filling + paint(text) : paint(text) + filling;
}

function joined(cells: readonly string[]): string {
  return cells.join(gap).trimEnd();
}

/** Numbers stand right, so that their digits stand below each other; NULLs do not spoil it. */
function isNumeric(rows: Rows["rows"], column: number): boolean {
  let seen = false;
  for (const row of rows) {
    const cell = row[column];
    if (typeof cell === "bigint" || typeof cell === "number") seen = true;
    else if (cell !== null && cell !== undefined) return false;
  }
  return seen;
}

/** Takes from the widest column until all fit. */
function narrow(widths: number[], widthMax: number): void {
  if (widthMax <= 0) return;
  let excess = widths.reduce((sum, width) => sum + width, 0) + gap.length * (widths.length - 1) - widthMax;
  while (excess > 0) {
    const widest = widths.indexOf(Math.max(...widths));
    const width = widths[widest] ?? 0;
    if (width <= columnWidthLeast) return;
    const next = Math.max(columnWidthLeast, ...widths.filter((other) => other < width));
    const take = Math.min(excess, Math.max(1, width - next));
    widths[widest] = width - take;
    excess -= take;
  }
}

export function tabLines({ columns, rows }: Rows, header: boolean): string[] {
  const lines = rows.map((row) => row.map((cell) => tabSafe(plainText(cell))).join("\t"));
  return header ? [columns.map(tabSafe).join("\t"), ...lines] : lines;
}

const tabEscapes: { readonly [sign: string]: string } = { "\t": "\\t", "\n": "\\n", "\r": "\\r", "\\": "\\\\" };

function tabSafe(text: string): string {
  return text.replace(/[\t\n\r\\]/g, (sign) => tabEscapes[sign] ?? sign);
}

export function csvLines({ columns, rows }: Rows, header: boolean): string[] {
  const lines = rows.map((row) => row.map((cell) => csvField(plainText(cell), cell === "")).join(","));
  return header ? [columns.map((column) => csvField(column, false)).join(","), ...lines] : lines;
}

/** The empty text is quoted, NULL is not: those who look can tell them apart. */
function csvField(text: string, quoted: boolean): string {
  return quoted || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** As `.mode line` of sqlite3 has it. */
export function lineLines({ columns, rows }: Rows): string[] {
  const names = columns.map((column) => tableText(column));
  const width = Math.max(0, ...names.map(widthOf));
  return rows.flatMap((row, at) => [
    ...(at > 0 ? [""] : []),
    ...names.map((name, i) => `${" ".repeat(width - widthOf(name))}${name} = ${tableText(row[i] ?? null)}`),
  ]);
}

export function jsonLines(rows: Rows): string[] {
  const objects = jsonObjects(rows);
  if (objects.length === 0) return ["[]"];
  return objects.map((object, i) => `${i === 0 ? "[" : " "}${object}${i === objects.length - 1 ? "]" : ","}`);
}

/** One object a row, in the order of the columns. */
export function jsonObjects({ columns, rows }: Rows, textOf: (cell: Cell) => string = jsonText): string[] {
  const keys = distinct(columns).map((column) => JSON.stringify(column));
  return rows.map((row) => `{${keys.map((key, i) => `${key}:${textOf(row[i] ?? null)}`).join(",")}}`);
}

/** A second column of one name is `name:1`, as SQLite itself calls it in CREATE TABLE AS: an object would lose it. */
function distinct(columns: readonly string[]): string[] {
  const seen = new Set<string>();
  return columns.map((column) => {
    let name = column;
    for (let n = 1; seen.has(name); n++) name = `${column}:${n}`;
    seen.add(name);
    return name;
  });
}

/** Values as they are, no escapes: for one value that goes into a file. Blobs as their bytes. */
export function rawBytes({ rows }: Rows): Buffer {
  const parts: Buffer[] = [];
  for (const [at, row] of rows.entries()) {
    if (at > 0) parts.push(Buffer.from("\n"));
    for (const [i, cell] of row.entries()) {
      if (i > 0) parts.push(Buffer.from("\t"));
      parts.push(cell instanceof Uint8Array ? Buffer.from(cell) : Buffer.from(plainText(cell)));
    }
  }
  return Buffer.concat(parts);
}

/** An object of the command line's own as JSON: bigints as digits. */
export function jsonValue(value: unknown, indent = 0): string {
  const marks: string[] = [];
  const text = JSON.stringify(
    value,
    (_, part: unknown) => {
      if (typeof part !== "bigint") return part;
      marks.push(String(part));
      return `\u0000int${marks.length - 1}`;
    },
    indent,
  );
  return text.replace(/"\\u0000int(\d+)"/g, (_, at: string) => marks[Number(at)] ?? "null");
}
