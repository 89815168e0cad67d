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
  /** Whose reads are in the row, and how many of each session. */
  readonly owners: Map<string, number>;
  /** When the first of the row began to run, as far as the core can know. */
  headSince: Instant;
  /** The last of which it has said that it runs; it says so of those that may be slow. */
  begun: number | undefined;
  /** Its row was taken back because the first is slow: nobody is put behind that one. */
  stuck: boolean;
  /** So was the first itself, which may not be what is slow. */
  doubted: boolean;
  /** Why it was killed, if because of the first of its row. */
  killed: "timeout" | "cancel" | "crowded" | undefined;
  /** Since when it has had nothing to do: at first, since it was started. */
  idleSince: Instant;
  /** When it was last asked whether somebody has stopped it. */
  probedAt: Instant;
}

/** Reads in one reader's hands: enough that its pipe never runs dry, few enough to take back. */
export const rowMax = 32;

export function newReader(id: ReaderId, now: Instant): Reader {
  const row: Row[] = [];
  const owners = new Map<string, number>();
  const since = { headSince: now, idleSince: now, probedAt: now };
  const quiet = { begun: undefined, stuck: false, doubted: false, killed: undefined };
  return { id, state: "starting", row, owners, ...since, ...quiet };
}

export function give(reader: Reader, number: number, read: Read): void {
  reader.row.push({ number, read });
  const { id } = read.session;
  reader.owners.set(id, (reader.owners.get(id) ?? 0) + 1);
}

/** The first of its row is answered. */
export function takeFirst(reader: Reader): Read | undefined {
  const read = reader.row.shift()?.read;
  if (read !== undefined) disown(reader, read);
  return read;
}

/** All behind the first `kept`, or some of them, go to others; the reader runs them all the same, so they leave gaps. */
export function takeBack(reader: Reader, kept: 0 | 1, chosen: (read: Read) => boolean = () => true): Read[] {
  const back: Read[] = [];
  for (const [place, row] of reader.row.entries()) {
    if (place < kept || row.read === undefined || !chosen(row.read)) continue;
    back.push(row.read);
    disown(reader, row.read);
    row.read = undefined;
  }
  return back;
}

/**
 * Whether it may be one behind the first that is slow: what was quick whenever it ran before is answered together with
 * what follows it, so that the first may have been run long ago.
 */
export function isInDoubt({ row, begun }: Reader): boolean {
  return begun !== undefined && row.length > 1 && row[0]?.number !== begun;
}

function disown({ owners }: Reader, { session: { id } }: Read): void {
  const count = owners.get(id) ?? 0;
  if (count > 1) owners.set(id, count - 1);
  else owners.delete(id);
}

export function checkReader({ id, state, row, owners, stuck }: Reader): void {
  if (state === "starting" && row.length > 0) throw new Error(`reader ${id}: not ready, and has reads`);
  if (row.length > rowMax) throw new Error(`reader ${id}: its row is too long`);
  if (stuck && row.some(({ read }, place) => place > 0 && read !== undefined))
    throw new Error(`reader ${id}: somebody waits behind a slow read`);
  const counted = row.filter(({ read }) => read !== undefined && owners.has(read.session.id)).length;
  const claimed = [...owners.values()].reduce((sum, count) => sum + count, 0);
  if (counted !== claimed) throw new Error(`reader ${id}: it is not known whose reads it has`);
}

/** What the read that ran when its process ended is told; nothing when it was not its doing and it may run again. */
export function headRefusal(reader: Reader, reason: string): Refusal | undefined {
  switch (reader.killed) {
    case "timeout":
      return refuse("STATEMENT_TIMEOUT", "the read ran out of its time and was ended");
    case "cancel":
      return refuse("CANCELLED", "the read was cancelled while it ran");
    case "crowded":
      return refuse("STATEMENT_TIMEOUT", "the read was ended after a short time, because others waited for it to end", {
        why: "crowded",
      });
    case undefined:
      if (reader.state === "ending") return undefined;
      return refuse("STATEMENT_CRASHED", `the process that ran the read died: ${reason}`);
  }
}
