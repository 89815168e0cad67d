/** What the ledger remembered is taken up again after a restart. */
import { after, type Instant, type Millis } from "../terms/index.js";
import { Contradiction } from "./contradiction.js";
import type { Deadlines } from "./deadlines.js";
import type { LockService } from "./locks/lock-service.js";
import type { Mark } from "./mark.js";
import type { Session } from "./sessions/session.js";
import type { SessionTable } from "./sessions/session-table.js";
import type { CapacityRow, GrantRow, SessionRow, WaiterRow } from "./turn.js";

/** What the ledger remembered, in the core's words. */
export interface Memory {
  readonly sessions: readonly SessionRow[];
  readonly grants: readonly GrantRow[];
  readonly waiters: readonly WaiterRow[];
  readonly capacities: readonly CapacityRow[];
  /** No token below this one may be given again: the end of the block in the ledger's mark. */
  readonly tokensAbove: number;
  /**
   * Nothing is granted for so long, because holders may live that nobody remembers. 0: no need. The ledger gets no mark
   * before that is over, and one that it has is taken from it when tokens above are reserved: who begins anew in the middle
   * of it finds a ledger of which nothing was ever written, and gives all of the time again.
   */
  readonly graceMs: Millis;
}

export interface RecallParts {
  readonly sessions: SessionTable;
  readonly locks: LockService;
  readonly deadlines: Deadlines;
  readonly mark: Mark;
}

export function recall(memory: Memory, { sessions, locks, deadlines, mark }: RecallParts, now: Instant): void {
  if (memory.graceMs > 0) {
    locks.freeze();
    mark.wait();
    deadlines.arm("recovery-grace", undefined, after(now, memory.graceMs));
  }
  for (const row of memory.sessions) sessions.probe(sessions.restore(row, now));
  for (const row of memory.sessions) sessions.restoreOuter(row);
  for (const row of memory.capacities) locks.restoreCapacity(row);
  for (const row of memory.grants) locks.restoreGrant(row, ownerOf(row, sessions, now), now);
  for (const row of [...memory.waiters].sort((a, b) => a.arrival - b.arrival))
    locks.restoreWaiter(row, mustKnow(row, sessions));
}

/** Of one whose processes are being ended the session may be gone. */
function ownerOf(row: GrantRow, sessions: SessionTable, now: Instant): Session {
  const known = sessions.get(row.session);
  if (known !== undefined || row.ending === undefined) return mustKnow(row, sessions);
  return sessions.ghost(
    { session: row.session, identity: row.ending, role: "read", windowMs: 0, outer: undefined },
    now,
  );
}

function mustKnow(row: GrantRow | WaiterRow, sessions: SessionTable): Session {
  const session = sessions.get(row.session);
  if (session === undefined)
    throw new Contradiction(`ledger: ${row.claims[0]?.name} belongs to session ${row.session}, which is not there`);
  return session;
}
