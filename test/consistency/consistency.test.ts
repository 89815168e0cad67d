/**
 * A short run of the programs of workload.ts against a real broker whose writer, and which itself, is killed on the way;
 * `npm run torture -- --consistency --minutes N` is the long one.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Home } from "../support/broker.js";
import { contradictions } from "./judge.js";
import { Workload } from "./workload.js";

test("what programs do to lists and accounts, while the broker is killed, can be told as one order", async (t) => {
  const workload = await Workload.start(new Home(t), 20_261_126);
  const { history, writerKills, brokerKills } = await workload.round({ operations: 1200, kills: 6 });
  assert.deepEqual([writerKills, brokerKills], [4, 2]);
  assert.deepEqual(contradictions(history), []);
  const done = history.operations.filter(({ outcome }) => outcome === "done");
  assert.ok(done.length > 1000, `of ${history.operations.length} operations ${done.length} were done`);
});
