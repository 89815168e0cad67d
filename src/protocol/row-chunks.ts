/**
 * Rows of a stream, gathered into finished `db.rows` messages. A message is full before it would pass its bound; the row
 * that did not fit begins the next one. A row that is larger than the bound is a message of its own.
 */
import { Buffer } from "node:buffer";
import type { Encoding } from "./encoding.js";
import { MsgpackWriter } from "./msgpack-writer.js";
import type { BoundValue } from "./numbers.js";
import { jsonCell, msgpackCell } from "./rows.js";

interface Gathering {
  /** Bytes of the rows gathered. */
  readonly bytes: number;
  add(row: readonly BoundValue[], bytesMax: number, alone: boolean): boolean;
  take(count: number): Buffer;
}

/** Good for one stream. */
export class RowChunks {
  readonly #rows: Gathering;
  /** Of the message around the rows, at most. */
  readonly #frameBytes: number;
  #count = 0;
  /** A row waits for the next message. */
  #waiting = false;

  constructor(encoding: Encoding, stream: number) {
    this.#rows = encoding === "json" ? new JsonChunk(stream) : new MsgpackChunk(stream);
    this.#frameBytes = encodedBytesMax + String(stream).length;
  }

  /** Whether the row is in the message; if not, it is kept for the next one and `take` must come before more rows. */
  add(row: readonly BoundValue[], bytesMax: number): boolean {
    if (this.#waiting) throw new Error("row chunks: a row is given while one waits");
    const added = this.#rows.add(row, bytesMax - this.#frameBytes, this.#count === 0);
    if (added) this.#count++;
    else this.#waiting = true;
    return added;
  }

  /** How many rows `take` would give. */
  get count(): number {
    return this.#count;
  }

  /** At most so many bytes has the message that `take` would give. */
  get bytes(): number {
    return this.#rows.bytes + this.#frameBytes;
  }

  /** The message; the row that waited is the first of the next. */
  take(): Buffer {
    const message = this.#rows.take(this.#count);
    this.#count = this.#waiting ? 1 : 0;
    this.#waiting = false;
    return message;
  }
}

/** A generous bound on everything around the rows but the digits of the stream's number. */
const encodedBytesMax = 80;
/** Text is gathered in pieces of this length before it becomes bytes. */
const pieceLength = 32 * 1024;

class JsonChunk implements Gathering {
  readonly #head: Buffer;
  #pieces: Buffer[] = [];
  #text = "";
  #next = "";
  bytes = 0;

  constructor(stream: number) {
    this.#head = Buffer.from(`{"jsonrpc":"2.0","method":"db.rows","params":{"stream":${stream},"rows":[`, "utf8");
  }

  add(row: readonly BoundValue[], bytesMax: number, alone: boolean): boolean {
    let text = "[";
    for (let at = 0; at < row.length; at++) text += at === 0 ? jsonCell(row[at]) : `,${jsonCell(row[at])}`;
    text += "]";
    const bytes = Buffer.byteLength(text, "utf8") + 1;
    if (!alone && this.bytes + bytes > bytesMax) {
      this.#next = text;
      return false;
    }
    this.bytes += bytes;
    this.#text += alone ? text : `,${text}`;
    if (this.#text.length >= pieceLength) this.#cut();
    return true;
  }

  #cut(): void {
    this.#pieces.push(Buffer.from(this.#text, "utf8"));
    this.#text = "";
  }

  take(): Buffer {
    const tail = Buffer.from(`${this.#text}]}}`, "utf8");
    const message = Buffer.concat([this.#head, ...this.#pieces, tail]);
    this.#pieces = [];
    this.#text = this.#next;
    this.bytes = this.#next === "" ? 0 : Buffer.byteLength(this.#next, "utf8") + 1;
    this.#next = "";
    return message;
  }
}

class MsgpackChunk implements Gathering {
  readonly #stream: number;
  readonly #rows = new MsgpackWriter(4096);
  readonly #message = new MsgpackWriter(4096);
  #next: Buffer | undefined;

  constructor(stream: number) {
    this.#stream = stream;
  }

  get bytes(): number {
    return this.#rows.length;
  }

  add(row: readonly BoundValue[], bytesMax: number, alone: boolean): boolean {
    const out = this.#rows;
    const start = out.length;
    out.list(row.length);
    for (const value of row) msgpackCell(value, out);
    if (alone || out.length <= bytesMax) return true;
    this.#next = out.cut(start);
    return false;
  }

  take(count: number): Buffer {
    const out = this.#message;
    out.map(3);
    out.text("jsonrpc");
    out.text("2.0");
    out.text("method");
    out.text("db.rows");
    out.text("params");
    out.map(2);
    out.text("stream");
    out.integer(this.#stream);
    out.text("rows");
    out.list(count);
    out.raw(this.#rows.written);
    this.#rows.clear();
    if (this.#next !== undefined) this.#rows.raw(this.#next);
    this.#next = undefined;
    return out.take();
  }
}
