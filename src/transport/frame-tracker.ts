/**
 * Follows the frame boundaries of one direction of a WebSocket (RFC 6455 section 5.2), to answer one question that the
 * library does not: has a message begun and not ended? It reads headers and skips payloads; whether they are right is
 * for the library to say.
 */

/** Two bytes, at most eight of length, four of mask. */
const headerBytesMax = 14;

export class FrameTracker {
  readonly #header = new Uint8Array(headerBytesMax);
  /** Bytes of a header that has begun; 0 between header and header. */
  #headerBytes = 0;
  #payloadLeft = 0;
  /** A data frame without FIN was the last data frame. */
  #fragmented = false;

  /** Whether the peer owes the rest of a message. */
  get midMessage(): boolean {
    return this.#headerBytes > 0 || this.#payloadLeft > 0 || this.#fragmented;
  }

  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#payloadLeft > 0) {
        const skipped = Math.min(this.#payloadLeft, chunk.length - at);
        this.#payloadLeft -= skipped;
        at += skipped;
      } else {
        this.#header[this.#headerBytes++] = chunk[at++] ?? 0;
        if (this.#headerBytes >= 2 && this.#headerBytes === this.#headerNeeds()) this.#finishHeader();
      }
    }
  }

  #headerNeeds(): number {
    const maskBytes = (this.#header[1] ?? 0) & 0x80 ? 4 : 0;
    return 2 + this.#lengthBytes() + maskBytes;
  }

  /** Of the length that does not fit into the second byte. */
  #lengthBytes(): number {
    const short = (this.#header[1] ?? 0) & 0x7f;
    if (short === 126) return 2;
    return short === 127 ? 8 : 0;
  }

  #finishHeader(): void {
    const first = this.#header[0] ?? 0;
    const short = (this.#header[1] ?? 0) & 0x7f;
    const lengthBytes = this.#lengthBytes();
    let length = lengthBytes === 0 ? short : 0;
    for (let i = 2; i < 2 + lengthBytes; i++) length = length * 256 + (this.#header[i] ?? 0);
    this.#payloadLeft = length;
    this.#headerBytes = 0;
    const control = (first & 0x08) !== 0;
    if (!control) this.#fragmented = (first & 0x80) === 0;
  }
}
