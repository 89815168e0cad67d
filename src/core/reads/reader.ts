/**
 * One reader process as the core sees it.
 *
 *   starting ──ready──► ready ──kill──► ending ──gone──► (none)
 *
 * | state    | what holds                                                                                   |
 * |----------|----------------------------------------------------------------------------------------------|
 * | starting | nothing has been given to it                                                                  |
 * | ready    | its row: the first one runs since `headSince`; those that were taken back leave a gap in it   |
 * | ending   | its row is the one that ran, or empty; all else that it says is ignored                       |
 */
import { type Instant, type ReaderId, type Refusal, refuse } from "../../terms/index.js";
import type { Read } from "./read.js";

export interface Row {
  readonly number: number;
  /** Absent when it was taken back and given to another; the reader runs it all the same. */
  read: Read | undefined;
}

export interface Reader {
  readonly id: ReaderId;
  state: "starting" | "ready" | "ending";
  readonly row: Row[];
  /** When the first of the row began to run, as far as the core can know. */
  headSince: Instant;
  /** Its row was taken back because the first is slow: nobody is put behind that one. */
  stuck: boolean;
  /** Why it was killed, if because of the first of its row. */
  killed: "timeout" | "cancel" | "crowded" | undefined;
  idleSince: Instant;
}

/** Reads in one reader's hands: enough that its pipe never runs dry, few enough to take back. */
export const rowMax = 32;

export function newReader(id: ReaderId): Reader {
  const since = 0 as Instant;
  return { id, state: "starting", row: [], headSince: since, stuck: false, killed: undefined, idleSince: since };
}

export function hasReadOf(reader: Reader, session: string): boolean {
  for (const { read } of reader.row) if (read?.session.id === session) return true;
  return false;
}

/** What the read that ran when its process ended is told; nothing when it was not its doing and it may run again. */
export function headRefusal(reader: Reader, reason: string): Refusal | undefined {
  switch (reader.killed) {
    case "timeout":
      return refuse("STATEMENT_TIMEOUT", "the read ran out of its time and was ended");
    case "cancel":
      return refuse("CANCELLED", "the read was cancelled while it ran");
    case "crowded":
      return refuse("STATEMENT_TIMEOUT", "the read was ended after a short time, because others waited for it to end");
    case undefined:
      if (reader.state === "ending") return undefined;
      return refuse("STATEMENT_CRASHED", `the process that ran the read died: ${reason}`);
  }
}
