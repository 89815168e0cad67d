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
