/** Migrations through the real broker. */
import assert from "node:assert/strict";
import { before, after as cleanUp, describe, it } from "node:test";
import { type HoldfastError, isHoldfastError } from "../../src/client/index.js";
import { type EphemeralBroker, ephemeralBroker } from "../../src/client/testing.js";

let place: EphemeralBroker;
before(async () => {
  place = await ephemeralBroker();
});
cleanUp(() => place[Symbol.asyncDispose]());

/** What became of it, either way. */
function outcome(promise: Promise<unknown>): Promise<unknown> {
  return promise.catch((error: unknown) => error);
}

async function rejection(promise: Promise<unknown>): Promise<HoldfastError> {
  const error: unknown = await promise.then(
    () => assert.fail("it did not reject"),
    (reason: unknown) => reason,
  );
  assert.ok(isHoldfastError(error), String(error));
  return error;
}

describe("migrations", () => {
  it("of ten programs that start together are run once each, in order", async () => {
    const migrations = [
      { name: "ten/1", sql: "create table ten(step integer, at text default current_timestamp)" },
      { name: "ten/2", sql: "insert into ten(step) values (2); insert into ten(step) values (2.5); -- the end" },
      { name: "ten/3", sql: "insert into ten(step) values (3);" },
    ];
    const applied = await Promise.all(
      Array.from({ length: 10 }, async () => {
        const broker = await place.connect();
        const names = await broker.migrate(migrations);
        await broker.close();
        return names;
      }),
    );
    assert.deepEqual(applied.flat(), ["ten/1", "ten/2", "ten/3"]);
    const broker = await place.connect();
    assert.deepEqual(await broker.query("select step from ten order by rowid"), [
      { step: 2 },
      { step: 2.5 },
      { step: 3 },
    ]);
    assert.deepEqual(await broker.migrate(migrations), []);
    await broker.close();
  });

  it("that fail leave nothing of themselves, and those before them stay", async () => {
    const broker = await place.connect();
    const good = { name: "bad/1", sql: "create table good(a)" };
    const error = await rejection(
      broker.migrate([good, { name: "bad/2", sql: "insert into good values (1); insert into nowhere values (1)" }]),
    );
    assert.equal(error.code, "SQLITE_ERROR");
    assert.deepEqual(await broker.query("select * from good"), []);
    assert.deepEqual(await broker.migrate([good, { name: "bad/2", sql: "insert into good values (1)" }]), ["bad/2"]);
    await broker.close();
  });

  it("are refused when the text of one that was run has changed", async () => {
    const broker = await place.connect();
    await broker.migrate([{ name: "changed/1", sql: "create table changed(a)" }]);
    const error = await rejection(broker.migrate([{ name: "changed/1", sql: "create table changed(a, b)" }]));
    assert.equal(error.code, "MISUSE");
    assert.match(error.message, /"changed\/1" was run with another text/);
    await broker.close();
  });

  it("are refused when a new one stands before one that was run", async () => {
    const broker = await place.connect();
    await broker.migrate([{ name: "order/2", sql: "select 1" }]);
    const error = await rejection(
      broker.migrate([
        { name: "order/1", sql: "select 1" },
        { name: "order/2", sql: "select 1" },
      ]),
    );
    assert.match(error.message, /"order\/1" is new and stands before "order\/2"/);
    await broker.close();
  });

  it("may run as long as a statement may at all, unless they are given less", async () => {
    const hasty = await ephemeralBroker({ limits: { writeMs: 10 } });
    const broker = await hasty.connect();
    const sql =
      "create table slow as with recursive n(i) as (select 1 union all select i + 1 from n where i < 1e6) select max(i) from n";
    assert.equal((await rejection(broker.script(sql))).code, "STATEMENT_TIMEOUT");
    const migrations = [{ name: "slow/1", sql }];
    assert.equal((await rejection(broker.migrate(migrations, { timeoutMs: 10 }))).code, "STATEMENT_TIMEOUT");
    assert.deepEqual(await broker.migrate(migrations), ["slow/1"]);
    await broker.close();
    await hasty[Symbol.asyncDispose]();
  });

  it("may run so long also while others wait to write, unless their program may not hold these up", async () => {
    const busy = await ephemeralBroker({ limits: { writeContendedMs: 200 } });
    const [broker, plain, other] = [await busy.connect(), await busy.connect({ role: "write" }), await busy.connect()];
    const slow = (table: string) =>
      `create table ${table} as with recursive n(i) as (select 1 union all select i + 1 from n where i < 3e6) select max(i) from n`;
    await other.execute("create table written(a)");
    let over = false;
    const writing = (async () => {
      while (!over) await other.execute("insert into written values (1)");
    })();
    const one = await outcome(broker.migrate([{ name: "busy/1", sql: slow("first") }]));
    const two = await outcome(plain.migrate([{ name: "busy/2", sql: slow("second") }]));
    over = true;
    await writing;
    assert.deepEqual(one, ["busy/1"]);
    assert.ok(isHoldfastError(two), String(two));
    assert.deepEqual([two.code, two.details["limit"]], ["STATEMENT_TIMEOUT", "writeContendedMs"]);
    assert.match(two.message, /while others wait to write.*in smaller steps/);
    assert.equal((await rejection(plain.script("create table third(a)", { contendedMs: 1000 }))).code, "FORBIDDEN");
    const more = broker.script("create table third(a)", { contendedMs: 10 ** 9 });
    assert.equal((await rejection(more)).details["limit"], "timeoutMsMax");
    for (const client of [broker, plain, other]) await client.close();
    await busy[Symbol.asyncDispose]();
  });

  it("wait for another program that migrates no longer than they are told to", async () => {
    const [broker, other] = [await place.connect(), await place.connect()];
    const migrations = [{ name: "wait/1", sql: "create table waited(a)" }];
    const lock = await other.acquire("holdfast/migrate");
    assert.equal((await rejection(broker.migrate(migrations, { waitMs: 0 }))).code, "LOCK_HELD");
    const stop = new AbortController();
    const stopped = broker.migrate(migrations, { signal: stop.signal });
    for await (const news of other.locks.watch("holdfast/migrate"))
      if (news.kind === "snapshot" ? (news.locks[0]?.waiters.length ?? 0) > 0 : news.kind === "queued") break;
    const reason = new Error("not today");
    stop.abort(reason);
    await assert.rejects(stopped, reason);
    await lock.release();
    assert.deepEqual(await broker.migrate(migrations, { waitMs: 60_000, signal: new AbortController().signal }), [
      "wait/1",
    ]);
    await broker.close();
    await other.close();
  });

  it("are ended by a signal: what runs is undone, what was run before stays", async () => {
    const [broker, other] = [await place.connect(), await place.connect()];
    const first = { name: "ended/1", sql: "create table ended(a)" };
    const second = { name: "ended/2", sql: "insert into ended values (1)" };
    const endless =
      "insert into ended values (2); insert into ended with recursive n(i) as (select 1 union all select i + 1 from n) select max(i) from n";
    await broker.migrate([first]);
    const stop = new AbortController();
    const migrated = broker.migrate([first, second, { name: "ended/3", sql: endless }], { signal: stop.signal });
    const secondDone = () => other.get("select 1 from holdfast_migrations where name = 'ended/2'");
    while ((await secondDone()) === undefined);
    const reason = new Error("not today");
    stop.abort(reason);
    await assert.rejects(migrated, reason);
    assert.deepEqual(broker.heldLocks(), []);
    assert.deepEqual(await broker.query("select * from ended"), [{ a: 1 }]);
    assert.deepEqual(await broker.migrate([first, second]), []);
    await broker.close();
    await other.close();
  });

  it("with an option that there is not are refused before anything is asked for", async () => {
    const broker = await place.connect();
    const error = await rejection(broker.migrate([], { timeout: 1000 } as never));
    assert.equal(error.code, "MISUSE");
    assert.match(error.message, /"timeout"; it has timeoutMs, waitMs, signal/);
    await broker.close();
  });

  it("need names that differ and texts that are texts", async () => {
    const broker = await place.connect();
    assert.equal(
      (
        await rejection(
          broker.migrate([
            { name: "a", sql: "select 1" },
            { name: "a", sql: "select 2" },
          ]),
        )
      ).code,
      "MISUSE",
    );
    assert.equal((await rejection(broker.migrate(["create table t(a)" as never]))).code, "MISUSE");
    await broker.close();
  });
});
