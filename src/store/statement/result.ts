/** Rows out of SQLite and into the bytes of a result, one by one, within a bound. */
import { type BoundValue, type Changes, type Encoding, encodeChanges, RowsEncoder } from "../../protocol/index.js";
import type { Statement } from "../../sqlite/index.js";
import { isRefusal, type Refusal, refuse } from "../../terms/index.js";

export interface ResultOptions {
  readonly encoding: Encoding;
  readonly bytesMax: number;
  /** Reading ends after so many rows, which is no error. */
  readonly rowsMax: number;
  /** Only in a script: where the statement begins. */
  readonly position?: number;
}

/** Rows without what was changed: that is known when they are read. */
export interface Rows {
  readonly encoder: RowsEncoder;
  readonly options: ResultOptions;
}

/** Runs the statement. Refuses as soon as the rows are over the bound; what the statement has changed stands then. */
export function readRows(statement: Statement, values: readonly unknown[], options: ResultOptions): Rows | Refusal {
  const encoder = new RowsEncoder(options.encoding);
  // An iterator costs three times as much as the row.
  if (options.rowsMax === 1) {
    const row = statement.get(...values);
    if (row !== undefined && encoder.add(row as readonly BoundValue[]) > options.bytesMax)
      return tooLarge(options.bytesMax);
    return { encoder, options };
  }
  let rows = 0;
  for (const row of statement.iterate(...values)) {
    if (encoder.add(row as readonly BoundValue[]) > options.bytesMax) return tooLarge(options.bytesMax);
    if (++rows >= options.rowsMax) break;
  }
  return { encoder, options };
}

/** Takes the names of the columns now, after the rows: another client may have altered the table since they were last asked. */
export function finishRows(statement: Statement, { encoder, options }: Rows, changes?: Changes): Buffer | Refusal {
  const names = statement.columns().map(({ name }) => name);
  const body = encoder.finish(names, changes);
  return body.length > options.bytesMax ? tooLarge(options.bytesMax) : body;
}

/** The result of a statement that has no columns. */
export function changesBody(changes: Changes, encoding: Encoding): Buffer {
  return encodeChanges(changes, encoding);
}

/** The result of a statement that changes nothing. */
export function resultOfRead(
  statement: Statement,
  values: readonly unknown[],
  options: ResultOptions,
): Buffer | Refusal {
  if (!statement.reader) {
    statement.run(...values);
    return changesBody({ rowsAffected: 0, lastInsertRowid: null }, options.encoding);
  }
  const rows = readRows(statement, values, options);
  return isRefusal(rows) ? rows : finishRows(statement, rows);
}

export function tooLarge(bytesMax: number): Refusal {
  return refuse("RESULT_TOO_LARGE", `the result has more than ${bytesMax} bytes`, { bytesMax });
}
