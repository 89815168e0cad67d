/** A held lock in the hands of a program, against a broker whose every answer the test chooses. */
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { LockLostError, type RevokingInfo } from "../../src/client/index.js";
import { guardedStartMs } from "../../src/protocol/index.js";
import { refuse } from "../../src/terms/index.js";
import { hold, rows } from "./support/fake-broker.js";
import { granted, type Pair, pair, rejection } from "./support/pair.js";
import { uncaught } from "./support/uncaught.js";

async function sharing(test: TestContext) {
  const { broker, fake } = await pair(test);
  fake.on("db.execute", () => rows([]));
  const lock = await broker.acquire("a", { mode: "shared" });
  return { broker, fake, lock };
}

/** So many turns that what was sent before has been answered. */
async function settled({ broker }: Pick<Pair, "broker">): Promise<void> {
  await broker.ping();
}

/** The program does nothing else for so long: it is busy, or was stopped. */
function standStill(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

it("a lock that was given back is not changed any more, and says so", async (test) => {
  const { broker, fake } = await pair(test);
  const [alone, shared] = [await broker.acquire("a"), await broker.acquire("b", { mode: "shared" })];
  await Promise.all([alone.release(), shared.release()]);
  for (const late of [alone.downgrade(), alone.transfer("0".repeat(32)), shared.upgrade()]) {
    const { code, message } = await rejection(late);
    assert.equal(code, "LOCK_NOT_HELD");
    assert.match(message, /was given back$/);
  }
  const asked = fake.asked.map(({ method }) => method);
  assert.ok(!asked.some((method) => /downgrade|transfer|upgrade/.test(method)));
});

describe("an upgrade", () => {
  it("gives the lock a new token and makes it exclusive", async (test) => {
    const { fake, lock } = await sharing(test);
    fake.on("lock.upgrade", () => ({ name: "a", token: 9, waitedMs: 0 }));
    await lock.upgrade({ waitMs: 100 });
    assert.deepEqual([lock.mode, lock.token, lock.held], ["exclusive", 9, true]);
    const { key: _key, ack: _ack, ...params } = (await fake.request("lock.upgrade")).params;
    assert.deepEqual(params, { name: "a", token: 1, waitMs: 100 });
    await lock.release();
    assert.equal((await fake.request("lock.release")).params["token"], 9);
  });

  it("that is refused leaves it shared, and says why in a class of its own", async (test) => {
    const { fake, lock } = await sharing(test);
    fake.on("lock.upgrade", () => refuse("DEADLOCK", "another wants it too", { cycle: [] }));
    assert.equal((await rejection(lock.upgrade())).name, "DeadlockError");
    assert.deepEqual([lock.mode, lock.token, lock.held], ["shared", 1, true]);
  });

  it("holds up what is written through the lock, which then carries the new token; bytes are those of the call", async (test) => {
    const { broker, fake, lock } = await sharing(test);
    fake.on("lock.upgrade", () => hold);
    const upgrade = lock.upgrade();
    const bytes = Buffer.from("before");
    const write = lock.execute("insert …", [bytes]);
    bytes.fill(0);
    await settled({ broker });
    assert.equal(fake.asked.filter(({ method }) => method === "db.execute").length, 0);
    fake.answer(await fake.request("lock.upgrade"), { name: "a", token: 9, waitedMs: 0 });
    await upgrade;
    await write;
    const { params } = await fake.request("db.execute");
    assert.deepEqual(params["fence"], [{ name: "a", token: 9 }]);
    assert.ok(JSON.stringify(params["args"]).includes(Buffer.from("before").toString("base64")));
  });

  it("that fails lets what was written meanwhile go on as before", async (test) => {
    const { fake, lock } = await sharing(test);
    fake.on("lock.upgrade", () => refuse("LOCK_TIMEOUT", "others share it"));
    const upgrade = rejection(lock.upgrade({ waitMs: 1 }));
    await lock.execute("insert …");
    assert.equal((await upgrade).code, "LOCK_TIMEOUT");
    assert.deepEqual((await fake.request("db.execute")).params["fence"], [{ name: "a", token: 1 }]);
  });

  it("holds up a write no longer than until the signal of that is aborted, and nothing of it is sent", async (test) => {
    const { broker, fake, lock } = await sharing(test);
    fake.on("lock.upgrade", () => hold);
    const upgrade = lock.upgrade();
    const controller = new AbortController();
    const { signal } = controller;
    const held = [
      lock.execute("insert …", [], { signal }),
      lock.batch(["insert …"], { signal }),
      lock.script("insert …", { signal }),
      lock.transaction(() => undefined, { signal }),
    ].map((one) => assert.rejects(one, /enough/));
    const goesOn = lock.execute("insert …", [], { signal: new AbortController().signal });
    controller.abort(new Error("enough"));
    await Promise.all(held);
    fake.answer(await fake.request("lock.upgrade"), { name: "a", token: 9, waitedMs: 0 });
    await upgrade;
    await goesOn;
    await settled({ broker });
    const sent = fake.asked.map(({ method }) => method).filter((method) => /^(db|tx)\./.test(method));
    assert.deepEqual(sent, ["db.execute"]);
  });

  it("is one at a time: a second beside it is refused, and the lock is upgraded all the same", async (test) => {
    const { fake, lock } = await sharing(test);
    fake.on("lock.upgrade", () => hold);
    const upgrade = lock.upgrade();
    const { code, message } = await rejection(lock.upgrade());
    assert.equal(code, "MISUSE");
    assert.match(message, /an upgrade of the lock "a" is under way/);
    fake.answer(await fake.request("lock.upgrade"), { name: "a", token: 9, waitedMs: 0 });
    await upgrade;
    assert.deepEqual([lock.mode, lock.token, lock.held, lock.lost], ["exclusive", 9, true, false]);
  });

  it("takes the waits that acquire takes", async (test) => {
    const { fake, lock } = await sharing(test);
    fake.on("lock.upgrade", () => ({ name: "a", token: 9, waitedMs: 0 }));
    assert.match((await rejection(lock.upgrade({ waitMs: -1 }))).message, /waitMs must be .* from 0, not -1/);
    await lock.upgrade({ waitMs: Number.POSITIVE_INFINITY });
    assert.ok(!("waitMs" in (await fake.request("lock.upgrade")).params));
  });

  it("is ended by its signal when the broker has said so", async (test) => {
    const { fake, lock } = await sharing(test);
    const controller = new AbortController();
    fake.on("lock.upgrade", () => hold);
    fake.on("lock.cancel", () => ({ outcome: "cancelled" }));
    const upgrade = lock.upgrade({ signal: controller.signal });
    const asked = await fake.request("lock.upgrade");
    controller.abort();
    await fake.request("lock.cancel");
    fake.answer(asked, refuse("CANCELLED", "cancelled"));
    await assert.rejects(upgrade, { name: "AbortError" });
    assert.ok(lock.held);
  });

  it("of a lock that the broker does not have is told as its loss", async (test) => {
    const { fake, lock } = await sharing(test);
    fake.on("lock.upgrade", () => refuse("LOCK_NOT_HELD", "no such grant"));
    assert.equal((await rejection(lock.upgrade())).code, "LOCK_LOST");
  });

  it("is for shared locks, and downgrade for exclusive ones", async (test) => {
    const { broker, fake, lock } = await sharing(test);
    fake.on("lock.downgrade", ({ params }) => ({ name: params["name"], token: params["token"] }));
    assert.equal((await rejection(lock.downgrade())).code, "MISUSE");
    const alone = await broker.acquire("b");
    assert.match((await rejection(alone.upgrade())).message, /upgrade is for shared locks, and "b" is exclusive/);
    await alone.downgrade();
    assert.deepEqual([alone.mode, alone.token], ["shared", 2]);
    const slots = await broker.acquire("c", { slots: 2 });
    assert.equal(slots.mode, "semaphore");
    assert.equal((await rejection(slots.upgrade())).code, "MISUSE");
  });
});

describe("a transfer by the holder", () => {
  it("ends the lock for it without a loss", async (test) => {
    const { broker, fake } = await pair(test);
    fake.on("lock.transfer", () => ({ from: 1, to: "f".repeat(32) }));
    const lock = await broker.acquire("a");
    await lock.transfer("f".repeat(32), { reason: "your turn" });
    assert.deepEqual([lock.held, lock.lost, lock.signal.aborted], [false, false, false]);
    assert.equal((await rejection(lock.execute("insert …"))).code, "FENCED");
    await lock.release();
    assert.equal(fake.asked.filter(({ method }) => method === "lock.release").length, 0);
  });

  it("to one that does not wait leaves it held", async (test) => {
    const { broker, fake } = await pair(test);
    fake.on("lock.transfer", () => refuse("NOT_WAITING", "it does not wait"));
    const lock = await broker.acquire("a");
    assert.equal((await rejection(lock.transfer("f".repeat(32)))).code, "NOT_WAITING");
    assert.ok(lock.held);
  });

  it("that is not waited for does not keep the lock from being given back, should nobody take it", async (test) => {
    const { broker, fake } = await pair(test);
    fake.on("lock.transfer", () => refuse("NOT_WAITING", "it does not wait"));
    let refused: Promise<unknown> = Promise.resolve();
    await broker.withLock("a", (lock) => {
      refused = rejection(lock.transfer("f".repeat(32)));
    });
    await refused;
    assert.deepEqual(
      fake.asked.map(({ method }) => method),
      ["lock.acquire", "lock.transfer", "lock.release"],
    );
  });
});

describe("work under a lock that was lost before it had ended", () => {
  const lost = { name: "a", token: 1, reason: "broken" };

  it("does not count as done, though that is heard only when the lock is being given back", async (test) => {
    const { broker, fake } = await pair(test);
    fake.on("lock.release", ({ params }) => {
      fake.notify("lock.lost", { ...lost, token: params["token"] });
      return refuse("LOCK_NOT_HELD", "it was broken");
    });
    for (const run of [() => broker.withLock("a", () => "done"), () => broker.locks.request("a", () => "done")]) {
      const error = await rejection(run());
      assert.ok(error instanceof LockLostError);
      assert.match(error.message, /was lost: broken$/);
    }
  });

  it("does not count as done when the session was over, either", async (test) => {
    const { broker, fake } = await pair(test);
    fake.on("lock.release", () => {
      fake.sessions.clear();
      fake.notify("session.expired", {});
      return hold;
    });
    assert.ok((await rejection(broker.withLock("a", () => "done"))) instanceof LockLostError);
  });

  it("does not count as done when the broker that it has come back to does not have the lock", async (test) => {
    const { broker, fake } = await pair(test);
    fake.on("session.hello", () => hold);
    fake.on("lock.release", () => refuse("LOCK_NOT_HELD", "it was broken"));
    const done = broker.withLock("a", async () => {
      fake.breakLinks();
      const hello = await fake.request("session.hello", 1);
      setImmediate(() => fake.answer(hello, { ...fake.welcome(hello), grants: [] }));
    });
    assert.ok((await rejection(done)) instanceof LockLostError);
  });

  it("is told so once: to give the lock back by hand is no failure", async (test) => {
    const { broker, fake } = await pair(test);
    fake.on("lock.release", () => {
      fake.notify("lock.lost", lost);
      return refuse("LOCK_NOT_HELD", "it was broken");
    });
    await (await broker.acquire("a")).release();
  });

  it("counts as done when only the answer to the release was lost", async (test) => {
    const { broker, fake } = await pair(test);
    fake.on("session.hello", (asked) => ({ ...fake.welcome(asked), grants: [] }));
    fake.on("lock.release", () => {
      fake.on("lock.release", () => refuse("LOCK_NOT_HELD", "it was given back"));
      fake.breakLinks();
      return hold;
    });
    assert.equal(await broker.withLock("a", () => "done"), "done");
  });
});

describe("a holder is told", () => {
  it("that others wait, also when they did already when it was granted", async (test) => {
    const { broker, fake } = await pair(test);
    fake.on("lock.acquire", (asked) => granted(asked, 7, 2));
    const heard: number[] = [];
    await broker.acquire("a", { onContended: ({ waiting }) => void heard.push(waiting) });
    fake.notify("lock.contended", { name: "a", token: 7, waiting: 3 });
    await settled({ broker });
    assert.deepEqual(heard, [2, 3]);
  });

  it("that its lock will be broken, by whom, and how long it has", async (test) => {
    const { broker, fake } = await pair(test);
    const by = { session: "s", program: "sh", pid: 12 };
    const told = new Promise<RevokingInfo>((resolve) => void broker.acquire("a", { onRevoking: resolve }));
    await fake.request("lock.acquire");
    await settled({ broker });
    fake.notify("lock.revoking", { name: "a", token: 1, graceMs: 500, reason: "maintenance", by });
    assert.deepEqual(await told, { graceMs: 500, reason: "maintenance", by });
  });

  it("its place while it waits, and who is in the way", async (test) => {
    const { broker, fake } = await pair(test);
    fake.on("lock.acquire", () => hold);
    const places: unknown[] = [];
    const waits = broker.acquire("a", {
      onQueued: ({ place, waiting, holders }) => void places.push([place, waiting, holders]),
    });
    const asked = await fake.request("lock.acquire");
    const news = { id: asked.id, key: asked.params["key"], name: "a", waiting: 2, holders: [{ program: "make" }] };
    fake.notify("lock.queued", { ...news, place: 2 });
    fake.notify("lock.queued", { ...news, place: 1 });
    fake.answer(asked, granted(asked, 7));
    await waits;
    assert.deepEqual(places, [
      [2, 2, [{ program: "make" }]],
      [1, 2, [{ program: "make" }]],
    ]);
  });

  it("by a listener whose error is the program's own affair", async (test) => {
    const { broker, fake } = await pair(test);
    const thrown = uncaught();
    const lock = await broker.acquire("a", {
      onContended: () => {
        throw new Error("of the program");
      },
    });
    fake.notify("lock.contended", { name: "a", token: 1, waiting: 1 });
    assert.match(String(await thrown), /of the program/);
    await settled({ broker });
    assert.ok(lock.held);
  });
});

describe("a lock with a lease", () => {
  it("is lost by the program's own clock when the broker answers nothing, with nothing thrown from a timer", async (test) => {
    const { broker, fake } = await pair(test);
    fake.on("session.ping", () => hold);
    const told: string[] = [];
    const lock = await broker.acquire("a", { ttl: 3000, onJeopardy: () => void told.push(lock.lease) });
    assert.equal(lock.lease, "safe");
    assert.ok(lock.leaseLeftMs > 0 && lock.leaseLeftMs <= 2750);
    const { signal } = lock;
    await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    assert.ok(signal.reason instanceof LockLostError);
    assert.match(signal.reason.reason, /did not answer within its lease of 3000 ms/);
    assert.deepEqual([lock.held, lock.lost, lock.lease, lock.leaseLeftMs], [false, true, "lost", 0]);
    assert.deepEqual(told, ["jeopardy"]);
    assert.equal((await fake.request("lock.release")).params["token"], 1);
  });

  it("is found lost by who asks, before any timer could tell", async (test) => {
    const { broker } = await pair(test);
    const lock = await broker.acquire("a", { ttl: 500 });
    standStill(600);
    assert.equal(lock.held, false);
    assert.equal((await rejection(lock.execute("insert …"))).code, "FENCED");
  });

  it("is kept by pings while the program does nothing", async (test) => {
    const { broker, fake } = await pair(test);
    const lock = await broker.acquire("a", { ttl: 2000 });
    // The fourth of them comes when the lease would be over.
    await fake.request("session.ping", 3);
    assert.deepEqual([lock.held, lock.lease], [true, "safe"]);
  });

  it("is none without one", async (test) => {
    const { broker } = await pair(test);
    const lock = await broker.acquire("a");
    assert.deepEqual([lock.lease, lock.leaseLeftMs], ["none", Number.POSITIVE_INFINITY]);
    await lock.release();
    assert.equal(lock.leaseLeftMs, 0);
  });
});

describe("the confirmation of a lock, before something is started under its guard", () => {
  it("asks nothing when the broker has just granted it", async (test) => {
    const { broker, fake } = await pair(test);
    const lock = await broker.acquire("a", { guard: true });
    await lock.confirm();
    assert.equal(fake.asked.filter(({ method }) => method === "session.ping").length, 0);
  });

  it("asks the broker when its last word of the lock is old", async (test) => {
    const { broker, fake } = await pair(test);
    const lock = await broker.acquire("a", { guard: true });
    standStill(guardedStartMs + 50);
    await lock.confirm();
    assert.equal(fake.asked.filter(({ method }) => method === "session.ping").length, 1);
  });

  it("asks again when the answer has become old too", async (test) => {
    const { broker, fake } = await pair(test);
    const lock = await broker.acquire("a", { guard: true });
    let late = true;
    fake.on("session.ping", () => {
      if (late) standStill(guardedStartMs + 50);
      late = false;
      return { now: 0 };
    });
    standStill(guardedStartMs + 50);
    await lock.confirm();
    assert.equal(fake.asked.filter(({ method }) => method === "session.ping").length, 2);
  });

  it("rejects when the loss is heard of before the answer", async (test) => {
    const { broker, fake } = await pair(test);
    const lock = await broker.acquire("a", { guard: true });
    fake.on("session.ping", () => {
      fake.notify("lock.lost", { name: "a", token: 1, reason: "broken" });
      return { now: 0 };
    });
    standStill(guardedStartMs + 50);
    assert.equal((await rejection(lock.confirm())).code, "LOCK_LOST");
  });

  it("rejects for a lock that was given back, and with the reason of its signal", async (test) => {
    const { broker, fake } = await pair(test);
    fake.on("session.ping", () => hold);
    const lock = await broker.acquire("a", { guard: true });
    standStill(guardedStartMs + 50);
    const enough = new AbortController();
    const confirmed = lock.confirm({ signal: enough.signal });
    const why = new Error("enough");
    enough.abort(why);
    await assert.rejects(confirmed, why);
    await lock.release();
    assert.equal((await rejection(lock.confirm())).code, "LOCK_NOT_HELD");
  });
});

describe("several locks at once", () => {
  it("are one handle: one token, one fence, one release", async (test) => {
    const { broker, fake } = await pair(test);
    fake.on("db.execute", () => rows([]));
    const lock = await broker.acquire("a", { also: ["b", { name: "c", mode: "shared" }] });
    assert.deepEqual(lock.names, ["a", "b", "c"]);
    await lock.execute("insert …");
    assert.deepEqual((await fake.request("db.execute")).params["fence"], [{ name: "a", token: 1 }]);
    await lock.release();
    assert.deepEqual((await fake.request("lock.release")).params["name"], "a");
  });
});

describe("a write with release", () => {
  it("gives the lock back in one round trip; the handle holds nothing from when it was asked", async (test) => {
    const { broker, fake } = await pair(test);
    fake.on("db.execute", () => rows([]));
    await broker.withLock("a", async (lock) => {
      const write = lock.execute("insert …", [], { release: true });
      assert.deepEqual([lock.held, lock.lost], [false, false]);
      assert.equal((await rejection(lock.execute("insert …"))).code, "FENCED");
      await write;
      assert.deepEqual([lock.held, lock.lost], [false, false]);
    });
    const { params } = await fake.request("db.execute");
    assert.deepEqual([params["fence"], params["release"]], [[{ name: "a", token: 1 }], [{ name: "a", token: 1 }]]);
    assert.equal(fake.asked.filter(({ method }) => method === "lock.release").length, 0);
    assert.deepEqual(broker.heldLocks(), []);
  });

  it("that is refused leaves the lock to the program", async (test) => {
    const { broker, fake } = await pair(test);
    fake.on("db.batch", () => refuse("SQLITE_CONSTRAINT", "UNIQUE failed"));
    const lock = await broker.acquire("a");
    assert.equal((await rejection(lock.batch(["insert …"], { release: true }))).code, "SQLITE_CONSTRAINT");
    assert.equal(lock.held, true);
    await lock.release();
    assert.equal((await fake.request("lock.release")).params["token"], 1);
  });

  it("beside a transfer that nobody takes has given the lock back: it is not held again", async (test) => {
    const { broker, fake } = await pair(test);
    fake.on("db.execute", () => rows([]));
    fake.on("lock.transfer", () => hold);
    const lock = await broker.acquire("a");
    const refused = rejection(lock.transfer("f".repeat(32)));
    const write = broker.execute("insert …", [], { fence: lock, release: true });
    fake.answer(await fake.request("lock.transfer"), refuse("NOT_WAITING", "it does not wait"));
    assert.equal((await refused).code, "NOT_WAITING");
    await write;
    assert.deepEqual([lock.held, lock.lost, broker.heldLocks()], [false, false, []]);
  });

  it("is for the locks that a write relies on, and for nothing else", async (test) => {
    const { broker, fake } = await pair(test);
    fake.on("db.script", () => ({ results: [] }));
    assert.equal((await rejection(broker.script("…", { release: true }))).code, "MISUSE");
    const [a, b] = [await broker.acquire("a"), await broker.acquire("b")];
    await broker.script("…", { fence: [a, b], release: true });
    assert.deepEqual((await fake.request("db.script")).params["release"], [
      { name: "a", token: 1 },
      { name: "b", token: 2 },
    ]);
    assert.deepEqual([a.held, b.held], [false, false]);
  });

  it("of a transaction is said with its commit, however often it is begun anew", async (test) => {
    const { broker, fake } = await pair(test);
    let commits = 0;
    fake.on("tx.begin", ({ params }) => ({ tx: params["tx"] }));
    fake.on("tx.rollback", () => ({}));
    fake.on("tx.commit", () => (++commits === 1 ? refuse("TX_LOST", "the writer died") : { seq: 1 }));
    const lock = await broker.acquire("a");
    await lock.transaction(() => undefined, { release: true });
    assert.deepEqual([commits, lock.held], [2, false]);
    assert.deepEqual((await fake.request("tx.commit")).params["release"], [{ name: "a", token: 1 }]);
  });
});
