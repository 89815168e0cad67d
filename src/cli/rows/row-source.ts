/** Rows out of a file of CSV or JSON lines, each with the line on which it begins. */
import { pipeline, Readable } from "node:stream";
import { type InfoField, parse } from "csv-parse";
import { real, type Value } from "../../client/index.js";
import { realText } from "../cells.js";
import { jsonMembers } from "./exact-json.js";
import { type Line, linesOf } from "./text-file.js";

export type RowForm = "csv" | "jsonl";

export interface SourceRow {
  /** The same object for all rows with these columns in this order. */
  readonly columns: readonly string[];
  readonly values: readonly Value[];
  readonly line: number;
}

/** What is wrong with the file, and where. */
export class RowFault extends Error {
  readonly line: number;

  constructor(message: string, line: number, cause?: unknown) {
    super(message, { cause });
    this.line = line;
  }
}

/** A row cannot be larger than a message to the broker (UTF-16 units). */
const rowUnitsMax = 16 * 1024 * 1024;

/** Every field as text; `null` for one that is empty and has no quotes. */
export type CsvField = string | null;

/** The first record names the columns. */
export async function* csvRows(
  text: AsyncIterable<string>,
  read: (field: CsvField, column: number) => Value,
  onHeader: (columns: readonly string[]) => void,
): AsyncGenerator<SourceRow> {
  let columns: readonly string[] | undefined;
  for await (const { fields, line } of csvRecords(text)) {
    if (columns === undefined) {
      columns = headerOf(fields, line);
      onHeader(columns);
      continue;
    }
    if (fields.length === 1 && fields[0] === null && columns.length > 1) continue;
    if (fields.length !== columns.length)
      throw new RowFault(`${fields.length} fields where the first line names ${columns.length} columns`, line);
    yield { columns, values: fields.map(read), line };
  }
  if (columns === undefined) throw new RowFault("it is empty: its first line must name the columns", 1);
}

interface CsvRecord {
  readonly fields: readonly CsvField[];
  readonly line: number;
}

/**
 * The parser is ahead of who reads from it, and counts a return and a line feed in quotes as two lines. So lines are
 * counted here, and a fault counts when the records before it have been read.
 */
async function* csvRecords(text: AsyncIterable<string>): AsyncGenerator<CsvRecord> {
  let parsed = 0;
  let fault: { readonly after: number; readonly message: string } | undefined;
  const parser = parse({
    record_delimiter: ["\r\n", "\n", "\r"],
    relax_column_count: true,
    max_record_size: rowUnitsMax,
    cast: (field: string, { quoting }: InfoField): CsvField => (field === "" && !quoting ? null : field),
    on_record: (record) => {
      parsed++;
      return record;
    },
    skip_records_with_error: true,
    on_skip: (error) => {
      fault ??= { after: parsed, message: (error?.message ?? "a broken record").replace(/,? at line \d+.*/, "") };
      return undefined;
    },
  });
  // An error of the file comes out of the parser, which it destroys.
  pipeline(Readable.from(text), parser, () => undefined);
  let linesBefore = 0;
  let records = 0;
  const lookAtFault = () => {
    if (fault !== undefined && records >= fault.after) throw new RowFault(fault.message, linesBefore + 1);
  };
  for await (const fields of parser as AsyncIterable<readonly CsvField[]>) {
    lookAtFault();
    yield { fields, line: linesBefore + 1 };
    records++;
    linesBefore += fields.reduce((lines, field) => lines + lineEndsIn(field), 1);
  }
  lookAtFault();
}

function lineEndsIn(field: CsvField): number {
  return field === null || !/[\r\n]/.test(field) ? 0 : (field.match(/\r\n|\r|\n/g)?.length ?? 0);
}

function headerOf(fields: readonly CsvField[], line: number): string[] {
  const names = fields.map((field) => field ?? "");
  checkNames(names, line);
  return names;
}

function checkNames(names: readonly string[], line: number): void {
  const seen = new Set<string>();
  for (const name of names) {
    if (name === "") throw new RowFault("a column has no name", line);
    if (seen.has(name.toLowerCase())) throw new RowFault(`two columns are named ${JSON.stringify(name)}`, line);
    seen.add(name.toLowerCase());
  }
}

export async function* jsonRows(text: AsyncIterable<string>): AsyncGenerator<SourceRow> {
  const known = new Map<string, readonly string[]>();
  for await (const line of linesOf(text, rowUnitsMax)) {
    if (line.text.trim() === "") continue;
    const members = membersOf(line);
    const names = [...members.keys()];
    const signature = JSON.stringify(names);
    let columns = known.get(signature);
    if (columns === undefined) {
      checkNames(names, line.at);
      columns = names;
      known.set(signature, columns);
    }
    yield { columns, values: [...members.values()], line: line.at };
  }
}

function membersOf({ text, at }: Line): Map<string, Value> {
  try {
    return jsonMembers(text);
  } catch (error) {
    throw error instanceof RangeError ? new RowFault(error.message, at, error) : error;
  }
}

/** What SQLite would print in these very signs is the number; all else, `007`, `1e5` and `1.50` too, is text. */
export function numberOrText(field: CsvField): Value {
  if (field === null) return null;
  if (/^(?:0|-?[1-9]\d{0,18})$/.test(field)) {
    const value = BigInt(field);
    return BigInt.asIntN(64, value) === value ? value : field;
  }
  if (/^-?(?:0|[1-9]\d*)\.\d+(?:e[+-]\d+)?$/.test(field)) {
    const value = Number(field);
    return Number.isFinite(value) && realText(value) === field ? real(value) : field;
  }
  return field;
}
