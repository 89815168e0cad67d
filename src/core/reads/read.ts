/**
 * One read on its way: held (writes that its session sent before it are not settled) → waiting (fair queue) → given to a
 * reader (the first of a reader's row runs, the others stand behind it) → answered. A read repeats freely: when its
 * reader is slow with another, or dies of another, it goes to the next one.
 */
import type { Instant, Millis } from "../../terms/index.js";
import type { Asker, Parcel } from "../command.js";
import type { Session } from "../sessions/session.js";

export interface Read {
  readonly session: Session;
  readonly asker: Asker;
  /** The last write of its session before it: it must see this one and all before. */
  readonly after: number;
  readonly timeoutMs: Millis | undefined;
  readonly parcel: Parcel;
  /** Nobody wants it any more, since then. */
  cancelledAt: Instant | undefined;
  /** How many readers have died while they ran it, by no doing of the broker's. */
  deaths: number;
}

export function isAskedBy(read: Read, asker: Asker): boolean {
  return read.asker.connection === asker.connection && read.asker.request === asker.request;
}
