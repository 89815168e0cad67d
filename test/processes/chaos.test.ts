/** Holders, waiters and the broker are stopped and killed at random; `npm run torture -- --locks` does it for longer. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Home } from "../support/broker.js";
import { Chaos, summary } from "./chaos.js";

const { HOLDFAST_TEST_CHAOS_ROUNDS: rounds = "12" } = process.env;

test("whoever is stopped or killed, what all contenders saw is one story for each lock", async (t) => {
  const report = await new Chaos(t, new Home(t)).run(Number(rounds));
  t.diagnostic(summary(report));
  assert.deepEqual(report.contradictions, []);
  assert.ok(report.grants >= Number(rounds) * 2);
});
