/**
 * One reader process as the core sees it.
 *
 *   starting ──ready──► ready ──kill──► ending ──gone──► (none)
 *
 * | state    | what holds                                                                        |
 * |----------|-----------------------------------------------------------------------------------|
 * | starting | nothing has been given to it                                                       |
 * | ready    | its row: the first one runs since `headSince`; taken-back ones leave a gap in it   |
 * | ending   | its row is empty; whatever it still says is ignored                                |
 */
import type { Instant, ReaderId } from "../../terms/index.js";
import type { Read } from "./read.js";

export interface Row {
  readonly number: number;
  /** Absent when it was taken back and given to another; the reader will still answer it. */
  read: Read | undefined;
}

export interface Reader {
  readonly id: ReaderId;
  state: "starting" | "ready" | "ending";
  readonly row: Row[];
  /** When the first of the row began to run, as far as the core can know. */
  headSince: Instant;
  /** Why it was killed, if because of the first of its row. */
  killed: "timeout" | "cancel" | "crowded" | undefined;
  idleSince: Instant;
}

export function hasReadOf(reader: Reader, session: string): boolean {
  return reader.row.some((row) => row.read?.session.id === session);
}
