/**
 * WebSocket frames (RFC 6455 section 5.2) as a broker sends nearly all of them: one message, one frame. Whatever else
 * comes is left to the library `ws`.
 *
 * Done here because the library's way through two streams is most of what a small request costs a program that is not
 * busy: a hundred functions, each of which has left the processor's caches since the last request.
 */

import { type FrameKind, firstBytes } from "../protocol/index.js";

/** A larger frame is left to the library, which makes room for it as its bytes come. */
const plainBytesMax = 16 * 1024 * 1024;

/** The message lies between two places of the bytes, until this returns: no view is made that is not needed. */
export type TakeMessage = (bytes: Buffer, from: number, to: number) => void;

/** Cuts what a broker sends into messages, for as long as its frames are plain. */
export class PlainFrames {
  readonly #first: number;
  readonly #take: TakeMessage;
  /** A head that has only begun. */
  #head: Buffer | undefined;
  /** A frame whose head is whole, as long as it will be, and how much of it is there. */
  #frame: Buffer | undefined;
  #filled = 0;
  #headBytes = 0;

  constructor(kind: FrameKind, take: TakeMessage) {
    this.#first = firstBytes[kind];
    this.#take = take;
  }

  /**
   * Takes so many bytes of a chunk, which is the caller's again afterwards. Gives back, as bytes of their own, what
   * begins with a frame that is not plain: from there on all is for the library.
   */
  push(chunk: Buffer, length: number): Buffer | undefined {
    if (this.#frame !== undefined) return this.#fill(this.#frame, chunk, length);
    if (this.#head === undefined) return this.#cut(chunk, 0, length);
    const bytes = Buffer.concat([this.#head, chunk.subarray(0, length)]);
    this.#head = undefined;
    return this.#cut(bytes, 0, bytes.length);
  }

  #cut(bytes: Buffer, start: number, bytesEnd: number): Buffer | undefined {
    let at = start;
    while (bytesEnd - at >= 2) {
      if (bytes[at] !== this.#first) return copyOf(bytes, at, bytesEnd);
      let headBytes = 2;
      let length = bytes[at + 1] as number;
      if (length > 125) {
        headBytes = length === 126 ? 4 : 10;
        if (length > 127) return copyOf(bytes, at, bytesEnd);
        if (bytesEnd - at < headBytes) break;
        length = headBytes === 4 ? bytes.readUInt16BE(at + 2) : Number(bytes.readBigUInt64BE(at + 2));
        if (length > plainBytesMax) return copyOf(bytes, at, bytesEnd);
      }
      const end = at + headBytes + length;
      if (end > bytesEnd) {
        this.#frame = Buffer.allocUnsafe(headBytes + length);
        this.#filled = bytes.copy(this.#frame, 0, at, bytesEnd);
        this.#headBytes = headBytes;
        return undefined;
      }
      this.#take(bytes, at + headBytes, end);
      at = end;
    }
    if (at < bytesEnd) this.#head = copyOf(bytes, at, bytesEnd);
    return undefined;
  }

  #fill(frame: Buffer, chunk: Buffer, length: number): Buffer | undefined {
    const copied = chunk.copy(frame, this.#filled, 0, length);
    this.#filled += copied;
    if (this.#filled < frame.length) return undefined;
    this.#frame = undefined;
    this.#take(frame, this.#headBytes, frame.length);
    return this.#cut(chunk, copied, length);
  }
}

function copyOf(bytes: Buffer, from: number, to: number): Buffer {
  return Buffer.from(bytes.subarray(from, to));
}
