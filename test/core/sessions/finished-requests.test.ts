import assert from "node:assert/strict";
import { test } from "node:test";
import { FinishedRequests, type RequestPrint } from "../../../src/core/sessions/finished-requests.js";
import { type RefusalCode, refuse } from "../../../src/terms/index.js";
import { key } from "../support/values.js";

const print = 7 as RequestPrint;

test("an outcome is known until it is acknowledged, and is not taken up after", () => {
  const finished = new FinishedRequests();
  for (const number of [1, 2, 3]) finished.add(key(number), print, { kind: "released" });
  finished.acknowledge(3);
  finished.acknowledge(2);
  assert.equal(finished.ackedBelow, 3);
  assert.equal(finished.get(key(2)), undefined);
  assert.deepEqual(finished.get(key(3)), { kind: "released" });
  finished.add(key(1), print, { kind: "released" });
  assert.equal(finished.size, 1);
});

test("only what a write was finally refused with is kept", () => {
  const kept = (code: RefusalCode, outcome?: "none" | "unknown") => {
    const finished = new FinishedRequests();
    const refusal = refuse(code, "");
    finished.writeRefused(key(1), outcome === undefined ? refusal : { ...refusal, outcome });
    return finished.size === 1;
  };
  assert.deepEqual([kept("FENCED"), kept("SQLITE_CONSTRAINT"), kept("STATEMENT_TIMEOUT")], [true, true, true]);
  assert.deepEqual([kept("WRITER_UNAVAILABLE"), kept("DISK_FULL"), kept("INTERNAL")], [false, false, false]);
  assert.deepEqual([kept("STATEMENT_CRASHED", "unknown"), kept("OUTCOME_UNKNOWN")], [false, false]);
  assert.equal(kept("KEY_REUSED"), false);
});

test("a client that acknowledges nothing does not grow the broker", () => {
  const finished = new FinishedRequests();
  for (let number = 1; number <= 5000; number++) finished.add(key(number), print, { kind: "released" });
  assert.equal(finished.size, 1024);
  assert.equal(finished.get(key(1)), undefined);
  assert.deepEqual(finished.get(key(5000)), { kind: "released" });
});

test("a refusal is kept without who was in the way, and of all but the last ones only the code", () => {
  const finished = new FinishedRequests();
  const long = "x".repeat(5000);
  const holders = Array.from({ length: 16 }, () => ({ reason: long }));
  const refusal = refuse("LOCK_HELD", long, { name: "a", waiting: 3, holder: holders[0], holders, place: null, long });
  for (let number = 1; number <= 100; number++) finished.add(key(number), print, { kind: "refused", refusal });
  assert.deepEqual(finished.get(key(100)), {
    kind: "refused",
    refusal: { refused: "LOCK_HELD", message: `${"x".repeat(199)}…`, details: { name: "a", waiting: 3, place: null } },
  });
  const first = finished.get(key(1));
  assert.deepEqual(first, {
    kind: "refused",
    refusal: {
      refused: "LOCK_HELD",
      message: "the lock is held and the request would not wait when this was asked first",
    },
  });
  assert.equal(finished.get(key(2)), first);
  finished.acknowledge(90);
  assert.deepEqual([finished.size, finished.get(key(89))], [11, undefined]);
});

test("what is known of the outcome of a refusal is kept with its code", () => {
  const finished = new FinishedRequests();
  const refusal = { ...refuse("STATEMENT_TIMEOUT", "too long"), outcome: "none" } as const;
  for (let number = 1; number <= 100; number++) finished.add(key(number), print, { kind: "refused", refusal });
  const first = finished.get(key(1));
  assert.equal(first?.kind === "refused" && first.refusal.outcome, "none");
});
