/** When a snapshot is over whatever its borrower wishes: pure choices over how it stands. */
import { after, type Instant, type Limits } from "../../terms/index.js";
import type { Snapshot, SnapshotEnd } from "./snapshot.js";

/** While the log waits to be folded, a snapshot of this age is ended (ms). */
const foldPatienceMs = 1000;

export interface Due {
  readonly at: Instant;
  readonly end: SnapshotEnd;
}

/** The first of its limits that it reaches, if nothing happens until then. */
export function nextDue(snapshot: Snapshot, limits: Limits, folding: boolean): Due {
  const { openedAt, held, borrower } = snapshot;
  const ageMs = Math.min(limits.snapshotMs, borrower.limitMs ?? limits.snapshotMs);
  let due: Due = { at: after(openedAt, ageMs), end: "aged" };
  const sooner = (at: Instant, end: SnapshotEnd) => {
    if (at < due.at) due = { at, end };
  };
  if (folding) sooner(after(openedAt, foldPatienceMs), "fold");
  const { flow, headSince } = snapshot;
  const head = snapshot.runs[0];
  if (head?.cancelledAt !== undefined) sooner(after(headSince, limits.cancelRunningMs), "cancel");
  // What is held back by its client is not known to work, and may have ended what was closed.
  if (held) return due;
  for (const since of snapshot.closing.values()) sooner(after(since, limits.cancelRunningMs), "cancel");
  if (head !== undefined) sooner(after(headSince, head.timeoutMs), "timeout");
  if (flow !== undefined && !flow.waits) sooner(after(flow.since, flow.timeoutMs), "timeout");
  return due;
}

/** The snapshot to give up: the oldest of the session that has most, if one that has fewer waits. */
export function greediestSnapshot(
  snapshots: readonly Snapshot[],
  waiting: ReadonlySet<string>,
  { now, contendedMs }: { readonly now: Instant; readonly contendedMs: number },
): Snapshot | undefined {
  const shares = new Map<string, number>();
  for (const { borrower } of snapshots) {
    const { id } = borrower.session;
    shares.set(id, (shares.get(id) ?? 0) + 1);
  }
  const most = Math.max(0, ...shares.values());
  if (![...waiting].some((session) => (shares.get(session) ?? 0) < most)) return undefined;
  let oldest: Snapshot | undefined;
  for (const snapshot of snapshots) {
    if (shares.get(snapshot.borrower.session.id) !== most) continue;
    if (oldest === undefined || snapshot.openedAt < oldest.openedAt) oldest = snapshot;
  }
  return oldest !== undefined && after(oldest.openedAt, contendedMs) <= now ? oldest : undefined;
}
