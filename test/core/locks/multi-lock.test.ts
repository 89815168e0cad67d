import assert from "node:assert/strict";
import { test } from "node:test";
import { merged } from "../../../src/core/locks/multi-lock.js";
import { isRefusal } from "../../../src/terms/index.js";
import { cast } from "../support/cast.js";
import { name } from "../support/values.js";

const x = name("x");

test("several names are granted together under one token, and any of them gives all back", () => {
  const { broker, anna, bert } = cast();
  const { token, claims } = anna.acquire(["a", { name: "b", mode: "shared" }, "c"]).grant;
  assert.deepEqual(
    claims.map(({ name: one, mode }) => `${one} ${mode}`),
    ["a exclusive", "b shared", "c exclusive"],
  );
  assert.equal(broker.core.counts.held, 3);
  assert.equal(broker.ledger.grants.size, 1);
  assert.equal(bert.acquire("c", { waitMs: 0 }).refusal.code, "LOCK_HELD");
  bert.hold("b", { mode: "shared" });
  anna.release({ name: name("c"), token });
  assert.equal(broker.core.counts.held, 1);
  bert.hold("a");
});

test("a request for several names holds none of them while it waits for one", () => {
  const { anna, bert, carl, dora } = cast();
  const a = anna.hold("a");
  const both = bert.acquire(["a", "b"]);
  assert.ok(both.open);
  assert.equal(carl.list({ name: "b" })[0]?.holdersTotal, 0);
  // But it is before others on each, so that it does not starve.
  const behind = carl.acquire("b");
  assert.ok(behind.open);
  assert.equal(dora.acquire("b", { waitMs: 0 }).refusal.code, "LOCK_HELD");
  anna.release(a);
  assert.ok(!both.open && behind.open);
});

test("a request for several names is not starved by others that ask for one of them in turn", () => {
  const { anna, bert, carl } = cast();
  let [a, b] = [anna.hold("a"), bert.hold("b")];
  const both = carl.acquire(["b", "a"]);
  const next = [anna.acquire("a"), bert.acquire("b")];
  anna.release(a);
  assert.ok(both.open && next[0]?.open);
  bert.release(b);
  assert.ok(!both.open);
  carl.release(both.grant);
  [a, b] = [next[0]?.grant ?? a, next[1]?.grant ?? b];
  assert.ok(a.token !== b.token);
});

test("one that waits for several names and gives up lets go whoever stood behind it, on each", () => {
  const { broker, anna, bert, carl, dora } = cast();
  anna.hold("a");
  bert.acquire(["a", "b", "c"], { key: 10 });
  const [c, d] = [carl.acquire("b"), dora.acquire("c", { mode: "shared" })];
  bert.cancelAcquire(10);
  assert.ok(!c.open && !d.open);
  assert.equal(broker.core.counts.waiting, 0);
});

test("the name that is in the way is told in the refusal, also of one that is away or was", () => {
  const { broker, anna, bert, carl, dora } = cast();
  anna.hold("b");
  const there = bert.acquire(["a", "b"], { waitMs: 100 });
  const back = carl.acquire(["a", "b"], { waitMs: 100, key: 10 });
  dora.acquire(["a", "b"], { waitMs: 100, key: 10 });
  for (const client of [carl, dora]) client.disconnect();
  carl.resume({ pending: [10] });
  const again = carl.acquire(["a", "b"], { waitMs: 100, key: 10 });
  broker.pass(100);
  dora.resume({ pending: [10] });
  const refusals = [there, again, dora.acquire(["a", "b"], { key: 10 })].map(({ refusal }) => refusal);
  for (const { code, message, details } of refusals) {
    assert.deepEqual([code, details["name"]], ["LOCK_TIMEOUT", "b"]);
    assert.match(message, /^"b" is held by anna/);
  }
  assert.ok(back.open);
});

test("one that is away and waits for several names is passed over on each", () => {
  const { anna, bert, carl } = cast();
  anna.hold("a");
  bert.acquire(["a", "b"], { key: 10 });
  const behind = carl.acquire("b");
  bert.disconnect();
  assert.ok(!behind.open);
});

test("who may have one name and waits for the other is looked at again when either changes", () => {
  const { anna, bert, carl, dora } = cast();
  const [a, b] = [anna.hold("a"), bert.hold("b")];
  const both = carl.acquire(["a", "b"]);
  anna.release(a);
  assert.ok(both.open);
  const again = anna.acquire("a");
  bert.release(b);
  assert.ok(!both.open && again.open);
  carl.release(both.grant);
  anna.release(again.grant);
  dora.hold(["a", "b"]);
});

test("all of its names are draining until what was sent under it is settled", () => {
  const { broker, anna, bert, carl } = cast();
  const { token } = anna.acquire(["a", "b"]).grant;
  anna.write("w", { fences: [{ name: name("b"), token }] });
  anna.release({ name: name("a"), token });
  const [b, c] = [bert.acquire("a"), carl.acquire("b")];
  assert.ok(b.open && c.open);
  broker.settle();
  assert.ok(!b.open && !c.open);
});

test("a session is bounded by names, not by requests", () => {
  const { anna } = cast({ limits: { locksPerSessionMax: 3, namesPerRequestMax: 4 } });
  anna.hold(["a", "b"]);
  assert.equal(anna.acquire(["c", "d"]).refusal.code, "LOCKS_FULL");
  assert.equal(anna.acquire(["a", "b", "c", "d", "e"]).refusal.code, "PARAMS_INVALID");
  anna.hold("c");
});

test("a full queue of one name refuses the whole request, and leaves nothing behind", () => {
  const { anna, bert, carl } = cast({ limits: { waitersMax: 1 } });
  anna.hold("a");
  bert.acquire("a");
  assert.equal(carl.acquire(["new", "a"]).refusal.code, "QUEUE_FULL");
  assert.deepEqual(carl.list({ name: "new" }), []);
});

test("sent again, a request for several names is answered as before, whatever their order", () => {
  const { anna } = cast();
  const { token } = anna.acquire(["a", "b"], { key: 10 }).grant;
  assert.equal(anna.acquire(["b", "a"], { key: 10 }).grant.token, token);
  assert.equal(anna.acquire(["a"], { key: 10 }).refusal.code, "KEY_REUSED");
});

// ── a name that comes twice ─────────────────────────────────────────────────────────────────────────────────────────

test("a name that is asked for twice is claimed once, in the stronger mode", () => {
  const shared = { name: x, mode: "shared" } as const;
  const exclusive = { name: x, mode: "exclusive" } as const;
  for (const claims of [
    [shared, exclusive],
    [exclusive, shared],
    [exclusive, exclusive],
  ])
    assert.deepEqual(merged(claims), [exclusive]);
  assert.deepEqual(merged([shared, shared]), [shared]);
});

test("slots of one name that are asked for twice add up", () => {
  const two = { name: x, mode: "semaphore", take: 2 } as const;
  const one = { name: x, mode: "semaphore", slots: 5 } as const;
  assert.deepEqual(merged([two, one]), [{ name: x, mode: "semaphore", slots: 5, take: 3 }]);
});

test("one name cannot be asked for in slots and without, nor with two numbers of slots", () => {
  const slots = (number: number) => ({ name: x, mode: "semaphore", slots: number }) as const;
  for (const claims of [
    [slots(1), { name: x, mode: "shared" } as const],
    [slots(1), slots(2)],
  ]) {
    const refusal = merged(claims);
    assert.ok(isRefusal(refusal) && refusal.refused === "SLOTS_MISMATCH");
  }
});

test("nothing at all is not asked for", () => {
  const { anna } = cast();
  assert.equal(anna.acquire([]).refusal.code, "PARAMS_INVALID");
});
