/**
 * One write on its way.
 *
 *   queued ──dispatched──► in the writer's hands ──settled──► answered
 *     │                        │ writer died
 *     │ cancelled, dropped     └──────────► runs again, is replayed, or is refused (settlement.ts)
 *     ▼
 *   refused
 */
import type { Instant, Millis, RequestKey, Seq, SessionId } from "../../terms/index.js";
import type { Asker, Fence, Parcel } from "../command.js";
import type { Session } from "../sessions/session.js";

export interface Write {
  /** Absent for a settling, which speaks of a session that is over. */
  readonly session: Session | undefined;
  /** Whose queue it stands in. */
  readonly owner: SessionId;
  /** Absent once its connection is gone; the client asks again. */
  asker: Asker | undefined;
  readonly key: RequestKey | undefined;
  readonly fences: readonly Fence[];
  readonly alone: boolean;
  readonly timeoutMs: Millis | undefined;
  readonly parcel: Parcel;
  /** Keys to settle: then it is no write but a question to the writer, in the same line. */
  readonly settles: readonly RequestKey[] | undefined;
  /** May have been sent before: what is stored under its key decides before its fence does. */
  readonly seenBefore: boolean;
  /** Valid from dispatch on. */
  seq: Seq | undefined;
  mode: "run" | "replay";
  /** How often it was dispatched. */
  tries: number;
  cancelledAt: Instant | undefined;
  /** Answered, whatever the answer. */
  done: boolean;
  /** Why the writer was killed because of it. */
  killed: "timeout" | "cancel" | undefined;
  /** What waits for this write: to be dispatched (`sent`), or to be settled. */
  sent: (() => void)[];
  settled: (() => void)[];
}

/** The parts of a write that differ from call to call; the rest begins the same. */
export type WriteStart = Pick<
  Write,
  "session" | "owner" | "asker" | "key" | "fences" | "alone" | "timeoutMs" | "parcel" | "settles" | "seenBefore"
>;

export function newWrite(start: WriteStart): Write {
  return { ...start, seq: undefined, mode: "run", tries: 0, cancelledAt: undefined, done: false, killed: undefined, sent: [], settled: [] };
}
