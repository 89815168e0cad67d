/** Refusals about locks, as programs catch them. */
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import {
  DeadlockError,
  FencedError,
  HoldfastError,
  LockHeldError,
  LockLimitError,
  LockTimeoutError,
} from "../../src/client/index.js";
import { type RefusalCode, refuse } from "../../src/terms/index.js";
import { pair, rejection } from "./support/pair.js";

async function refused(test: TestContext, code: RefusalCode, details: object = {}): Promise<HoldfastError> {
  const { broker, fake } = await pair(test);
  fake.on("lock.acquire", () => refuse(code, "so the broker says", { name: "a", ...details }));
  return rejection(broker.acquire("a"));
}

const make = { session: "s", program: "make", pid: 4711, reason: "release build", heldMs: 180_000, token: 7 };

describe("an error about a lock", () => {
  it("that was not got in time tells the holders, its place, and how many wait", async (test) => {
    const error = await refused(test, "LOCK_TIMEOUT", { holder: make, holders: [make, make], place: 3, waiting: 5 });
    assert.ok(error instanceof LockTimeoutError && error instanceof HoldfastError && error instanceof Error);
    assert.equal(error.name, "LockTimeoutError");
    assert.equal(error.lock, "a");
    assert.deepEqual([error.holder, error.holders.length, error.place, error.waiting], [make, 2, 3, 5]);
  });

  it("that is held tells the holder, also as an older broker says it", async (test) => {
    const error = await refused(test, "LOCK_HELD", { holder: make, waiting: 1 });
    assert.ok(error instanceof LockHeldError);
    assert.deepEqual([error.holder, error.holders], [make, [make]]);
  });

  it("that nobody holds and others come first has no holder", async (test) => {
    const error = await refused(test, "LOCK_HELD", { holder: null, holders: [], waiting: 1 });
    assert.ok(error instanceof LockHeldError);
    assert.equal(error.holder, undefined);
  });

  it("that would close a circle tells the circle", async (test) => {
    const cycle = [
      { session: "s", program: "one", pid: 1, holds: "b", waitsFor: "a" },
      { session: "t", program: "two", pid: 2, holds: "a", waitsFor: "b" },
    ];
    const error = await refused(test, "DEADLOCK", { cycle });
    assert.ok(error instanceof DeadlockError);
    assert.deepEqual(error.cycle, cycle);
    assert.ok(error.retryable);
  });

  it("that is over a limit names it", async (test) => {
    const error = await refused(test, "QUEUE_FULL", { limit: "waitersMax" });
    assert.ok(error instanceof LockLimitError);
    assert.equal(error.limit, "waitersMax");
  });

  it("of a write that came too late tells the token", async (test) => {
    const { broker, fake } = await pair(test);
    fake.on("db.execute", () => refuse("FENCED", "too late", { name: "a", token: 7 }));
    const error = await rejection(broker.execute("insert …"));
    assert.ok(error instanceof FencedError);
    assert.deepEqual([error.lock, error.token], ["a", 7]);
  });

  it("with details of another shape has what can be had, and throws nothing else", async (test) => {
    const error = await refused(test, "LOCK_TIMEOUT", { holders: "?", holder: 7, place: "1", waiting: null });
    assert.ok(error instanceof LockTimeoutError);
    assert.deepEqual([error.holder, error.place, error.waiting], [undefined, undefined, 0]);
  });

  it("of any other code is the plain class", async (test) => {
    const error = await refused(test, "SLOTS_MISMATCH");
    assert.equal(error.name, "HoldfastError");
    assert.equal(error.code, "SLOTS_MISMATCH");
  });
});
