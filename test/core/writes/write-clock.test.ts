import assert from "node:assert/strict";
import { test } from "node:test";
import type { Write } from "../../../src/core/writes/write.js";
import { overdue, WriteClock } from "../../../src/core/writes/write-clock.js";
import { limitsWith } from "../../../src/terms/index.js";
import { at, seqOf, session } from "../support/values.js";

const alone = { limits: limitsWith(), contended: false, shortened: false };

function write(words: Partial<Write>): Write {
  return { timeoutMs: undefined, cancelledAt: undefined, ...words } as Write;
}

test("running time is time without the pauses that fell into it", () => {
  const clock = new WriteClock();
  const progress = { seq: seqOf(1), phase: "running", since: 1000 } as const;
  assert.equal(clock.runningMs(progress, at(1500)), 500);
  clock.paused(300, at(900));
  clock.paused(400, at(1200));
  assert.equal(clock.runningMs(progress, at(1500)), 300);
  clock.forget();
  assert.equal(clock.runningMs(progress, at(1500)), 500);
  assert.equal(clock.runningMs(progress, at(900)), 0);
});

test("a write is over its time by the smallest of the limits that are on it", () => {
  assert.equal(overdue(write({}), 29_999, alone), undefined);
  assert.equal(overdue(write({}), 30_000, alone), "timeout");
  assert.equal(overdue(write({}), 4999, { ...alone, contended: true }), undefined);
  assert.equal(overdue(write({}), 5000, { ...alone, contended: true }), "contended");
  assert.equal(overdue(write({}), 1000, { ...alone, shortened: true }), "timeout");
  assert.equal(overdue(write({ timeoutMs: 50 }), 50, alone), "timeout");
  assert.equal(overdue(write({ timeoutMs: 1e9 }), 299_999, alone), undefined);
  assert.equal(overdue(write({ timeoutMs: 1e9 }), 300_000, alone), "timeout");
  const patient = write({ timeoutMs: 60_000, contendedMs: 50_000 });
  assert.equal(overdue(patient, 49_999, { ...alone, contended: true }), undefined);
  assert.equal(overdue(patient, 50_000, { ...alone, contended: true }), "contended");
  assert.equal(overdue(patient, 59_999, alone), undefined);
  assert.equal(overdue(patient, 1000, { ...alone, contended: true, shortened: true }), "timeout");
  assert.equal(overdue(write({ cancelledAt: at(1) }), 249, alone), undefined);
  assert.equal(overdue(write({ cancelledAt: at(1) }), 250, alone), "cancel");
});

test("three kills in a minute are remembered, and forgotten after it", () => {
  const clock = new WriteClock();
  const owner = session(1);
  for (const ms of [0, 10_000, 20_000]) {
    assert.equal(clock.killsOften(owner, at(ms)), false);
    clock.killed(owner, at(ms));
  }
  assert.equal(clock.killsOften(owner, at(59_999)), true);
  assert.equal(clock.aloneFor(owner), true);
  assert.equal(clock.aloneFor(session(2)), false);
  assert.equal(clock.killsOften(owner, at(60_000)), false);
  assert.equal(clock.aloneFor(owner), false);
});

test("of sessions whose writes were killed long ago nothing is remembered, though nobody asks for them again", () => {
  const clock = new WriteClock();
  for (let n = 1; n <= 200; n++) clock.killed(session(n), at(n * 1000));
  assert.equal(clock.remembered, 60, "a minute's kills at one a second");
  for (let n = 1; n <= 10; n++) clock.killed(session(200), at(200_000 + n));
  assert.equal(clock.killsOften(session(200), at(200_010)), true);
  assert.equal(clock.remembered, 60);
});
