/** Rows to batches, pure: as many as go together in one message, and the statements that store them. */
import type { Value } from "../../client/index.js";
import { sqlName } from "../sql-name.js";
import type { SourceRow } from "./row-source.js";

export interface BatchStatement {
  readonly sql: string;
  readonly args: readonly Value[];
}

const rowsMax = 500;
const bytesMax = 512 * 1024;
/** SQLite's own bound for one statement. */
const parametersMax = 32_766;

/** The same rows always come in the same batches: a request that is asked again must be the same. */
export async function* batchesOf(rows: AsyncIterable<SourceRow>): AsyncGenerator<SourceRow[]> {
  let batch: SourceRow[] = [];
  let bytes = 0;
  for await (const row of rows) {
    const size = sizeOf(row);
    if (batch.length === rowsMax || (batch.length > 0 && bytes + size > bytesMax)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(row);
    bytes += size;
  }
  if (batch.length > 0) yield batch;
}

function sizeOf({ values }: SourceRow): number {
  return values.reduce<number>((sum, value) => {
    if (typeof value === "string") return sum + value.length;
    return sum + (value instanceof Uint8Array ? (value.length * 4) / 3 : 8);
  }, 0);
}

/** Neighbours with the same columns in one statement. */
export function insertsOf(table: string, rows: readonly SourceRow[]): BatchStatement[] {
  const statements: BatchStatement[] = [];
  for (let from = 0; from < rows.length; ) {
    const columns = rows[from]?.columns ?? [];
    const most = from + Math.max(1, Math.floor(parametersMax / Math.max(1, columns.length)));
    let to = from;
    while (to < rows.length && to < most && rows[to]?.columns === columns && (columns.length > 0 || to === from)) to++;
    statements.push(insertOf(table, columns, rows.slice(from, to)));
    from = to;
  }
  return statements;
}

/** A statement for each, so that the one that is refused can be named. */
export function insertsOneByOne(table: string, rows: readonly SourceRow[]): BatchStatement[] {
  return rows.map((row) => insertOf(table, row.columns, [row]));
}

function insertOf(table: string, columns: readonly string[], rows: readonly SourceRow[]): BatchStatement {
  if (columns.length === 0) return { sql: `insert into ${sqlName(table)} default values`, args: [] };
  const places = `(${columns.map(() => "?").join(",")})`;
  const names = columns.map(sqlName).join(",");
  const values = Array.from({ length: rows.length }, () => places).join(",");
  return {
    sql: `insert into ${sqlName(table)}(${names}) values ${values}`,
    args: rows.flatMap((row) => row.values),
  };
}

/** Columns without a type keep every value as it is. */
export function tableFor(table: string, columns: readonly string[]): BatchStatement {
  return { sql: `create table ${sqlName(table)}(${columns.map(sqlName).join(", ")})`, args: [] };
}
