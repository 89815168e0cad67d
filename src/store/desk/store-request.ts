/** What the front hands to the store and gets back, and the core carries without opening. */
import type { Parcel } from "../../core/index.js";
import type { Encoding } from "../../protocol/index.js";
import type { StoreMethod } from "../pipe/messages.js";

export class StoreRequest implements Parcel {
  readonly method: StoreMethod | "session.settle";
  readonly encoding: Encoding;
  /** The request's frame as it came. */
  readonly raw: Buffer;

  constructor(method: StoreMethod | "session.settle", encoding: Encoding, raw: Buffer) {
    this.method = method;
    this.encoding = encoding;
    this.raw = raw;
  }

  get size(): number {
    return this.raw.length;
  }
}

/** The result of a request, encoded: what stands in the answer's field `result`. */
export class StoreBody {
  readonly bytes: Buffer;
  readonly encoding: Encoding;

  constructor(bytes: Buffer, encoding: Encoding) {
    this.bytes = bytes;
    this.encoding = encoding;
  }
}

/** Gives the parcel back as what it was when it was handed in. */
export function requestIn(parcel: Parcel): StoreRequest {
  if (parcel instanceof StoreRequest) return parcel;
  throw new Error("a parcel that is no request of the store");
}
