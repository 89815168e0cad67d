import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { queueNews } from "../../src/cli/queue-news.js";
import { holder } from "./lock-rows.js";

const info = (place: number, heldMs = 1000, token = 7) => ({
  name: "demo",
  place,
  waiting: 3,
  holders: [holder({ token, heldMs, reason: "" })],
  ending: null,
});

test("a wait is told after a second, and then whenever it has changed", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const told: string[] = [];
  const news = queueNews((text) => void told.push(text));
  news.hear(info(3));
  mock.timers.tick(999);
  assert.deepEqual(told, []);
  mock.timers.tick(1);
  assert.deepEqual(told, ['waiting for "demo": held by make (pid 4711, 1.0 s), 2 before you']);
  news.hear(info(3, 5000));
  assert.equal(told.length, 1);
  news.hear(info(2));
  news.hear(info(2, 1000, 8));
  assert.equal(told.length, 3);
  assert.match(told[1] ?? "", /1 before you/);
  news.end();
  news.hear(info(1));
  assert.equal(told.length, 3);
  mock.timers.reset();
});

test("a wait that is over within a second is not told", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const told: string[] = [];
  const news = queueNews((text) => void told.push(text));
  news.hear(info(1));
  news.end();
  mock.timers.tick(5000);
  assert.deepEqual(told, []);
  mock.timers.reset();
});

test("what is told when nothing has been heard for a while is of that moment", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const told: string[] = [];
  let now = 500;
  const news = queueNews(
    (text) => void told.push(text),
    () => now,
  );
  const holders = [holder({ heldMs: 1100, leaseLeftMs: 1900, reason: "" })];
  news.hear({ ...info(1), holders });
  now += 1000;
  mock.timers.tick(1000);
  assert.deepEqual(told, ['waiting for "demo": held by make (pid 4711, 2.1 s, lease ends in 900 ms)']);
  news.end();
  mock.timers.reset();
});
