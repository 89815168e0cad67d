/**
 * Transactions that read, only or until their first write, of real clients against a real broker: one moment for all that
 * is read in them, nobody who waits for them, and a word for whoever's snapshot has gone.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Broker } from "../../src/client/index.js";
import { isHoldfastError } from "../../src/terms/index.js";
import { Home } from "../support/broker.js";
import { Canary } from "../support/canary.js";
import { until, within } from "../support/patience.js";
import { kill, known } from "../support/processes.js";

const endless = "with recursive c(x) as (select 1 union all select x + 1 from c) select count(*) from c";

async function numbered(broker: Broker): Promise<void> {
  await broker.execute("create table t (a integer primary key)");
  await broker.execute("insert into t values (1), (2), (3)");
}

async function code(promise: Promise<unknown>): Promise<string> {
  const error = await within(
    "a refusal",
    promise.then(
      () => assert.fail("it was not refused"),
      (reason: unknown) => reason,
    ),
  );
  return isHoldfastError(error) ? error.code : String(error);
}

async function killSnapshots(home: Home): Promise<void> {
  const { processes } = await home.status();
  const found = processes.filter(({ role }) => role === "snapshot");
  assert.ok(found.length > 0, "there is no process for snapshots");
  for (const { pid } of found) kill(known(pid), "SIGKILL");
}

test("all that is read in it is of one moment, while others write, and its own session too", async (t) => {
  const home = new Home(t);
  await home.start();
  const [broker, other] = [await home.connect(), await home.connect()];
  await numbered(broker);
  const count = "select count(*) as n from t";
  const seen = await broker.transaction(
    async (tx) => {
      const first = await tx.get<{ n: number }>(count);
      await other.execute("insert into t values (4)");
      await broker.execute("insert into t values (5)");
      await tx.execute("savepoint s");
      const [second] = await tx.batch([count, "select 1"]);
      await tx.execute("rollback to s");
      const streamed: number[] = [];
      for await (const { a } of tx.stream<{ a: number }>("select a from t order by a")) {
        streamed.push(a);
        assert.equal((await tx.get<{ n: number }>(count))?.n, 3);
      }
      assert.equal(await code(tx.execute("insert into t values (6)")), "READ_ONLY");
      assert.equal(await code(tx.execute("select no from t")), "SQLITE_ERROR");
      return [first?.n, second?.rows[0]?.["n"], streamed];
    },
    { mode: "read" },
  );
  assert.deepEqual(seen, [3, 3, [1, 2, 3]]);
  assert.deepEqual(await broker.get(count), { n: 5 });
});

test("it sees what its session had written before, though that was not acknowledged when it was begun", async (t) => {
  const home = new Home(t);
  await home.start();
  const wire = await home.wire();
  await wire.call("db.execute", { sql: "create table t (a)", key: wire.key() });
  const [, begun, seen, committed, over] = await Promise.all([
    wire.call("db.execute", { sql: "insert into t values (1)", key: wire.key() }),
    wire.call("tx.begin", { tx: 1, mode: "read" }),
    wire.call("tx.execute", { tx: 1, sql: "select a from t" }),
    wire.call("tx.commit", { tx: 1 }),
    wire.refusal("tx.execute", { tx: 1, sql: "select a from t" }),
  ]);
  assert.deepEqual(seen.rows, [[1]]);
  assert.equal(begun.seq, committed.seq);
  assert.equal(over.data.code, "TX_LOST");
  const fenced = await wire.refusal("tx.begin", { tx: 2, mode: "read", fence: [{ name: "a", token: 1 }] });
  assert.equal(fenced.data.code, "PARAMS_INVALID");
});

test("a large stream of it is broken off, and the next has its rows; a slow loop holds nobody up", async (t) => {
  const home = new Home(t);
  await home.start();
  const broker = await home.connect();
  const canary = await Canary.start(home);
  const many = "with recursive c(x) as (select 1 union all select x + 1 from c where x < 300000) select x from c";
  const tx = await broker.begin({ mode: "read" });
  for (let round = 0; round < 3; round++) {
    let rows = 0;
    for await (const { x } of tx.stream<{ x: number }>(many, [], { credit: 20_000 })) {
      assert.equal(x, ++rows);
      if (rows === 5000) break;
    }
    assert.deepEqual(await tx.get("select 1 as a"), { a: 1 });
  }
  const left = tx.stream(many);
  await left.next();
  await tx.commit();
  assert.equal(
    await code(
      (async () => {
        for await (const _ of left);
      })(),
    ),
    "TX_LOST",
  );
  await canary.goesOn();
});

test("a statement that does not end is ended with its process: the transaction is lost, and the next goes on", async (t) => {
  const home = new Home(t);
  await home.start();
  const broker = await home.connect();
  await numbered(broker);
  const tx = await broker.begin({ mode: "read" });
  const [slow, behind] = [code(tx.execute(endless, [], { timeoutMs: 200 })), code(tx.get("select 1"))];
  assert.deepEqual([await slow, await behind], ["STATEMENT_TIMEOUT", "TX_LOST"]);
  assert.equal(await code(tx.commit()), "TX_LOST");
  const cancel = new AbortController();
  const second = await broker.begin({ mode: "read" });
  const cancelled = second.execute(endless, [], { signal: cancel.signal });
  cancel.abort(new Error("enough"));
  await assert.rejects(within("the end of what was cancelled", cancelled), /enough/);
  await second.rollback();
  assert.deepEqual(await broker.transaction((one) => one.get("select count(*) as n from t"), { mode: "read" }), {
    n: 3,
  });
});

test("one whose process is killed is run again by the library", async (t) => {
  const home = new Home(t);
  await home.start();
  const broker = await home.connect();
  await numbered(broker);
  let runs = 0;
  const sum = await broker.transaction(
    async (tx) => {
      await tx.get("select 1");
      if (++runs === 1) {
        await killSnapshots(home);
        await until("the loss of the snapshot", async () => {
          const { reads } = await home.status();
          return reads.snapshots === 0;
        });
      }
      return tx.get("select sum(a) as s from t");
    },
    { mode: "read" },
  );
  assert.deepEqual([runs, sum], [2, { s: 6 }]);
});

test("what its client leaves behind is let go with its connection", async (t) => {
  const home = new Home(t);
  await home.start();
  const wire = await home.wire();
  await wire.call("tx.begin", { tx: 1, mode: "read" });
  wire.socket.terminate();
  await until("no open snapshots", async () => (await home.status()).reads.snapshots === 0);
});

const deferred = { mode: "deferred" } as const;

test("a deferred transaction reads, and writes on what it has read when nobody has committed since", async (t) => {
  const home = new Home(t);
  await home.start();
  const [broker, other] = [await home.connect(), await home.connect()];
  await numbered(broker);
  const seen = await broker.transaction(async (tx) => {
    const row = await tx.get<{ m: number }>("select max(a) as m from t");
    await tx.savepoint(async () => {
      await tx.execute("insert into t values (?)", [(row?.m ?? 0) + 1]);
    });
    return tx.query<{ a: number }>("select a from t order by a");
  }, deferred);
  assert.deepEqual(
    seen.map(({ a }) => a),
    [1, 2, 3, 4],
  );
  const stale = await broker.begin(deferred);
  await stale.get("select 1 from t");
  await other.execute("insert into t values (5)");
  assert.equal(await code(stale.execute("insert into t values (6)")), "SQLITE_BUSY_SNAPSHOT");
  assert.equal(await code(stale.get("select 1")), "SQLITE_BUSY_SNAPSHOT");
  assert.equal(await code(stale.commit()), "SQLITE_BUSY_SNAPSHOT");
  assert.deepEqual(await broker.get("select count(*) as n from t"), { n: 5 });
});

test("counters that many count up in deferred transactions lose nothing", async (t) => {
  const home = new Home(t);
  await home.start();
  const brokers = await Promise.all(Array.from({ length: 4 }, () => home.connect()));
  const [first] = brokers;
  await first?.script("create table counter (n integer); insert into counter values (0)");
  const count = async (broker: Broker) => {
    for (let round = 0; round < 5; round++)
      await broker.transaction(
        async (tx) => {
          const row = await tx.get<{ n: number }>("select n from counter");
          await tx.execute("update counter set n = ?", [(row?.n ?? 0) + 1]);
        },
        { ...deferred, retries: 1000 },
      );
  };
  await within("all counts", Promise.all(brokers.map(count)));
  assert.deepEqual(await first?.get("select n from counter"), { n: 20 });
});
