/**
 * Values on their way between the program and the wire: what may be given for a parameter, and rows as they come back.
 */
import {
  type Encoding,
  type Integers,
  isReal,
  Real,
  type ResultValue,
  resultValue,
  type SqlValue,
  type StatementResult,
  type WireValue,
  wireArgs,
  wireNamed,
} from "../protocol/index.js";
import { HoldfastError, isRefusal, type Refusal } from "../terms/index.js";

/**
 * What a parameter takes. A number without a fraction is stored as INTEGER, one with a fraction as REAL; `real(1)` is
 * REAL too. There are no booleans, dates or objects: what they should become is for the program to say.
 */
export type Value = SqlValue | ArrayBuffer;
/** Values by position, or by name without the `:`, `@` or `$`. */
export type Args = readonly Value[] | { readonly [name: string]: Value };

/** How values are written on the way out and read on the way back. */
export interface Spelling {
  readonly encoding: Encoding;
  readonly integers: Integers;
}

/**
 * A number that is stored as REAL even if it has no fraction.
 *
 * @example await broker.execute("insert into price values (?)", [real(2)]);
 */
export function real(value: number): Real {
  return new Real(value);
}

export interface WiredArgs {
  readonly args?: WireValue[] | undefined;
  readonly named?: { readonly [name: string]: WireValue } | undefined;
}

const none: WiredArgs = {};

/** Throws PARAMETER_INVALID, naming the parameter. */
export function wired(
  given: Args | undefined,
  extra: { readonly [name: string]: Value } | undefined,
  { encoding }: Spelling,
): WiredArgs {
  if (given === undefined && extra === undefined) return none;
  if (given === undefined || Array.isArray(given)) {
    const args = given === undefined || given.length === 0 ? undefined : wiredList(given, encoding);
    if (extra === undefined) return args === undefined ? none : { args };
    const named = wiredNames(extra, encoding);
    return args === undefined ? { named } : { args, named };
  }
  if (
    typeof given !== "object" ||
    given === null ||
    given instanceof Uint8Array ||
    given instanceof ArrayBuffer ||
    isReal(given)
  )
    throw new HoldfastError(
      "MISUSE",
      "values are given as an array, or as an object of names: [value], { name: value }",
    );
  return { named: wiredNames({ ...(given as { readonly [name: string]: Value }), ...extra }, encoding) };
}

function wiredList(values: readonly Value[], encoding: Encoding): WireValue[] {
  let plain: Value[] | undefined;
  for (let at = 0; at < values.length; at++) {
    const value = values[at];
    if (typeof value !== "object" || value === null || isReal(value)) continue;
    plain ??= [...values];
    plain[at] = owned(value, encoding, `value ${at + 1}`);
  }
  const wire = wireArgs((plain ?? values) as readonly SqlValue[], encoding);
  if (!Array.isArray(wire)) throw HoldfastError.from(wire as Refusal);
  return wire;
}

function wiredNames(
  values: { readonly [name: string]: Value },
  encoding: Encoding,
): { readonly [name: string]: WireValue } {
  const plain = Object.entries(values).map(([name, value]) => {
    return [name, owned(value, encoding, `the value of ${JSON.stringify(name)}`)] as const;
  });
  const wire = wireNamed(Object.fromEntries(plain) as { readonly [name: string]: SqlValue }, encoding);
  if (isRefusal(wire)) throw HoldfastError.from(wire);
  return wire;
}

/**
 * Bytes become the request's own: it may be written later, or again, when the program has long used its buffer for
 * something else. In JSON they become text at once anyway.
 */
function owned(value: Value, encoding: Encoding, place: string): Value {
  if (value instanceof ArrayBuffer) return encoding === "json" ? new Uint8Array(value) : new Uint8Array(value.slice(0));
  if (value instanceof Uint8Array && encoding === "msgpack") return Uint8Array.from(value);
  if ((value as unknown) instanceof Date)
    throw new HoldfastError("PARAMETER_INVALID", `${place} is a Date: give its ISO text or its milliseconds`);
  return value;
}

// Back.

/** A row by the names of its columns. Of two columns with one name the last wins: give them names with AS. */
export interface Row {
  [column: string]: ResultValue;
}

export interface Result<R = Row> {
  readonly columns: string[];
  readonly rows: R[];
  /** Rows inserted, updated or deleted; 0 for reads. */
  readonly rowsAffected: number;
  /** Of the last row inserted by this statement; null when it inserted none. */
  readonly lastInsertRowid: number | bigint | null;
}

/** Of one statement of a script. */
export interface ScriptResult<R = Row> extends Result<R> {
  /** Where the statement begins in the script, in UTF-16 units. */
  readonly position: number;
}

/** Rows as objects, or as arrays of cells in the order of `columns`. */
export type RowShape = "objects" | "arrays";

export function readResult(
  wire: StatementResult,
  { integers }: Spelling,
  shape: RowShape | undefined,
): Result<unknown> {
  const columns = wire.columns as string[];
  const { rows, lastInsertRowid: rowid } = wire;
  const bare = rowid === null || (typeof rowid === "number" && integers !== "bigint");
  return {
    columns,
    rows: rows.length === 0 ? [] : shaped(columns, rows, integers, shape),
    rowsAffected: wire.rowsAffected,
    lastInsertRowid: bare ? rowid : (resultValue(rowid, integers) as number | bigint),
  };
}

function shaped(
  columns: readonly string[],
  rows: StatementResult["rows"],
  integers: Integers,
  shape: RowShape | undefined,
): unknown[] {
  return shape === "arrays" ? rows.map((row) => cells(row, integers)) : objects(columns, rows, integers);
}

export function readRows(wire: StatementResult, { integers }: Spelling): Row[] {
  return objects(wire.columns, wire.rows, integers);
}

function objects(columns: readonly string[], rows: StatementResult["rows"], integers: Integers): Row[] {
  if (columns.includes("__proto__"))
    return rows.map((row) => Object.fromEntries(columns.map((name, at) => [name, cell(row[at], integers)])));
  const result = new Array<Row>(rows.length);
  for (let at = 0; at < rows.length; at++) {
    const row = rows[at] as readonly WireValue[];
    const object: Row = {};
    for (let column = 0; column < columns.length; column++)
      object[columns[column] as string] = cell(row[column], integers);
    result[at] = object;
  }
  return result;
}

function cells(row: readonly WireValue[], integers: Integers): ResultValue[] {
  return row.map((value) => cell(value, integers));
}

function cell(value: WireValue | undefined, integers: Integers): ResultValue {
  if (typeof value === "string" || value === null) return value;
  if (typeof value === "number" && integers !== "bigint") return value;
  const read = resultValue(value, integers);
  // Always the plain class, whatever the encoding: a Buffer compares as different.
  return Buffer.isBuffer(read) ? new Uint8Array(read.buffer, read.byteOffset, read.length) : read;
}
