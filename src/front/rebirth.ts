/**
 * How a front comes to life, after a crash as after a clean end; there is one way only.
 *
 *   1. Children of a dead front are killed: nothing may write that this front did not send (rule 2).
 *   2. The writer takes its lock, settles what was in doubt with one durable write, reserves tokens (rule 1). If it cannot,
 *      because one of those children does not end, that is told, and reads are served until it does (`past.ts`).
 *   3. Only then it is known whether the machine was restarted: then the ledger is deleted unread (rule 13). One that
 *      lies beside a database that was put there (a backup, an import) is not believed, but for the tokens that were given.
 *      One that is gone without a restart is as one that is damaged, unless the last broker has ended in good order and
 *      with no lock held, which is written in data.db. So is the one that lies here when the last broker had its run
 *      directory elsewhere: it is of the time before that (`moved.ts`).
 *   4. What the ledger knows goes to the core: sessions, holders and queue places are as they were.
 *   5. When tokens are reserved above all that were ever given, clients may come.
 */
import { Contradiction, Core, type GrantRow, type LedgerEntry, type Memory, type StoreEvent } from "../core/index.js";
import { Ledger, type LedgerContents, LedgerFull, type LedgerMark } from "../ledger/index.js";
import type { Places } from "../places/index.js";
import { bootIdElsewhere, type ChildRecord, killOrphans } from "../store/index.js";
import {
  HoldfastError,
  type Instant,
  type Limits,
  limitTable,
  type Millis,
  tokensByClock,
  type WallTime,
} from "../terms/index.js";
import { leaveWord } from "./moved.js";
import type { ProcessTable } from "./processes.js";

export type WriterReady = Extract<StoreEvent, { kind: "writer-ready" }>;
/** A child of a front before this one has the writer's lock and does not end: one of these that are `stuck`. */
export type WriterAway = Extract<StoreEvent, { kind: "writer-unavailable" }> & {
  readonly stuck: readonly ChildRecord[];
};

export interface RebirthParts {
  readonly places: Places;
  readonly limits: Limits;
  readonly bootId: string;
  readonly now: Instant;
  readonly wallNow: WallTime;
  readonly processes: Pick<ProcessTable, "startTimeOf">;
  readonly log: (text: string, fields: { readonly [field: string]: unknown }) => void;
}

export type RecallParts = Omit<RebirthParts, "places" | "processes">;

const nothing: Memory = { sessions: [], grants: [], waiters: [], capacities: [], tokensAbove: 0, graceMs: 0 };

/** Step 1, and 2 through `start`, which must resolve with the writer's first word. */
export async function settleThePast(
  places: Places,
  start: () => Promise<StoreEvent>,
): Promise<WriterReady | WriterAway> {
  const stuck = await killOrphans(places);
  const event = await start();
  if (event.kind === "writer-ready") return event;
  // One of ours that does not even end when it is killed will end at last; anybody else's lock is another broker's.
  if (event.kind === "writer-unavailable" && event.lockHeld === true && stuck.length > 0) return { ...event, stuck };
  const reason = event.kind === "writer-unavailable" ? event.reason : event.kind;
  if (event.kind === "writer-unavailable" && event.refused !== undefined)
    throw new HoldfastError(event.refused, reason);
  throw new HoldfastError("START_FAILED", `the writer could not be started: ${reason}`);
}

/** Steps 3 and 4. The core is given the writer's word last; it may then still wait for tokens. */
export function remember(ready: WriterReady, parts: RebirthParts): { core: Core; ledger: Ledger } {
  const { ledger: path } = parts.places;
  if (!isOfThisRun(ready, parts)) Ledger.discard(path);
  const ledger = Ledger.open(path);
  leaveWord(ready, parts);
  const told = { read: () => ledger.read(), commit: (rows: readonly LedgerEntry[]) => commitFirst(ledger, rows, path) };
  try {
    return { core: recall(told, ready, parts), ledger };
  } catch (error) {
    if (!(error instanceof Contradiction)) throw error;
    // Kept, it would be in the way of every start to come.
    parts.log("what the ledger says cannot be: it is taken for damaged", { error: error.message });
    ledger.close();
    Ledger.discard(path);
    const anew = Ledger.open(path);
    const damaged: Pick<Ledger, "read" | "commit"> = {
      read: () => "damaged",
      commit: (rows) => anew.commit(rows),
    };
    return { core: recall(damaged, ready, parts), ledger: anew };
  }
}

/** Nobody is served yet, so nobody is told otherwise why there is no broker. */
function commitFirst(ledger: Ledger, rows: readonly LedgerEntry[], path: string): void {
  try {
    ledger.commit(rows);
  } catch (error) {
    throw error instanceof LedgerFull ? noRoom(path, error) : error;
  }
}

function noRoom(path: string, cause: LedgerFull): HoldfastError {
  return new HoldfastError("DISK_FULL", `no room on the disk of ${path}: ${cause.message}; make room there`, { cause });
}

/** Whether the ledger can be of this run of the machine. Of a database that was put there as it is nobody can tell. */
export function isOfThisRun({ previousBootId }: WriterReady, { bootId }: RecallParts): boolean {
  return previousBootId === bootId || previousBootId === null || previousBootId === bootIdElsewhere;
}

/** What the ledger tells is taken up by a core: a new one, unless one has waited for it. */
export function recall(
  ledger: Pick<Ledger, "read" | "commit">,
  ready: WriterReady,
  parts: RecallParts,
  core = new Core(parts.limits, ready.storedSeq),
): Core {
  const contents = ledger.read();
  const memory = memoryOf(contents, ready, parts);
  // Rows that hold no more must not be found by the next start. The mark stays until tokens above it are reserved.
  if (contents !== "damaged" && memory.sessions !== contents.sessions) ledger.commit(ends(contents, memory.grants));
  core.restore(memory, parts.now);
  core.handle(ready, parts.now);
  const { sessions, grants, waiters } = memory;
  const sameBoot = ready.previousBootId === parts.bootId;
  parts.log("remembered", { sessions: sessions.length, grants: grants.length, waiters: waiters.length, sameBoot });
  return core;
}

function memoryOf(contents: LedgerContents | "damaged", ready: WriterReady, parts: RecallParts): Memory {
  const memory = told(contents, ready, parts);
  if (ready.movedFrom === null) return memory;
  // Until tokens are reserved the database is noted as the other place's, so that no start in between forgets that.
  return { ...memory, tokensAbove: aboveAll(memory.tokensAbove, ready) };
}

function told(contents: LedgerContents | "damaged", ready: WriterReady, parts: RecallParts): Memory {
  if (contents === "damaged") return afterDamage(parts);
  if (contents.mark === undefined) return unwritten(contents, ready, parts);
  return believed(contents, contents.mark, ready, parts);
}

/**
 * For clients that were another broker's, whose limit may be higher: up to the standard one. A start in the time of grace
 * after such a move finds nothing that tells of it, so it is as long whenever nobody knows who held what.
 */
function graceOf({ limits }: RecallParts): Millis {
  return Math.max(limits.resumeWindowMs, limitTable.resumeWindowMs.standard);
}

/** One above what the writer has reserved at least, so that it is asked for more, and for a new incarnation, in any case. */
function aboveAll(tokens: number, { tokensFrom }: WriterReady): number {
  return Math.max(tokens, tokensFrom + 1);
}

/** What was given before only the clock tells: data.db may be an older file that was put there meanwhile. */
function afterDamage({ log, limits, wallNow }: RecallParts): Memory {
  log("the ledger was damaged: all locks are void, and none is granted for one resume window", {
    graceMs: limits.resumeWindowMs,
  });
  const tokensAbove = tokensByClock(wallNow);
  return { ...nothing, tokensAbove, graceMs: limits.resumeWindowMs };
}

/**
 * A ledger of which nothing was ever written: this is the first start, or that after a restart of the machine; or there
 * was another, and somebody has cleared it away (a logout takes /run/user/UID along) while its holders live on. Unless it
 * is written in data.db that nobody held anything, that is as bad as damage (rule 13). Nothing tells then whether data.db
 * is the file that it was, so the next token is by the clock; after a restart of the machine the writer sees to that.
 */
function unwritten(contents: LedgerContents, ready: WriterReady, parts: RecallParts): Memory {
  const { sessions, grants, waiters, capacities } = contents;
  // The commands that ran under locks which a restart in the grace finds void live on, and are ended (rule 24).
  const known =
    ready.previousBootId === bootIdElsewhere
      ? { ...nothing, grants: commandsOf(contents) }
      : { sessions, grants, waiters };
  const tokensAbove = ready.previousBootId === parts.bootId ? tokensByClock(parts.wallNow) : 0;
  const memory = { ...nothing, ...known, capacities, tokensAbove };
  if (!ready.heldBefore || !isOfThisRun(ready, parts)) return memory;
  const graceMs = graceOf(parts);
  parts.log("the ledger is gone: all locks are void, and none is granted for one resume window", { graceMs });
  return { ...memory, graceMs };
}

/**
 * What the ledger says, unless the database is older than the ledger or another, or was served from elsewhere since: then
 * only its tokens count (rule 14), and the commands that ran under its locks, which live on and are ended (rule 24).
 */
function believed(contents: LedgerContents, mark: LedgerMark, ready: WriterReady, parts: RecallParts): Memory {
  const { sessions, grants, waiters, capacities } = contents;
  const { storedSeq, tokensFrom, previousBootId, movedFrom } = ready;
  const { log, wallNow } = parts;
  const { tokensTo, seq, incarnation } = mark;
  const another = previousBootId === null || incarnation !== ready.incarnation || movedFrom !== null;
  if (!another && seq <= storedSeq && tokensTo <= tokensFrom)
    return { sessions, grants, waiters, capacities, tokensAbove: tokensTo, graceMs: 0 };
  // Those who held something may still believe in it, until they have come back and were told: here, or elsewhere, or
  // before a start that has ended their rows and was killed itself.
  const graceMs = grants.length > 0 || ready.heldBefore ? graceOf(parts) : 0;
  const why =
    movedFrom === null
      ? "the database file is older than what was known of it, or another"
      : "the database was served from another run directory since";
  log(`${why}: sessions and locks are void`, { ledgerSeq: seq, storedSeq, movedFrom, graceMs });
  // Nobody can tell whether the machine was restarted since the ledger was written, so its tokens may be too low.
  const byClock = previousBootId === null ? tokensByClock(wallNow) : 0;
  const tokensAbove = aboveAll(Math.max(tokensTo, byClock), ready);
  return { ...nothing, grants: commandsOf(contents), capacities, tokensAbove, graceMs };
}

/** Over for their holders, who are told so when they come; not before the commands are gone for anybody else. */
function commandsOf({ sessions, grants }: LedgerContents): GrantRow[] {
  const owners = new Map(sessions.map(({ session, identity }) => [session, identity]));
  return grants.flatMap((row) => {
    const ending = row.ending ?? (row.guarded ? owners.get(row.session) : undefined);
    return ending === undefined ? [] : [{ ...row, ending }];
  });
}

function ends({ sessions, grants, waiters }: LedgerContents, kept: readonly GrantRow[]): LedgerEntry[] {
  const rows = new Map(kept.map((row) => [row.token, row]));
  return [
    ...grants.map(({ token }): LedgerEntry => {
      const row = rows.get(token);
      return row === undefined ? { kind: "grant-ended", token } : { kind: "grant-changed", was: token, row };
    }),
    ...waiters.map(({ arrival }): LedgerEntry => ({ kind: "unqueued", arrival })),
    ...sessions.map(({ session }): LedgerEntry => ({ kind: "session-ended", session })),
  ];
}
