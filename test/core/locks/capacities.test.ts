import assert from "node:assert/strict";
import { test } from "node:test";
import { cast, reborn } from "../support/cast.js";

const slot = { mode: "semaphore" } as const;

test("the first who says how many slots a name has, fixes it, and it is remembered when nobody uses it", () => {
  const { broker, anna, bert } = cast();
  anna.release(anna.hold("pool", { slots: 2 }));
  assert.deepEqual(anna.list(), []);
  assert.deepEqual([...broker.ledger.capacities.values()], [{ name: "pool", slots: 2 }]);
  const { code, details } = bert.acquire("pool", { slots: 3 }).refusal;
  assert.deepEqual([code, details["slots"]], ["SLOTS_MISMATCH", 2]);
  bert.hold("pool", slot);
});

test("a name whose slots nobody has said cannot be locked by slots", () => {
  const { anna } = cast();
  assert.equal(anna.acquire("pool", slot).refusal.code, "SLOTS_MISMATCH");
  assert.deepEqual(anna.list(), []);
});

test("nobody takes more slots than there are", () => {
  const { anna } = cast();
  assert.equal(anna.acquire("pool", { slots: 2, take: 3 }).refusal.code, "SLOTS_MISMATCH");
  anna.hold("pool", { slots: 2, take: 2 });
});

test("a name with slots is not locked without them, nor the other way round", () => {
  const { anna, bert } = cast();
  anna.release(anna.hold("pool", { slots: 2 }));
  assert.equal(bert.acquire("pool").refusal.code, "SLOTS_MISMATCH");
  assert.equal(bert.acquire("pool", { mode: "shared" }).refusal.code, "SLOTS_MISMATCH");
  const held = anna.hold("x");
  assert.equal(bert.acquire("x", { slots: 2 }).refusal.code, "SLOTS_MISMATCH");
  anna.release(held);
  bert.hold("x", { slots: 2 });
});

test("a request that is refused for one name fixes the slots of none", () => {
  const { broker, anna } = cast();
  anna.release(anna.hold("pool", { slots: 2 }));
  const both = [
    { name: "new", slots: 4 },
    { name: "pool", slots: 3 },
  ];
  assert.equal(anna.acquire(both).refusal.code, "SLOTS_MISMATCH");
  assert.equal(broker.ledger.capacities.has("new"), false);
});

test("so many names have slots and no more", () => {
  const { anna } = cast({ limits: { semaphoresMax: 1 } });
  anna.hold("pool", { slots: 2 });
  assert.deepEqual(anna.acquire("gpu", { slots: 2 }).refusal.details, { limit: "semaphoresMax", name: "gpu" });
  anna.hold("pool", slot);
});

test("after a restart a name has the slots that it had, and so have its holders", () => {
  const { broker, anna, bert, carl } = cast();
  const held = anna.hold("pool", { slots: 3, take: 2 });
  bert.release(bert.hold("gpu", { slots: 1 }));
  const after = reborn(broker, anna, bert, carl);
  const dora = after.client("dora");
  assert.ok(dora.acquire("pool", { ...slot, take: 2 }).open);
  assert.equal(dora.acquire("gpu", { slots: 2 }).refusal.code, "SLOTS_MISMATCH");
  anna.resume({ grants: [held] });
  assert.equal(dora.list({ name: "pool" })[0]?.slotsFree, 1);
});

// ── another number of slots ─────────────────────────────────────────────────────────────────────────────────────────

test("with more slots more get in", () => {
  const { anna, bert } = cast();
  anna.hold("pool", { slots: 1 });
  const waiting = bert.acquire("pool", slot);
  const { answer } = anna.resize("pool", 2);
  assert.deepEqual(answer.kind === "resized" && answer.slots, 2);
  assert.ok(!waiting.open);
});

test("with fewer slots holders keep theirs, and who waits for more than there are is refused", () => {
  const { anna, bert, carl } = cast();
  const [a, b] = [anna.hold("pool", { slots: 3 }), anna.hold("pool", slot)];
  const [many, one] = [bert.acquire("pool", { ...slot, take: 2 }), carl.acquire("pool", slot)];
  anna.resize("pool", 1);
  assert.equal(many.refusal.code, "SLOTS_MISMATCH");
  anna.release(a);
  assert.ok(one.open);
  anna.release(b);
  assert.ok(!one.open);
});

test("a name that nobody uses gets slots before it is locked, one that is locked without them does not", () => {
  const { anna, bert } = cast();
  anna.resize("pool", 2);
  bert.hold("pool", slot);
  anna.hold("x");
  assert.equal(bert.resize("x", 2).refusal.code, "SLOTS_MISMATCH");
  assert.deepEqual(anna.list({ name: "nothing" }), []);
});

test("a resize that is sent again is answered as the first time", () => {
  const { broker, anna } = cast();
  anna.resize("pool", 2, { key: 10 });
  anna.resize("pool", 3);
  assert.equal(anna.resize("pool", 2, { key: 10 }).answer.kind, "resized");
  assert.equal(broker.ledger.capacities.get("pool")?.slots, 3);
});
