/** Savepoints of a transaction against a real broker: what SQLite makes of them is the point. */
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import type { Broker, Transaction } from "../../src/client/index.js";
import { type EphemeralBroker, ephemeralBroker } from "../../src/client/testing.js";
import { rejection } from "./support/pair.js";

const own = new Error("of the program");

describe("savepoints", () => {
  let place: EphemeralBroker;
  let broker: Broker;

  before(async () => {
    place = await ephemeralBroker();
    broker = await place.connect();
    await broker.execute("create table note(text)");
  });
  after(() => place[Symbol.asyncDispose]());
  beforeEach(() => broker.execute("delete from note"));

  const add = (tx: Transaction, text: string) => tx.execute("insert into note values (?)", [text]);
  const notes = async () =>
    (await broker.query<{ text: string }>("select text from note order by 1")).map((n) => n.text);
  const throws = (tx: Transaction, text: string) => async () => {
    await add(tx, text);
    throw own;
  };

  it("nest, and follow each other: what throws is undone, and nothing else", async () => {
    await broker.transaction(async (tx) => {
      await tx.savepoint(async () => {
        await add(tx, "outer");
        await assert.rejects(tx.savepoint(throws(tx, "inner")), own);
        await tx.savepoint(() => tx.savepoint(() => add(tx, "innermost")));
      });
      await assert.rejects(tx.savepoint(throws(tx, "second")), own);
      await tx.savepoint(() => add(tx, "third"));
    });
    assert.deepEqual(await notes(), ["innermost", "outer", "third"]);
  });

  it("beside each other are refused: the first is as if it were alone", async () => {
    await broker.transaction(async (tx) => {
      const [first, second] = await Promise.allSettled([
        tx.savepoint(() => add(tx, "first")),
        tx.savepoint(throws(tx, "second")),
      ]);
      assert.equal(first.status, "fulfilled");
      assert.equal((await rejection(Promise.reject((second as PromiseRejectedResult).reason))).code, "MISUSE");
      await tx.savepoint(async () => {
        const both = await Promise.allSettled([tx.savepoint(throws(tx, "a")), tx.savepoint(() => add(tx, "b"))]);
        assert.deepEqual(
          both.map(({ status }) => status),
          ["rejected", "rejected"],
        );
      });
    });
    assert.deepEqual(await notes(), ["first"]);
  });

  it("of transactions within each other do not know of each other", async () => {
    await broker.transaction(async (tx) => {
      await tx.savepoint(async () => {
        await add(tx, "written");
        const read = (inner: Transaction) => inner.savepoint(() => tx.savepoint(() => inner.get("select 1")));
        await broker.transaction(read, { mode: "deferred" });
      });
    });
    assert.deepEqual(await notes(), ["written"]);
  });

  it("may be made by what a savepoint has begun and not ended", async () => {
    await broker.transaction(async (tx) => {
      let goOn = () => {};
      const ended = new Promise<void>((resolve) => {
        goOn = resolve;
      });
      let later: Promise<unknown> = Promise.resolve();
      await tx.savepoint(() => {
        later = ended.then(() => tx.savepoint(() => add(tx, "later")));
      });
      goOn();
      await later;
    });
    assert.deepEqual(await notes(), ["later"]);
  });

  it("that is open lets nothing be committed, neither beside it nor in it", async () => {
    let unawaited: Promise<unknown> = Promise.resolve();
    const beside = broker.transaction(async (tx) => {
      unawaited = tx.savepoint(async () => {
        await add(tx, "first");
        await add(tx, "second");
      });
      unawaited.catch(() => undefined);
      await add(tx, "beside");
    });
    const refused = await rejection(beside);
    assert.deepEqual([refused.code, refused.outcome], ["MISUSE", "none"]);
    assert.match(refused.message, /savepoint is open/);
    assert.equal((await rejection(unawaited)).code, "MISUSE");

    const within = broker.transaction(async (tx) => {
      await add(tx, "before");
      await tx.savepoint(async () => {
        await add(tx, "in it");
        await tx.commit();
      });
    });
    assert.match((await rejection(within)).message, /savepoint is open/);
    assert.deepEqual(await notes(), []);
  });

  it("that is over by the time of the commit is committed, though nobody has waited for it", async () => {
    await broker.transaction(async (tx) => {
      let over: () => void = () => undefined;
      const isOver = new Promise<void>((resolve) => {
        over = resolve;
      });
      void tx.savepoint(() => add(tx, "in it")).finally(over);
      await add(tx, "beside");
      await isOver;
    });
    assert.deepEqual(await notes(), ["beside", "in it"]);
  });

  it("that cannot be undone are not committed", async () => {
    const error = await rejection(
      broker.transaction(async (tx) => {
        const end = async () => {
          // Somebody else has ended it meanwhile.
          await tx.execute("release savepoint_1");
          throw own;
        };
        await add(tx, "before");
        await assert.rejects(tx.savepoint(end), own);
      }),
    );
    assert.match(error.message, /no such savepoint: savepoint_1/);
    assert.deepEqual(await notes(), []);
  });
});
