/**
 * One read on its way: held (writes sent before it on its connection are not settled) → waiting (fair queue) → given to
 * a reader (the first of a reader's row runs, the others stand behind it) → answered. A read repeats freely: when its
 * reader is slow with another, or dies of another, it goes to the next one.
 */
import type { Instant, Millis } from "../../terms/index.js";
import type { Asker, Parcel } from "../command.js";
import type { Session } from "../sessions/session.js";

export interface Read {
  readonly session: Session;
  readonly asker: Asker;
  readonly timeoutMs: Millis | undefined;
  readonly parcel: Parcel;
  cancelledAt: Instant | undefined;
  /** How many readers have died while they ran it, by no doing of the broker's. */
  deaths: number;
}
