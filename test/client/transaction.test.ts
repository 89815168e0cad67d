/** Transactions of the library against a broker whose every answer the test chooses. */
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { type Broker, connect, HoldfastError, isHoldfastError, type Transaction } from "../../src/client/index.js";
import { type Refusal, refuse } from "../../src/terms/index.js";
import { FakeBroker, hold, rows } from "./support/fake-broker.js";

async function pair(test: TestContext): Promise<{ broker: Broker; fake: FakeBroker }> {
  const fake = await FakeBroker.start(test);
  const broker = await connect({ socket: fake.path, start: false, env: {} });
  test.after(() => broker.close());
  fake.on("tx.begin", ({ params }) => ({ tx: params["tx"] }));
  fake.on("tx.execute", () => rows(["n"], [1]));
  fake.on("tx.commit", () => ({ seq: 7 }));
  fake.on("tx.rollback", () => ({}));
  return { broker, fake };
}

async function rejection(promise: Promise<unknown>): Promise<HoldfastError> {
  const error: unknown = await promise.then(
    () => assert.fail("it did not reject"),
    (reason: unknown) => reason,
  );
  assert.ok(isHoldfastError(error), String(error));
  return error;
}

/** What was asked, as method, transaction and statement. */
function told({ asked }: FakeBroker): string[] {
  return asked.map(({ method, params }) => `${method} ${params["tx"]}${params["sql"] ? `: ${params["sql"]}` : ""}`);
}

/** Refuses the first time only. */
function once(fake: FakeBroker, method: string, refusal: Refusal, then: () => unknown): void {
  let asked = 0;
  fake.on(method, () => (++asked > 1 ? then() : refusal));
}

describe("a transaction", () => {
  it("is begun, committed when the work has returned, and gives what that returned", async (test) => {
    const { broker, fake } = await pair(test);
    const result = await broker.transaction(async (tx) => {
      await tx.execute("insert …");
      return (await tx.get<{ n: number }>("select …"))?.n;
    });
    assert.equal(result, 1);
    assert.deepEqual(told(fake), ["tx.begin 1", "tx.execute 1: insert …", "tx.execute 1: select …", "tx.commit 1"]);
    assert.equal(typeof fake.asked[3]?.params["key"], "number");
  });

  it("with an option that there is not is refused before it is begun", async (test) => {
    const { broker, fake } = await pair(test);
    const error = await rejection(broker.transaction(() => 1, { retry: 5 } as never));
    assert.equal(error.code, "MISUSE");
    assert.match(error.message, /no option "retry"; it has .*retries/);
    assert.equal((await rejection(broker.begin({ timeout: 5 } as never))).code, "MISUSE");
    assert.deepEqual(told(fake), []);
  });

  it("is rolled back when the work throws, which is not hidden by anything", async (test) => {
    const { broker, fake } = await pair(test);
    const own = new Error("of the program");
    await assert.rejects(
      broker.transaction(() => {
        throw own;
      }),
      (error) => error === own,
    );
    assert.deepEqual(told(fake), ["tx.begin 1", "tx.rollback 1"]);
  });

  it("is rolled back when it cannot be committed as was asked, so that nobody waits for it", async (test) => {
    const { broker, fake } = await pair(test);
    const error = await rejection(broker.transaction((tx) => tx.execute("insert …"), { release: true }));
    assert.equal(error.code, "MISUSE");
    assert.deepEqual(told(fake), ["tx.begin 1", "tx.execute 1: insert …", "tx.rollback 1"]);
  });

  it("has a fence and a time; one through a lock has the lock's", async (test) => {
    const { broker, fake } = await pair(test);
    fake.on("lock.acquire", () => ({ name: "a", token: 9, waitedMs: 0, waiting: 0 }));
    fake.on("lock.release", () => ({ released: true }));
    await broker.transaction(() => undefined, { fence: { name: "b", token: 3 }, timeoutMs: 50 });
    await broker.withLock("a", (lock) => lock.transaction(() => undefined));
    const begins = fake.asked.filter(({ method }) => method === "tx.begin").map(({ params }) => params);
    assert.deepEqual(begins, [
      { tx: 1, mode: "write", fence: [{ name: "b", token: 3 }], timeoutMs: 50 },
      { tx: 2, mode: "write", fence: [{ name: "a", token: 9 }] },
    ]);
  });

  it("is not begun through a lock that was given back", async (test) => {
    const { broker, fake } = await pair(test);
    fake.on("lock.acquire", () => ({ name: "a", token: 9, waitedMs: 0, waiting: 0 }));
    fake.on("lock.release", () => ({ released: true }));
    const lock = await broker.acquire("a");
    await lock.release();
    assert.equal((await rejection(lock.transaction(() => undefined))).code, "FENCED");
    assert.equal(fake.asked.filter(({ method }) => method === "tx.begin").length, 0);
  });

  it("commits nothing when a statement is refused that nobody waited for, and tells why", async (test) => {
    const { broker, fake } = await pair(test);
    fake.on("tx.execute", () => refuse("SQLITE_CONSTRAINT", "UNIQUE failed"));
    const error = await rejection(
      broker.transaction((tx) => {
        void tx.execute("insert …");
      }),
    );
    assert.equal(error.code, "SQLITE_CONSTRAINT");
    assert.deepEqual(told(fake), ["tx.begin 1", "tx.execute 1: insert …", "tx.rollback 1"]);
  });

  it("tells so, too, of a statement that was refused before the commit was asked for", async (test) => {
    const { broker, fake } = await pair(test);
    fake.on("tx.batch", () => refuse("SQLITE_CONSTRAINT", "UNIQUE failed"));
    for (const notAwaited of [
      (tx: Transaction) => tx.batch(["insert …"]),
      (tx: Transaction) => tx.execute("insert …", [Symbol("no value") as never]),
    ]) {
      const error = await rejection(
        broker.transaction(async (tx) => {
          void notAwaited(tx);
          await tx.query("select 1");
        }),
      );
      assert.ok(["SQLITE_CONSTRAINT", "PARAMETER_INVALID"].includes(error.code), error.code);
    }
    assert.equal(fake.asked.filter(({ method }) => method === "tx.commit").length, 0);
  });

  it("is committed when the program has heard of the refusal, at once or later", async (test) => {
    const { broker, fake } = await pair(test);
    fake.on("tx.execute", ({ params }) =>
      params["sql"] === "insert …" ? refuse("SQLITE_CONSTRAINT", "UNIQUE failed") : rows(["n"], [1]),
    );
    await broker.transaction(async (tx) => {
      await rejection(tx.execute("insert …"));
      const later = tx.get("insert …");
      await tx.query("select 1");
      await rejection(later);
      const [first, second] = await Promise.allSettled([tx.sql`insert …`, tx.execute("select 1")]);
      assert.deepEqual([first.status, second.status], ["rejected", "fulfilled"]);
    });
    assert.equal(told(fake).at(-1), "tx.commit 1");
  });

  it("that ends otherwise tells why it ends, and nothing of statements that nobody waited for", async (test) => {
    const { broker, fake } = await pair(test);
    fake.on("tx.execute", () => refuse("SQLITE_CONSTRAINT", "UNIQUE failed"));
    const thrown = new Error("the program's own");
    const work = broker.transaction((tx) => {
      void tx.execute("insert …");
      throw thrown;
    });
    await assert.rejects(work, thrown);
    const tx = await broker.begin();
    void tx.execute("insert …");
    await tx.rollback();
    // All that was asked is answered: a rejection that nobody hears would have been told by now.
    await broker.close();
  });

  it("tells of a refusal where the program waits for the statement", async (test) => {
    const { broker, fake } = await pair(test);
    fake.on("tx.execute", () => refuse("SQLITE_CONSTRAINT", "UNIQUE failed"));
    const work = broker.transaction(async function insertsOne(tx) {
      await tx.execute("insert …");
    });
    assert.match((await rejection(work)).stack ?? "", /insertsOne/);
  });

  it("that is over takes no more statements", async (test) => {
    const { broker } = await pair(test);
    const tx = await broker.begin();
    await tx.commit();
    assert.equal((await rejection(tx.execute("insert …"))).code, "MISUSE");
    assert.equal((await rejection(tx.commit())).code, "MISUSE");
    await tx.rollback();
  });

  it("that was begun as a handle is rolled back at the end of the block, unless it was committed", async (test) => {
    const { broker, fake } = await pair(test);
    {
      await using left = await broker.begin();
      await left.execute("insert …");
    }
    {
      await using committed = await broker.begin();
      await committed.commit();
    }
    assert.deepEqual(told(fake), [
      "tx.begin 1",
      "tx.execute 1: insert …",
      "tx.rollback 1",
      "tx.begin 2",
      "tx.commit 2",
    ]);
  });

  it("whose commit is refused is rolled back: nothing of it stays open", async (test) => {
    const { broker, fake } = await pair(test);
    fake.on("tx.commit", () => refuse("SQLITE_CONSTRAINT", "FOREIGN KEY failed"));
    assert.equal((await rejection(broker.transaction(() => undefined))).code, "SQLITE_CONSTRAINT");
    assert.deepEqual(told(fake), ["tx.begin 1", "tx.commit 1", "tx.rollback 1"]);
  });
});

describe("a handle that is closed", () => {
  it("undoes what is open and takes back what waits for its turn: nothing of them keeps the writer", async (test) => {
    const { broker, fake } = await pair(test);
    fake.on("tx.begin", ({ params }) => (params["tx"] === 1 ? { tx: 1 } : hold));
    let goOn = () => {};
    const paused = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    let begun = () => {};
    const isOpen = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const open = rejection(
      broker.transaction(async (tx) => {
        begun();
        await paused;
        await tx.execute("insert …");
      }),
    );
    await isOpen;
    const waits = rejection(broker.transaction(() => assert.fail("it has no turn any more")));
    await fake.request("tx.begin", 1);
    await broker.close();
    goOn();
    assert.deepEqual([(await open).code, (await waits).code], ["CLOSED", "CLOSED"]);
    assert.deepEqual(told(fake), ["tx.begin 1", "tx.begin 2", "tx.rollback 2", "tx.rollback 1"]);
  });

  it("does not call work done that has asked for nothing more", async (test) => {
    const { broker, fake } = await pair(test);
    const error = await rejection(broker.transaction(() => void broker.close()));
    assert.equal(error.code, "CLOSED");
    await broker.close();
    assert.deepEqual(told(fake), ["tx.begin 1", "tx.rollback 1"]);
  });
});

describe("a savepoint", () => {
  it("is released when its work has returned, and undone when that throws; the transaction goes on", async (test) => {
    const { broker, fake } = await pair(test);
    await broker.transaction(async (tx) => {
      await tx.savepoint(() => tx.execute("kept"));
      const undone = tx.savepoint(async () => {
        await tx.execute("undone");
        throw new Error("no");
      });
      await assert.rejects(undone, /no/);
    });
    assert.deepEqual(told(fake).slice(1), [
      "tx.execute 1: savepoint savepoint_1",
      "tx.execute 1: kept",
      "tx.execute 1: release savepoint_1",
      "tx.execute 1: savepoint savepoint_2",
      "tx.execute 1: undone",
      "tx.execute 1: rollback to savepoint_2",
      "tx.execute 1: release savepoint_2",
      "tx.commit 1",
    ]);
  });
});

describe("a savepoint of a transaction that is lost while it is undone", () => {
  it("tells what its work has thrown", async (test) => {
    const { broker, fake } = await pair(test);
    fake.on("tx.execute", ({ params }) =>
      params["sql"] === "release savepoint_1" ? refuse("TX_EXPIRED", "too long") : rows([]),
    );
    const work = broker.transaction((tx) =>
      tx.savepoint(() => {
        throw new Error("no");
      }),
    );
    await assert.rejects(work, /no/);
  });
});

describe("the work is done again", () => {
  for (const method of ["tx.begin", "tx.execute", "tx.commit"])
    it(`when the transaction was lost at ${method}`, async (test) => {
      const { broker, fake } = await pair(test);
      const then = { "tx.begin": () => ({ tx: 2 }), "tx.execute": () => rows([]), "tx.commit": () => ({ seq: 8 }) };
      once(fake, method, refuse("TX_LOST", "gone"), then[method as keyof typeof then]);
      let runs = 0;
      await broker.transaction(async (tx) => {
        runs++;
        await tx.execute("insert …");
      });
      assert.equal(runs, method === "tx.begin" ? 1 : 2);
      assert.deepEqual(told(fake).slice(-3), ["tx.begin 2", "tx.execute 2: insert …", "tx.commit 2"]);
    });

  it("when the program has wrapped the loss in an error of its own", async (test) => {
    const { broker, fake } = await pair(test);
    once(fake, "tx.execute", refuse("TX_LOST", "gone"), () => rows([]));
    let runs = 0;
    await broker.transaction(async (tx) => {
      runs++;
      await tx.execute("insert …").catch((cause: unknown) => {
        throw new Error("cannot save", { cause });
      });
    });
    assert.equal(runs, 2);
  });

  for (const [code, outcome] of [
    ["TX_LOST", "unknown"],
    ["TX_EXPIRED", undefined],
    ["FENCED", undefined],
    ["SQLITE_CONSTRAINT", undefined],
    ["OUTCOME_UNKNOWN", undefined],
  ] as const)
    it(`but not after ${code}${outcome === undefined ? "" : " when nobody knows what became of it"}`, async (test) => {
      const { broker, fake } = await pair(test);
      const refusal = { ...refuse(code, "not this time"), ...(outcome === undefined ? {} : { outcome }) };
      once(fake, "tx.commit", refusal, () => ({ seq: 8 }));
      let runs = 0;
      assert.equal((await rejection(broker.transaction(() => void runs++))).code, code);
      assert.equal(runs, 1);
    });

  for (const [what, then] of [
    ["when it has committed the transaction itself", () => ({ seq: 8 })],
    ["when nobody knows whether that was committed", () => ({ ...refuse("TX_LOST", "gone"), outcome: "unknown" })],
  ] as const)
    it(`but not ${what}: all that is lost came after`, async (test) => {
      const { broker, fake } = await pair(test);
      fake.on("tx.commit", then);
      let runs = 0;
      const work = async (tx: Transaction) => {
        runs++;
        await tx.commit().catch(() => undefined);
        throw HoldfastError.from(refuse("TX_LOST", "that of another transaction"));
      };
      assert.equal((await rejection(broker.transaction(work))).code, "TX_LOST");
      assert.equal(runs, 1);
      assert.deepEqual(told(fake), ["tx.begin 1", "tx.commit 1"]);
    });

  it("as often as is allowed, and not more", async (test) => {
    const { broker, fake } = await pair(test);
    fake.on("tx.commit", () => refuse("TX_LOST", "again"));
    let runs = 0;
    await rejection(broker.transaction(() => void runs++, { retries: 2 }));
    assert.equal(runs, 3);
  });

  it("on the next connection, when the one it was begun on has broken", async (test) => {
    const { broker, fake } = await pair(test);
    let runs = 0;
    const done = broker.transaction(async (tx) => {
      if (++runs === 1) fake.on("tx.execute", () => hold);
      await tx.execute("insert …");
    });
    await fake.request("tx.execute");
    fake.on("tx.execute", () => rows([]));
    fake.breakLinks();
    await done;
    assert.equal(runs, 2);
    assert.deepEqual(told(fake).slice(-3), ["tx.begin 2", "tx.execute 2: insert …", "tx.commit 2"]);
  });

  it("by the next broker, when one that ends has turned its commit away", async (test) => {
    const { broker, fake } = await pair(test);
    once(fake, "tx.commit", refuse("SHUTTING_DOWN", "the broker is ending"), () => ({ seq: 8 }));
    let runs = 0;
    const done = broker.transaction(() => void runs++);
    await fake.request("tx.rollback");
    fake.breakLinks();
    await done;
    assert.equal(runs, 2);
    assert.deepEqual(told(fake).slice(-2), ["tx.begin 2", "tx.commit 2"]);
  });
});

describe("a signal", () => {
  it("that is aborted already begins nothing", async (test) => {
    const { broker, fake } = await pair(test);
    const own = new Error("of the program");
    await assert.rejects(
      broker.transaction(() => undefined, { signal: AbortSignal.abort(own) }),
      (error) => error === own,
    );
    assert.equal(fake.asked.length, 0);
  });

  it("rolls the transaction back, and what is asked of it rejects with the signal's reason", async (test) => {
    const { broker, fake } = await pair(test);
    const controller = new AbortController();
    const own = new Error("of the program");
    await assert.rejects(
      broker.transaction(
        async (tx) => {
          controller.abort(own);
          await tx.execute("insert …");
        },
        { signal: controller.signal },
      ),
      (error) => error === own,
    );
    assert.deepEqual(told(fake), ["tx.begin 1", "tx.rollback 1"]);
  });

  it("rolls it back also where the work asks for nothing more: what is not committed does not resolve", async (test) => {
    const { broker, fake } = await pair(test);
    fake.on("lock.acquire", ({ params }) => ({ name: params["name"], token: 9, waitedMs: 0, waiting: 0 }));
    fake.on("lock.release", () => ({ released: true }));
    const lock = await broker.acquire("a");
    const leadership = await broker.elections.campaign("b");
    for (const by of [broker, lock, leadership]) {
      const controller = new AbortController();
      const own = new Error("of the program");
      const work = async (tx: Transaction) => {
        await tx.execute("insert …");
        controller.abort(own);
        return 1;
      };
      await assert.rejects(by.transaction(work, { signal: controller.signal }), (error) => error === own);
    }
    const ends = fake.asked.filter(({ method }) => method === "tx.commit" || method === "tx.rollback");
    assert.deepEqual(
      ends.map(({ method }) => method),
      ["tx.rollback", "tx.rollback", "tx.rollback"],
    );
  });

  it("that comes when the work has committed the transaction itself changes nothing of that", async (test) => {
    const { broker } = await pair(test);
    const controller = new AbortController();
    const work = async (tx: Transaction) => {
      await tx.commit();
      controller.abort();
      return 1;
    };
    assert.equal(await broker.transaction(work, { signal: controller.signal }), 1);
  });

  it("that comes while the begin is answered rolls back what has begun", async (test) => {
    const { broker, fake } = await pair(test);
    const controller = new AbortController();
    fake.on("tx.begin", () => hold);
    const own = new Error("of the program");
    const begin = broker.begin({ signal: controller.signal });
    const asked = await fake.request("tx.begin");
    controller.abort(own);
    fake.answer(asked, { tx: 1 });
    await assert.rejects(begin, (error) => error === own);
    assert.deepEqual(told(fake), ["tx.begin 1", "tx.rollback 1"]);
  });

  it("ends the wait for the writer", async (test) => {
    const { broker, fake } = await pair(test);
    const controller = new AbortController();
    fake.on("tx.begin", () => hold);
    const own = new Error("of the program");
    const begin = broker.begin({ signal: controller.signal });
    const asked = await fake.request("tx.begin");
    controller.abort(own);
    await fake.until(() => fake.noticed.some(({ method }) => method === "session.cancel"));
    fake.answer(asked, refuse("CANCELLED", "it was"));
    await assert.rejects(begin, (error) => error === own);
  });
});

describe("a transaction that reads", () => {
  async function reading(test: TestContext) {
    const { broker, fake } = await pair(test);
    fake.on("tx.begin", ({ params }) => ({ tx: params["tx"], seq: 40 }));
    return { broker, fake };
  }

  it("says so, relies on no lock, and is committed without a key", async (test) => {
    const { broker, fake } = await reading(test);
    fake.on("lock.acquire", () => ({ name: "a", token: 9, waitedMs: 0, waiting: 0 }));
    fake.on("lock.release", () => ({ released: true }));
    await broker.withLock("a", (lock) => lock.transaction((tx) => tx.get("select …"), { mode: "read" }));
    const asked = fake.asked.filter(({ method }) => method.startsWith("tx."));
    assert.deepEqual(
      asked.map(({ method }) => method),
      ["tx.begin", "tx.execute", "tx.commit"],
    );
    assert.deepEqual(asked[0]?.params, { tx: 1, mode: "read" });
    assert.deepEqual(asked[2]?.params, { tx: 1 });
    const tx = await broker.begin({ mode: "read" });
    assert.deepEqual(await tx.commit(), { seq: 40 });
  });

  it("gives no lock back: who asks for that is told so, and nothing is begun or ended", async (test) => {
    const { broker, fake } = await reading(test);
    const wishes = { mode: "read", release: true } as const;
    assert.equal((await rejection(broker.transaction(() => 1, wishes))).code, "MISUSE");
    assert.deepEqual(told(fake), []);
    const tx = await broker.begin({ mode: "read" });
    assert.equal((await rejection(tx.commit({ release: true }))).code, "MISUSE");
    assert.deepEqual(await tx.commit(), { seq: 40 });
  });

  it("is run again when its snapshot was ended, and not when it took too long", async (test) => {
    const { broker, fake } = await reading(test);
    once(fake, "tx.execute", refuse("SNAPSHOT_ENDED", "in the way of the log"), () => rows(["n"], [1]));
    let runs = 0;
    const work = async () => {
      runs++;
      return broker.transaction(async (tx) => tx.get("select …"), { mode: "read" });
    };
    assert.deepEqual(await work(), { n: 1 });
    assert.equal(runs, 1);
    assert.equal(fake.asked.filter(({ method }) => method === "tx.begin").length, 2);
    fake.on("tx.execute", () => refuse("TX_EXPIRED", "too old"));
    assert.equal((await rejection(work())).code, "TX_EXPIRED");
    assert.equal(fake.asked.filter(({ method }) => method === "tx.begin").length, 3);
  });

  it("streams from its snapshot, and the loop may ask beside it", async (test) => {
    const { broker, fake } = await reading(test);
    fake.on("tx.stream", ({ params }) => {
      setImmediate(() => {
        fake.notify("db.rows", { stream: params["stream"], rows: [[1], [2]] });
        fake.notify("db.done", { stream: params["stream"], rows: 2 });
      });
      return { stream: params["stream"], columns: ["n"] };
    });
    const seen = await broker.transaction(
      async (tx) => {
        const all: unknown[] = [];
        for await (const row of tx.stream("select …", [7])) all.push(row, await tx.get("select …"));
        return all;
      },
      { mode: "read" },
    );
    assert.deepEqual(seen, [{ n: 1 }, { n: 1 }, { n: 2 }, { n: 1 }]);
    const { params } = await fake.request("tx.stream");
    assert.deepEqual([params["tx"], params["sql"], params["args"]], [1, "select …", [7]]);
  });

  it("whose connection breaks is lost with its stream, unless all that was asked is answered", async (test) => {
    const { broker, fake } = await reading(test);
    fake.on("tx.stream", () => hold);
    const tx = await broker.begin({ mode: "read" });
    const row = rejection(tx.stream("select …").next() as Promise<unknown>);
    await fake.request("tx.stream");
    const held = await broker.begin({ mode: "read" });
    fake.on("tx.commit", () => hold);
    const committed = held.commit();
    await fake.request("tx.commit");
    fake.breakLinks();
    assert.equal((await row).code, "TX_LOST");
    assert.deepEqual(await committed, { seq: 40 });
    assert.equal((await rejection(tx.execute("select …"))).code, "TX_LOST");
  });
});
