/** The whole lock service as programs use it, through the real broker, between sessions that know nothing of each other. */
import assert from "node:assert/strict";
import { before, after as cleanUp, describe, it } from "node:test";
import {
  type Broker,
  DeadlockError,
  type LockHandle,
  LockHeldError,
  LockLostError,
  LockTimeoutError,
} from "../../src/client/index.js";
import { type EphemeralBroker, ephemeralBroker } from "../../src/client/testing.js";
import { rejection } from "./support/pair.js";

let place: EphemeralBroker;
let one: Broker;
let other: Broker;
let third: Broker;
before(async () => {
  place = await ephemeralBroker();
  one = await place.connect({ program: "one" });
  other = await place.connect({ program: "other" });
  third = await place.connect({ program: "third" });
  await one.execute("create table note(text text)");
});
cleanUp(async () => {
  for (const broker of [one, other, third]) await broker.close();
  await place[Symbol.asyncDispose]();
});

/** Until this session waits for the name. */
async function waits(broker: Broker, name: string): Promise<void> {
  for await (const news of broker.locks.watch(name)) {
    const rows = news.kind === "snapshot" ? (news.locks[0]?.waiters ?? []) : [];
    if (rows.some(({ session }) => session === broker.session)) return;
    if (news.kind === "queued" && news.session === broker.session) return;
  }
}

/** Until its holder has heard that it is. */
async function lost({ signal }: LockHandle): Promise<void> {
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve));
}

describe("shared locks", () => {
  it("are held together, and not beside one that has the name alone", async () => {
    await using first = await one.acquire("shared", { mode: "shared" });
    await using second = await other.acquire("shared", { mode: "shared", waitMs: 0 });
    assert.ok(first.held && second.held);
    const error = await rejection(third.acquire("shared", { waitMs: 0 }));
    assert.ok(error instanceof LockHeldError);
    assert.deepEqual(error.holders.map(({ program }) => program).sort(), ["one", "other"]);
  });

  it("become exclusive when nobody else shares them, and shared again; each write is fenced by the token of its time", async () => {
    const lock = await one.acquire("up", { mode: "shared" });
    const reader = await other.acquire("up", { mode: "shared" });
    assert.equal((await rejection(lock.upgrade({ waitMs: 0 }))).code, "LOCK_HELD");
    const upgrade = lock.upgrade();
    const before = lock.token;
    assert.ok((await rejection(reader.upgrade())) instanceof DeadlockError);
    await reader.release();
    await upgrade;
    assert.ok(lock.token > before);
    await lock.execute("insert into note values ('upgraded')");
    assert.equal(
      (await rejection(one.execute("insert into note values ('old')", [], { fence: { name: "up", token: before } })))
        .code,
      "FENCED",
    );
    const shares = other.acquire("up", { mode: "shared" });
    await waits(other, "up");
    await lock.downgrade();
    await (await shares).release();
    await lock.release();
  });
});

describe("slots", () => {
  it("are at most as many as the name has, which can be changed", async () => {
    await using _two = await one.acquire("gpu", { slots: 3, take: 2 });
    await using _one = await other.acquire("gpu", { take: 1, waitMs: 0 });
    assert.equal((await rejection(third.acquire("gpu", { mode: "semaphore", waitMs: 0 }))).code, "LOCK_HELD");
    assert.equal((await rejection(third.acquire("gpu", { slots: 4 }))).code, "SLOTS_MISMATCH");
    const waiting = third.acquire("gpu", { take: 2 });
    await waits(third, "gpu");
    await one.locks.resize("gpu", 5);
    await using _more = await waiting;
    const [row] = await one.locks.list({ name: "gpu" });
    assert.deepEqual([row?.mode, row?.slots, row?.slotsFree], ["semaphore", 5, 0]);
  });
});

describe("several names", () => {
  it("are granted all or none, and released together", async () => {
    const b = await other.acquire("b");
    const both = one.acquire("a", { also: ["b", { name: "c", mode: "shared" }] });
    await waits(one, "a");
    await using _free = await third.acquire("c", { mode: "shared", waitMs: 0 });
    await b.release();
    const lock = await both;
    assert.deepEqual(lock.names, ["a", "b", "c"]);
    assert.ok((await rejection(other.acquire("b", { waitMs: 0 }))) instanceof LockHeldError);
    await lock.release();
    await using _again = await other.acquire("b", { waitMs: 0 });
  });
});

describe("tasks of one program", () => {
  it("that wait for each other are refused with the circle, and those that do not are not", async () => {
    let inBoth = () => {};
    let entered = 0;
    const both = new Promise<void>((resolve) => {
      inBoth = resolve;
    });
    const task = (first: string, second: string) =>
      one.withLock(first, async () => {
        if (++entered === 2) inBoth();
        await both;
        return one.withLock(second, { waitMs: 60_000 }, () => second);
      });
    const outcomes = await Promise.allSettled([task("left", "right"), task("right", "left")]);
    const [refused] = outcomes.flatMap((one) => (one.status === "rejected" ? [one.reason] : []));
    const [got] = outcomes.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    assert.ok(refused instanceof DeadlockError);
    assert.equal(refused.cycle.length, 2);
    assert.deepEqual(refused.cycle.map(({ holds }) => holds).sort(), ["left", "right"]);
    assert.ok(got === "left" || got === "right");
  });

  it("may wait for a lock that another task of the same program will give back", async () => {
    const held = await one.acquire("task");
    const waiting = one.withLock("task", () => "got it");
    await waits(one, "task");
    await held.release();
    assert.equal(await waiting, "got it");
  });

  it("that hand on what they are in hold it while they wait, should nobody take it: the circle is found", async () => {
    const theirs = await other.acquire("beyond");
    await one.withLock("handing", async (lock) => {
      const refused = rejection(lock.transfer(other.session));
      const next = one.acquire("beyond");
      await waits(one, "beyond");
      assert.equal((await refused).code, "NOT_WAITING");
      assert.ok((await rejection(other.acquire("handing", { waitMs: 60_000 }))) instanceof DeadlockError);
      await theirs.release();
      await (await next).release();
    });
    assert.deepEqual(await other.locks.list({ name: "handing" }), []);
  });

  it("that do not wait for the answer of whom they hand it to give it back all the same", async () => {
    let refused: Promise<unknown> = Promise.resolve();
    await one.withLock("handing", (lock) => {
      refused = rejection(lock.transfer(other.session));
    });
    await refused;
    await (await other.acquire("handing", { waitMs: 60_000 })).release();
  });

  it("that ask again for what they are in are refused at once: it would never come", async () => {
    const error = await rejection(one.withLock("self", () => one.withLock("self", () => {})));
    assert.equal(error.code, "DEADLOCK");
  });
});

describe("requests in the shape of the web", () => {
  it("share, give null, and are shown with their mode", async () => {
    await one.locks.request("web", { mode: "shared" }, async () => {
      await other.locks.request("web", { mode: "shared", ifAvailable: true }, async (lock) => {
        assert.ok(lock !== null);
        const { held } = await third.locks.query();
        assert.deepEqual(
          held.filter(({ name }) => name === "web").map(({ mode }) => mode),
          ["shared", "shared"],
        );
      });
      assert.equal(await other.locks.request("web", { ifAvailable: true }, (lock) => lock), null);
    });
  });

  it("steal: the holder loses the lock at once and is told, the thief goes before all who wait", async () => {
    let stolen = () => {};
    const holds = new Promise<void>((resolve) => {
      stolen = resolve;
    });
    const victim = rejection(
      one.locks.request("stolen", async (lock) => {
        stolen();
        await new Promise((resolve) => lock?.signal.addEventListener("abort", resolve));
      }),
    );
    await holds;
    const waiting = third.acquire("stolen");
    await waits(third, "stolen");
    await other.locks.request("stolen", { steal: true }, async (lock) => {
      await lock?.execute("insert into note values ('stolen')");
    });
    const error = await victim;
    assert.ok(error instanceof LockLostError);
    assert.match(error.reason, /taken by other/);
    await (await waiting).release();
  });
});

describe("operators", () => {
  it("break a lock with a grace: the holder is told why and by whom, and may give it back in time", async () => {
    const lock = await one.acquire("graceful", {
      onRevoking: ({ reason, by, graceMs }) => {
        assert.deepEqual([reason, by.program, graceMs], ["maintenance", "third", 60_000]);
        void lock.release();
      },
    });
    const ended = await third.locks.break("graceful", { graceMs: 60_000, reason: "maintenance" });
    assert.deepEqual(ended, [{ token: lock.token, outcome: "released" }]);
    assert.ok(!lock.lost);
  });

  it("break a lock without one: its writes are refused, and the next in line has it", async () => {
    const lock = await one.acquire("rough");
    const next = other.acquire("rough");
    await waits(other, "rough");
    const ended = await third.locks.break("rough", { reason: "stuck" });
    assert.deepEqual(ended, [{ token: lock.token, outcome: "broken" }]);
    await using _got = await next;
    await lost(lock);
    assert.match(String(lock.signal.reason), /broken by third.*: stuck/);
    assert.equal((await rejection(lock.execute("insert into note values ('late')"))).code, "FENCED");
    assert.deepEqual(await third.locks.break("nobody has it"), []);
    assert.deepEqual(await third.locks.break("rough", { token: lock.token }), []);
  });

  it("hand a lock to one that waits, before those who came first; so does its holder", async () => {
    const lock = await one.acquire("handed");
    const early = other.acquire("handed");
    await waits(other, "handed");
    const late = third.acquire("handed");
    await waits(third, "handed");
    assert.equal((await rejection(other.locks.transfer("handed", one.session))).code, "NOT_WAITING");
    await other.locks.transfer("handed", third.session, { reason: "urgent" });
    const second = await late;
    await lost(lock);
    await second.transfer(other.session);
    assert.ok(!second.lost && !second.held);
    await (await early).release();
  });

  it("see what happened, with who, why and what for", async () => {
    await (await one.acquire("past", { reason: "first" })).release();
    const lock = await other.acquire("past");
    await third.locks.break("past", { reason: "enough" });
    await lost(lock);
    const events = await third.locks.history("past");
    assert.deepEqual(
      events.map(({ kind, program }) => `${kind} ${program}`),
      ["granted one", "released one", "granted other", "lost other"],
    );
    assert.match(events.at(-1)?.reason ?? "", /enough/);
    assert.equal(events[0]?.reason, "first");
    assert.deepEqual((await third.locks.history("past", { max: 1 })).length, 1);
  });

  it("list what they look for", async () => {
    await using _a = await one.acquire("list/a", { reason: "why" });
    await using _b = await other.acquire("list/b");
    const waiting = third.acquire("list/b");
    await waits(third, "list/b");
    const names = async (filter: object) =>
      (await one.locks.list({ prefix: "list/", ...filter })).map(({ name }) => name);
    assert.deepEqual(await names({}), ["list/a", "list/b"]);
    assert.deepEqual(await names({ contended: true }), ["list/b"]);
    assert.deepEqual(await names({ session: one.session }), ["list/a"]);
    assert.deepEqual(await names({ session: third.session }), ["list/b"]);
    await _b.release();
    await (await waiting).release();
  });

  it("watch more than they read, and are shown how things are instead, with a gap", async () => {
    const watch = third.locks.watch({ prefix: "crowded/" });
    assert.equal((await watch.next()).value?.kind, "snapshot");
    // Of each lock two events, and a few more than are kept for a program that does not read.
    for (let round = 0; round < 6; round++) {
      const locks = await Promise.all(
        Array.from({ length: 1000 }, (_, n) => one.acquire(`crowded/${n}`, { under: [], waitMs: 0 })),
      );
      await Promise.all(locks.map((lock) => lock.release()));
    }
    await using last = await one.acquire("crowded/last");
    let shown = await watch.next();
    while (shown.value?.kind !== "snapshot") shown = await watch.next();
    assert.ok(shown.value.gap);
    await using next = await other.acquire("crowded/next");
    const known = new Set(shown.value.locks.map(({ name }) => name));
    while (!known.has(last.name) || !known.has(next.name)) {
      const { value } = await watch.next();
      if (value?.kind === "granted") known.add(value.name);
    }
    await watch.return?.();
  });

  it("watch a prefix over a crash of the broker, and miss nothing without a word", async () => {
    const watch = third.locks.watch({ prefix: "watched/" });
    assert.equal((await watch.next()).value?.kind, "snapshot");
    const lock = await one.acquire("watched/a");
    assert.equal((await watch.next()).value?.kind, "granted");
    await place.kill();
    await lock.release();
    const seen: string[] = [];
    for await (const news of watch) {
      seen.push(news.kind === "snapshot" ? `snapshot${news.gap ? ", gap" : ""}` : news.kind);
      if (seen.at(-1) === "released" || (news.kind === "snapshot" && news.locks.length === 0)) break;
    }
    // Either the release came before it was watched again, or it is told.
    assert.match(seen.join(" "), /^snapshot, gap( released)?$/);
  });
});

describe("who waits and who holds", () => {
  it("hear of each other", async () => {
    const contended = new Promise<number>((resolve) => {
      void one.acquire("told", { onContended: ({ waiting }) => resolve(waiting) }).then(async (lock) => {
        await contended;
        await lock.release();
      });
    });
    await waitsUntilHeld("told");
    const place = await new Promise((resolve) => {
      void other
        .acquire("told", { onQueued: ({ place, waiting, holders }) => resolve([place, waiting, holders[0]?.program]) })
        .then((lock) => lock.release());
    });
    assert.deepEqual(place, [1, 1, "one"]);
    assert.equal(await contended, 1);
  });

  it("give up in time, with the place they had", async () => {
    await using _held = await one.acquire("late", { reason: "long work" });
    const first = other.acquire("late", { waitMs: 60_000 });
    await waits(other, "late");
    const error = await rejection(third.acquire("late", { waitMs: 20 }));
    assert.ok(error instanceof LockTimeoutError);
    assert.deepEqual([error.place, error.holder?.program, error.holder?.reason], [2, "one", "long work"]);
    await _held.release();
    await (await first).release();
  });
});

async function waitsUntilHeld(name: string): Promise<void> {
  for await (const news of third.locks.watch(name))
    if (news.kind === "granted" || (news.kind === "snapshot" && news.locks.length > 0)) return;
}

describe("an election", () => {
  it("has one leader at a time, in the order of candidates, and all see who", async () => {
    const observed = third.elections.observe("leader");
    assert.equal((await observed.next()).value?.leader, null);
    const first = await one.elections.campaign("leader", { value: "http://one" });
    assert.equal((await observed.next()).value?.leader?.value, "http://one");
    await first.execute("insert into note values ('led')");
    const candidate = other.elections.campaign("leader", { value: "http://other" });
    await waits(other, "leader");
    await first.resign();
    const second = await candidate;
    const seen: (string | null)[] = [];
    for await (const { leader } of observed) {
      seen.push(leader?.value ?? null);
      if (leader?.token === second.token) break;
    }
    assert.equal(seen.at(-1), "http://other");
    assert.ok(second.token > first.token);
    await second.resign();
  });
});

describe("a lease", () => {
  it("is kept while the program does nothing, over a crash of the broker too", async () => {
    const lock = await one.acquire("leased", { ttl: 90_000 });
    await place.kill();
    await one.ping();
    assert.equal(lock.lease, "safe");
    const [row] = await other.locks.list({ name: "leased" });
    assert.equal(row?.holders[0]?.ttlMs, 90_000);
    await lock.release();
  });
});
