import assert from "node:assert/strict";
import { test } from "node:test";
import { Deadlines } from "../../src/core/deadlines.js";
import { at } from "./support/values.js";

/** Takes out what is due, by its owner's name. */
function due(deadlines: Deadlines, now: number): unknown[] {
  const owners: unknown[] = [];
  for (let one = deadlines.takeDue(at(now)); one !== undefined; one = deadlines.takeDue(at(now)))
    owners.push(one.owner);
  deadlines.check();
  return owners;
}

test("what is due comes out in the order of time, and nothing else", () => {
  const deadlines = new Deadlines();
  for (const ms of [50, 10, 40, 20, 30]) deadlines.arm("wait-timeout", ms, at(ms));
  assert.equal(deadlines.next(), 10);
  assert.deepEqual(due(deadlines, 30), [10, 20, 30]);
  assert.equal(deadlines.next(), 40);
  assert.equal(deadlines.size, 2);
});

test("a deadline that is cancelled is not heard of, also when it was the next", () => {
  const deadlines = new Deadlines();
  const first = deadlines.arm("wait-timeout", "first", at(1));
  const second = deadlines.arm("wait-timeout", "second", at(2));
  deadlines.cancel(first);
  deadlines.cancel(first);
  assert.equal(first.armed, false);
  assert.equal(deadlines.next(), 2);
  assert.deepEqual(due(deadlines, 5), ["second"]);
  deadlines.cancel(second);
  deadlines.cancel(undefined);
  assert.equal(deadlines.size, 0);
  assert.equal(deadlines.next(), undefined);
});

test("a pause moves every deadline by its length and changes no order", () => {
  const deadlines = new Deadlines();
  for (const ms of [30, 10, 20]) deadlines.arm("resume-window", ms, at(ms));
  deadlines.shift(1000);
  assert.deepEqual(due(deadlines, 1009), []);
  assert.deepEqual(due(deadlines, 1030), [10, 20, 30]);
});

test("many that are cancelled are swept out, and what is armed stays in order", () => {
  const deadlines = new Deadlines();
  const armed = Array.from({ length: 1000 }, (_, i) => deadlines.arm("wait-timeout", i, at((i * 7919) % 1000)));
  for (const [i, one] of armed.entries()) {
    if (i % 10 !== 0) deadlines.cancel(one);
    if (i % 50 === 0) deadlines.check();
  }
  assert.equal(deadlines.size, 100);
  const owners = due(deadlines, 1000) as number[];
  const times = owners.map((i) => (i * 7919) % 1000);
  assert.deepEqual(
    times,
    [...times].sort((a, b) => a - b),
  );
  assert.equal(owners.length, 100);
});

test("hundreds of thousands may be armed when the cancelled are swept out", () => {
  const deadlines = new Deadlines();
  const armed = Array.from({ length: 500_000 }, (_, i) => deadlines.arm("wait-timeout", i, at(i)));
  for (let i = 0; i < 300_000; i++) deadlines.cancel(armed[i]);
  assert.equal(deadlines.next(), 300_000);
});
