import assert from "node:assert/strict";
import { test } from "node:test";
import { Pulse } from "../../src/front/pulse.js";
import { after, instant } from "../../src/terms/index.js";

test("a turn runs once for any number of calls in one go, after the readable sockets", async () => {
  let turns = 0;
  const done = new Promise<void>((resolve) => {
    const pulse: Pulse = new Pulse(() => {
      turns++;
      pulse.stop();
      resolve();
    });
    pulse.soon();
    pulse.soon();
    pulse.soon();
  });
  await done;
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(turns, 1);
});

test("the loop is woken at the next deadline", async () => {
  const asked = performance.now();
  await new Promise<void>((resolve) => {
    const pulse: Pulse = new Pulse(() => {
      pulse.stop();
      resolve();
    });
    const now = pulse.now();
    pulse.wakeAt(after(now, 20), now);
  });
  assert.ok(performance.now() - asked >= 19);
});

test("after a stop no turn runs", async () => {
  let turns = 0;
  const pulse = new Pulse(() => turns++);
  pulse.soon();
  pulse.stop();
  pulse.soon();
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  assert.equal(turns, 0);
});

// rule 11: a pause expires nobody
test("a gap while deadlines are armed is a pause, and without deadlines it is nothing", () => {
  const pulse = new Pulse(() => undefined);
  const now = pulse.now();
  pulse.pausedFor(now);
  assert.equal(pulse.pausedFor(after(now, 5000)), 0, "nothing was armed");
  pulse.wakeAt(after(now, 60_000), after(now, 5000));
  assert.equal(pulse.pausedFor(after(now, 5100)), 0, "an ordinary tick");
  assert.equal(pulse.pausedFor(after(now, 9100)), 4000);
  pulse.stop();
});

// rule 11: a pause expires nobody
test("a pause is told before the first thing that came after it is looked at", (t) => {
  const told: number[] = [];
  const pulse = new Pulse(
    () => undefined,
    (ms) => told.push(ms),
  );
  const began = pulse.now();
  pulse.wakeAt(after(began, 60_000), began);
  let clock = began as number;
  t.mock.method(process, "hrtime", () => [Math.floor(clock / 1000), (clock % 1000) * 1e6]);
  clock += 100;
  assert.equal(pulse.now(), clock);
  assert.deepEqual(told, [], "an ordinary tick");
  clock += 60_000;
  pulse.now();
  assert.deepEqual(told.map(Math.round), [60_000]);
  pulse.now();
  assert.equal(told.length, 1, "once");
  pulse.stop();
});

test("the clock is the machine's monotonic one", () => {
  const pulse = new Pulse(() => undefined);
  const [seconds] = process.hrtime();
  assert.ok(Math.abs(pulse.now() - instant(seconds * 1000)) < 5000);
});
