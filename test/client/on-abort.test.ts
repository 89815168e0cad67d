/** One listener of a signal, however many wait for it. */
import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { describe, it } from "node:test";
import { connect } from "../../src/client/index.js";
import { onAbort } from "../../src/client/on-abort.js";
import { Home } from "../support/broker.js";

const listeners = (signal: AbortSignal) => getEventListeners(signal, "abort").length;

describe("what waits for a signal", () => {
  it("is called in the order in which it came, once, and not when it was taken back", () => {
    const controller = new AbortController();
    const called: string[] = [];
    const say = (word: string) => onAbort(controller.signal, () => called.push(word));
    say("a");
    const takeBack = say("b");
    say("c");
    takeBack();
    takeBack();
    assert.equal(listeners(controller.signal), 1);
    controller.abort();
    assert.deepEqual(called, ["a", "c"]);
    assert.equal(listeners(controller.signal), 0);
  });

  it("can be taken back by what is called before it", () => {
    const controller = new AbortController();
    const called: string[] = [];
    const takeBacks: (() => void)[] = [];
    onAbort(controller.signal, () => {
      called.push("a");
      for (const takeBack of takeBacks) takeBack();
    });
    takeBacks.push(onAbort(controller.signal, () => called.push("b")));
    controller.abort();
    assert.deepEqual(called, ["a"]);
  });

  it("is a call of its own each time, also of the same function", () => {
    const controller = new AbortController();
    let calls = 0;
    const count = () => {
      calls += 1;
    };
    onAbort(controller.signal, count);
    const takeBack = onAbort(controller.signal, count);
    takeBack();
    takeBack();
    controller.abort();
    assert.equal(calls, 1);
  });

  it("leaves nothing at the signal when all is taken back, and may wait again", () => {
    const controller = new AbortController();
    const takeBacks = Array.from({ length: 50 }, () => onAbort(controller.signal, () => assert.fail("taken back")));
    assert.equal(listeners(controller.signal), 1);
    for (const takeBack of takeBacks) takeBack();
    assert.equal(listeners(controller.signal), 0);
    let called = false;
    onAbort(controller.signal, () => {
      called = true;
    });
    controller.abort();
    assert.equal(called, true);
  });

  it("without a signal is never called", () => {
    onAbort(undefined, () => assert.fail("no signal"))();
  });
});

it("requests of every kind that share a signal have one listener, and all end with its reason", async (test) => {
  const home = new Home(test);
  await home.start();
  const broker = await connect({ dir: home.dir, start: false, env: {} });
  const holder = await connect({ dir: home.dir, start: false, env: {} });
  await broker.execute("create table t(a)");
  await holder.acquire("busy");
  const controller = new AbortController();
  const { signal } = controller;
  const endless = "with recursive c(n) as (select 1 union all select n + 1 from c) select count(*) from c";
  const many = <T>(make: () => Promise<T>) => Array.from({ length: 4 }, make);
  const changes = broker.watch(["t"], { signal });
  await changes.opened;
  const waits: Promise<unknown>[] = [
    ...many(() => broker.acquire("busy", { signal })),
    ...many(() => broker.query(endless, [], { signal })),
    ...many(() => broker.locks.request("busy", { signal }, () => assert.fail("it is held"))),
    ...many(() => broker.stream(endless, [], { signal }).next()),
    ...many(() => changes.next()),
    broker.transaction(() => new Promise<never>(() => {}), { signal }),
  ];
  const ends = Promise.allSettled(waits);
  assert.equal(listeners(signal), 1);
  const reason = new Error("enough");
  controller.abort(reason);
  for (const end of await ends) assert.deepEqual(end, { status: "rejected", reason });
  assert.equal(listeners(signal), 0);
  await holder.close();
  await broker.close();
});
