/**
 * A child that somebody has stopped (SIGSTOP) does nothing and is not gone: what it was given is not lost with it, and
 * nobody waits until it is woken.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Home } from "../support/broker.js";
import { Canary } from "../support/canary.js";
import { until } from "../support/patience.js";
import { gone, known, stop } from "../support/processes.js";

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

// rule 16: behind a reader that is slow nobody waits
test("what is read from readers that are stopped is read from others, and is not refused", async (t) => {
  const home = new Home(t);
  await home.start();
  const wire = await home.wire();
  const readers = await until("the readers", async () => {
    const { processes } = await home.status();
    const ready = processes.filter(({ role, state }) => role === "reader" && state === "ready");
    return ready.length >= 2 && ready.map(({ pid }) => known(pid));
  });
  for (const reader of readers) await stop(reader);
  const reads = Array.from({ length: 20 }, (_, n) => wire.call("db.query", { sql: "select ?", args: [n] }));
  for (const [n, read] of reads.entries()) assert.deepEqual((await read).rows, [[n]]);
});
