/**
 * WebSocket frames (RFC 6455 section 5.2) as nearly all of them are between a broker and its client: one message, one
 * frame, unmasked one way and with a mask of zeros the other. Whatever else comes is left to the library `ws`.
 *
 * Done here because the library's way through two streams is most of what a small request costs a program that is not
 * busy: a hundred functions, each of which has left the processor's caches since the last request.
 */

/** A larger frame is left to the library, which makes room for it as its bytes come. */
const plainBytesMax = 16 * 1024 * 1024;
const fin = 0x80;
const opcodes = { text: 0x1, binary: 0x2 } as const;
const noMask = "\0\0\0\0";

/** The head of a frame that a client sends, as text in which each character is a byte. */
export function clientHead(kind: keyof typeof opcodes, length: number): string {
  const first = fin | opcodes[kind];
  if (length < 126) return String.fromCharCode(first, 0x80 | length) + noMask;
  if (length < 0x1_0000) return String.fromCharCode(first, 0xfe, length >>> 8, length & 0xff) + noMask;
  const bytes = Buffer.alloc(10);
  bytes[0] = first;
  bytes[1] = 0xff;
  bytes.writeBigUInt64BE(BigInt(length), 2);
  return bytes.toString("latin1") + noMask;
}

/** Cuts what a broker sends into messages, for as long as its frames are plain. */
export class PlainFrames {
  readonly #first: number;
  readonly #take: (message: Buffer) => void;
  /** A head that has only begun. */
  #head: Buffer | undefined;
  /** A frame whose head is whole, as long as it will be, and how much of it is there. */
  #frame: Buffer | undefined;
  #filled = 0;
  #headBytes = 0;

  /** Of a message only a view is given, good until `take` returns. */
  constructor(kind: keyof typeof opcodes, take: (message: Buffer) => void) {
    this.#first = fin | opcodes[kind];
    this.#take = take;
  }

  /** Gives back what begins with a frame that is not plain: from there on all is for the library. */
  push(chunk: Buffer): Buffer | undefined {
    if (this.#frame !== undefined) return this.#fill(this.#frame, chunk);
    const bytes = this.#head === undefined ? chunk : Buffer.concat([this.#head, chunk]);
    this.#head = undefined;
    let at = 0;
    while (bytes.length - at >= 2) {
      if (bytes[at] !== this.#first) return bytes.subarray(at);
      let headBytes = 2;
      let length = bytes[at + 1] as number;
      if (length > 125) {
        headBytes = length === 126 ? 4 : 10;
        if (length > 127) return bytes.subarray(at);
        if (bytes.length - at < headBytes) break;
        length = headBytes === 4 ? bytes.readUInt16BE(at + 2) : Number(bytes.readBigUInt64BE(at + 2));
        if (length > plainBytesMax) return bytes.subarray(at);
      }
      const end = at + headBytes + length;
      if (end > bytes.length) {
        this.#frame = Buffer.allocUnsafe(headBytes + length);
        this.#filled = bytes.copy(this.#frame, 0, at);
        this.#headBytes = headBytes;
        return undefined;
      }
      this.#take(bytes.subarray(at + headBytes, end));
      at = end;
    }
    if (at < bytes.length) this.#head = Buffer.from(bytes.subarray(at));
    return undefined;
  }

  #fill(frame: Buffer, chunk: Buffer): Buffer | undefined {
    const copied = chunk.copy(frame, this.#filled);
    this.#filled += copied;
    if (this.#filled < frame.length) return undefined;
    this.#frame = undefined;
    this.#take(frame.subarray(this.#headBytes));
    return copied === chunk.length ? undefined : this.push(chunk.subarray(copied));
  }
}
