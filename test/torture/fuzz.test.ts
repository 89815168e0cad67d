/** What nobody should send; `npm run torture -- --fuzz N` is the long one. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fuzzRun, fuzzSummary } from "./fuzz.js";

test("whatever is sent, every answer has a code of the table, and the client beside notices nothing", async (t) => {
  const report = await fuzzRun(t, { seed: 20_261_126, decoded: 30_000, share: 0.05 });
  t.diagnostic(fuzzSummary(report));
  assert.deepEqual(report.wrong, []);
  // A generator that has gone blind would be refused in few ways only.
  for (const code of ["PARSE_ERROR", "INVALID_REQUEST", "PARAMS_INVALID", "SQL_MANY", "SQLITE_ERROR"])
    assert.ok((report.decoding.refused[code] ?? 0) > 10, `${code} was hardly ever reached`);
  assert.ok(report.decoding.admitted > 100);
});
