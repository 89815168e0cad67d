/** Elections, against a broker whose every word the test chooses. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { rows } from "./support/fake-broker.js";
import { pair, rejection } from "./support/pair.js";

const holder = { session: "s", program: "one", pid: 1, reason: "http://one", token: 7 };
const event = (n: number, kind: string, token: number, more: object = {}) => ({
  ...{ n, at: 0, kind, name: "leader", session: "t", program: "two", pid: 2, token },
  ...more,
});

describe("a campaign", () => {
  it("wins leadership, which writes only while it lasts, and resigns", async (test) => {
    const { broker, fake } = await pair(test);
    fake.on("db.execute", () => rows([]));
    const leadership = await broker.elections.campaign("leader", { value: "http://one", ttl: 5000 });
    const { params } = await fake.request("lock.acquire");
    assert.deepEqual([params["name"], params["reason"], params["ttlMs"]], ["leader", "http://one", 5000]);
    assert.deepEqual([leadership.name, leadership.value, leadership.token], ["leader", "http://one", 1]);
    await leadership.execute("update …");
    assert.deepEqual((await fake.request("db.execute")).params["fence"], [{ name: "leader", token: 1 }]);
    await leadership.resign();
    assert.equal(leadership.signal.aborted, false);
    assert.equal((await rejection(leadership.execute("update …"))).code, "FENCED");
  });

  it("that was won can be lost, and then says so", async (test) => {
    const { broker, fake } = await pair(test);
    const { signal } = await broker.elections.campaign("leader");
    const lost = new Promise((resolve) => signal.addEventListener("abort", resolve));
    fake.notify("lock.lost", { name: "leader", token: 1, reason: "broken" });
    await lost;
    assert.match(String(signal.reason), /"leader" \(token 1\) was lost: broken/);
  });
});

describe("who observes", () => {
  it("is told who leads now, and each change of that, and nothing else", async (test) => {
    const { broker, fake } = await pair(test);
    fake.on("lock.watch", () => ({ upTo: 5, gap: false, locks: [{ name: "leader", holders: [holder], waiters: [] }] }));
    fake.on("lock.unwatch", () => ({}));
    const observed = broker.elections.observe("leader");
    const one = { session: "s", program: "one", pid: 1, value: "http://one", token: 7 };
    assert.deepEqual((await observed.next()).value, { leader: one });
    const events = [
      event(6, "queued", 0),
      event(7, "released", 6),
      event(8, "lost", 7, { session: "s", reason: "its process is gone" }),
      event(9, "free", 7),
      event(10, "granted", 9, { reason: "http://two" }),
      event(11, "cancelled", 0),
    ];
    fake.notify("lock.events", { watch: 1, events });
    assert.deepEqual((await observed.next()).value, { leader: null });
    assert.deepEqual((await observed.next()).value, {
      leader: { session: "t", program: "two", pid: 2, value: "http://two", token: 9 },
    });
    fake.notify("lock.events", { watch: 1, events: [event(12, "released", 9)] });
    assert.deepEqual((await observed.next()).value, { leader: null });
    await observed.return?.();
  });

  it("and reads far too slowly is told who leads now, though it was on its way there when the rest was dropped", async (test) => {
    const { broker, fake } = await pair(test);
    let n = 5;
    const locks = () => [{ name: "leader", holders: [{ ...holder, token: n }], waiters: [] }];
    fake.on("lock.watch", () => ({ upTo: n, gap: false, locks: locks() }));
    fake.on("lock.unwatch", () => ({}));
    const observed = broker.elections.observe("leader");
    await observed.next();
    for (let round = 0; round < 10; round++) {
      const events = Array.from({ length: 1000 }, () => event(++n, "granted", n));
      fake.notify("lock.events", { watch: 1, events });
    }
    fake.notify("lock.events", { watch: 1, events: [event(n + 1, "queued", 0)] });
    await fake.request("lock.watch", 1);
    assert.equal((await observed.next()).value?.leader?.token, n);
    await observed.return?.();
  });

  it("is not told the same once more after a gap in which nothing was dropped", async (test) => {
    const { broker, fake } = await pair(test);
    let upTo = 5;
    const locks = [{ name: "leader", holders: [holder], waiters: [] }];
    fake.on("lock.watch", () => ({ upTo, gap: upTo > 5, locks }));
    fake.on("lock.unwatch", () => ({}));
    const observed = broker.elections.observe("leader");
    await observed.next();
    upTo = 9;
    fake.breakLinks();
    await fake.request("lock.watch", 1);
    await broker.ping();
    fake.notify("lock.events", { watch: 1, events: [event(10, "released", 7)] });
    assert.equal((await observed.next()).value?.leader, null);
    await observed.return?.();
  });

  it("of a name that nobody leads is told just that", async (test) => {
    const { broker, fake } = await pair(test);
    fake.on("lock.watch", () => ({ upTo: 5, gap: false, locks: [] }));
    for await (const { leader } of broker.elections.observe("leader")) {
      assert.equal(leader, null);
      break;
    }
  });
});
