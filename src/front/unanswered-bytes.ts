/**
 * How much memory is taken by what is asked for and not answered, of one connection and of all, and whether that is too
 * much to read on.
 *
 * A connection may have as much as is left for all others (Choudhury and Hahne 1998, dynamic thresholds): n that want
 * whatever they can get have an n+1-th each, so that something is left for the next one. Below `least` it is read
 * whatever others have, so that who asks for little never waits for those who ask for much.
 */
import type { RequestId } from "../terms/index.js";

/** A request takes so much memory beside its own bytes, about. */
const requestBytes = 1024;

/** Of all connections that are there. */
export class UnansweredOfAll {
  readonly #bytesMax: number;
  bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Less than nothing when those who were read last had larger requests than there was room for. */
  get left(): number {
    return this.#bytesMax - this.bytes;
  }
}

/** What one connection may have (bytes): the one in any case, the other if there is room. One more is read than fits. */
export interface Share {
  readonly least: number;
  readonly most: number;
}

interface Asked {
  bytes: number;
  extra: number;
  open: number;
}

export class UnansweredBytes {
  readonly #share: Share;
  readonly #all: UnansweredOfAll;
  readonly #asked = new Map<RequestId, Asked>();
  #bytes = 0;
  #extra = 0;

  constructor(share: Share, all: UnansweredOfAll) {
    this.#share = share;
    this.#all = all;
  }

  /** Too much is asked for: the connection is not to be read. */
  get full(): boolean {
    return this.#bytes + this.#extra > this.#bytesMax;
  }

  /** Little enough is left of it to read on. */
  get roomy(): boolean {
    return this.#bytes + this.#extra <= this.#bytesMax / 2;
  }

  get #bytesMax(): number {
    const { least, most } = this.#share;
    return Math.max(least, Math.min(most, this.#all.left));
  }

  has(request: RequestId): boolean {
    return this.#asked.size > 0 && this.#asked.has(request);
  }

  /**
   * An id may be in use twice, against the rules: it counts until the last of them is answered. `extra`: what it counts
   * beside its bytes, for its own connection alone.
   */
  begun(request: RequestId, size: number, extra = 0): void {
    const bytes = size + requestBytes;
    const known = this.#asked.get(request);
    if (known === undefined) this.#asked.set(request, { bytes, extra, open: 1 });
    else {
      known.bytes += bytes;
      known.extra += extra;
      known.open++;
    }
    this.#bytes += bytes;
    this.#extra += extra;
    this.#all.bytes += bytes;
  }

  answered(request: RequestId): void {
    const asked = this.#asked.size === 0 ? undefined : this.#asked.get(request);
    if (asked === undefined || --asked.open > 0) return;
    this.#asked.delete(request);
    this.#bytes -= asked.bytes;
    this.#extra -= asked.extra;
    this.#all.bytes -= asked.bytes;
  }

  /** The connection is gone: with it went what it had asked. */
  gone(): void {
    this.#all.bytes -= this.#bytes;
    this.#asked.clear();
    this.#bytes = 0;
    this.#extra = 0;
  }
}
