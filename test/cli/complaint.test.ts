import assert from "node:assert/strict";
import { test } from "node:test";
import { complaintLines } from "../../src/cli/complaint.js";
import { culpritRefusal } from "../../src/core/writes/settlement.js";
import { HoldfastError } from "../../src/terms/index.js";

function linesOf(write: Parameters<typeof culpritRefusal>[0]): string {
  return complaintLines(HoldfastError.from(culpritRefusal(write, { ioFailed: false }))).join("\n");
}

test("who ran out of time is told of --timeout only where it would have helped", () => {
  assert.match(linesOf({ killed: "timeout" }), /longer with --timeout/);
  const contended = linesOf({ killed: "contended" });
  assert.match(contended, /while others wait to write.* smaller steps\n.*--limit writeContendedMs/s);
  assert.doesNotMatch(contended, /longer with --timeout/);
});

test("a parameter that is out of bounds is named as it was typed", () => {
  const message = "params.ttlMs is 1, and must be at least 1000";
  const details = { limit: "ttlMsMin", path: "params.ttlMs" };
  const [line] = complaintLines(new HoldfastError("PARAMS_INVALID", message, { details }));
  assert.equal(line, "holdfast: --ttl (ms) is 1, and must be at least 1000");
});
