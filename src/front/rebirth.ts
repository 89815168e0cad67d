/**
 * How a front comes to life, after a crash as after a clean end; there is one way only.
 *
 *   1. Children of a dead front are killed: nothing may write that this front did not send (rule 2).
 *   2. The writer takes its lock, settles what was in doubt with one durable write, reserves tokens (rule 1).
 *   3. Only then it is known whether the machine was restarted: then the ledger is deleted unread (rule 13).
 *   4. What the ledger knows goes to the core: sessions, holders and queue places are as they were.
 *   5. When tokens are reserved above all that were ever given, clients may come.
 */
import { Core, type Memory, type StoreEvent } from "../core/index.js";
import { Ledger, type LedgerContents } from "../ledger/index.js";
import type { Places } from "../places/index.js";
import { killOrphans } from "../store/index.js";
import { HoldfastError, type Instant, type Limits } from "../terms/index.js";

export type WriterReady = Extract<StoreEvent, { kind: "writer-ready" }>;

export interface RebirthParts {
  readonly places: Places;
  readonly limits: Limits;
  readonly bootId: string;
  readonly now: Instant;
  readonly log: (text: string, fields: { readonly [field: string]: unknown }) => void;
}

const nothing: Memory = { sessions: [], grants: [], waiters: [], tokensAbove: 0, graceMs: 0 };

/** Step 1, and 2 through `start`, which must resolve with the writer's first word. */
export async function settleThePast(places: Places, start: () => Promise<StoreEvent>): Promise<WriterReady> {
  await killOrphans(places);
  const event = await start();
  if (event.kind === "writer-ready") return event;
  const reason = event.kind === "writer-unavailable" ? event.reason : event.kind;
  throw new HoldfastError("START_FAILED", `the writer could not be started: ${reason}`);
}

/** Steps 3 and 4. The core is given the writer's word last; it may then still wait for tokens. */
export function remember(ready: WriterReady, parts: RebirthParts): { core: Core; ledger: Ledger } {
  const { ledger: path } = parts.places;
  const sameBoot = ready.previousBootId === parts.bootId;
  if (!sameBoot) Ledger.discard(path);
  let ledger = Ledger.open(path);
  const contents = ledger.read();
  const memory = contents === "damaged" ? afterDamage(parts) : believed(contents, ready, parts);
  if (contents !== "damaged" && memory.sessions !== contents.sessions) {
    // Rows that hold no more must not be found by the next start.
    ledger.close();
    Ledger.discard(path);
    ledger = Ledger.open(path);
    ledger.read();
  }
  const core = new Core(parts.limits, ready.storedSeq);
  core.restore(memory, parts.now);
  core.handle(ready, parts.now);
  const { sessions, grants, waiters } = memory;
  parts.log("remembered", { sessions: sessions.length, grants: grants.length, waiters: waiters.length, sameBoot });
  return { core, ledger };
}

function afterDamage({ log, limits }: RebirthParts): Memory {
  log("the ledger was damaged: all locks are void, and none is granted for one resume window", {
    graceMs: limits.resumeWindowMs,
  });
  return { ...nothing, graceMs: limits.resumeWindowMs };
}

/** What the ledger says, unless the database is older than the ledger: then only its tokens count (rule 14). */
function believed(contents: LedgerContents, ready: WriterReady, { log }: RebirthParts): Memory {
  const { sessions, grants, waiters, mark } = contents;
  if (mark === undefined) return { sessions, grants, waiters, tokensAbove: 0, graceMs: 0 };
  const { tokensTo, seq, incarnation } = mark;
  const putBack = seq > ready.storedSeq || incarnation !== ready.incarnation || tokensTo > ready.tokensFrom;
  if (!putBack) return { sessions, grants, waiters, tokensAbove: tokensTo, graceMs: 0 };
  log("the database file was put back to an older state: sessions and locks are void", {
    ledgerSeq: seq,
    storedSeq: ready.storedSeq,
  });
  // One above what the writer has reserved at least, so that it is asked for a new incarnation in any case.
  return { ...nothing, tokensAbove: Math.max(tokensTo, ready.tokensFrom + 1) };
}
