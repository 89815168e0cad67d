/**
 * Thousands of small lives of a machine with programs, a broker and a bad network, each out of a seed. A failure names
 * its seed: `npm run simulate -- --seed N --trace` lives that one again, to be read. What it cannot show: real processes,
 * real disks, and whatever the driver of the library does beyond its conversation.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { missing, surplus } from "./combinations.js";
import { liveAll } from "./jobs.js";
import { live } from "./swarm.js";
import { without } from "./throwers.js";

const { HOLDFAST_TEST_SEEDS: count = "10000", HOLDFAST_TEST_JOBS: jobs = "2" } = process.env;

test("whatever goes wrong in whatever order, the promises hold and nothing is left behind", async (t) => {
  const began = performance.now();
  const tally = await liveAll({ from: 1, count: Number(count) }, Number(jobs));
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  t.diagnostic(`${tally.seeds} seeds, ${tally.events} events, trace ${tally.hash}, ${seconds} s`);
  const failures = tally.failures.map(
    ({ seed, message }) => `${message}\n  npm run simulate -- --seed ${seed} --trace`,
  );
  assert.deepEqual(failures, []);
  assert.equal(tally.seeds, Number(count));
  assert.deepEqual(surplus(tally.counts), [], "what happened and is in no table");
  if (tally.seeds >= 10_000) assert.deepEqual(missing(tally.counts), [], "what can happen and never did");
});

test("the same seed lives the same life, to the letter", () => {
  const hashOf = (seed: number) => without(() => live(seed)).hash;
  for (const seed of [1, 7, 42]) assert.equal(hashOf(seed), hashOf(seed));
  assert.notEqual(hashOf(1), hashOf(2));
});

test("a clock, a timer or chance of the machine's own ends a life", () => {
  const uses: Record<string, () => unknown> = {
    Date: () => Date.now(),
    "new Date": () => new Date(),
    random: () => Math.random(),
    setTimeout: () => setTimeout(() => undefined, 1),
    setImmediate: () => setImmediate(() => undefined),
    queueMicrotask: () => queueMicrotask(() => undefined),
    hrtime: () => process.hrtime(),
    performance: () => performance.now(),
  };
  for (const [name, use] of Object.entries(uses))
    assert.throws(() => without(use), /was used in a simulated life/, name);
  assert.ok(Date.now() > 0 && Math.random() >= 0 && performance.now() > 0, "and afterwards all is as before");
});
