import assert from "node:assert/strict";
import { test } from "node:test";
import { cast } from "../support/cast.js";

const shared = { mode: "shared" } as const;

// ── shared ──────────────────────────────────────────────────────────────────────────────────────────────────────────

test("a shared lock is held by many, each under a token of its own, and the exclusive one waits for the last", () => {
  const { anna, bert, carl } = cast();
  const [a, b] = [anna.hold("x", shared), bert.hold("x", shared)];
  assert.notEqual(a.token, b.token);
  const alone = carl.acquire("x");
  anna.release(a);
  assert.ok(alone.open);
  bert.release(b);
  assert.ok(alone.grant.token > b.token);
});

test("who wants to share stands behind who came before and wants it alone, so that one does not starve", () => {
  const { anna, bert, carl, dora } = cast();
  const a = anna.hold("x", shared);
  const alone = bert.acquire("x");
  const late = carl.acquire("x", shared);
  assert.ok(late.open);
  assert.equal(dora.acquire("x", { ...shared, waitMs: 0 }).refusal.code, "LOCK_HELD");
  anna.release(a);
  assert.ok(late.open);
  bert.release(alone.grant);
  assert.ok(!late.open);
});

test("a run of those who share is granted together, up to the first who wants it alone", () => {
  const { broker, anna, bert, carl, dora } = cast();
  const a = anna.hold("x");
  const run = [bert.acquire("x", shared), carl.acquire("x", shared)];
  const alone = dora.acquire("x");
  const behind = broker.client("emil").acquire("x", shared);
  anna.release(a);
  assert.deepEqual(
    run.map(({ open }) => open),
    [false, false],
  );
  assert.ok(alone.open && behind.open);
});

test("when the one who wants it alone gives up, those behind it share at once", () => {
  const { broker, anna, bert, carl } = cast();
  anna.hold("x", shared);
  bert.acquire("x", { waitMs: 100 });
  const behind = carl.acquire("x", shared);
  broker.pass(99);
  assert.ok(behind.open);
  broker.pass(1);
  assert.equal(behind.grant.waitedMs, 100);
});

test("one who is away and wants it alone holds up nobody, and is next again when it is back", () => {
  const { anna, bert, carl, dora } = cast();
  const a = anna.hold("x", shared);
  bert.acquire("x", { key: 10 });
  const waiting = carl.acquire("x", shared);
  bert.disconnect();
  assert.ok(!waiting.open);
  bert.resume({ pending: [10] });
  const back = bert.acquire("x", { key: 10 });
  assert.ok(dora.acquire("x", shared).open);
  anna.release(a);
  assert.ok(back.open);
  carl.release(waiting.grant);
  assert.ok(!back.open);
});

test("a thousand who share are each given back by their own token", () => {
  const { broker, bert } = cast();
  const client = broker.client("many");
  const fences = Array.from({ length: 1000 }, () => client.hold("x", shared));
  const alone = bert.acquire("x");
  for (const fence of [...fences.slice(500), ...fences.slice(0, 500)]) {
    assert.ok(alone.open);
    client.release(fence);
    assert.equal(client.release(fence).refusal.code, "LOCK_NOT_HELD");
    client.ack(client.nextKey());
  }
  assert.ok(!alone.open);
});

test("a write is fenced by a shared grant as by any other", () => {
  const { broker, anna, bert } = cast();
  const [a, b] = [anna.hold("x", shared), bert.hold("x", shared)];
  anna.write("w", { fences: [a] });
  anna.release(a);
  const alone = bert.acquire("x");
  bert.release(b);
  assert.ok(alone.open);
  assert.equal(bert.write("late", { fences: [b] }).refusal.code, "FENCED");
  broker.settle();
  assert.ok(!alone.open);
});

test("who shares gets in beside one that has ended and whose writes are not settled", () => {
  const { anna, bert, carl } = cast();
  const [a] = [anna.hold("x", shared), bert.hold("x", shared)];
  anna.write("w", { fences: [a] });
  anna.release(a);
  carl.hold("x", shared);
  assert.deepEqual(
    carl.list({ name: "x" }).map(({ ending, holdersTotal }) => [ending, holdersTotal]),
    [["writes", 2]],
  );
});

// ── slots ───────────────────────────────────────────────────────────────────────────────────────────────────────────

test("a semaphore is held by as many as it has slots for", () => {
  const { anna, bert, carl } = cast();
  const a = anna.hold("pool", { slots: 3, take: 2, mode: "semaphore" });
  bert.hold("pool", { mode: "semaphore" });
  const waiting = carl.acquire("pool", { mode: "semaphore" });
  const [view] = carl.list({ name: "pool" });
  assert.deepEqual([view?.mode, view?.slots, view?.slotsFree, view?.holdersTotal], ["semaphore", 3, 0, 2]);
  anna.release(a);
  assert.ok(!waiting.open);
});

test("one who needs many slots is not starved by those who need few", () => {
  const { anna, bert, carl, dora } = cast();
  const one = { mode: "semaphore", take: 1 } as const;
  const a = anna.hold("pool", { ...one, slots: 3 });
  const b = bert.hold("pool", one);
  const many = carl.acquire("pool", { mode: "semaphore", take: 3 });
  assert.ok(dora.acquire("pool", one).open);
  assert.equal(dora.acquire("pool", { ...one, waitMs: 0 }).refusal.code, "LOCK_HELD");
  anna.release(a);
  bert.release(b);
  assert.ok(!many.open);
});

test("slots that nobody before could need are given away", () => {
  const { anna, bert, carl, dora } = cast();
  anna.hold("pool", { mode: "semaphore", slots: 6, take: 3 });
  bert.hold("y");
  // Waits for y, and leaves one slot that it does not need.
  carl.acquire([{ name: "pool", take: 2 }, "y"]);
  dora.hold("pool", { mode: "semaphore", take: 1, waitMs: 0 });
  assert.ok(dora.acquire("pool", { mode: "semaphore", take: 1 }).open);
});

test("who is granted a lock is told how many wait for it", () => {
  const { anna, bert, carl } = cast();
  const a = anna.acquire("x");
  assert.equal(a.grant.waiting, 0);
  const b = bert.acquire("x");
  carl.acquire("x");
  anna.release(a.grant);
  assert.equal(b.grant.waiting, 1);
});
