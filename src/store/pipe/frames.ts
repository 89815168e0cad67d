/**
 * Frames on the socket between the front and a child: u32 LE length of what follows, u8 kind, payload.
 *
 * What is sent is gathered and leaves in one write; what arrives is cut without copying, but for the frame that spans
 * two chunks. Neither side waits for the other here: how much may be on the way is bounded by whoever sends.
 */
import type { Socket } from "node:net";

export interface Frame {
  readonly kind: number;
  /** A view of what was read; it holds the whole chunk in memory as long as it is kept. */
  readonly payload: Buffer;
}

const lengthBytes = 4;
const headBytes = lengthBytes + 1;

/** No frame of the house comes near it (the largest is one request or one group of results); beyond it the stream is broken. */
export const frameBytesMax = 1024 * 1024 * 1024;

/** A larger tail travels as a piece of its own instead of being copied. */
const copiedBytesMax = 16 * 1024;
const roomBytes = 64 * 1024;
const textBytesMax = 16 * 1024;

/** Cuts a stream of bytes into frames, whatever its chunks are. */
export class FrameCutter {
  /** Chunks that together hold the beginning of one frame, and nothing else; none between frames. */
  #begun: Buffer[] = [];
  #begunBytes = 0;
  /** How many bytes must be there before another look is worth it. */
  #wantedBytes = 0;

  /** Calls `take` for each frame that is whole now, in order. Throws on a length that cannot be. */
  push(chunk: Buffer, take: (frame: Frame) => void): void {
    let bytes = chunk;
    if (this.#begunBytes > 0) {
      this.#begun.push(chunk);
      this.#begunBytes += chunk.length;
      if (this.#begunBytes < this.#wantedBytes) return;
      bytes = Buffer.concat(this.#begun, this.#begunBytes);
    }
    const rest = cut(bytes, take);
    const begun = rest.at === bytes.length ? [] : [rest.at === 0 ? bytes : bytes.subarray(rest.at)];
    this.#begun = begun;
    this.#begunBytes = bytes.length - rest.at;
    this.#wantedBytes = rest.wantedBytes;
  }

  /** Whether the stream stands between two frames: an end is clean only there. */
  get between(): boolean {
    return this.#begunBytes === 0;
  }
}

function cut(bytes: Buffer, take: (frame: Frame) => void): { at: number; wantedBytes: number } {
  let at = 0;
  while (bytes.length - at >= headBytes) {
    const length = uint32(bytes, at);
    if (length < 1 || length > frameBytesMax) throw new Error(`a frame on the pipe claims ${length} bytes`);
    const end = at + lengthBytes + length;
    if (end > bytes.length) return { at, wantedBytes: lengthBytes + length };
    take({ kind: bytes[at + lengthBytes] as number, payload: bytes.subarray(at + headBytes, end) });
    at = end;
  }
  return { at, wantedBytes: headBytes };
}

// Buffer's own readers and writers check what is known here, in four functions each.

function uint32(bytes: Buffer, at: number): number {
  const high = (bytes[at + 3] as number) * 0x100_0000;
  return high + (((bytes[at + 2] as number) << 16) | ((bytes[at + 1] as number) << 8) | (bytes[at] as number));
}

function putUint32(bytes: Buffer, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}

/** Frames on their way out, gathered until `flush`. */
export class FrameQueue {
  /** What was gathered since the last large tail. Used again and again, and never handed to a socket. */
  readonly #room = Buffer.allocUnsafeSlow(roomBytes);
  #used = 0;
  /** What comes before it. */
  #pieces: Buffer[] = [];
  #bytes = 0;

  /**
   * `head` is made for this frame and has room for the frame's own head in front: see `frameHead`. What is not large is
   * copied, and the caller's again afterwards.
   */
  add(kind: number, head: Buffer, tail?: Buffer): void {
    const length = head.length + (tail?.length ?? 0);
    putUint32(head, 0, length - lengthBytes);
    head[lengthBytes] = kind;
    this.#bytes += length;
    this.#gather(head);
    if (tail !== undefined) this.#gather(tail);
  }

  #gather(bytes: Buffer): void {
    const { length } = bytes;
    if (length > copiedBytesMax || length > roomBytes - this.#used) this.#setAside();
    if (length > copiedBytesMax) {
      this.#pieces.push(bytes);
      return;
    }
    this.#room.set(bytes, this.#used);
    this.#used += length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Everything gathered leaves now. Little leaves as text of bytes, which needs no buffer that outlives the write. */
  flush(socket: Socket): void {
    if (this.#bytes === 0) return;
    this.#bytes = 0;
    if (this.#pieces.length === 0 && this.#used <= textBytesMax) {
      const text = this.#room.toString("latin1", 0, this.#used);
      this.#used = 0;
      socket.write(text, "latin1");
      return;
    }
    this.#setAside();
    const pieces = this.#pieces;
    this.#pieces = [];
    socket.cork();
    for (const piece of pieces) socket.write(piece);
    socket.uncork();
  }

  #setAside(): void {
    if (this.#used > 0) this.#pieces.push(Buffer.from(this.#room.subarray(0, this.#used)));
    this.#used = 0;
  }
}

/** Where the payload begins in a buffer from `frameHead`. */
export const payloadAt = headBytes;

/** Room for a frame's head and `bytes` of payload behind it. */
export function frameHead(bytes: number): Buffer {
  return Buffer.allocUnsafe(headBytes + bytes);
}

/** After all that can be read now has been read: what arrived together is worked on together. */
export function afterReading(work: () => void): void {
  setImmediate(work);
}
