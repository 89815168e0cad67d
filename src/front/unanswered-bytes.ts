/** How many bytes one connection has asked for and not been answered, and whether that is too much to read on. */
import type { RequestId } from "../terms/index.js";

interface Asked {
  bytes: number;
  open: number;
}

export class UnansweredBytes {
  readonly #bytesMax: number;
  readonly #asked = new Map<RequestId, Asked>();
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Too much is asked for: the connection is not to be read. */
  get full(): boolean {
    return this.#bytes > this.#bytesMax;
  }

  /** Little enough is left of it to read on. */
  get roomy(): boolean {
    return this.#bytes <= this.#bytesMax / 2;
  }

  has(request: RequestId): boolean {
    return this.#asked.size > 0 && this.#asked.has(request);
  }

  /** An id may be in use twice, against the rules: it counts until the last of them is answered. */
  begun(request: RequestId, bytes: number): void {
    const known = this.#asked.get(request);
    this.#bytes += bytes;
    if (known === undefined) this.#asked.set(request, { bytes, open: 1 });
    else {
      known.bytes += bytes;
      known.open++;
    }
  }

  answered(request: RequestId): void {
    const asked = this.#asked.size === 0 ? undefined : this.#asked.get(request);
    if (asked === undefined || --asked.open > 0) return;
    this.#asked.delete(request);
    this.#bytes -= asked.bytes;
  }
}
