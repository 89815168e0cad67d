import assert from "node:assert/strict";
import { test } from "node:test";
import type { Letter } from "../../../src/core/index.js";
import { cast, reborn } from "../support/cast.js";
import type { TestClient } from "../support/test-client.js";

const place = { tell: { place: true } } as const;
const contended = { tell: { contended: true } } as const;

type Queued = Extract<Letter, { kind: "queued" }>;

function queued(client: TestClient): Queued[] {
  return client.notes.filter((letter): letter is Queued => letter.kind === "queued");
}

function places(client: TestClient): string[] {
  return queued(client).map(({ name, place: at, waiting }) => `${name} ${at}/${waiting}`);
}

test("who waits and wants to know is told its place and who is in the way, at once", () => {
  const { anna, bert, carl } = cast();
  anna.hold("x", { reason: "build" });
  bert.acquire("x");
  const asked = carl.acquire("x", { ...place, key: 50 });
  const [news] = queued(carl);
  assert.deepEqual([news?.asked, news?.key, news?.place, news?.waiting], [asked.request, 50, 2, 2]);
  assert.deepEqual(
    news?.holders.map(({ identity, reason }) => [identity.program, reason]),
    [["anna", "build"]],
  );
  assert.deepEqual(places(bert), []);
});

test("a place that has changed is told within a second, and one that has not is not told", () => {
  const { broker, anna, bert, carl, dora } = cast();
  anna.hold("x");
  bert.acquire("x", { key: 10 });
  carl.acquire("x", { key: 10 });
  dora.acquire("x", place);
  broker.pass(5000);
  assert.deepEqual(places(dora), ["x 3/3"]);
  bert.cancelAcquire(10);
  carl.cancelAcquire(10);
  assert.deepEqual(places(dora), ["x 3/3"]);
  broker.pass(1000);
  assert.deepEqual(places(dora), ["x 3/3", "x 1/1"]);
});

test("another holder is news, though the place is the same", () => {
  const { broker, anna, bert, carl } = cast();
  anna.hold("x");
  carl.acquire("x", place);
  bert.acquire("x", { steal: true });
  broker.pass(1000);
  assert.deepEqual(
    queued(carl).map(({ holders }) => holders[0]?.identity.program),
    ["anna", "bert"],
  );
});

test("who waits is told that the holder is gone while its processes are ended, or its writes are settled", () => {
  const { broker, anna, bert, carl } = cast();
  const held = anna.hold("x", { guarded: true });
  const asked = carl.acquire("x", place);
  bert.break("x");
  broker.pass(1000);
  broker.processesGone(held.token);
  const fence = asked.grant;
  carl.write("w", { fences: [fence] });
  bert.acquire("x", place);
  carl.release(fence);
  broker.pass(1000);
  const news = (client: TestClient) =>
    queued(client).map(({ holders, ending }) => [...holders.map(({ identity }) => identity.program), ending]);
  assert.deepEqual(news(carl), [["anna", undefined], ["processes"]]);
  assert.deepEqual(news(bert), [["carl", undefined], ["writes"]]);
});

test("of several names the one is told where most are before it", () => {
  const { anna, bert, carl } = cast();
  anna.hold(["x", "y"]);
  bert.acquire("y");
  carl.acquire(["x", "y"], place);
  assert.deepEqual(places(carl), ["y 2/2"]);
});

test("of several names none is told that is free, nor one where others only come before it while another is held", () => {
  const { broker, anna, bert, carl, dora } = cast();
  const b = anna.hold("b");
  bert.acquire(["a", "b"], place);
  assert.deepEqual(places(bert), ["b 1/1"]);
  const c = dora.hold("c");
  carl.acquire(["a", "c"], place);
  assert.deepEqual(places(carl), ["c 1/1"]);
  assert.deepEqual(
    queued(carl)[0]?.holders.map(({ identity }) => identity.program),
    ["dora"],
  );
  dora.release(c);
  broker.pass(1000);
  assert.deepEqual(places(carl), ["c 1/1", "a 2/2"]);
  anna.release(b);
  assert.equal(broker.core.counts.waiting, 1);
  broker.pass(1000);
  assert.deepEqual(places(carl), ["c 1/1", "a 2/2", "a 1/1"]);
});

test("when nobody waits who wants to know, no time is kept for it", () => {
  const { broker, anna, bert } = cast();
  anna.hold("x");
  bert.acquire("x", { ...place, key: 10 });
  assert.notEqual(broker.core.nextDeadline(broker.now), undefined);
  bert.cancelAcquire(10);
  for (const client of [anna, bert]) client.goodbye();
  broker.pass(1000);
  assert.deepEqual(places(bert), ["x 1/1"]);
});

test("who asks again after a loss is told anew", () => {
  const { broker, anna, bert } = cast();
  const held = anna.hold("x");
  bert.acquire("x", { ...place, key: 10 });
  const after = reborn(broker, anna, bert);
  after.pass(2000);
  anna.resume({ grants: [held] });
  bert.resume({ pending: [10] });
  bert.acquire("x", { ...place, key: 10 });
  after.pass(1000);
  assert.deepEqual(places(bert), ["x 1/1"]);
});

// ── contended ───────────────────────────────────────────────────────────────────────────────────────────────────────

test("a holder that wants to know is told when the first has come to wait, and not of others", () => {
  const { anna, bert, carl } = cast();
  anna.hold("x", contended);
  bert.acquire("x");
  carl.acquire("x");
  assert.deepEqual(
    anna.notes.map((letter) => letter.kind === "contended" && [letter.fence.name, letter.waiting]),
    [["x", 1]],
  );
});

test("it is told again when all had gone and one has come", () => {
  const { anna, bert } = cast();
  anna.hold("x", contended);
  bert.acquire("x", { key: 10 });
  bert.cancelAcquire(10);
  bert.acquire("x");
  assert.equal(anna.notices.length, 2);
});

test("a holder that was away when somebody came hears of it when it is back", () => {
  const { anna, bert } = cast();
  const held = anna.hold("x", contended);
  anna.disconnect();
  bert.acquire("x");
  anna.resume({ grants: [held] });
  assert.deepEqual(anna.notices, ["contended"]);
});

test("all who share a lock and want to know are told, and an upgrade is somebody who waits", () => {
  const { anna, bert, carl } = cast();
  anna.hold("x", { ...contended, mode: "shared" });
  const b = bert.hold("x", { mode: "shared" });
  carl.hold("x", { ...contended, mode: "shared" });
  bert.upgrade(b);
  assert.deepEqual([anna.notices, bert.notices, carl.notices], [["contended"], [], ["contended"]]);
});

test("who is in the way is named without the other names of its request", () => {
  const { anna, carl } = cast();
  anna.hold(["x", "y", "z"]);
  carl.acquire("x", place);
  assert.deepEqual(
    queued(carl).map(({ holders }) => holders.map(({ also }) => also)),
    [[[]]],
  );
  assert.deepEqual(carl.list({ name: "x" })[0]?.holders[0]?.also, ["y", "z"]);
});
