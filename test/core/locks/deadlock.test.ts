import assert from "node:assert/strict";
import { test } from "node:test";
import { cast, reborn } from "../support/cast.js";
import { TestBroker } from "../support/test-broker.js";
import type { TestClient } from "../support/test-client.js";
import { name } from "../support/values.js";

const shared = { mode: "shared" } as const;

interface Entry {
  readonly program: string;
  readonly holds: string | null;
  readonly waitsFor: string;
}

function cycleOf(refusal: { readonly details: { readonly [field: string]: unknown } }): string[] {
  return (refusal.details["cycle"] as Entry[]).map(
    ({ program, holds, waitsFor }) => `${program}: ${holds ?? "-"} -> ${waitsFor}`,
  );
}

test("two sessions that each ask for what the other holds: the second is refused, and told the circle", () => {
  const { anna, bert } = cast();
  const a = anna.hold("a");
  bert.hold("b");
  const waiting = anna.acquire("b");
  const { refusal } = bert.acquire("a");
  assert.equal(refusal.code, "DEADLOCK");
  assert.deepEqual(cycleOf(refusal), ["bert: b -> a", "anna: a -> b"]);
  assert.match(refusal.message, /bert waits for "a", held by anna; anna waits for "b", held by bert/);
  assert.ok(waiting.open);
  assert.deepEqual(bert.list({ name: "a" })[0]?.waitersTotal, 0);
  anna.release(a);
  bert.hold("a");
});

test("a circle of three is found", () => {
  const { anna, bert, carl } = cast();
  anna.hold("a");
  bert.hold("b");
  carl.hold("c");
  anna.acquire("b");
  bert.acquire("c");
  assert.deepEqual(cycleOf(carl.acquire("a").refusal), ["carl: c -> a", "anna: a -> b", "bert: b -> c"]);
});

test("a circle through a queue is found: who stands before one is waited for as well", () => {
  const { anna, bert, carl } = cast();
  anna.hold("a");
  bert.hold("b");
  // Waits for a, and stands before anna on c.
  carl.acquire(["a", "c"]);
  const { refusal } = anna.acquire("c");
  assert.equal(refusal.code, "DEADLOCK");
  assert.deepEqual(cycleOf(refusal), ["anna: a -> c", "carl: - -> a"]);
  assert.match(refusal.message, /anna waits for "c" behind carl; carl waits for "a", held by anna/);
});

test("who only shares is waited for only by one who wants it alone", () => {
  const { anna, bert, carl } = cast();
  anna.hold("a", shared);
  bert.hold("a", shared);
  bert.hold("b");
  const waiting = anna.acquire("b");
  assert.ok(waiting.open);
  bert.hold("c", shared);
  assert.equal(bert.acquire("a").refusal.code, "DEADLOCK");
  carl.hold("a", shared);
});

test("one that holds nothing is never refused for a circle", () => {
  const { anna, bert, carl } = cast();
  anna.hold("a");
  bert.hold("b");
  anna.acquire("b");
  assert.ok(carl.acquire(["a", "b"]).open);
});

test("a wait that does not wait closes no circle", () => {
  const { anna, bert } = cast();
  anna.hold("a");
  bert.hold("b");
  anna.acquire("b");
  assert.equal(bert.acquire("a", { waitMs: 0 }).refusal.code, "LOCK_HELD");
});

test("a grant that has ended waits for nobody", () => {
  const { broker, anna, bert } = cast();
  const a = anna.hold("a");
  bert.hold("b");
  const wait = anna.acquire("b", { key: 50 });
  anna.write("w", { fences: [a] });
  anna.release(a);
  const next = bert.acquire("a");
  assert.ok(next.open && wait.open);
  broker.settle();
  assert.ok(!next.open);
});

test("of a long circle the first and the last are named, and how many are between", () => {
  const broker = new TestBroker();
  const program = "p".repeat(300);
  const all = Array.from({ length: 40 }, (_, i) => broker.client(`${i} ${program}`));
  for (const [i, client] of all.entries()) client.hold(`${i}-${"n".repeat(300)}`);
  for (const [i, client] of all.slice(0, -1).entries()) client.acquire(`${i + 1}-${"n".repeat(300)}`);
  const { refusal } = (all.at(-1) as TestClient).acquire(`0-${"n".repeat(300)}`);
  assert.equal(refusal.code, "DEADLOCK");
  const cycle = refusal.details["cycle"] as { program: string; holds: string; waitsFor: string }[];
  const numbers = cycle.map((one) => [one.program, one.holds, one.waitsFor].map((text) => Number.parseInt(text, 10)));
  assert.deepEqual(
    numbers,
    [39, ...Array.from({ length: 14 }, (_, i) => i), 38].map((i) => [i, i, (i + 1) % 40]),
  );
  assert.equal(refusal.details["unnamed"], 24);
  assert.match(refusal.message, /; and 24 others between; 38 p+… waits for "39-n+…", held by 39 p+…$/);
  assert.ok(refusal.message.length < 5000);
});

// ── slots ───────────────────────────────────────────────────────────────────────────────────────────────────────────

test("slots may come from any of the holders, so one of them in a circle is not enough", () => {
  const { anna, bert, carl } = cast();
  anna.hold("pool", { slots: 2 });
  const other = carl.hold("pool", { mode: "semaphore" });
  bert.hold("b");
  anna.acquire("b");
  const waiting = bert.acquire("pool", { mode: "semaphore" });
  assert.ok(waiting.open);
  carl.release(other);
  assert.ok(!waiting.open);
});

test("when all who hold slots wait for one that wants some, it is refused", () => {
  const { anna, bert, carl } = cast();
  anna.hold("pool", { slots: 2 });
  carl.hold("pool", { mode: "semaphore" });
  bert.hold("b");
  anna.acquire("b");
  carl.acquire("b");
  assert.equal(bert.acquire("pool", { mode: "semaphore" }).refusal.code, "DEADLOCK");
});

test("of those who hold slots the last who comes to wait for one that wants some is refused", () => {
  const { anna, bert, carl } = cast();
  anna.hold("pool", { slots: 2 });
  const other = carl.hold("pool", { mode: "semaphore" });
  bert.hold("b");
  anna.acquire("b");
  // It may have a slot from carl.
  const waiting = bert.acquire("pool", { mode: "semaphore" });
  const { refusal } = carl.acquire("b");
  assert.equal(refusal.code, "DEADLOCK");
  assert.deepEqual(cycleOf(refusal), ["carl: pool -> b", "bert: b -> pool"]);
  assert.ok(waiting.open);
  carl.release(other);
  assert.ok(!waiting.open);
});

test("two who hold slots may both wait behind one that wants some, while a third is free to give", () => {
  const { anna, bert, carl, dora } = cast();
  anna.hold("pool", { slots: 3 });
  carl.hold("pool", { mode: "semaphore" });
  const third = dora.hold("pool", { mode: "semaphore" });
  bert.hold("b");
  anna.acquire("b");
  const waiting = bert.acquire("pool", { mode: "semaphore" });
  assert.ok(carl.acquire("b").open);
  // Now only it is left.
  assert.equal(dora.acquire("b").refusal.code, "DEADLOCK");
  dora.release(third);
  assert.ok(!waiting.open);
});

test("one who stands before a request for slots and one who holds some may both wait behind it", () => {
  const { anna, carl, dora } = cast();
  const slot = { mode: "semaphore", slots: 3 } as const;
  const annas = anna.hold([
    { name: "s", ...slot },
    { name: "c", ...shared },
  ]);
  carl.hold([{ name: "s", ...slot, take: 2 }, { name: "d" }]);
  const waiting = dora.acquire([{ name: "a" }, { name: "s", ...slot }], { under: [] });
  carl.acquire("a");
  const { refusal } = anna.acquire(
    [
      { name: "a", ...shared },
      { name: "s", ...slot },
    ],
    { under: [annas.token] },
  );
  assert.equal(refusal.code, "DEADLOCK");
  assert.ok(waiting.open);
});

test("one that wants more slots than those who are not stuck can give is refused", () => {
  const { anna, bert, carl } = cast();
  anna.hold("pool", { slots: 3, take: 2 });
  carl.hold("pool", { mode: "semaphore" });
  bert.hold("b");
  anna.acquire("b");
  assert.ok(bert.acquire("pool", { mode: "semaphore", key: 50 }).open);
  bert.cancelAcquire(50);
  assert.equal(bert.acquire("pool", { mode: "semaphore", take: 2 }).refusal.code, "DEADLOCK");
});

// ── upgrades ────────────────────────────────────────────────────────────────────────────────────────────────────────

test("slots that a waiting request keeps itself until it is done do not help it", () => {
  const { anna, bert } = cast();
  const mine = anna.hold("s", { mode: "semaphore", slots: 3 });
  const his = bert.hold("s", { mode: "semaphore", slots: 3 });
  // One slot is free, and two are wanted: she keeps hers, so it is his that she waits for.
  const waiting = anna.acquire([{ name: "a" }, { name: "s", mode: "semaphore", slots: 3, take: 2 }], {
    under: [mine.token],
  });
  const { refusal } = bert.acquire("a", { ...shared, under: [his.token] });
  assert.equal(refusal.code, "DEADLOCK");
  assert.ok(waiting.open);
});

test("upgrades of two names that two sessions share close a circle", () => {
  const { anna, bert } = cast();
  const [a, b] = [anna.hold("a", shared), anna.hold("b", shared)];
  const [c, d] = [bert.hold("a", shared), bert.hold("b", shared)];
  const first = anna.upgrade(a);
  assert.equal(bert.upgrade(d).refusal.code, "DEADLOCK");
  bert.release(c);
  assert.equal(first.answer.kind, "converted");
  assert.ok(b.token > 0);
});

test("an upgrade that waits for one that waits for the same session is refused", () => {
  const { anna, bert } = cast();
  const a = anna.hold("x", shared);
  bert.hold("x", shared);
  anna.hold("y");
  bert.acquire("y");
  assert.equal(anna.upgrade(a).refusal.code, "DEADLOCK");
});

test("an upgrade that needs not wait is refused when its own session's request would wait for it", () => {
  const { anna, bert } = cast();
  const mine = anna.hold("x", shared);
  const other = bert.hold("y");
  const waiting = anna.acquire([{ name: "y" }, { name: "x", ...shared }], { under: [mine.token] });
  const { refusal } = anna.upgrade(mine);
  assert.equal(refusal.code, "DEADLOCK");
  assert.match(refusal.message, /with "x" held exclusively a wait would never end: anna waits for "x", held by anna/);
  bert.release(other);
  assert.ok(!waiting.open);
});

test("an upgrade is refused when one who wants to share would wait for it, and its session's request for that one", () => {
  const { anna, bert, carl } = cast();
  const mine = anna.hold("x", shared);
  carl.hold("z");
  bert.hold("y");
  const shares = bert.acquire([{ name: "z" }, { name: "x", ...shared }]);
  const behind = anna.acquire("y", { under: [mine.token] });
  const { refusal } = anna.upgrade(mine);
  assert.equal(refusal.code, "DEADLOCK");
  assert.deepEqual(cycleOf(refusal), ["anna: x -> y", "bert: y -> x"]);
  // As it is while the upgrade has to wait.
  const others = carl.hold("x", shared);
  assert.equal(anna.upgrade(mine).refusal.code, "DEADLOCK");
  carl.release(others);
  assert.ok(shares.open && behind.open);
});

test("while an upgrade waits, what it will have alone is in the way of those who want to share it", () => {
  const { anna, bert, carl } = cast();
  const mine = anna.hold("x", shared);
  carl.hold("x", shared);
  carl.hold("z");
  bert.hold("y");
  assert.ok(anna.upgrade(mine).open);
  assert.ok(bert.acquire([{ name: "z" }, { name: "x", ...shared }]).open);
  assert.equal(anna.acquire("y", { under: [mine.token] }).refusal.code, "DEADLOCK");
});

// ── under what it was asked for ─────────────────────────────────────────────────────────────────────────────────────

test("a session that asks for what it holds itself waits for itself: another of its tasks will give it back", () => {
  const { anna, bert } = cast();
  const held = anna.hold("x");
  const again = anna.acquire("x");
  assert.ok(again.open);
  // Also when somebody else stands between.
  const between = bert.acquire("x");
  assert.ok(anna.acquire("x").open);
  anna.release(held);
  assert.ok(!again.open && between.open);
});

test("what was in the way of its own session's request is another task's, also when it is downgraded meanwhile", () => {
  const { anna, bert, carl } = cast();
  const held = anna.hold("x");
  carl.hold("y");
  bert.acquire("x", { key: 60 });
  const again = anna.acquire([{ name: "x", ...shared }, "y"]);
  anna.downgrade(held);
  // Who stands before it is looked at once more: the task that holds x waits for nobody.
  bert.disconnect();
  bert.resume({ pending: [60] });
  const between = bert.acquire("x", { key: 60 });
  assert.ok(between.open && again.open);
  anna.release(held);
  assert.ok(!between.open);
});

test("what its own session upgrades while a request waits for it is another task's", () => {
  const { anna, bert } = cast();
  const y = anna.hold("y");
  const x = anna.hold("x", shared);
  const again = anna.acquire(["y", { name: "x", ...shared }]);
  const { answer: upgraded } = anna.upgrade(x);
  assert.ok(upgraded.kind === "converted");
  assert.ok(bert.acquire("y").open);
  anna.release(y);
  assert.ok(again.open);
  anna.release(upgraded.fence);
  assert.ok(!again.open);
});

test("who waits to share what was downgraded waits for the writes before that, not for its holder", () => {
  const { broker, anna, bert } = cast();
  const x = anna.hold("x");
  const y = bert.hold("y");
  anna.write("w", { fences: [x] });
  anna.downgrade(x);
  const share = bert.acquire("x", shared);
  const other = anna.acquire("y");
  assert.ok(share.open && other.open);
  broker.settle();
  assert.equal(share.grant.name, "x");
  bert.release(y);
  assert.equal(other.grant.name, "y");
});

test("who comes back to want alone what was downgraded would stand before one who is about to share it", () => {
  const { broker, anna, bert, carl } = cast();
  const x = anna.hold("x");
  bert.hold("y");
  carl.acquire("x", { key: 30 });
  carl.disconnect();
  const share = bert.acquire("x", shared);
  anna.write("w", { fences: [x] });
  anna.downgrade(x);
  assert.ok(anna.acquire("y").open);
  carl.resume({ pending: [30] });
  assert.equal(carl.acquire("x", { key: 30 }).refusal.code, "DEADLOCK");
  broker.settle();
  assert.equal(share.grant.name, "x");
});

test("a request that was made under a grant of the same name is refused at once", () => {
  const { anna } = cast();
  const held = anna.hold("x");
  const { refusal } = anna.acquire("x", { under: [held.token] });
  assert.equal(refusal.code, "DEADLOCK");
  assert.match(refusal.message, /"x" is held by the program itself \(anna\)/);
});

test("a request that names its lock by the token of before an upgrade was made under that lock", () => {
  const { anna, bert } = cast();
  const before = anna.hold("x", shared);
  anna.upgrade(before);
  bert.hold("y");
  bert.acquire("x");
  assert.equal(anna.acquire("y", { under: [before.token] }).refusal.code, "DEADLOCK");
});

test("after a restart it is known that a lock was upgraded since a request was made under it", () => {
  const { broker, anna, bert } = cast();
  const b = bert.hold("b");
  const a = anna.hold("a", shared);
  const words = { under: [a.token], key: 50 };
  assert.ok(anna.acquire("b", words).open);
  const upgraded = anna.upgrade(a).answer;
  assert.ok(upgraded.kind === "converted");
  reborn(broker, anna, bert);
  bert.resume({ grants: [b] });
  anna.resume({ grants: [upgraded.fence], pending: [50] });
  assert.ok(anna.acquire("b", words).open);
  assert.deepEqual(cycleOf(bert.acquire("a").refusal), ["bert: b -> a", "anna: a -> b"]);
});

test("what a request was not made under is given back without it", () => {
  const { anna, bert } = cast();
  anna.hold("a");
  bert.hold("b");
  anna.acquire("b", { under: [] });
  assert.ok(bert.acquire("a").open);
  const under = bert.hold("c");
  anna.acquire("c", { under: [] });
  assert.ok(bert.acquire("d", { under: [under.token] }).grant.token > 0);
});

test("an upgrade waits for what another task of its session shares, if it was not made under that", () => {
  const { broker, anna, bert } = cast();
  const [one, two] = [anna.hold("x", shared), anna.hold("x", shared)];
  const alone = anna.hold("z");
  const upgrade = anna.upgrade(two, { under: [two.token], key: 50 });
  assert.ok(upgrade.open);
  // The same after a restart of the broker.
  const held = bert.hold("y");
  const after = reborn(broker, anna, bert);
  bert.resume({ grants: [held] });
  anna.resume({ grants: [one, two, alone], pending: [50] });
  const again = anna.upgrade(two, { under: [two.token], key: 50 });
  assert.ok(bert.acquire("z").open);
  assert.ok(anna.acquire("y", { under: [] }).open);
  assert.ok(again.open);
  anna.release(one);
  assert.equal(again.answer.kind, "converted");
  assert.equal(after.core.counts.waiting, 2);
});

test("after a restart what an upgrade upgrades is not given back before it, though another of its names was upgraded", () => {
  const { broker, anna, bert } = cast();
  const y = bert.hold("y");
  const x = bert.hold("x", shared);
  const both = anna.hold([
    { name: "x", mode: "shared" },
    { name: "z", mode: "shared" },
  ]);
  const words = { under: [both.token], key: 50 };
  assert.ok(anna.upgrade({ ...both, name: name("x") }, words).open);
  const upgraded = anna.upgrade({ ...both, name: name("z") }).answer;
  assert.ok(upgraded.kind === "converted");
  reborn(broker, anna, bert);
  bert.resume({ grants: [x, y] });
  anna.resume({ grants: [upgraded.fence], pending: [50] });
  assert.ok(anna.upgrade({ ...both, name: name("x") }, words).open);
  assert.equal(bert.acquire("z").refusal.code, "DEADLOCK");
});

test("what an upgrade upgrades is not given back before it, whatever it says that it was made under", () => {
  const { anna, bert } = cast();
  const both = anna.hold(["y", { name: "x", mode: "shared" }]);
  bert.hold("x", shared);
  assert.ok(bert.acquire("y").open);
  assert.equal(anna.upgrade({ ...both, name: name("x") }, { under: [] }).refusal.code, "DEADLOCK");
});

test("tokens that are not the session's own count for nothing", () => {
  const { anna, bert } = cast();
  const a = anna.hold("a");
  const b = bert.hold("b");
  anna.acquire("b", { under: [a.token, b.token, 999] });
  assert.deepEqual(cycleOf(bert.acquire("a", { under: [b.token] }).refusal), ["bert: b -> a", "anna: a -> b"]);
});

// ── nested commands ─────────────────────────────────────────────────────────────────────────────────────────────────

test("a command that asks for what an outer command holds is refused at once, and told why", () => {
  const broker = new TestBroker();
  const outer = broker.client("holdfast lock", { process: { pid: 100, startTime: "1" } });
  outer.hold("a");
  const inner = broker.client("inner", { outer });
  const { refusal } = inner.acquire("a");
  assert.equal(refusal.code, "DEADLOCK");
  assert.equal(
    refusal.message,
    '"a" is held by the command that this one runs under (holdfast lock (pid 100)), which waits for it to end',
  );
  inner.hold("b");
});

test("commands that run under others close a circle with what those hold", () => {
  const broker = new TestBroker();
  const [one, two] = [broker.client("one"), broker.client("two")];
  one.hold("a");
  two.hold("b");
  const [innerOne, innerTwo] = [broker.client("inner one", { outer: one }), broker.client("inner two", { outer: two })];
  assert.ok(innerOne.acquire("b").open);
  const { refusal } = innerTwo.acquire("a");
  assert.deepEqual(cycleOf(refusal), ["inner two: b -> a", "inner one: a -> b"]);
  assert.match(refusal.message, /held by one, under which inner one runs/);
});

test("a command three levels down runs under all of them", () => {
  const broker = new TestBroker();
  const first = broker.client("first");
  first.hold("a");
  const second = broker.client("second", { outer: first });
  const third = broker.client("third", { outer: second });
  assert.equal(third.acquire("a").refusal.code, "DEADLOCK");
  second.goodbye();
  // The one between is gone: nobody knows any more that the first waits for the third.
  assert.ok(third.acquire("a").open);
});

test("sixteen commands may run one under the other; what is deeper runs under none, also after a restart", () => {
  const broker = new TestBroker();
  const chain = [broker.client("0")];
  for (let depth = 1; depth <= 40; depth++)
    chain.push(broker.client(`${depth}`, { outer: chain.at(-1) as TestClient }));
  const first = chain[0] as TestClient;
  const last = chain[16] as TestClient;
  const fence = first.hold("a", shared);
  const isUnder = (client: TestClient) => client.acquire("a", { key: 500 }).letters.at(0)?.kind === "refused";
  assert.ok(isUnder(last));
  const deeper = chain[17] as TestClient;
  assert.ok(!isUnder(deeper));
  deeper.cancelAcquire(500);
  const again = reborn(broker, ...chain);
  for (const client of chain) client.resume({ grants: client === first ? [fence] : [] });
  assert.ok(isUnder(last));
  again.core.check();
});

test("an outer session that nobody knows is no hindrance", () => {
  const broker = new TestBroker();
  const gone = broker.client("gone");
  gone.goodbye();
  const inner = broker.client("inner", { outer: gone });
  inner.hold("a");
});

test("an id that is taken up again under what ran under it makes no circle of sessions", () => {
  const before = new TestBroker();
  const [anna, bert, carl] = [before.client("anna"), before.client("bert"), before.client("carl")];
  const held = carl.hold("x");
  const outerOf = [
    [anna, bert],
    [bert, anna],
  ] as const;
  for (const [inner, outer] of outerOf) {
    const row = before.ledger.sessions.get(inner.session);
    if (row !== undefined) before.ledger.sessions.set(row.session, { ...row, outer: outer.session });
  }
  const again = reborn(before, anna, bert, carl);
  for (const client of [anna, bert]) client.resume();
  carl.resume({ grants: [held] });
  assert.ok(anna.acquire("x").open);
  assert.ok(bert.acquire("x").open);
  again.core.check();
});

// ── who is away ─────────────────────────────────────────────────────────────────────────────────────────────────────

test("who comes back into a circle that was closed behind it is refused", () => {
  const { anna, bert, carl } = cast();
  anna.hold("y");
  // Waits for y, and stands before others on x; then it is passed over.
  bert.acquire(["x", "y"], { key: 50 });
  bert.disconnect();
  carl.hold("x");
  const waiting = anna.acquire("x");
  bert.resume({ pending: [50] });
  const again = bert.acquire(["x", "y"], { key: 50 });
  assert.equal(again.refusal.code, "DEADLOCK");
  assert.ok(waiting.open);
});

test("who comes back and closes no circle waits on where it was", () => {
  const { anna, bert, carl } = cast();
  const y = anna.hold("y");
  bert.acquire(["x", "y"], { key: 50 });
  bert.disconnect();
  const x = carl.hold("x");
  bert.resume({ pending: [50] });
  const again = bert.acquire(["x", "y"], { key: 50 });
  anna.release(y);
  assert.ok(again.open);
  carl.release(x);
  assert.ok(!again.open);
});

test("of one who comes back and is refused for a circle, another wait that is granted by that is granted, and no more", () => {
  const { broker, anna, bert, carl } = cast();
  const x = anna.hold("x");
  bert.hold("y", shared);
  anna.acquire("y", { key: 20 });
  anna.acquire("y", { ...shared, key: 21 });
  const behind = carl.acquire("y");
  anna.disconnect();
  bert.acquire("x");
  anna.resume({ grants: [x], pending: [20, 21] });
  assert.equal(broker.core.counts.held, 3);
  assert.equal(anna.acquire("y", { key: 20 }).refusal.code, "DEADLOCK");
  assert.ok(anna.acquire("y", { ...shared, key: 21 }).grant.token > x.token);
  assert.ok(behind.open);
});

test("a lock is not handed to one who would stand before those that he waits for himself", () => {
  const { anna, bert, carl, dora } = cast();
  const y = carl.hold("y");
  anna.hold("z");
  const x = dora.hold("x");
  const first = anna.acquire("y");
  const heir = bert.acquire(["x", "y", "z"]);
  const { refusal } = dora.transfer("x", bert);
  assert.equal(refusal.code, "DEADLOCK");
  assert.deepEqual(cycleOf(refusal), ["bert: - -> z", "anna: z -> y"]);
  // Nothing has changed.
  dora.release(x);
  carl.release(y);
  assert.ok(first.grant.token > y.token);
  assert.ok(heir.open);
});

test("what is handed on holds nobody up: its holder may wait behind the heir", () => {
  const { bert, carl, dora } = cast();
  const y = dora.hold("y");
  carl.hold("x");
  const behind = carl.acquire("y");
  const heir = bert.acquire(["x", "y"]);
  assert.equal(carl.transfer("x", bert).answer.kind, "transferred");
  dora.release(y);
  bert.release(heir.grant);
  assert.ok(behind.grant.token > heir.grant.token);
});

test("a request remembers no more than 64 grants that are another task's, and minds them all as long as they are in its way", () => {
  const { broker, anna } = cast();
  const mine = Array.from({ length: 70 }, () => anna.hold("x", { mode: "shared" }));
  const waiting = anna.acquire("x");
  assert.ok(waiting.open);
  const [row] = [...broker.ledger.waiters.values()];
  assert.equal(row?.beside?.length, 64);
  for (const one of mine) anna.release(one);
  assert.equal(waiting.answer.kind, "granted");
});

test("who waits for slots is refused when so many are taken away that those who are left wait for him", () => {
  const { anna, bert, carl } = cast();
  const slot = { mode: "semaphore", slots: 3 } as const;
  anna.hold("s", slot);
  carl.hold("s", { ...slot, take: 2 });
  bert.hold("q");
  anna.acquire("q");
  const waiting = bert.acquire("s", slot);
  assert.ok(waiting.open);
  carl.resize("s", 1);
  assert.equal(waiting.refusal.code, "DEADLOCK");
});
