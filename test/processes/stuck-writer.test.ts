/**
 * A writer inside a system call that does not return: no signal ends it, it keeps its lock, and whoever starts the next
 * broker has to do without a writer. It says so, serves reads, and goes on as if nothing had been when the old one is gone.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Home } from "../support/broker.js";
import { Canary } from "../support/canary.js";
import { FaultyDisk } from "../support/faulty-disk.js";
import { until } from "../support/patience.js";
import { gone, kill, stop } from "../support/processes.js";

// rule 2: not gone after 10 s
test("while the old writer cannot be ended reads are served and nothing else, and then all is as it was", async (t) => {
  const home = new Home(t);
  const disk = FaultyDisk.make(home.dir);
  const first = await home.start({ env: disk.env });
  const before = await home.wire();
  await before.call("db.execute", { sql: "create table item (n integer)", key: before.key() });
  await before.call("db.execute", { sql: "insert into item values (1)", key: before.key() });
  const { token } = await before.call("lock.acquire", { name: "held before", key: before.key() });
  const { secret } = before;
  const stuck = await home.processOf("writer");
  t.after(() => kill(stuck, "SIGKILL"));
  await stop(stuck);
  disk.hang(stuck);
  await first.kill();

  const front = await home.start({ env: disk.env });
  await until("the broker to say so", () => front.output.includes("no writer can be had: writes are refused"));
  const { writes } = await home.status();
  assert.deepEqual([writes.state, writes.reason?.includes(`pid ${stuck.pid}`)], ["unavailable", true]);
  assert.ok(
    home.notedChildren().some(({ pid }) => pid === stuck.pid),
    "the next front must know of it too",
  );

  const wire = await home.wire();
  const count = { sql: "select count(*) from item" };
  assert.deepEqual((await wire.call("db.query", count)).rows, [[1]]);
  const write = { sql: "insert into item values (2)", key: wire.key() };
  const { data } = await wire.refusal("db.execute", write);
  assert.deepEqual([data.code, data.outcome, data.retryable], ["WRITER_UNAVAILABLE", "none", true]);
  const other = { name: "other", key: wire.key() };
  assert.equal((await wire.refusal("lock.acquire", other)).data.code, "WRITER_UNAVAILABLE");
  const back = await home.silent();
  const hello = { protocol: { min: 1, max: 1 }, secret, mode: "resume", grants: [{ name: "held before", token }] };
  const turnedAway = await back.refusal("session.hello", hello);
  assert.deepEqual([turnedAway.data.code, turnedAway.data.retryable], ["WRITER_UNAVAILABLE", true]);

  kill(stuck, "SIGKILL");
  await gone("the old writer", stuck);
  await until("a writer", async () => (await home.status()).writes.state === "ok");
  const again = await home.silent();
  const welcome = await again.hello({ secret, mode: "resume", grants: [{ name: "held before", token }] });
  assert.deepEqual(
    [welcome.resumed, welcome.grants.map(({ name }) => name), welcome.lost, welcome.epoch > 0],
    [true, ["held before"], [], true],
  );
  // Whoever came meanwhile has its session still.
  assert.equal((await wire.call("db.execute", write)).rowsAffected, 1);
  assert.ok((await wire.call("lock.acquire", { ...other, key: wire.key() })).token > token);
  const canary = await Canary.start(home);
  await canary.goesOn();
});
