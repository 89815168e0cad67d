/** Which locks a task says it has in its hands while it asks for another. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { queryObjects } from "node:v8";
import { refuse } from "../../src/terms/index.js";
import { type Asked, type FakeBroker, hold } from "./support/fake-broker.js";
import { pair, rejection } from "./support/pair.js";

/** What each acquire said: its name and under which tokens it asks. */
function asked(fake: FakeBroker): Record<string, unknown> {
  const acquires = fake.asked.filter(({ method }: Asked) => method === "lock.acquire");
  return Object.fromEntries(acquires.map(({ params }) => [params["name"], params["under"]]));
}

/** After a look at what is still in use; each scope has one. */
function livingSets(): number {
  return Number(queryObjects(Set));
}

describe("a task that asks for a lock", () => {
  it("without a scope says nothing: the whole session counts", async (test) => {
    const { broker, fake } = await pair(test);
    await broker.acquire("a");
    await broker.acquire("b");
    assert.deepEqual(asked(fake), { a: undefined, b: undefined });
  });

  it("without a scope says what the program has so, as long as another task is in a scope", async (test) => {
    const { broker, fake } = await pair(test);
    await broker.acquire("all");
    await broker.withLock("a", () => {});
    let end = () => {};
    const work = broker.withLock("b", () => new Promise<void>((resolve) => (end = resolve)));
    await broker.acquire("c");
    end();
    await work;
    await broker.acquire("d");
    assert.deepEqual(asked(fake), { all: undefined, a: [1], b: [1], c: [1], d: undefined });
  });

  it("says what the program says, and nothing of what is not held any more", async (test) => {
    const { broker, fake } = await pair(test);
    const a = await broker.acquire("a");
    const b = await broker.acquire("b", { under: [] });
    const c = await broker.acquire("c", { under: [a, b] });
    await a.release();
    await broker.withLock("d", { under: [a, c] }, () => broker.withLock("e", { under: [] }, () => {}));
    assert.deepEqual(asked(fake), { a: undefined, b: [], c: [1, 2], d: [3], e: [] });
  });

  it("is told that what it says is none", async (test) => {
    const { broker } = await pair(test);
    for (const under of ["a", [1], {}])
      assert.equal((await rejection(broker.acquire("a", { under: under as never }))).code, "MISUSE");
  });

  it("stands for election apart from what the program has, and under the scopes that it is in", async (test) => {
    const { broker, fake } = await pair(test);
    await broker.acquire("all");
    const won = await broker.elections.campaign("first");
    await broker.withLock("a", () => broker.elections.campaign("second"));
    assert.deepEqual(asked(fake), { all: undefined, first: [], a: [1, won.token], second: [3] });
  });

  it("in nested scopes says all that it is in, from within", async (test) => {
    const { broker, fake } = await pair(test);
    await broker.withLock("a", async () => {
      await broker.withLock("b", async () => {
        await broker.locks.request("c", async () => {});
      });
      await broker.withLock("d", async () => {});
    });
    assert.deepEqual(asked(fake), { a: [], b: [1], c: [2, 1], d: [1] });
  });

  it("and upgrades what it shares says all that it is in", async (test) => {
    const { broker, fake } = await pair(test);
    fake.on("lock.upgrade", () => ({ name: "b", token: 9, waitedMs: 0 }));
    await broker.withLock("other", async () => {
      await Promise.all([
        broker.withLock("c", { mode: "shared" }, () => {}),
        broker.withLock("b", { mode: "shared" }, (lock) => lock.upgrade()),
      ]);
    });
    const [c, b] = ["c", "b"].map((name) => fake.asked.find(({ params }) => params["name"] === name)?.params);
    assert.deepEqual([c?.["under"], b?.["under"]], [[1], [1]]);
    const { under } = (await fake.request("lock.upgrade")).params;
    assert.deepEqual(under, [3, 1]);
  });

  it("beside another says nothing of what the other has", async (test) => {
    const { broker, fake } = await pair(test);
    await Promise.all([
      broker.withLock("a", () => broker.withLock("b", () => {})),
      broker.withLock("c", () => broker.withLock("d", () => {})),
    ]);
    const under = asked(fake);
    assert.deepEqual([under["a"], under["c"]], [[], []]);
    assert.notDeepEqual(under["b"], under["d"]);
    assert.equal((under["b"] as unknown[]).length, 1);
  });

  it("says what belongs to the whole program as well, as long as that is held", async (test) => {
    const { broker, fake } = await pair(test);
    const all = await broker.acquire("all");
    await broker.withLock("a", () => {});
    await all.release();
    await broker.withLock("b", () => {});
    assert.deepEqual(asked(fake), { all: undefined, a: [1], b: [] });
  });

  it("does not say so of a lock that it asks for itself: another task may give that back", async (test) => {
    const { broker, fake } = await pair(test);
    await broker.acquire("all");
    await broker.withLock("all", () => {});
    await broker.withLock("a", { also: ["all"] }, () => {});
    const acquires = fake.asked.filter(({ method }: Asked) => method === "lock.acquire");
    assert.deepEqual(
      acquires.map(({ params }) => params["under"]),
      [undefined, [], []],
    );
  });

  it("inside a scope has what it acquires there for itself", async (test) => {
    const { broker, fake } = await pair(test);
    await broker.withLock("a", async () => {
      const inner = await broker.acquire("b");
      await broker.withLock("c", () => {});
      await inner.release();
      await broker.withLock("d", () => {});
    });
    assert.deepEqual(asked(fake), { a: [], b: [1], c: [1, 2], d: [1] });
  });

  it("and ends with something left in its hands leaves it to what is around", async (test) => {
    const { broker, fake } = await pair(test);
    await broker.withLock("a", async () => {
      await broker.withLock("b", () => broker.acquire("left"));
      await broker.withLock("c", () => {});
    });
    await broker.withLock("d", () => {});
    assert.deepEqual(asked(fake), { a: [], b: [1], left: [2, 1], c: [1, 3], d: [3] });
  });

  it("after the scope in which it began is over has what it acquires for the scope around, or the program", async (test) => {
    const { broker, fake } = await pair(test);
    const begins: (() => void)[] = [];
    const begun = () => new Promise<void>((resolve) => void begins.push(resolve));
    let inner: Promise<unknown> | undefined;
    let outer: Promise<unknown> | undefined;
    await broker.withLock("a", async () => {
      await broker.withLock("b", async () => {
        inner = begun().then(() => broker.acquire("x"));
        outer = begun().then(() => broker.acquire("y"));
      });
      begins[0]?.();
      await inner;
      await broker.withLock("c", () => {});
    });
    begins[1]?.();
    await outer;
    await broker.withLock("d", () => {});
    // Granted in this order: a, b, x, c, y, d.
    assert.deepEqual(asked(fake), { a: [], b: [1], x: [1], c: [1, 3], y: undefined, d: [3, 5] });
  });

  it("of a scope that ends before one inside it leaves what it has in its hands to what is around then", async (test) => {
    const { broker, fake } = await pair(test);
    let end = () => {};
    let inner: Promise<unknown> | undefined;
    await broker.withLock("a", async () => {
      inner = broker.withLock("b", async () => {
        await broker.acquire("left");
        await new Promise<void>((resolve) => (end = resolve));
        await broker.withLock("c", () => {});
      });
      await fake.request("lock.acquire", 2);
    });
    end();
    await inner;
    await broker.withLock("d", () => {});
    assert.deepEqual(asked(fake), { a: [], b: [1], left: [2, 1], c: [2, 3], d: [3] });
  });

  for (const [when, soon] of [
    ["while it ends", (turn: () => void) => turn()],
    ["after it", (turn: () => void) => void setImmediate(turn)],
  ] as const)
    it(`turn after turn, each begun by the one before ${when}, keeps nothing of those that are over`, async (test) => {
      const { broker } = await pair(test);
      const turns = 400;
      let begun = 0;
      let before = 0;
      let last: Promise<void> | undefined;
      const more = await new Promise<number>((resolve) => {
        const turn = (): void => {
          last = broker.withLock("job", () => {
            begun++;
            if (begun === 10) before = livingSets();
            if (begun === 10 + turns) resolve(livingSets() - before);
            else soon(turn);
          });
        };
        turn();
      });
      await last;
      assert.ok(more < turns / 2, `${more} sets more after ${turns} turns`);
    });

  it("says the token of now when a lock was upgraded", async (test) => {
    const { broker, fake } = await pair(test);
    fake.on("lock.upgrade", ({ params }) => ({ name: params["name"], token: 50, waitedMs: 0 }));
    await broker.withLock("a", { mode: "shared" }, async (lock) => {
      await lock.upgrade();
      await broker.withLock("b", () => {});
    });
    assert.deepEqual(asked(fake), { a: [], b: [50] });
  });

  it("says what it is handing over as well: nobody may be there to take it, and then it is held on", async (test) => {
    const { broker, fake } = await pair(test);
    fake.on("lock.transfer", () => hold);
    const all = await broker.acquire("all");
    await broker.withLock("a", async (a) => {
      const refused = [a, all].map((lock) => rejection(lock.transfer("f".repeat(32))));
      const left = await broker.withLock("b", async () => {
        const inner = await broker.acquire("left");
        refused.push(rejection(inner.transfer("f".repeat(32))));
        return inner;
      });
      await broker.withLock("c", () => {});
      await broker.acquire("d", { under: [left] });
      for (const at of [0, 1, 2])
        fake.answer(await fake.request("lock.transfer", at), refuse("NOT_WAITING", "it does not wait"));
      for (const { code } of await Promise.all(refused)) assert.equal(code, "NOT_WAITING");
      await left.release();
      await broker.withLock("e", () => {});
    });
    // Granted in this order: all, a, b, left, c, d.
    assert.deepEqual(asked(fake), {
      all: undefined,
      a: [1],
      b: [2, 1],
      left: [3, 2, 1],
      c: [2, 4, 1],
      d: [4],
      e: [2, 6, 1],
    });
  });

  it("says what a write is to give back as well, also when it is named: should that be refused, it is held on", async (test) => {
    const { broker, fake } = await pair(test);
    fake.on("db.execute", () => hold);
    const a = await broker.acquire("a");
    const write = rejection(a.execute("insert …", [], { release: true }));
    await broker.acquire("b", { under: [a] });
    fake.answer(await fake.request("db.execute"), refuse("SQLITE_CONSTRAINT", "UNIQUE failed"));
    assert.equal((await write).code, "SQLITE_CONSTRAINT");
    assert.deepEqual(asked(fake), { a: undefined, b: [1] });
  });

  it("says nothing of a lock that was lost", async (test) => {
    const { broker, fake } = await pair(test);
    const work = broker.withLock("a", async (lock) => {
      const lost = new Promise((resolve) => lock.signal.addEventListener("abort", resolve));
      fake.notify("lock.lost", { name: "a", token: 1, reason: "broken" });
      await lost;
      await broker.withLock("b", () => {});
    });
    assert.equal((await rejection(work)).code, "LOCK_LOST");
    assert.deepEqual(asked(fake), { a: [], b: [] });
  });

  it("of two brokers does not mix them up", async (test) => {
    const one = await pair(test);
    const other = await pair(test);
    await one.broker.withLock("a", () =>
      other.broker.withLock("b", () => one.broker.withLock("c", () => other.broker.withLock("d", () => {}))),
    );
    assert.deepEqual(asked(one.fake), { a: [], c: [1] });
    assert.deepEqual(asked(other.fake), { b: [], d: [1] });
  });

  it("with very many in its hands leaves them to the broker, which knows them", async (test) => {
    const { broker, fake } = await pair(test);
    await Promise.all(Array.from({ length: 300 }, (_, at) => broker.acquire(`many ${at}`)));
    await broker.withLock("a", () => {});
    assert.equal(asked(fake)["a"], undefined);
  });

  it("gets null where it does not wait, and is in no scope then", async (test) => {
    const { broker, fake } = await pair(test);
    fake.on("lock.acquire", ({ params }) =>
      params["name"] === "taken"
        ? { refused: "LOCK_HELD", message: "held" }
        : { name: params["name"], token: 9, key: params["key"], waitedMs: 0 },
    );
    const got = await broker.locks.request("taken", { ifAvailable: true }, async (lock) => {
      await broker.withLock("b", () => {});
      return lock;
    });
    assert.equal(got, null);
    assert.deepEqual(asked(fake), { taken: [], b: [] });
  });
});
