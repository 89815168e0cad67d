import assert from "node:assert/strict";
import { test } from "node:test";
import { holderText, inTheWay, type LockInfo, stateOf } from "../../src/cli/words.js";

const holder = {
  session: "a",
  token: 7,
  program: "make",
  pid: 4711,
  reason: "release build",
  heldMs: 180_000,
  since: 0,
  connected: true,
};
const waiter = { session: "b", program: "tar", pid: 4712, reason: "", place: 1, waitedMs: 5000, connected: true };
const lock = (more: Partial<LockInfo> = {}): LockInfo => ({
  name: "demo",
  draining: false,
  holders: [holder],
  waiters: [],
  waitersTotal: 0,
  ...more,
});

test("who is in the way is told with program, pid, age and reason, and how many come first", () => {
  assert.equal(inTheWay(lock(), 3), 'held by make (pid 4711, 3 min, "release build"), 2 before you');
  assert.equal(inTheWay(lock(), 1), 'held by make (pid 4711, 3 min, "release build")');
});

test("to somebody outside the queue its length is told", () => {
  assert.equal(
    inTheWay(lock({ waiters: [waiter], waitersTotal: 1 }), undefined),
    'held by make (pid 4711, 3 min, "release build"), 1 waiter',
  );
});

test("a holder without pid, reason or connection is told as it is", () => {
  assert.equal(holderText({ ...holder, pid: null, reason: "", connected: false }), "make (3 min, not connected)");
});

test("a name that would play with the terminal is shown harmless", () => {
  assert.equal(holderText({ ...holder, program: "\u001b[2J", reason: "" }), "\\x1b[2J (pid 4711, 3 min)");
});

test("the state is one word: held, away, draining, free", () => {
  assert.equal(stateOf(lock()), "held");
  assert.equal(stateOf(lock({ holders: [{ ...holder, connected: false }] })), "held, away");
  assert.equal(stateOf(lock({ holders: [], draining: true })), "draining");
  assert.equal(stateOf(lock({ holders: [] })), "free");
});

test("a lock that nobody holds any more is said to be so", () => {
  assert.equal(inTheWay(undefined, undefined), "free by now");
  assert.match(inTheWay(lock({ holders: [], draining: true }), undefined), /just given back/);
});
