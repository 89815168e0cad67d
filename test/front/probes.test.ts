import assert from "node:assert/strict";
import { test } from "node:test";
import { type Probe, Probes } from "../../src/front/probes.js";
import { type Instant, instant, sessionId } from "../../src/terms/index.js";

function probe(n: number): Probe {
  const session = sessionId(n.toString(16).padStart(32, "0"));
  return { to: "system", kind: "probe-process", session, process: { pid: n, startTime: "1" } };
}

test("ten thousand looks at processes do not keep the loop: a few milliseconds in a turn, in order, each once", () => {
  let now: Instant = instant(0);
  const looked: number[] = [];
  const probes = new Probes(
    ({ process }) => {
      looked.push(process.pid);
      now = instant(now + 1);
    },
    () => now,
  );
  const all = Array.from({ length: 10_000 }, (_, at) => at + 1);
  for (const n of all) probes.add(probe(n));
  // The next second comes before all were looked at.
  for (const n of all) probes.add(probe(n));
  for (let left = true; left; ) {
    const before = now;
    left = probes.work();
    assert.ok(now - before <= 5);
  }
  assert.deepEqual(looked, all);
});
