/**
 * A child that somebody has stopped (SIGSTOP) does nothing and is not gone: what it was given is not lost with it, and
 * nobody waits until it is woken.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Home } from "../support/broker.js";
import { Canary } from "../support/canary.js";
import { gone, stop } from "../support/processes.js";

// rule 8: a writer that stands still
test("what is written to a writer that is stopped is applied once, and the writer replaced", async (t) => {
  const home = new Home(t);
  await home.start({ limits: { writeContendedMs: 500 } });
  const canary = await Canary.start(home);
  const [wire, other] = [await home.wire(), await home.wire()];
  await wire.call("db.execute", { sql: "create table item (n integer)", key: wire.key() });
  const sql = "insert into item values (?)";
  for (const again of [0, 1]) {
    const writer = await home.processOf("writer");
    await stop(writer);
    const answers = await Promise.all([
      wire.post("db.execute", { sql, args: [10 * again + 1], key: wire.key() }),
      other.post("db.execute", { sql, args: [10 * again + 2], timeoutMs: 500 }),
    ]);
    for (const answer of answers) assert.equal(answer.error, undefined);
    await gone("the stopped writer", writer);
  }
  const { rows } = await wire.call("db.query", { sql: "select n from item order by n" });
  assert.deepEqual(rows, [[1], [2], [11], [12]]);
  await canary.goesOn();
});
