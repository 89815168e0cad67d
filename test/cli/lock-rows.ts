/** Rows as `lock.list` gives them, each complete; a test names what matters to it. */
import type { HolderRow, LockRow, WaiterRow } from "../../src/client/index.js";

const someone = { reason: "", connected: true, mode: "exclusive" } as const;

export function holder(more: Partial<HolderRow> = {}): HolderRow {
  return {
    ...{ ...someone, session: "a".repeat(32), token: 7, program: "make", pid: 4711, reason: "release build" },
    ...{ heldMs: 180_000, since: 0, ttlMs: null, leaseLeftMs: null, guarded: false },
    ...more,
  };
}

export function waiter(more: Partial<WaiterRow> = {}): WaiterRow {
  const who = { session: "b".repeat(32), program: "tar", pid: 4712 };
  return { ...someone, ...who, place: 1, waitedMs: 5000, upgrade: false, ...more };
}

export function heldLock(more: Partial<LockRow> = {}): LockRow {
  return {
    ...{ name: "demo", mode: "exclusive", draining: false, ending: null },
    ...{ holders: [holder()], holdersTotal: 1, waiters: [], waitersTotal: 0 },
    ...more,
  };
}
