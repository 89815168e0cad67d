import assert from "node:assert/strict";
import { test } from "node:test";
import { Latencies, percentile } from "../../../src/cli/demo/latencies.js";

test("percentiles are values that really occurred", () => {
  const hundred = Array.from({ length: 100 }, (_, i) => i + 1);
  assert.equal(percentile(hundred, 0.5), 50);
  assert.equal(percentile(hundred, 0.99), 99);
  assert.equal(percentile([7], 0.99), 7);
  assert.equal(percentile([], 0.5), 0);
});

test("a summary does not depend on the order in which things happened", () => {
  const latencies = new Latencies();
  for (const ms of [30, 1, 200, 2]) latencies.add(ms);
  assert.deepEqual(latencies.summary(), { count: 4, p50Ms: 2, p99Ms: 200, maxMs: 200 });
  assert.deepEqual(new Latencies().summary(), { count: 0, p50Ms: 0, p99Ms: 0, maxMs: 0 });
});
