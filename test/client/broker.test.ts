/** The handle against a broker whose every answer the test chooses, over a real socket. */
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import {
  type Broker,
  type ConnectOptions,
  connect,
  type HoldfastError,
  isHoldfastError,
  type ResultValue,
  real,
  type Step,
  type StepResult,
} from "../../src/client/index.js";
import { closings } from "../../src/protocol/index.js";
import { refuse } from "../../src/terms/index.js";
import { FakeBroker, hold, rows } from "./support/fake-broker.js";

async function pair(test: TestContext, options: ConnectOptions = {}): Promise<{ broker: Broker; fake: FakeBroker }> {
  const fake = await FakeBroker.start(test);
  const broker = await connect({ socket: fake.path, start: false, env: {}, ...options });
  test.after(() => broker.close());
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

for (const encoding of ["json", "msgpack"] as const) {
  describe(`values in ${encoding}`, () => {
    it("come back as the type that they left as", async (test) => {
      const { broker, fake } = await pair(test, { encoding });
      fake.on("db.execute", ({ params }) => rows(["v"], params["args"] as unknown[]));
      const bytes = new Uint8Array([0, 255, 7]);
      const given = [
        null,
        1,
        -1,
        1.5,
        2 ** 53 - 1,
        2n ** 62n,
        -(2n ** 63n),
        "text",
        "",
        bytes,
        bytes.buffer,
        real(1),
        -0.0001,
        real(-0),
        Number.POSITIVE_INFINITY,
      ];
      const { rows: back } = await broker.execute("select …", given, { rows: "arrays" });
      assert.deepEqual(back, [
        [
          null,
          1,
          -1,
          1.5,
          2 ** 53 - 1,
          2n ** 62n,
          -(2n ** 63n),
          "text",
          "",
          bytes,
          bytes,
          1,
          -0.0001,
          -0,
          Number.POSITIVE_INFINITY,
        ],
      ]);
    });

    it("as bytes are the request's own: the program may use its buffer again at once", async (test) => {
      const { broker, fake } = await pair(test, { encoding });
      fake.on("db.execute", ({ params }) => rows(["v"], params["args"] as unknown[]));
      fake.breakLinks();
      const bytes = Buffer.from("before");
      const execute = broker.execute("insert …", [bytes], { rows: "arrays" });
      bytes.fill(0);
      assert.deepEqual((await execute).rows, [[new Uint8Array(Buffer.from("before"))]]);
    });
  });
}

describe("a program whose connection is ended before it is welcome", () => {
  it("connects again by itself, as itself, and hears nothing of it", async (test) => {
    const fake = await FakeBroker.start(test);
    fake.on("session.hello", (asked) => {
      const { link } = asked;
      if (fake.hellos.length > 1) return fake.welcome(asked);
      link.close(closings.helloTimeout.code, "");
      link.terminate();
      return hold;
    });
    const broker = await connect({ socket: fake.path, start: false, env: {} });
    test.after(() => broker.close());
    const [first, second] = fake.hellos;
    assert.equal(fake.hellos.length, 2);
    assert.equal(second?.params["secret"], first?.params["secret"]);
  });
});

describe("a parameter", () => {
  const wrong: readonly (readonly [string, unknown, RegExp])[] = [
    ["undefined", undefined, /value 1 is undefined: give null/],
    ["a boolean", true, /value 1 is a boolean/],
    ["a date", new Date(), /value 1 is a Date/],
    ["an object", {}, /value 1 /],
    ["NaN", Number.NaN, /value 1 is NaN/],
    ["too large an integer", 2n ** 64n, /value 1 .*64 bits/],
  ];
  for (const [name, value, message] of wrong)
    it(`that is ${name} is refused by its place, before anything is sent`, async (test) => {
      const { broker, fake } = await pair(test);
      const error = await rejection(broker.execute("insert …", [value as never]));
      assert.equal(error.code, "PARAMETER_INVALID");
      assert.match(error.message, message);
      assert.equal(fake.asked.length, 0);
    });

  it("by name is refused by its name", async (test) => {
    const { broker } = await pair(test);
    assert.match(
      (await rejection(broker.query("select :when", { when: true as never }))).message,
      /"when" is a boolean/,
    );
  });

  it("list that is no list is a misuse", async (test) => {
    const { broker } = await pair(test);
    assert.equal((await rejection(broker.query("select ?", "one" as never))).code, "MISUSE");
    assert.equal((await rejection(broker.query("select ?", new Uint8Array(2) as never))).code, "MISUSE");
  });
});

describe("results", () => {
  it("are rows by the names of their columns; of two with one name the last wins", async (test) => {
    const { broker, fake } = await pair(test);
    fake.on("db.query", () => rows(["a", "b", "a", "__proto__"], [1, 2, 3, null]));
    const [row] = await broker.query("select …");
    assert.deepEqual(Object.entries(row ?? {}), [
      ["a", 3],
      ["b", 2],
      ["__proto__", null],
    ]);
  });

  it("of get are the first row, and only one is asked for", async (test) => {
    const { broker, fake } = await pair(test);
    fake.on("db.query", ({ params }) => rows(["n"], ...(params["sql"] === "none" ? [] : [[params["rowsMax"]]])));
    assert.deepEqual(await broker.get("some"), { n: 1 });
    assert.equal(await broker.get("none"), undefined);
  });

  it("have bigints as the program wants them", async (test) => {
    const answer = () => ({
      ...rows(["n", "m"], [1, { $int: String(2n ** 60n) }]),
      rowsAffected: 1,
      lastInsertRowid: 7,
    });
    const auto = await pair(test);
    auto.fake.on("db.execute", answer);
    const result = await auto.broker.execute("insert …", [], { rows: "arrays" });
    assert.deepEqual([result.rows, result.lastInsertRowid, result.rowsAffected], [[[1, 2n ** 60n]], 7, 1]);
    const always = await pair(test, { integers: "bigint" });
    always.fake.on("db.execute", answer);
    const big = await always.broker.execute("insert …", [], { rows: "arrays" });
    assert.deepEqual([big.rows, big.lastInsertRowid], [[[1n, 2n ** 60n]], 7n]);
    const never = await pair(test, { integers: "number" });
    never.fake.on("db.execute", answer);
    assert.equal((await rejection(never.broker.execute("insert …"))).code, "MISUSE");
  });

  it("that cannot be given do not hide that the statement was done", async (test) => {
    const { broker, fake } = await pair(test, { integers: "number" });
    const large = { $int: "9007199254740993" };
    const result = { ...rows([]), rowsAffected: 1, lastInsertRowid: large };
    fake.on("db.execute", ({ params }) => (params["sql"] === "insert" ? result : rows(["x"], [large])));
    fake.on("db.batch", () => ({ results: [result] }));
    fake.on("db.script", () => ({ results: [{ ...result, position: 0 }] }));
    fake.on("db.query", () => rows(["x"], [large]));
    const written = [
      broker.execute("insert"),
      broker.execute("insert … returning x"),
      broker.sql`insert … returning x`,
      broker.batch(["insert"]),
      broker.script("insert"),
    ];
    for (const done of written) {
      const { code, outcome, message } = await rejection(done);
      assert.deepEqual([code, outcome], ["MISUSE", "unknown"]);
      assert.match(message, /was done, .* is applied, .*9007199254740993 .*integers "auto"/);
    }
    for (const read of [broker.query("select x"), broker.get("select x")])
      assert.equal((await rejection(read)).outcome, "none");
  });
});

describe("a template", () => {
  it("gives its values as parameters, whatever they hold", async (test) => {
    const { broker, fake } = await pair(test);
    fake.on("db.execute", () => rows(["n"], [1]));
    const name = "'; drop table job; --";
    assert.deepEqual(await broker.sql`select * from job where name = ${name} and id > ${3}`, [{ n: 1 }]);
    const { sql, args } = fake.asked[0]?.params ?? {};
    assert.deepEqual([sql, args], ["select * from job where name = ? and id > ?", [name, 3]]);
  });
});

describe("what is sent", () => {
  it("carries values by place and by name, limits and fences", async (test) => {
    const { broker, fake } = await pair(test);
    fake.on("db.execute", () => rows([]));
    await broker.execute("…", [1], { named: { n: 2 }, timeoutMs: 50, fence: { name: "a", token: 7 } });
    const { key: _key, ack: _ack, ...params } = fake.asked[0]?.params ?? {};
    assert.deepEqual(params, { sql: "…", args: [1], named: { n: 2 }, timeoutMs: 50, fence: [{ name: "a", token: 7 }] });
  });

  it("as a batch may be texts, pairs and objects", async (test) => {
    const { broker, fake } = await pair(test);
    fake.on("db.batch", () => ({ results: [rows([]), rows([]), rows(["n"], [1])] }));
    const results = await broker.batch(["one", ["two", [2]], { sql: "three", named: { n: 3 } }]);
    assert.deepEqual(fake.asked[0]?.params["statements"], [
      { sql: "one" },
      { sql: "two", args: [2] },
      { sql: "three", named: { n: 3 } },
    ]);
    assert.deepEqual(results[2]?.rows, [{ n: 1 }]);
  });

  it("a script that is not atomic tells that a part of it was applied, and how much", async (test) => {
    const { broker, fake } = await pair(test);
    fake.on("db.script", () => ({
      ...refuse("SQLITE_CONSTRAINT", "UNIQUE failed", { applied: 2 }),
      outcome: "partial",
    }));
    const { code, outcome, details } = await rejection(broker.script("one; two; three", { atomic: false }));
    assert.deepEqual([code, outcome, details["applied"]], ["SQLITE_CONSTRAINT", "partial", 2]);
  });

  it("as a batch may have conditions; each statement has its result, its error, or none", async (test) => {
    const { broker, fake } = await pair(test);
    const error = {
      message: "UNIQUE failed",
      data: { code: "SQLITE_CONSTRAINT", retryable: false, outcome: "none", details: {} },
    };
    fake.on("db.batch", () => ({ results: [{ error }, rows(["n"], [1]), null] }));
    const [refused, done, passedOver] = await broker.batch(
      ["one", { sql: "two", if: { error: 0 } }, { sql: "three", if: { and: [{ ok: 0 }, { not: { ok: 1 } }] } }],
      { atomic: false },
    );
    const { statements, atomic } = fake.asked[0]?.params ?? {};
    assert.deepEqual(
      [statements, atomic],
      [
        [
          { sql: "one" },
          { sql: "two", if: { error: 0 } },
          { sql: "three", if: { and: [{ ok: 0 }, { not: { ok: 1 } }] } },
        ],
        false,
      ],
    );
    assert.ok(isHoldfastError(refused));
    assert.equal(refused.code, "SQLITE_CONSTRAINT");
    assert.ok(done !== null && done !== undefined && "rows" in done);
    assert.deepEqual(done.rows, [{ n: 1 }]);
    assert.equal(passedOver, null);
  });

  it("as a batch with conditions has its rows as arrays where that is asked for, in its type too", async (test) => {
    const { broker, fake } = await pair(test);
    for (const method of ["db.batch", "tx.batch"]) fake.on(method, () => ({ results: [rows(["n"], [1]), null] }));
    for (const method of ["tx.begin", "tx.commit"]) fake.on(method, () => ({}));
    const steps: Step[] = ["one", { sql: "two", if: { error: 0 } }];
    const options = { atomic: false, rows: "arrays" } as const;
    const alone = await broker.batch(steps, options);
    const inTransaction = await broker.transaction((tx) => tx.batch(steps, options));
    // What was inferred, and not what is expected here.
    const typed: (readonly StepResult<ResultValue[]>[])[] = [alone, inTransaction];
    for (const [done, passedOver] of typed) {
      assert.ok(done !== null && done !== undefined && "rows" in done);
      assert.deepEqual([done.rows, passedOver], [[[1]], null]);
    }
  });

  it("under a key of the program's own is sent again as it was, in a new session too", async (test) => {
    const { broker, fake } = await pair(test);
    const done = broker.execute("insert …", [1], { key: "order 7", keepMs: 1000 });
    await fake.request("db.execute");
    fake.on("db.execute", () => rows([]));
    fake.sessions.clear();
    fake.breakLinks();
    await done;
    const keys = fake.asked.filter(({ method }) => method === "db.execute").map(({ params }) => params);
    assert.deepEqual(keys, [
      { sql: "insert …", args: [1], key: "order 7", keepMs: 1000 },
      { sql: "insert …", args: [1], key: "order 7", keepMs: 1000 },
    ]);
  });

  it("too large for the broker is refused here, and the connection stays", async (test) => {
    const { broker, fake } = await pair(test);
    fake.on("db.query", () => rows([]));
    const error = await rejection(broker.execute("…", ["x".repeat(17 * 1024 * 1024)]));
    assert.equal(error.code, "FRAME_TOO_LARGE");
    assert.deepEqual(await broker.query("…"), []);
    assert.equal(fake.hellos.length, 1);
  });

  it("that cannot be written down is refused here, and nothing is kept of it", async (test) => {
    for (const encoding of ["json", "msgpack"] as const) {
      const { broker, fake } = await pair(test, { encoding });
      fake.on("db.query", () => rows([]));
      const circle: unknown[] = [];
      circle.push(circle);
      const error = await rejection(broker.acquire("a", { reason: circle as never }));
      assert.deepEqual([error.code, error.outcome], ["PARAMS_INVALID", "none"]);
      assert.deepEqual(await broker.query("…"), []);
      assert.equal(fake.hellos.length, 1);
      await broker.close();
    }
  });

  it("to watch what is too large to be asked for ends the watch", async (test) => {
    const { broker } = await pair(test);
    const watch = broker.watch("x".repeat(17 * 1024 * 1024));
    assert.equal((await rejection(watch.opened)).code, "FRAME_TOO_LARGE");
    assert.equal((await rejection(watch.next())).code, "FRAME_TOO_LARGE");
  });
});

describe("an error of the broker's", () => {
  it("has its code, outcome and details, and the stack of who waited", async (test) => {
    const { broker, fake } = await pair(test);
    fake.on("db.execute", () => ({
      ...refuse("SQLITE_CONSTRAINT", "UNIQUE failed: t.a", { sqliteCode: "SQLITE_CONSTRAINT_UNIQUE" }),
    }));
    async function theProgram(): Promise<void> {
      await broker.execute("insert …");
    }
    const error = await rejection(theProgram());
    assert.deepEqual([error.code, error.outcome, error.retryable], ["SQLITE_CONSTRAINT", "none", false]);
    assert.equal(error.details["sqliteCode"], "SQLITE_CONSTRAINT_UNIQUE");
    assert.match(error.stack ?? "", /theProgram/);
  });
});

describe("a lost connection", () => {
  it("is made again, and the write that was unanswered is sent again under its key", async (test) => {
    const { broker, fake } = await pair(test);
    const reconnected = new Promise<{ resumed: boolean }>((resolve) => broker.on("reconnected", resolve));
    const execute = broker.execute("insert …", [1]);
    await fake.request("db.execute");
    fake.breakLinks();
    const again = await fake.request("db.execute", 1);
    assert.equal(again.params["key"], fake.asked[0]?.params["key"]);
    fake.answer(again, { ...rows([]), rowsAffected: 1 });
    assert.equal((await execute).rowsAffected, 1);
    assert.deepEqual(await reconnected, { resumed: true });
  });

  it("is waited for no longer than the program wants", async (test) => {
    const { broker, fake } = await pair(test, { reconnectTimeoutMs: 2000 });
    await fake.end();
    const error = await rejection(broker.query("select 1"));
    assert.deepEqual([error.code, error.outcome], ["CONNECTION_LOST", "none"]);
    await fake.listen();
    fake.on("db.query", () => rows(["n"], [1]));
    assert.deepEqual(await broker.query("select 1"), [{ n: 1 }]);
  });

  it("of a session that is over is told, its locks are lost, its write is settled", async (test) => {
    const { broker, fake } = await pair(test);
    fake.on("lock.acquire", ({ params }) => ({ name: params["name"], token: 7, key: params["key"], waitedMs: 0 }));
    fake.on("session.settle", ({ params }) => ({
      outcomes: (params["keys"] as number[]).map((key) => ({
        key,
        outcome: "applied",
        result: rows(["n"], [42]),
        resultKept: true,
      })),
    }));
    const lock = await broker.acquire("a");
    const { signal } = lock;
    const before = broker.session;
    const over = new Promise((resolve) => broker.on("session-lost", resolve));
    const write = broker.execute("insert … returning n");
    await fake.request("db.execute");
    fake.sessions.clear();
    fake.breakLinks();
    await over;
    assert.deepEqual((await write).rows, [{ n: 42 }]);
    assert.ok(signal.aborted && isHoldfastError(signal.reason));
    assert.equal(signal.reason.code, "LOCK_LOST");
    assert.notEqual(broker.session, before);
    assert.equal((await rejection(lock.execute("late"))).code, "FENCED");
    await lock.release();
  });
});

describe("a signal", () => {
  it("that is aborted already sends nothing", async (test) => {
    const { broker, fake } = await pair(test);
    await assert.rejects(broker.acquire("a", { signal: AbortSignal.abort() }), { name: "AbortError" });
    await assert.rejects(broker.query("…", [], { signal: AbortSignal.abort() }), { name: "AbortError" });
    assert.equal(fake.asked.length, 0);
  });

  it("ends a wait for a lock with its reason, when the broker has said so", async (test) => {
    const { broker, fake } = await pair(test);
    const controller = new AbortController();
    const acquire = broker.acquire("a", { signal: controller.signal });
    const asked = await fake.request("lock.acquire");
    const reason = new Error("changed my mind");
    controller.abort(reason);
    const cancel = await fake.request("lock.cancel");
    assert.equal(cancel.params["of"], asked.params["key"]);
    fake.answer(asked, refuse("CANCELLED", "as you wish"));
    fake.answer(cancel, { outcome: "cancelled" });
    await assert.rejects(acquire, (error) => error === reason);
  });

  it("that loses the race against the grant gives the lock back before it rejects", async (test) => {
    const { broker, fake } = await pair(test);
    const controller = new AbortController();
    const acquire = broker.acquire("a", { signal: controller.signal });
    const asked = await fake.request("lock.acquire");
    controller.abort();
    await fake.request("lock.cancel");
    let released = false;
    fake.on("lock.release", () => {
      released = true;
      return { released: true };
    });
    fake.answer(asked, { name: "a", token: 7, key: asked.params["key"], waitedMs: 0 });
    await assert.rejects(acquire, { name: "AbortError" });
    assert.ok(released);
  });

  it("ends a query at once", async (test) => {
    const { broker, fake } = await pair(test);
    const controller = new AbortController();
    const query = broker.query("…", [], { signal: controller.signal });
    const asked = await fake.request("db.query");
    controller.abort();
    await assert.rejects(query, { name: "AbortError" });
    fake.on("session.ping", () => ({ now: 1 }));
    await broker.ping();
    assert.deepEqual(fake.noticed, [{ kind: "notification", method: "session.cancel", params: { id: asked.id } }]);
  });
});

describe("a handle", () => {
  it("is closed from the call on, while what is in flight is waited for", async (test) => {
    const { broker, fake } = await pair(test);
    const query = broker.query("…");
    const asked = await fake.request("db.query");
    assert.equal(broker.closed, false);
    const closing = broker.close();
    assert.equal(broker.closed, true);
    fake.answer(asked, rows(["n"], [1]));
    assert.deepEqual(await query, [{ n: 1 }]);
    await closing;
  });

  it("closes once, says goodbye, and refuses what comes after", async (test) => {
    const { broker } = await pair(test);
    const events: unknown[] = [];
    broker.on("closed", (event) => events.push(event));
    await Promise.all([broker.close(), broker.close()]);
    await broker.close();
    assert.deepEqual(events, [{ error: undefined }]);
    assert.equal((await rejection(broker.query("…"))).code, "CLOSED");
    assert.ok(broker.closed);
  });

  it("waits with closing for the answers that are on the way", async (test) => {
    const { broker, fake } = await pair(test);
    const query = broker.query("…");
    const close = broker.close();
    fake.answer(await fake.request("db.query"), rows(["n"], [1]));
    assert.deepEqual(await query, [{ n: 1 }]);
    await close;
  });

  it("that nobody answers is not made", async (test) => {
    const fake = await FakeBroker.start(test);
    fake.on("session.hello", () => hold);
    const error = await rejection(connect({ socket: fake.path, start: false, env: {}, startTimeoutMs: 50 }));
    assert.equal(error.code, "NO_BROKER");
  });

  it("is not made when the program does not want it any more", async (test) => {
    const fake = await FakeBroker.start(test);
    fake.on("session.hello", () => hold);
    const controller = new AbortController();
    const connecting = connect({ socket: fake.path, start: false, env: {}, signal: controller.signal });
    await fake.request("session.hello");
    controller.abort();
    await assert.rejects(connecting, { name: "AbortError" });
  });

  it("to a broker that does not run says where it looked", async (test) => {
    const fake = await FakeBroker.start(test);
    await fake.end();
    const error = await rejection(connect({ socket: fake.path, start: false, env: {} }));
    assert.equal(error.code, "NO_BROKER");
    assert.equal(error.details["path"], fake.path);
    assert.match(error.stack ?? "", /broker\.test/);
  });

  it("batches what is sent in one tick, and keeps its order", async (test) => {
    const { broker, fake } = await pair(test);
    fake.on("db.query", ({ params }) => rows(["sql"], [params["sql"]]));
    const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => broker.query<{ sql: string }>(`${i}`)));
    assert.deepEqual(
      answers.map(([row]) => row?.sql),
      Array.from({ length: 100 }, (_, i) => `${i}`),
    );
    assert.deepEqual(
      fake.asked.map(({ params }) => params["sql"]),
      Array.from({ length: 100 }, (_, i) => `${i}`),
    );
  });

  it("lists locks in as many parts as the broker gives", async (test) => {
    const { broker, fake } = await pair(test);
    fake.on("lock.list", ({ params }) =>
      params["after"] === undefined
        ? { locks: [{ name: "a" }, { name: "b" }], more: true }
        : { locks: params["after"] === "b" ? [{ name: "c" }] : [] },
    );
    const locks = await broker.locks.list({ prefix: "" });
    assert.deepEqual(
      locks.map(({ name }) => name),
      ["a", "b", "c"],
    );
    assert.deepEqual(
      fake.asked.map(({ params }) => params),
      [{ prefix: "" }, { prefix: "", after: "b" }],
    );
  });

  it("calls a method by its name, and leaves its own to itself", async (test) => {
    const { broker, fake } = await pair(test);
    fake.on("lock.list", () => ({ locks: [] }));
    assert.deepEqual(await broker.call("lock.list", { name: "a" }), { locks: [] });
    assert.equal((await rejection(broker.call("session.goodbye", {}))).code, "MISUSE");
  });

  it("calls a write under the library's key, or under the program's own", async (test) => {
    const { broker, fake } = await pair(test);
    fake.on("db.execute", () => rows([]));
    fake.on("db.batch", () => hold);
    await broker.call("db.execute", { sql: "insert …" });
    const params = { statements: [{ sql: "insert …" }], key: "order 7", keepMs: 1000 };
    const done = broker.call("db.batch", params);
    await fake.request("db.batch");
    fake.on("db.batch", () => ({ results: [] }));
    fake.breakLinks();
    await done;
    assert.equal(typeof fake.asked[0]?.params["key"], "number");
    assert.deepEqual(
      fake.asked.slice(1).map((asked) => asked.params),
      [params, params],
    );
  });

  it("calls no write under a number that is not the library's", async (test) => {
    const { broker, fake } = await pair(test);
    fake.on("db.execute", () => rows([]));
    fake.on("db.script", () => ({ results: [] }));
    const key = await rejection(broker.call("db.execute", { sql: "insert …", key: 7 }));
    const ack = await rejection(broker.call("db.script", { sql: "insert …", ack: 7 }));
    assert.deepEqual([key.code, key.details["key"], ack.code, ack.details["ack"]], ["MISUSE", 7, "MISUSE", 7]);
    assert.equal(fake.asked.length, 0);
  });

  it("counts a lock as given back that a called write has given back", async (test) => {
    const { broker, fake } = await pair(test);
    fake.on("lock.acquire", ({ params }) => ({ name: params["name"], token: 3, key: params["key"], waitedMs: 0 }));
    fake.on("db.execute", () => rows([]));
    const lock = await broker.acquire("a");
    const a = [{ name: "a", token: 3 }];
    await broker.call("db.execute", { sql: "insert …", fence: a, release: a });
    assert.deepEqual([lock.held, lock.lost, broker.heldLocks()], [false, false, []]);
    const { key: _key, ack: _ack, ...params } = (await fake.request("db.execute")).params;
    assert.deepEqual(params, { sql: "insert …", fence: a, release: a });
  });
});
