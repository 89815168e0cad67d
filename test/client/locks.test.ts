/** Locks through the real broker, between programs (here: sessions) that know nothing of each other. */
import assert from "node:assert/strict";
import { before, after as cleanUp, describe, it } from "node:test";
import { type Broker, type HoldfastError, isHoldfastError } from "../../src/client/index.js";
import { type EphemeralBroker, ephemeralBroker } from "../../src/client/testing.js";

let place: EphemeralBroker;
let one: Broker;
let other: Broker;
before(async () => {
  place = await ephemeralBroker();
  one = await place.connect({ program: "one" });
  other = await place.connect({ program: "other" });
  await one.execute("create table note(text text)");
});
cleanUp(async () => {
  await one.close();
  await other.close();
  await place[Symbol.asyncDispose]();
});

async function rejection(promise: Promise<unknown>): Promise<HoldfastError> {
  const error: unknown = await promise.then(
    () => assert.fail("it did not reject"),
    (reason: unknown) => reason,
  );
  assert.ok(isHoldfastError(error), String(error));
  return error;
}

describe("acquire", () => {
  it("gives a handle with a token that rises, and the lock back at release, as often as that is called", async () => {
    const first = await one.acquire("a");
    assert.ok(first.held);
    await first.release();
    await first.release();
    assert.ok(!first.held && !first.lost && !first.signal.aborted);
    await using second = await other.acquire("a");
    assert.ok(second.token > first.token);
  });

  it("that does not wait says who holds it", async () => {
    await using _held = await one.acquire("b", { reason: "release build" });
    const error = await rejection(other.acquire("b", { waitMs: 0 }));
    assert.equal(error.code, "LOCK_HELD");
    assert.match(JSON.stringify([error.message, error.details]), /one[\s\S]*release build/);
  });

  it("that waits for some time says so in the end", async () => {
    await using _held = await one.acquire("c");
    const error = await rejection(other.acquire("c", { waitMs: 20 }));
    assert.equal(error.code, "LOCK_TIMEOUT");
  });

  it("that is aborted ends with the signal's reason, and its place is free", async () => {
    const held = await one.acquire("d");
    const controller = new AbortController();
    const waits = other.acquire("d", { signal: controller.signal });
    controller.abort();
    await assert.rejects(waits, { name: "AbortError" });
    await held.release();
    await using _again = await one.acquire("d", { waitMs: 0 });
  });

  it("refuses names and waits that cannot be meant", async () => {
    for (const name of ["", "a\0b", "\ud800", "x".repeat(5000), 7 as never])
      assert.equal((await rejection(one.acquire(name))).code, "NAME_INVALID");
    for (const waitMs of [-1, Number.NaN, "1" as never])
      assert.equal((await rejection(one.acquire("e", { waitMs }))).code, "MISUSE");
    assert.equal((await rejection(one.acquire("x".repeat(600)))).code, "NAME_INVALID");
  });
});

describe("what is written through a lock", () => {
  it("is applied while it is held, and refused after", async () => {
    const lock = await one.acquire("fence");
    await lock.execute("insert into note values ('held')");
    await lock.batch(["insert into note values ('batch')"]);
    await lock.script("insert into note values ('script')");
    await lock.sql`insert into note values (${"template"})`;
    assert.deepEqual(await lock.get("select count(*) as n from note"), { n: 4 });
    await lock.release();
    assert.equal((await rejection(lock.execute("insert into note values ('late')"))).code, "FENCED");
    assert.equal(
      (await rejection(one.execute("insert into note values ('late')", [], { fence: lock }))).code,
      "FENCED",
    );
    assert.deepEqual(await one.get("select count(*) as n from note"), { n: 4 });
  });

  it("and was sent before the release is applied before the next holder comes", async () => {
    const lock = await one.acquire("drain");
    const next = other.acquire("drain");
    const writes = Array.from({ length: 50 }, (_, i) => lock.execute("insert into note values (?)", [`drain ${i}`]));
    const release = lock.release();
    await using _lock = await next;
    assert.deepEqual(await other.get("select count(*) as n from note where text like 'drain %'"), { n: 50 });
    await Promise.all([...writes, release]);
  });
});

describe("withLock", () => {
  it("returns what the work returns and gives the lock back, also when the work throws", async () => {
    assert.equal(await one.withLock("w", (lock) => lock.name), "w");
    await assert.rejects(
      one.withLock("w", { reason: "to fail" }, () => Promise.reject(new Error("mine"))),
      { message: "mine" },
    );
    await using _free = await other.acquire("w", { waitMs: 0 });
  });

  it("excludes others", async () => {
    let inside = 0;
    const work = async (broker: Broker) => {
      assert.equal(++inside, 1);
      await broker.ping();
      inside--;
    };
    await Promise.all(
      Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? one : other)).map((broker) =>
        broker.withLock("x", () => work(broker)),
      ),
    );
  });
});

describe("locks in the shape of the Web Locks API", () => {
  it("are requested with a callback, and given back when it has ended", async () => {
    const result = await one.locks.request("web", async (lock) => {
      assert.deepEqual([lock?.name, lock?.mode], ["web", "exclusive"]);
      assert.equal(await other.locks.request("web", { ifAvailable: true }, (none) => none), null);
      return 7;
    });
    assert.equal(result, 7);
    assert.equal(await other.locks.request("web", { ifAvailable: true }, (lock) => lock?.name), "web");
  });

  it("are listed with their sessions, held and pending", async () => {
    const lock = await one.acquire("listed");
    const waits = other.acquire("listed");
    await other.ping();
    const { held, pending } = await one.locks.query();
    assert.deepEqual(
      held.find(({ name }) => name === "listed"),
      { name: "listed", mode: "exclusive", clientId: one.session },
    );
    assert.deepEqual(pending, [{ name: "listed", mode: "exclusive", clientId: other.session }]);
    await lock.release();
    await (await waits).release();
  });

  it("do not pretend to offer what they do not", async () => {
    const work = () => 1;
    for (const options of [
      { mode: "semaphore" },
      { steal: true, mode: "shared" },
      { steal: true, ifAvailable: true },
      { ifAvailable: true, signal: new AbortController().signal },
    ])
      assert.equal((await rejection(one.locks.request("no", options as never, work))).code, "MISUSE");
    assert.equal((await rejection(one.locks.request("no", {} as never, undefined as never))).code, "MISUSE");
  });
});

describe("a program that ends", () => {
  it("by closing gives everything back, and its signals fire for code that still runs", async () => {
    const third = await place.connect();
    const lock = await third.acquire("closing");
    const { signal } = lock;
    await third.close();
    assert.ok(signal.aborted);
    await using _lock = await one.acquire("closing", { waitMs: 5000 });
  });

  it("and lets go of its session leaves its locks to who takes the session up", async () => {
    const secret = Buffer.alloc(32, 7).toString("base64url");
    const maker = await place.connect({ session: { secret, boundTo: process.pid } });
    const { name, token } = await maker.acquire("bound");
    maker.detach();
    assert.equal((await rejection(one.acquire("bound", { waitMs: 0 }))).code, "LOCK_HELD");
    const taker = await place.connect({ session: { secret, resume: { held: [{ name, token }] } } });
    const [lock] = taker.heldLocks();
    assert.deepEqual([lock?.name, lock?.token], [name, token]);
    await lock?.release();
    await using _lock = await one.acquire("bound", { waitMs: 0 });
    await taker.close();
    const late = await rejection(place.connect({ session: { secret, resume: { held: [] } } }));
    assert.equal(late.code, "SESSION_EXPIRED");
  });
});
