import assert from "node:assert/strict";
import { test } from "node:test";
import { peopleRows, plainRows } from "../../../src/cli/locks/table.js";
import { heldLock, holder, waiter } from "../lock-rows.js";

const lines = (rows: readonly (readonly unknown[])[]) => rows.map((row) => row.join(" | "));

test("people see a lock, who has it, and below who comes next", () => {
  const lock = heldLock({
    holders: [holder({ leaseLeftMs: 12_000 })],
    waiters: [waiter(), waiter({ place: 2, mode: "shared", connected: false, reason: "report" })],
    waitersTotal: 5,
  });
  assert.deepEqual(lines(peopleRows([lock]).rows), [
    "demo | held | make | 4711 | 3 min | 12 s | release build",
    " | 1st in line | tar | 4712 | 5.0 s |  | ",
    " | 2nd in line to share it, away | tar | 4712 | 5.0 s |  | report",
    " | and 3 more |  |  |  |  | ",
  ]);
});

test("people see slots, shares and upgrades as what they are", () => {
  const shared = heldLock({
    mode: "shared",
    holders: [holder({ mode: "shared", reason: "" })],
    waiters: [waiter({ upgrade: true })],
    waitersTotal: 1,
  });
  const slots = heldLock({
    name: "gpu",
    mode: "semaphore",
    slots: 4,
    slotsFree: 2,
    holders: [holder({ mode: "semaphore", take: 2, reason: "" })],
  });
  assert.deepEqual(lines(peopleRows([shared, slots]).rows), [
    "demo | shared | make | 4711 | 3 min |  | ",
    " | 1st in line to have it alone | tar | 4712 | 5.0 s |  | ",
    "gpu | 2 of 4 slots | make | 4711 | 3 min |  | ",
  ]);
});

test("people see why a lock that nobody holds is not free", () => {
  const lock = heldLock({
    mode: null,
    draining: true,
    ending: "processes",
    holders: [],
    holdersTotal: 0,
    waiters: [waiter()],
    waitersTotal: 1,
  });
  assert.deepEqual(lines(peopleRows([lock]).rows), [
    "demo | ending |  |  |  |  | ",
    " | 1st in line | tar | 4712 | 5.0 s |  | ",
  ]);
});

test("programs see a line for each who holds or waits, every value bare", () => {
  const lock = heldLock({ waiters: [waiter({ pid: null })], waitersTotal: 1 });
  const { columns, rows } = plainRows([lock]);
  assert.equal(columns.length, rows[0]?.length);
  assert.deepEqual(rows, [
    ["demo", "holder", null, "exclusive", null, "make", 4711n, "a".repeat(32), 7n, 180_000n, null, "release build"],
    ["demo", "waiter", 1n, "exclusive", null, "tar", null, "b".repeat(32), null, 5000n, null, ""],
  ]);
});
