/**
 * WebSocket frames (RFC 6455 section 5.2) as clients send nearly all of them: a whole message in one masked frame, and
 * the whole frame in what one read has brought. They pass by the library `ws`, whose way through a stream is half of
 * what reading a small request costs; whatever else comes is left to it, and so is the answer to what is wrong.
 */
import { isUtf8 } from "node:buffer";
import { type FrameKind, firstBytes } from "../protocol/index.js";

const maskBytes = 4;

export class PlainFrames {
  readonly #first: number;
  readonly #isText: boolean;
  readonly #bytesMax: number;
  /** Behind the frame that was read last. */
  end = 0;

  /** Longer messages are left to the library, which refuses them. */
  constructor(kind: FrameKind, bytesMax: number) {
    this.#first = firstBytes[kind];
    this.#isText = kind === "text";
    this.#bytesMax = bytesMax;
  }

  /** The message in the frame that begins at this place, unmasked where it lies; nothing if the frame is not plain. */
  read(chunk: Buffer, at: number): Buffer | undefined {
    // Its own bit says that there is a mask.
    const short = (chunk[at + 1] ?? 0) - 0x80;
    if (chunk[at] !== this.#first || short < 0 || short === 127) return undefined;
    const mask = short === 126 ? at + 4 : at + 2;
    if (mask > chunk.length) return undefined;
    const length = short === 126 ? ((chunk[at + 2] as number) << 8) | (chunk[at + 3] as number) : short;
    const from = mask + maskBytes;
    const end = from + length;
    if (end > chunk.length || length > this.#bytesMax) return undefined;
    const message = chunk.subarray(from, end);
    const key = keyAt(chunk, mask);
    if (key !== 0) unmask(message, key);
    if (this.#isText && !isUtf8(message)) {
      if (key !== 0) unmask(message, key);
      return undefined;
    }
    this.end = end;
    return message;
  }
}

/** Of its four bytes the first in the lowest place. Buffer's own reader would check in four functions what is known here. */
function keyAt(chunk: Buffer, at: number): number {
  return (
    (chunk[at] as number) |
    ((chunk[at + 1] as number) << 8) |
    ((chunk[at + 2] as number) << 16) |
    ((chunk[at + 3] as number) << 24)
  );
}

/** Undoes itself. */
function unmask(message: Buffer, key: number): void {
  for (let at = 0; at < message.length; at++) message[at] = (message[at] as number) ^ (key >>> ((at & 3) * 8));
}
