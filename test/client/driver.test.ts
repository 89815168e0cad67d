/** The real broker, killed by SIGKILL while programs rely on it: nothing twice, nothing lost, locks stay. */
import assert from "node:assert/strict";
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import type { TableEffect } from "../../src/client/conversation/index.js";
import { Driver, Question, TableSubscription } from "../../src/client/driver.js";
import { type Broker, connect, isHoldfastError } from "../../src/client/index.js";
import { settingsFrom } from "../../src/client/options.js";
import { type EphemeralBroker, type EphemeralOptions, ephemeralBroker } from "../../src/client/testing.js";
import { limitsWith } from "../../src/terms/index.js";
import { FakeBroker, rows } from "./support/fake-broker.js";
import { rejection } from "./support/pair.js";
import { uncaught } from "./support/uncaught.js";

async function own(test: TestContext, options: EphemeralOptions = {}): Promise<EphemeralBroker> {
  const broker = await ephemeralBroker(options);
  test.after(() => broker[Symbol.asyncDispose]());
  return broker;
}

/** The broker has answered so many times by then. */
function milestones(kills: number, each: number): (done: number) => boolean {
  let next = each;
  return (done) => {
    if (done < next || next > kills * each) return false;
    next += each;
    return true;
  };
}

describe("a broker that is killed under load", () => {
  for (const encoding of ["json", "msgpack"] as const)
    it(`applies every write exactly once (${encoding})`, async (test) => {
      const place = await own(test);
      const clients: Broker[] = [];
      for (let i = 0; i < 4; i++) clients.push(await place.connect({ encoding, program: `client ${i}` }));
      await clients[0]?.execute("create table entry(client integer, n integer)");
      const each = 300;
      let done = 0;
      const isDue = milestones(3, 250);
      let killing: Promise<void> = Promise.resolve();
      const write = async (client: Broker, index: number, n: number) => {
        const { rowsAffected } = await client.execute("insert into entry values (?, ?)", [index, n]);
        assert.equal(rowsAffected, 1);
        if (isDue(++done)) killing = killing.then(() => place.kill());
      };
      await Promise.all(
        clients.map(async (client, index) => {
          for (let n = 0; n < each; n += 10)
            await Promise.all(Array.from({ length: 10 }, (_, i) => write(client, index, n + i)));
        }),
      );
      await killing;
      const counted = await clients[0]?.get(
        "select count(*) as rows, count(distinct client * 10000 + n) as once from entry",
      );
      assert.deepEqual(counted, { rows: 4 * each, once: 4 * each });
      for (const client of clients) await client.close();
    });

  it("keeps locks, places in the queue and sessions", async (test) => {
    const place = await own(test);
    const holder = await place.connect({ program: "holder" });
    const first = await place.connect({ program: "first" });
    const second = await place.connect({ program: "second" });
    await holder.execute("create table log(who text)");
    const lock = await holder.acquire("a");
    const order: string[] = [];
    const wait = async (who: string, broker: Broker) => {
      const got = await broker.acquire("a");
      order.push(who);
      assert.ok(got.token > lock.token);
      await got.execute("insert into log values (?)", [who]);
      await got.release();
    };
    const firstWaits = wait("first", first);
    await holder.locks.query();
    const secondWaits = wait("second", second);
    await holder.locks.query();
    const { session } = holder;
    // Whoever is not back yet is passed over.
    const back = [first, second].map((broker) => new Promise((resolve) => broker.on("reconnected", resolve)));
    await place.kill();
    await Promise.all(back);
    await lock.execute("insert into log values ('holder')");
    assert.ok(lock.held);
    assert.equal(holder.session, session);
    await lock.release();
    await Promise.all([firstWaits, secondWaits]);
    assert.deepEqual(order, ["first", "second"]);
    assert.deepEqual(await holder.query("select who from log order by rowid"), [
      { who: "holder" },
      { who: "first" },
      { who: "second" },
    ]);
    for (const broker of [holder, first, second]) await broker.close();
  });

  it("is started again by an idle program as well", async (test) => {
    const place = await own(test);
    const broker = await place.connect();
    const again = new Promise<{ resumed: boolean }>((resolve) => broker.on("reconnected", resolve));
    await place.kill();
    assert.deepEqual(await again, { resumed: true });
    await broker.close();
  });
});

it("a handler that throws takes nothing along of what came with its news, and its error surfaces", async (test) => {
  const fake = await FakeBroker.start(test);
  const { introduction, plan } = settingsFrom({ socket: fake.path, start: false, env: {} });
  const conversation = { introduction, openMs: 30_000, patienceMs: 30_000 };
  const silent = () => undefined;
  const handlers = {
    ...{ onOpened: silent, onLost: silent, onGivenBack: silent, onJeopardy: silent },
    ...{ onContended: silent, onRevoking: silent, onSessionLost: silent, onEnded: silent },
  };
  const driver = new Driver({ conversation, encoding: "json", plan }, handlers);
  test.after(() => driver.close());
  driver.open();
  const thrown = uncaught();
  const filter = { tables: ["t"], keys: false, after: undefined };
  const heard: string[] = [];
  const news = (effect: TableEffect) => {
    heard.push(effect.kind);
    if (effect.kind === "tables-changed") throw new Error("of the handler");
  };
  driver.watch(new TableSubscription(filter, { onNews: news, onEnd: silent }));
  const open = await fake.request("watch.open");
  fake.answer(open, { upTo: 1, source: "s", absent: [] });
  const question = new Question("read", "session.ping", {});
  const answered = driver.ask(question);
  const ping = await fake.request("session.ping");
  const changes = [{ seq: 2, table: "t", inserts: 1, updates: 0, deletes: 0 }];
  fake.notify("watch.changes", { watch: open.params["watch"], source: "s", upTo: 3, gap: true, changes });
  fake.answer(ping, { now: 0 });
  assert.match(String(await thrown), /of the handler/);
  await answered;
  assert.deepEqual(question.result, { now: 0 });
  assert.deepEqual(heard, ["tables-watched", "tables-changed", "tables-gap"]);
});

describe("a broker that takes smaller frames than the one before", () => {
  it("is not sent what it would drop the connection for, and a write that was sent before may be applied", async (test) => {
    const fake = await FakeBroker.start(test);
    const broker = await connect({ socket: fake.path, start: false, env: {} });
    test.after(() => broker.close());
    const bytesMax = 64 * 1024;
    fake.on("session.hello", (asked) => ({ ...fake.welcome(asked), limits: limitsWith({ frameBytesMax: bytesMax }) }));
    const large = rejection(broker.execute("insert into t values (?)", ["x".repeat(bytesMax)]));
    const small = broker.query("select 1 as n");
    await fake.request("db.query");
    fake.breakLinks();
    fake.answer(await fake.request("db.query", 1), rows(["n"], [1]));
    assert.deepEqual(await small, [{ n: 1 }]);
    const { code, outcome, message } = await large;
    assert.deepEqual({ code, outcome }, { code: "FRAME_TOO_LARGE", outcome: "unknown" });
    assert.match(message, /the broker takes 65536 in one frame; it was sent before/);
    assert.deepEqual(
      fake.asked.map(({ method }) => method),
      ["db.execute", "db.query", "db.query"],
    );
  });
});

describe("a broker that is stopped", () => {
  it("is not started again by programs that want nothing, but by the first that does", async (test) => {
    const place = await own(test);
    const broker = await place.connect();
    await broker.execute("create table t(a)");
    const { pid } = place;
    await place.stop();
    assert.deepEqual(await broker.query("select * from t"), []);
    assert.notEqual(place.pid, pid);
    await broker.close();
  });
});

describe("a session that the broker has forgotten", () => {
  /** The broker's memory of sessions and locks; what was committed is elsewhere. */
  function forget(place: EphemeralBroker): void {
    for (const file of readdirSync(join(place.dir, "run")))
      if (file.startsWith("ledger.db")) rmSync(join(place.dir, "run", file));
  }

  it("has its unanswered writes settled: each applied once, none lost, in their order", async (test) => {
    const place = await own(test);
    const broker = await place.connect({ start: false });
    await broker.execute("create table entry(n integer)");
    const lost = new Promise((resolve) => broker.on("session-lost", resolve));
    const writes: Promise<void>[] = [];
    const half = new Promise<void>((resolve) => {
      let done = 0;
      for (let n = 0; n < 400; n++)
        writes.push(
          broker.execute("insert into entry values (?)", [n]).then(() => {
            if (++done === 100) resolve();
          }),
        );
    });
    await half;
    await place.kill();
    forget(place);
    await place.start();
    await Promise.all([...writes, lost]);
    const rows = await broker.query<{ n: number }>("select n from entry order by rowid");
    assert.deepEqual(
      rows.map(({ n }) => n),
      Array.from({ length: 400 }, (_, n) => n),
    );
    await broker.close();
  });

  it("has lost its locks, and is told", async (test) => {
    // For so long the next broker gives no lock to anybody.
    const place = await own(test, { limits: { resumeWindowMs: 1000 } });
    const broker = await place.connect({ start: false });
    const lock = await broker.acquire("a");
    const aborted = new Promise((resolve) => lock.signal.addEventListener("abort", resolve));
    await place.kill();
    forget(place);
    await place.start();
    await aborted;
    assert.ok(isHoldfastError(lock.signal.reason) && lock.signal.reason.code === "LOCK_LOST");
    assert.equal(lock.held, false);
    const again = await broker.acquire("a");
    assert.ok(again.token > lock.token);
    await broker.close();
  });
});
