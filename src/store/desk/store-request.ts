/** What the front hands to the store and gets back, and the core carries without opening. */
import type { Parcel } from "../../core/index.js";
import type { Encoding } from "../../protocol/index.js";
import type { StoreMethod } from "../pipe/messages.js";

export type RequestMethod = StoreMethod | "db.stream" | "tx.stream" | "session.settle";

export class StoreRequest implements Parcel {
  readonly method: RequestMethod;
  readonly encoding: Encoding;
  /** The request as it came. */
  readonly raw: Buffer;

  constructor(method: RequestMethod, encoding: Encoding, raw: Buffer) {
    this.method = method;
    this.encoding = encoding;
    this.raw = alone(raw);
  }

  get size(): number {
    return this.raw.length;
  }
}

/** As long as it waits, a small request would keep all that was read with it in one piece. */
function alone(raw: Buffer): Buffer {
  return 2 * raw.length < raw.buffer.byteLength ? Buffer.from(raw) : raw;
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

/** A finished message of a stream, on its way from a child to the client. */
export class StreamPiece implements Parcel {
  readonly bytes: Buffer;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  get size(): number {
    return this.bytes.length;
  }
}

/** Gives the parcel back as what it was when it was handed in. */
export function requestIn(parcel: Parcel): StoreRequest {
  if (parcel instanceof StoreRequest) return parcel;
  throw new Error("a parcel that is no request of the store");
}

/** The method of a request that a reader or the writer runs whole. */
export function storeMethodOf({ method }: StoreRequest): StoreMethod {
  if (method === "session.settle" || method === "db.stream" || method === "tx.stream")
    throw new Error(`${method} came as a read or a write`);
  return method;
}
