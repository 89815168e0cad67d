/** Calls to the disk that fail, some of each kind; `npm run torture -- --calls` lets each fail. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Fault } from "../support/disk-calls.js";
import { sweep, sweepSummary } from "./call-sweep.js";

const faults: readonly Fault[] = [
  { call: "sync", nth: 3, error: "EIO", stays: false },
  { call: "sync", nth: 8, error: "EIO", stays: false },
  { call: "write", nth: 80, error: "ENOSPC", stays: true },
  { call: "write", nth: 100, error: "EDQUOT", stays: false },
  { call: "open", nth: 20, error: "EIO", stays: true },
  { call: "unlink", nth: 3, error: "EIO", stays: false },
];

test("whichever call to the disk fails, nothing acknowledged is lost, and the broker serves again when the disk is well", async (t) => {
  const report = await sweep(t, { faults });
  t.diagnostic(sweepSummary(report));
  assert.deepEqual(report.wrong, []);
  assert.equal(report.runs, faults.length);
});
