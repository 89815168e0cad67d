import assert from "node:assert/strict";
import { test } from "node:test";
import { Lock, type Waiter } from "../../../src/core/locks/lock.js";
import { WaitQueue } from "../../../src/core/locks/wait-queue.js";
import { at, key, name } from "../support/values.js";

function waiter(arrival: number): Waiter {
  const lock = new Lock(name("x"));
  const nobody = undefined as never;
  const times = { since: at(0), timeout: undefined };
  return {
    lock,
    session: nobody,
    key: key(arrival),
    arrival,
    reason: "",
    asker: undefined,
    ahead: undefined,
    behind: undefined,
    ...times,
  };
}

function queueOf(count: number): { queue: WaitQueue; waiters: Waiter[] } {
  const queue = new WaitQueue();
  const waiters = Array.from({ length: count }, (_, i) => waiter(i + 1));
  for (const one of waiters) queue.push(one);
  return { queue, waiters };
}

function arrivals(queue: WaitQueue): number[] {
  queue.check();
  return [...queue].map(({ arrival }) => arrival);
}

test("waiters stand in the order of arrival", () => {
  const { queue } = queueOf(3);
  assert.deepEqual(arrivals(queue), [1, 2, 3]);
  assert.equal(queue.length, 3);
});

test("a waiter leaves from the head, the middle and the end, and the others keep their places", () => {
  for (const [place, left] of [
    [0, [2, 3]],
    [1, [1, 3]],
    [2, [1, 2]],
  ] as const) {
    const { queue, waiters } = queueOf(3);
    queue.remove(waiters[place] as Waiter);
    assert.deepEqual(arrivals(queue), left);
  }
});

test("an empty queue can be filled again", () => {
  const { queue, waiters } = queueOf(1);
  queue.remove(waiters[0] as Waiter);
  assert.deepEqual(arrivals(queue), []);
  assert.equal(
    queue.first(() => true),
    undefined,
  );
  queue.push(waiter(9));
  assert.deepEqual(arrivals(queue), [9]);
});

test("the first that is there is found past those that are not", () => {
  const { queue } = queueOf(5);
  assert.equal(queue.first(({ arrival }) => arrival > 3)?.arrival, 4);
  assert.equal(
    queue.first(() => false),
    undefined,
  );
});

test("a queue out of order does not pass its own check", () => {
  const queue = new WaitQueue();
  queue.push(waiter(2));
  queue.push(waiter(1));
  assert.throws(() => queue.check(), /order of arrival/);
});
