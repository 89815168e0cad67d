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
const joinedBytesMax = 1024 * 1024;

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
    const length = bytes.readUInt32LE(at);
    if (length < 1 || length > frameBytesMax) throw new Error(`a frame on the pipe claims ${length} bytes`);
    const end = at + lengthBytes + length;
    if (end > bytes.length) return { at, wantedBytes: lengthBytes + length };
    take({ kind: bytes[at + lengthBytes] as number, payload: bytes.subarray(at + headBytes, end) });
    at = end;
  }
  return { at, wantedBytes: headBytes };
}

/** Frames on their way out, gathered until `flush`. */
export class FrameQueue {
  #pieces: Buffer[] = [];
  #bytes = 0;

  /** `head` is made for this frame and has room for the frame's own head in front: see `frameHead`. */
  add(kind: number, head: Buffer, tail?: Buffer): void {
    const tailBytes = tail?.length ?? 0;
    head.writeUInt32LE(head.length - lengthBytes + tailBytes, 0);
    head[lengthBytes] = kind;
    this.#pieces.push(head);
    if (tail !== undefined && tailBytes > 0) this.#pieces.push(tail);
    this.#bytes += head.length + tailBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Everything gathered leaves now, in one write where that is cheaper than telling the pieces. */
  flush(socket: Socket): void {
    if (this.#bytes === 0) return;
    const pieces = this.#pieces;
    const bytes = this.#bytes;
    this.#pieces = [];
    this.#bytes = 0;
    const only = pieces.length === 1 ? pieces[0] : undefined;
    if (only !== undefined) socket.write(only);
    else if (bytes <= joinedBytesMax) socket.write(Buffer.concat(pieces, bytes));
    else writeMany(socket, pieces);
  }
}

function writeMany(socket: Socket, pieces: readonly Buffer[]): void {
  socket.cork();
  let small: Buffer[] = [];
  for (const piece of pieces) {
    if (piece.length <= copiedBytesMax) {
      small.push(piece);
      continue;
    }
    if (small.length > 0) socket.write(Buffer.concat(small));
    small = [];
    socket.write(piece);
  }
  if (small.length > 0) socket.write(Buffer.concat(small));
  socket.uncork();
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
