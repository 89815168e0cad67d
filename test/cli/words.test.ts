import assert from "node:assert/strict";
import { test } from "node:test";
import { holderText, inTheWay, ordinal, placeText, stateOf, typed, waiterText } from "../../src/cli/words.js";
import { holder, heldLock as lock, waiter } from "./lock-rows.js";

test("who is in the way is told with program, pid, age and reason, and how many come first", () => {
  assert.equal(inTheWay(lock(), 3), 'held by make (pid 4711, 3 min, "release build"), 2 before you');
  assert.equal(inTheWay(lock(), 1), 'held by make (pid 4711, 3 min, "release build")');
});

test("to somebody outside the queue its length is told", () => {
  assert.equal(
    inTheWay(lock({ waiters: [waiter()], waitersTotal: 1 }), undefined),
    'held by make (pid 4711, 3 min, "release build"), 1 waiter',
  );
});

test("a holder without pid, reason or connection is told as it is", () => {
  assert.equal(holderText(holder({ pid: null, reason: "", connected: false })), "make (3 min, not connected)");
});

test("a holder is told with how it holds the lock, and what is left of its lease", () => {
  assert.equal(holderText(holder({ mode: "shared", reason: "" })), "make (pid 4711, shared, 3 min)");
  assert.equal(holderText(holder({ mode: "semaphore", take: 2, reason: "" })), "make (pid 4711, 2 slots, 3 min)");
  assert.equal(
    holderText(holder({ ttlMs: 30_000, leaseLeftMs: 12_000, reason: "" })),
    "make (pid 4711, 3 min, lease ends in 12 s)",
  );
});

test("of many holders a few are named, and the rest counted", () => {
  const holders = [1, 2, 3, 4, 5].map((pid) => holder({ pid, mode: "shared", reason: "" }));
  assert.equal(
    inTheWay(lock({ mode: "shared", holders, holdersTotal: 120 }), 1),
    "held by make (pid 1, shared, 3 min), make (pid 2, shared, 3 min), make (pid 3, shared, 3 min) and 117 more",
  );
});

test("a place in the line is told with who is in the way", () => {
  assert.equal(
    placeText({ holders: [holder()], place: 2, ending: null }),
    'held by make (pid 4711, 3 min, "release build"), 1 before you',
  );
  assert.equal(placeText({ holders: [], place: 1, ending: null }), "about to be given to the next");
  assert.equal(
    placeText({ holders: [], place: 2, ending: "processes" }),
    "its last holder is gone, what that had started is being ended, 1 before you",
  );
});

test("a name that would play with the terminal is shown harmless", () => {
  assert.equal(holderText(holder({ program: "\u001b[2J", reason: "" })), "\\x1b[2J (pid 4711, 3 min)");
  assert.match(waiterText(waiter({ reason: "\u001b[2J" })), /"\\x1b\[2J"/);
});

test("the state is a few words: held, shared, slots, away, ending, draining, free", () => {
  assert.equal(stateOf(lock()), "held");
  assert.equal(stateOf(lock({ holders: [holder({ connected: false })] })), "held, away");
  assert.equal(stateOf(lock({ mode: "shared" })), "shared");
  assert.equal(stateOf(lock({ mode: "shared", holdersTotal: 3 })), "shared by 3");
  assert.equal(stateOf(lock({ mode: "semaphore", slots: 4, slotsFree: 1 })), "3 of 4 slots");
  const nobody = { mode: null, holders: [], holdersTotal: 0 };
  assert.equal(stateOf(lock({ ...nobody, draining: true, ending: "writes" })), "draining");
  assert.equal(stateOf(lock({ ...nobody, draining: true, ending: "processes" })), "ending");
  assert.equal(stateOf(lock(nobody)), "free");
});

test("a lock that nobody holds any more is said to be so, and why it is not free yet", () => {
  const nobody = { mode: null, holders: [], holdersTotal: 0, draining: true } as const;
  assert.equal(inTheWay(undefined, undefined), "free by now");
  assert.match(inTheWay(lock({ ...nobody, ending: "writes" }), undefined), /just given back/);
  assert.match(inTheWay(lock({ ...nobody, ending: "processes" }), undefined), /what that had started is being ended/);
});

test("places are counted as people count them", () => {
  assert.deepEqual([1, 2, 3, 4, 11, 12, 13, 21, 22, 101, 111].map(ordinal), [
    ...["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "22nd", "101st", "111th"],
  ]);
});

test("a name is shown as it would be typed", () => {
  assert.equal(typed("deploy/prod"), "deploy/prod");
  assert.equal(typed("it's here"), "'it'\\''s here'");
});
