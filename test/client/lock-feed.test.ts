/** Watching locks, against a broker whose every word the test chooses. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { LockNews } from "../../src/client/index.js";
import { refuse } from "../../src/terms/index.js";
import type { Asked } from "./support/fake-broker.js";
import { type Pair, pair } from "./support/pair.js";

const event = (n: number, more: object = {}) => ({
  ...{ n, at: 0, kind: "granted", name: "a", session: "s", program: "p", pid: 1, token: n },
  ...more,
});

function snapshots({ fake }: Pair, answer: (asked: Asked) => unknown): void {
  fake.on("lock.watch", answer);
  fake.on("lock.unwatch", () => ({}));
}

const told = (news: IteratorResult<LockNews, undefined>) =>
  news.done === true ? "done" : `${news.value.kind} ${news.value.n}`;

describe("a watch", () => {
  it("gives a snapshot, then events, and ends with the loop", async (test) => {
    const both = await pair(test);
    const { broker, fake } = both;
    snapshots(both, () => ({ upTo: 5, gap: false, locks: [] }));
    const heard: string[] = [];
    for await (const news of broker.locks.watch("a")) {
      heard.push(`${news.kind} ${news.n}`);
      if (news.kind === "snapshot") fake.notify("lock.events", { watch: 1, events: [event(6), event(7)] });
      if (news.n === 7) break;
    }
    assert.deepEqual(heard, ["snapshot 5", "granted 6", "granted 7"]);
    assert.deepEqual((await fake.request("lock.watch")).params, { watch: 1, name: "a" });
    assert.deepEqual((await fake.request("lock.unwatch")).params, { watch: 1 });
  });

  it("of a prefix, and of all, says which", async (test) => {
    const both = await pair(test);
    snapshots(both, () => ({ upTo: 5, gap: false, locks: [] }));
    await both.broker.locks.watch({ prefix: "deploy/" }).next();
    await both.broker.locks.watch({}).next();
    assert.deepEqual((await both.fake.request("lock.watch", 0)).params, { watch: 1, prefix: "deploy/" });
    assert.deepEqual((await both.fake.request("lock.watch", 1)).params, { watch: 2 });
  });

  it("asks nothing of the broker before somebody reads", async (test) => {
    const both = await pair(test);
    const watch = both.broker.locks.watch("a");
    await both.broker.ping();
    assert.equal(both.fake.asked.filter(({ method }) => method === "lock.watch").length, 0);
    await watch.return?.();
    assert.equal(told(await watch.next()), "done");
  });

  it("goes on after a lost connection from where it was", async (test) => {
    const both = await pair(test);
    const { broker, fake } = both;
    snapshots(both, ({ params }) => ({ upTo: 5, gap: false, ...(params["after"] === undefined ? { locks: [] } : {}) }));
    const watch = broker.locks.watch("a");
    await watch.next();
    fake.notify("lock.events", { watch: 1, events: [event(6)] });
    assert.equal(told(await watch.next()), "granted 6");
    fake.breakLinks();
    assert.equal((await fake.request("lock.watch", 1)).params["after"], 6);
    await broker.ping();
    fake.notify("lock.events", { watch: 1, events: [event(6), event(7)] });
    assert.equal(told(await watch.next()), "granted 7");
    await watch.return?.();
  });

  it("whose program reads far too slowly is shown how things are instead, and that there is a gap", async (test) => {
    const both = await pair(test);
    const { broker, fake } = both;
    let n = 5;
    snapshots(both, () => ({ upTo: n, gap: false, locks: [] }));
    const watch = broker.locks.watch("a");
    await watch.next();
    for (let round = 0; round < 11; round++) {
      const events = Array.from({ length: 1000 }, () => event(++n));
      fake.notify("lock.events", { watch: 1, events });
    }
    await fake.request("lock.watch", 1);
    const { value } = await watch.next();
    assert.ok(value?.kind === "snapshot" && value.gap && value.n === n);
    await watch.return?.();
  });

  it("ends with the signal's reason", async (test) => {
    const both = await pair(test);
    snapshots(both, () => ({ upTo: 5, gap: false, locks: [] }));
    const controller = new AbortController();
    const watch = both.broker.locks.watch("a", { signal: controller.signal });
    await watch.next();
    const next = watch.next();
    const another = watch.next();
    controller.abort();
    await assert.rejects(next, { name: "AbortError" });
    assert.equal(told(await another), "done");
    assert.equal(told(await watch.next()), "done");
    await both.fake.request("lock.unwatch");
    await assert.rejects(both.broker.locks.watch("a", { signal: controller.signal }).next(), { name: "AbortError" });
  });

  it("that is refused throws the refusal, after what was heard before", async (test) => {
    const both = await pair(test);
    snapshots(both, () => refuse("WATCHES_FULL", "too many", { limit: "watchesPerSessionMax" }));
    await assert.rejects(both.broker.locks.watch("a").next(), { name: "LockLimitError", code: "WATCHES_FULL" });
  });

  it("throws CLOSED when the handle is closed", async (test) => {
    const both = await pair(test);
    snapshots(both, () => ({ upTo: 5, gap: false, locks: [] }));
    const watch = both.broker.locks.watch("a");
    await watch.next();
    both.fake.notify("lock.events", { watch: 1, events: [event(6)] });
    await both.broker.ping();
    await both.broker.close();
    assert.equal(told(await watch.next()), "granted 6");
    await assert.rejects(watch.next(), { code: "CLOSED" });
    assert.equal(told(await watch.next()), "done");
  });
});
