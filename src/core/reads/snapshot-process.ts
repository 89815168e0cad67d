/**
 * One process for snapshots as the core sees it: it holds the snapshot of one session at a time and runs nothing else
 * meanwhile (rule 4), for when it is killed, everything in it dies.
 *
 *   starting ──ready──► free ──lent──► lent ──given back──► clearing ──cleared──► free
 *       │                │              │                      │
 *       │ gone           └─────kill─────┴─────────kill─────────┴──► ending
 *       └──────────────────────────► (none) ◄──────────────────gone──┘
 *
 * | state    | what holds                                                                | who may end it               |
 * |----------|---------------------------------------------------------------------------|------------------------------|
 * | starting | nothing has been asked of it                                              | the process; the core (kill) |
 * | free     | no snapshot is open in it                                                 | whose turn it is; idleness   |
 * | lent     | one session's snapshot, until it is given back or lost                    | its borrower, its limits     |
 * | clearing | nobody has it; what was asked in it is being ended, for a moment at most  | the process; the core (kill) |
 * | ending   | it was killed; all that it says is ignored                                | the process                  |
 */
import { after, type Instant, type Millis, type SnapshotProcessId } from "../../terms/index.js";
import type { Snapshot } from "./snapshot.js";

export type SnapshotProcessState =
  | { readonly kind: "starting"; since: Instant }
  | { readonly kind: "free"; since: Instant }
  | { readonly kind: "lent"; readonly snapshot: Snapshot }
  | { readonly kind: "clearing"; since: Instant }
  | { readonly kind: "ending" };

export interface SnapshotProcess {
  readonly id: SnapshotProcessId;
  state: SnapshotProcessState;
}

/** The broker stood still: no time has passed for anybody. */
export function processPaused({ state }: SnapshotProcess, ms: Millis): void {
  if (state.kind === "lent") state.snapshot.paused(ms);
  else if (state.kind !== "ending") state.since = after(state.since, ms);
}

export function checkProcess({ id, state }: SnapshotProcess): void {
  if (state.kind !== "lent") return;
  if (state.snapshot.process !== id) throw new Error(`snapshot process ${id}: it has the snapshot of another`);
  state.snapshot.check();
}
