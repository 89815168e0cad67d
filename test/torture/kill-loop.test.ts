/** The broker, its children and its clients are killed at random; `npm run torture -- --kills N` is the long one. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { count, killRun, killSummary } from "./kill-loop.js";

test("after each of twelve kills of the broker, the writer, readers and clients every acknowledged operation is there once and whole", async (t) => {
  const report = await killRun({ seed: 20_261_126, kills: 12 });
  t.diagnostic(killSummary(report));
  assert.deepEqual(report.wrong, []);
  assert.equal(count(report.kills), 12);
});
