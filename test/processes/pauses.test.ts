/**
 * The whole broker stands still, front and children alike: a laptop that sleeps, a machine that swaps. No deadline may
 * count that time.
 *
 * It cannot show what a machine's real sleep does to sockets.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Home } from "../support/broker.js";
import { Canary } from "../support/canary.js";
import { standStillFor, until } from "../support/patience.js";
import { childrenOf, kill, stop } from "../support/processes.js";

/** Far beyond what the statements below take, though others have the processor most of the time. */
const limitMs = 10_000;

// rule 8: the watchdog follows the pause rule
test("statements that run while the whole broker stands still for longer than their limit are not ended for it", async (t) => {
  const home = new Home(t);
  const front = await home.start({ limits: { readMs: limitMs, writeMs: limitMs, writeContendedMs: limitMs } });
  const canary = await Canary.start(home);
  const [wire, reader] = [await home.wire(), await home.wire()];
  await wire.call("db.execute", { sql: "create table item (n integer)", key: wire.key() });
  const { epoch } = await home.status();
  // Far below the limit on its own, long enough to be caught in the middle.
  const some = "(with recursive c(x) as (select 1 union all select x + 1 from c limit 400000) select max(x) from c)";
  const write = wire.call("db.execute", { sql: `insert into item values (${some})`, key: wire.key() });
  const read = reader.call("db.query", { sql: `select ${some}` });
  await until("both to run", async () => {
    const { writes, reads } = await home.status();
    return writes.dispatched > 0 && reads.running > 0;
  });
  const all = [front.known, ...childrenOf(front.pid)];
  for (const one of all) await stop(one);
  await standStillFor(limitMs + 1000);
  for (const one of all.reverse()) kill(one, "SIGCONT");
  assert.equal((await write).rowsAffected, 1);
  assert.deepEqual((await read).rows, [[400_000]]);
  assert.equal((await home.status()).epoch, epoch, "a writer was ended");
  await canary.goesOn();
});
