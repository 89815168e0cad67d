/** How much there is of everything in the core. */
import type { LockService } from "./locks/lock-service.js";
import type { Reads } from "./reads/reads.js";
import type { SessionTable } from "./sessions/session-table.js";
import type { Transactions } from "./writes/transactions.js";
import type { WriteLine } from "./writes/write-line.js";

export interface Counts {
  readonly sessions: number;
  readonly connections: number;
  readonly held: number;
  readonly waiting: number;
  /** Open or waiting for the writer, or lost and not closed by their clients. */
  readonly transactions: number;
  readonly queued: number;
  readonly dispatched: number;
  readonly settled: number;
  readonly readsQueued: number;
  readonly readsRunning: number;
  readonly snapshotsWaiting: number;
  readonly snapshotsOpen: number;
}

export interface Counted {
  readonly sessions: Pick<SessionTable, "size" | "connections">;
  readonly locks: Pick<LockService, "held" | "waiting">;
  readonly transactions: Pick<Transactions, "size">;
  readonly writes: Pick<WriteLine, "queued" | "dispatched" | "settledCount">;
  readonly reads: Pick<Reads, "counts" | "transactions">;
}

export function countsOf({ sessions, locks, transactions, writes, reads }: Counted): Counts {
  return {
    sessions: sessions.size,
    connections: sessions.connections,
    held: locks.held,
    waiting: locks.waiting,
    transactions: transactions.size + reads.transactions.size,
    queued: writes.queued,
    dispatched: writes.dispatched,
    settled: writes.settledCount,
    ...reads.counts,
  };
}
