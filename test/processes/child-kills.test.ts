/**
 * The broker's children are killed, stopped and orphaned under load. Clients notice nothing: what was in a dead
 * child's hands is run again, answered from what is stored, or was never done.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Home } from "../support/broker.js";
import { Canary } from "../support/canary.js";
import { until } from "../support/patience.js";
import { gone, isGone, kill, known, stop } from "../support/processes.js";
import { Crew } from "./crew.js";

const endless = "with recursive c(x) as (select 1 union all select x + 1 from c) select count(*) from c";
const members = 4;

// rule 8: settlement
test("ten SIGKILLs of the writer under load lose nothing and double nothing; only the statement that ran is refused, and not done", async (t) => {
  const home = new Home(t);
  await home.start();
  await Crew.prepare(await home.connect(), members);
  const crew = await Crew.start(t, home, {
    members,
    works: ["inserts", "counter", "fenced"],
    start: false,
    forgiven: ["STATEMENT_CRASHED"],
  });
  for (let n = 0; n < 10; n++) {
    await crew.eachGoesOn(2 + (n % 3) * 5);
    const writer = await home.processOf("writer");
    kill(writer, "SIGKILL");
    await gone("the writer", writer);
  }
  await crew.eachGoesOn(5);
  await crew.finish();
  await crew.check(await home.connect());
});

test("a reader that is killed takes no answer with it: what it had runs again in another", async (t) => {
  const home = new Home(t);
  await home.start();
  const canary = await Canary.start(home);
  const wire = await home.wire();
  for (let n = 0; n < 5; n++) {
    const reads = Array.from({ length: 40 }, (_, i) =>
      wire.call("db.query", {
        sql: "with recursive c(x) as (select 1 union all select x + 1 from c limit 20000) select ?, max(x) from c",
        args: [i],
      }),
    );
    const reader = await home.processOf("reader");
    kill(reader, "SIGKILL");
    for (const [i, read] of reads.entries()) assert.deepEqual((await read).rows, [[i, 20_000]]);
    // One that has nothing to do may be missed later: then what it was given in the next round has died once already.
    await until("its death to be known", async () => {
      const { processes } = await home.status();
      return processes.every(({ pid }) => pid !== reader.pid);
    });
  }
  await canary.goesOn();
});

test("a read whose process dies of it twice is refused with STATEMENT_CRASHED, and is not tried for ever", async (t) => {
  const home = new Home(t);
  await home.start({ limits: { readersMin: 1, readersMax: 1 } });
  const wire = await home.wire();
  const doomed = wire.post("db.query", { sql: endless, timeoutMs: 300_000 });
  let answered = false;
  void doomed.then(() => (answered = true));
  const killed = new Set<number>();
  // A reader that died before it had begun does not count against the statement.
  for (;;) {
    const reader = await until("a reader that runs it, or the refusal", async () => {
      if (answered) return "none";
      const { processes, reads } = await home.status();
      const found = processes.find(({ role, state }) => role === "reader" && state !== "starting");
      return reads.running === 1 && found !== undefined && known(found.pid);
    });
    if (reader === "none") break;
    kill(reader, "SIGKILL");
    killed.add(reader.pid);
    await gone("the reader", reader);
  }
  assert.ok(killed.size >= 2, "it was refused before its process had died of it twice");
  const { error } = await doomed;
  assert.deepEqual([error?.data.code, error?.data.outcome], ["STATEMENT_CRASHED", "none"]);
});

// rule 2: orphans
test("a writer that stands still outlives its front, and is killed by the next one before any door opens", async (t) => {
  const home = new Home(t);
  const first = await home.start();
  const canary = await Canary.start(home);
  const children = [await home.processOf("writer"), await home.processOf("reader")];
  for (const child of children) await stop(child);
  await first.kill();
  for (const child of children) assert.ok(!isGone(child), "a stopped child does not notice the end of its front");
  await home.start();
  for (const child of children) assert.ok(isGone(child), "clients may come, and an orphan is there");
  await canary.goesOn();
});

// rule 2: orphans
test("a writer and a reader in endless statements outlive their front, and are killed by the next one", async (t) => {
  const home = new Home(t);
  const first = await home.start({ limits: { writeContendedMs: 300_000, writeMs: 300_000 } });
  const canary = await Canary.start(home);
  const wire = await home.wire();
  await wire.call("db.execute", { sql: "create table counter (n integer)", key: wire.key() });
  await wire.call("db.execute", { sql: "insert into counter values (0)", key: wire.key() });
  const children = [await home.processOf("writer"), await home.processOf("reader")];
  void wire.post("db.query", { sql: endless, timeoutMs: 300_000 });
  void wire.post("db.execute", { sql: `update counter set n = (${endless})`, timeoutMs: 300_000 });
  await until("the write to be with the writer", async () => (await home.status()).writes.dispatched > 0);
  await first.kill();
  await home.start();
  assert.ok(children.every(isGone));
  await canary.goesOn();
  const reader = await home.wire();
  assert.deepEqual((await reader.call("db.query", { sql: "select n from counter" })).rows, [[0]]);
});

// rule 8: the writer is replaced by the one that stands by
test("a writer that is killed while nobody writes is replaced, and the next write finds another", async (t) => {
  const home = new Home(t);
  await home.start();
  const wire = await home.wire();
  await wire.call("db.execute", { sql: "create table item (n integer)", key: wire.key() });
  const before = await home.status();
  kill(await home.processOf("writer"), "SIGKILL");
  await wire.call("db.execute", { sql: "insert into item values (1)", key: wire.key() });
  assert.ok((await home.status()).epoch > before.epoch);
  assert.deepEqual((await wire.call("db.query", { sql: "select n from item" })).rows, [[1]]);
});
