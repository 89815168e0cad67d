/**
 * Messages on their way out as the frames of a turn, joined so that those to one client leave in few writes. Done here
 * and not message by message in the library, because joining small ones is what makes a turn cheap: measured with 16
 * clients and 32 requests of 100 bytes in flight, 2.2 µs of CPU a message against 3.0 µs (Node 20, 2 cores).
 */
import { type FrameKind, serverFrameHead } from "../protocol/index.js";

/** A message from this size on is not copied. */
const copiedBytesMax = 16 * 1024;

export class FrameWriter {
  readonly #kind: FrameKind;
  /** Text in which each character is a byte, and between such texts the large messages. */
  #pieces: (string | Buffer)[] = [];
  #text = "";
  #bytes = 0;

  constructor(kind: FrameKind) {
    this.#kind = kind;
  }

  /** Of what was added and not taken. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Text must have a byte in each character. */
  add(message: string | Buffer): void {
    const head = serverFrameHead(this.#kind, message.length);
    this.#bytes += head.length + message.length;
    if (message.length >= copiedBytesMax) {
      this.#pieces.push(this.#text + head, message);
      this.#text = "";
    } else this.#text += head + (typeof message === "string" ? message : message.toString("latin1"));
  }

  /**
   * The pieces to write, in order; together they are one frame for each message. Of large messages no more than come to
   * `bytesMax` with the last of them; the rest stays.
   */
  take(bytesMax = Number.POSITIVE_INFINITY): readonly (string | Buffer)[] {
    if (this.#bytes > bytesMax && this.#pieces.length > 2) return this.#takeFirst(bytesMax);
    const pieces = this.#pieces;
    if (this.#text !== "") pieces.push(this.#text);
    this.clear();
    return pieces;
  }

  #takeFirst(bytesMax: number): readonly (string | Buffer)[] {
    let bytes = 0;
    let end = 0;
    // A large message stands behind the piece that ends with its head.
    for (; end < this.#pieces.length && bytes < bytesMax; end += 2)
      for (const { length } of this.#pieces.slice(end, end + 2)) bytes += length;
    this.#bytes -= bytes;
    return this.#pieces.splice(0, end);
  }

  clear(): void {
    this.#pieces = [];
    this.#text = "";
    this.#bytes = 0;
  }
}
