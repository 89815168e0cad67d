/**
 * Large requests of one connection that are not answered yet: what they keep in the broker's memory. Small ones are
 * bounded by their number, and nothing is noted of them.
 */
import type { RequestId } from "../terms/index.js";

/** Of smaller requests the number that may be in flight is bound enough. */
const largeBytes = 16 * 1024;
/** What a connection may have asked for at once; the request that goes beyond it is the last that is read. */
const largeBytesMax = 64 * 1024 * 1024;

interface Large {
  readonly bytes: number;
  readonly times: number;
}

export class LargeRequests {
  readonly #open = new Map<RequestId, Large>();
  #bytes = 0;

  /** The connection is not to be read. */
  get tooMuch(): boolean {
    return this.#bytes > largeBytesMax;
  }

  /** Little enough is left of it to read on. */
  get roomy(): boolean {
    return this.#bytes <= largeBytesMax / 2;
  }

  begun(request: RequestId, bytes: number): void {
    if (bytes < largeBytes && this.#open.size === 0) return;
    // An id may be in use twice, against the rules: then nothing is given free before both are answered.
    const before = this.#open.get(request);
    if (bytes < largeBytes && before === undefined) return;
    this.#bytes += bytes;
    this.#open.set(request, { bytes: bytes + (before?.bytes ?? 0), times: 1 + (before?.times ?? 0) });
  }

  answered(request: RequestId): void {
    if (this.#open.size === 0) return;
    const large = this.#open.get(request);
    if (large === undefined) return;
    if (large.times > 1) {
      this.#open.set(request, { ...large, times: large.times - 1 });
      return;
    }
    this.#open.delete(request);
    this.#bytes -= large.bytes;
  }
}
