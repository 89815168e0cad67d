/** Losses of power at any call, torn writes among them; `npm run torture -- --power N` is the long one. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { powerRun, powerSummary } from "./power.js";

// rule 1: acknowledged is on disk
test("whenever the power goes, and whatever of the unsynced is left: what was acknowledged is there, once and whole", async (t) => {
  const report = await powerRun(t, { seed: 20_261_126, points: 40 });
  t.diagnostic(powerSummary(report));
  assert.deepEqual(report.wrong, []);
  assert.equal(report.points, 40);
  assert.ok(report.acknowledged > 40);
});
