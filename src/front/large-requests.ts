/**
 * What the large requests of one connection take until they are answered: of small ones the number is bound enough, but a
 * thousand that wait for one slow write, each as large as a frame may be, would be more than there is memory.
 */
import type { RequestId } from "../terms/index.js";

/** From here on a request is large (bytes). */
const largeBytes = 64 * 1024;
/** What a connection may have asked for with them and not been answered; one more is read than fits (bytes). */
const bytesMax = 32 * 1024 * 1024;

interface Asked {
  bytes: number;
  open: number;
}

export class LargeRequests {
  readonly #asked = new Map<RequestId, Asked>();
  #bytes = 0;

  /** Too much is asked for: the connection is not to be read. */
  get full(): boolean {
    return this.#bytes > bytesMax;
  }

  /** Little enough is left of it to read on. */
  get roomy(): boolean {
    return this.#bytes <= bytesMax / 2;
  }

  begun(request: RequestId, bytes: number): void {
    // An id may be in use twice, against the rules: it counts until the last of them is answered.
    const known = this.#asked.size === 0 ? undefined : this.#asked.get(request);
    if (known === undefined && bytes < largeBytes) return;
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
