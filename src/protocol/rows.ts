/**
 * Results of SQL, from rows as SQLite returned them (raw, safe integers) to their bytes. Each cell is written once
 * and looked at once. Promises the same bytes as the value encoders would give for the same result.
 */
import { Buffer } from "node:buffer";
import type { Encoding } from "./encoding.js";
import { MsgpackWriter } from "./msgpack-writer.js";
import { type BoundValue, base64, isBareReal, realText } from "./numbers.js";

export interface Changes {
  readonly rowsAffected: number;
  /** Null if the statement inserted no row. */
  readonly lastInsertRowid: bigint | number | null;
  /** Only in a script: where the statement begins, in UTF-16 units. */
  readonly position?: number;
}

export const noChanges: Changes = { rowsAffected: 0, lastInsertRowid: null };

/** Takes rows one by one, so that a reader can stop when the result has grown too large. Good for one result. */
export class RowsEncoder {
  readonly #rows: JsonRows | MsgpackRows;

  constructor(encoding: Encoding) {
    this.#rows = encoding === "json" ? new JsonRows() : new MsgpackRows();
  }

  /**
   * Gives back the bytes of all rows so far. In JSON that is at most the truth and at least the truth without what
   * text beyond ASCII in the last 32 KiB adds; `finish` gives exact bytes.
   */
  add(row: readonly BoundValue[]): number {
    return this.#rows.add(row);
  }

  /** The names come last, because a statement's columns are certain only once it has run. */
  finish(columns: readonly string[], changes: Changes = noChanges): Buffer {
    return this.#rows.finish(columns, changes);
  }
}

export function encodeRows(
  columns: readonly string[],
  rows: Iterable<readonly BoundValue[]>,
  changes: Changes,
  encoding: Encoding,
): Buffer {
  const encoder = new RowsEncoder(encoding);
  for (const row of rows) encoder.add(row);
  return encoder.finish(columns, changes);
}

/** The same for a statement without columns, as most writes are. */
export function encodeChanges(changes: Changes, encoding: Encoding): Buffer {
  if (encoding === "msgpack") return encodeRows([], [], changes, encoding);
  return Buffer.from(`${jsonHead([], changes)}${jsonTail(changes)}`, "latin1");
}

/** The result of a batch, a script or a description, from those of its statements. */
export function encodeResults(
  results: readonly Uint8Array[],
  encoding: Encoding,
  field: "results" | "statements" = "results",
): Buffer {
  if (encoding === "msgpack") {
    const out = new MsgpackWriter(64);
    out.map(1);
    out.text(field);
    out.list(results.length);
    return Buffer.concat([out.take(), ...results]);
  }
  const parts: Uint8Array[] = [Buffer.from(`{"${field}":[`)];
  for (const [index, result] of results.entries()) {
    if (index > 0) parts.push(comma);
    parts.push(result);
  }
  parts.push(Buffer.from("]}"));
  return Buffer.concat(parts);
}

const comma = Buffer.from(",");

/** Text is gathered in pieces of this length before it becomes bytes: fewer calls, and a count that stays near. */
const pieceLength = 32 * 1024;

class JsonRows {
  readonly #pieces: Buffer[] = [];
  #pieceBytes = 0;
  #text = "";
  #first = true;

  add(row: readonly BoundValue[]): number {
    let text = this.#first ? "[" : ",[";
    this.#first = false;
    for (let at = 0; at < row.length; at++) text += at === 0 ? jsonCell(row[at]) : `,${jsonCell(row[at])}`;
    this.#text += `${text}]`;
    if (this.#text.length >= pieceLength) this.#cut();
    return this.#pieceBytes + this.#text.length;
  }

  #cut(): void {
    const piece = Buffer.from(this.#text, "utf8");
    this.#pieces.push(piece);
    this.#pieceBytes += piece.length;
    this.#text = "";
  }

  finish(columns: readonly string[], changes: Changes): Buffer {
    const head = jsonHead(columns, changes);
    const tail = jsonTail(changes);
    if (this.#pieces.length === 0) return Buffer.from(head + this.#text + tail, "utf8");
    return Buffer.concat([Buffer.from(head, "utf8"), ...this.#pieces, Buffer.from(this.#text + tail, "utf8")]);
  }
}

function jsonHead(columns: readonly string[], { position }: Changes): string {
  const place = position === undefined ? "" : `"position":${position},`;
  return `{${place}"columns":${columns.length === 0 ? "[]" : JSON.stringify(columns)},"rows":[`;
}

function jsonTail({ rowsAffected, lastInsertRowid }: Changes): string {
  const rowid = lastInsertRowid === null ? "null" : jsonCell(BigInt(lastInsertRowid));
  return `],"rowsAffected":${rowsAffected},"lastInsertRowid":${rowid}}`;
}

/** A BigInt that is exact as a number is written as one: half the time, and the common case. */
export function jsonCell(value: BoundValue | undefined): string {
  switch (typeof value) {
    case "bigint": {
      const near = Number(value);
      return near <= Number.MAX_SAFE_INTEGER && near >= Number.MIN_SAFE_INTEGER ? String(near) : `{"$int":"${value}"}`;
    }
    case "number":
      return isBareReal(value) ? String(value) : `{"$real":"${realText(value)}"}`;
    case "string":
      return JSON.stringify(value);
    default:
      return value === null || value === undefined ? "null" : `{"$blob":"${base64(value)}"}`;
  }
}

class MsgpackRows {
  readonly #out = new MsgpackWriter();
  #count = 0;

  add(row: readonly BoundValue[]): number {
    const out = this.#out;
    out.list(row.length);
    for (const value of row) msgpackCell(value, out);
    this.#count++;
    return out.length;
  }

  finish(columns: readonly string[], { rowsAffected, lastInsertRowid, position }: Changes): Buffer {
    const rows = this.#out.take();
    const out = new MsgpackWriter(256);
    out.map(position === undefined ? 4 : 5);
    if (position !== undefined) {
      out.text("position");
      out.integer(position);
    }
    out.text("columns");
    out.value(columns);
    out.text("rows");
    out.list(this.#count);
    out.raw(rows);
    out.text("rowsAffected");
    out.integer(rowsAffected);
    out.text("lastInsertRowid");
    out.value(lastInsertRowid);
    return out.take();
  }
}

export function msgpackCell(value: BoundValue | undefined, out: MsgpackWriter): void {
  switch (typeof value) {
    case "bigint":
      out.bigint(value);
      break;
    case "number":
      if (isBareReal(value)) out.float(value);
      else out.value({ $real: realText(value) });
      break;
    case "string":
      out.text(value);
      break;
    default:
      if (value === null || value === undefined) out.nil();
      else out.bytes(value);
  }
}
