import assert from "node:assert/strict";
import { test } from "node:test";
import type { Letter } from "../../../src/core/index.js";
import { cast, reborn } from "../support/cast.js";
import type { Asked, TestClient } from "../support/test-client.js";

type Watching = Extract<Letter, { kind: "watching" }>;

function watching(asked: Asked): Watching {
  const { answer } = asked;
  if (answer.kind !== "watching") throw new Error(JSON.stringify(answer));
  return answer;
}

/** What each letter of events says, by watch. */
function heard(client: TestClient): string[] {
  return client.notes.flatMap((letter) =>
    letter.kind === "events"
      ? [`${letter.watch}: ${letter.events.map(({ name, kind }) => `${name} ${kind}`).join(", ")}`]
      : [],
  );
}

test("a watch begins with how things are, and hears what happens from then on, in one letter a turn", () => {
  const { anna, bert, carl } = cast();
  const held = anna.hold("x");
  anna.hold("other");
  const { locks, gap, upTo } = watching(carl.watch(1, { name: "x" }));
  assert.deepEqual(
    [locks?.map(({ name, holdersTotal }) => [name, holdersTotal]), gap, upTo],
    [[["x", 1]], false, anna.history("other").at(-1)?.n],
  );
  bert.acquire("x");
  anna.release(held);
  assert.deepEqual(heard(carl), ["1: x queued", "1: x released, x granted"]);
});

test("a watch on a prefix hears of all names that begin so, and each watch once", () => {
  const { anna, carl } = cast();
  for (const [i, words] of [{ prefix: "deploy/" }, { prefix: "" }, { name: "deploy/a" }, { prefix: "x" }].entries())
    carl.watch(i, words);
  anna.hold(["deploy/a", "build"]);
  assert.deepEqual(heard(carl).sort(), [
    "0: deploy/a granted",
    "1: deploy/a granted, build granted",
    "2: deploy/a granted",
  ]);
});

test("a watch that was lost goes on after the last event that it heard", () => {
  const { anna, carl } = cast();
  const { upTo } = watching(carl.watch(1, { prefix: "" }));
  carl.disconnect();
  const held = anna.hold("x");
  anna.release(held);
  carl.resume();
  const { locks, gap } = watching(carl.watch(1, { name: "x", after: upTo + 1 }));
  assert.deepEqual([locks, gap], [undefined, false]);
  assert.deepEqual(heard(carl), ["1: x released"]);
});

test("nothing has happened: a watch that goes on hears nothing", () => {
  const { anna, carl } = cast();
  anna.hold("x");
  const { upTo } = watching(carl.watch(1, { prefix: "" }));
  const again = watching(carl.watch(2, { prefix: "", after: upTo }));
  assert.deepEqual([again.gap, again.locks, heard(carl)], [false, undefined, []]);
});

test("a watch that cannot go on is told of the gap, and how things are", () => {
  const { anna, carl } = cast({ limits: { lockEventsKeptMax: 3 } });
  const { upTo } = watching(carl.watch(1, { prefix: "" }));
  for (let i = 0; i < 2; i++) anna.release(anna.hold("x"));
  anna.hold("y");
  const { locks, gap } = watching(carl.watch(2, { prefix: "", after: upTo }));
  assert.deepEqual([gap, locks?.map(({ name }) => name)], [true, ["y"]]);
  assert.equal(watching(carl.watch(3, { prefix: "", after: upTo + 2 })).gap, false);
  assert.equal(watching(carl.watch(4, { prefix: "", after: upTo + 100 })).gap, true);
});

test("after a restart of the broker a watch is told of the gap", () => {
  const { broker, anna, carl } = cast();
  const { upTo } = watching(carl.watch(1, { prefix: "" }));
  reborn(broker, anna, carl);
  carl.resume();
  assert.equal(watching(carl.watch(1, { prefix: "", after: upTo })).gap, true);
});

test("nobody hears anything after the watch, or its connection, has ended", () => {
  const { broker, anna, carl, dora } = cast();
  carl.watch(1, { prefix: "" });
  dora.watch(1, { prefix: "" });
  assert.equal(carl.unwatch(1).answer.kind, "unwatched");
  assert.equal(carl.unwatch(1).answer.kind, "unwatched");
  dora.disconnect();
  anna.hold("x");
  assert.deepEqual(heard(carl), []);
  assert.equal(
    broker.letters.some(({ kind }) => kind === "events"),
    false,
  );
});

test("who would have to be told too much at once is hung up on, and sees how things are when he comes back", () => {
  const { broker, anna, carl, dora } = cast();
  const { upTo } = watching(carl.watch(0, { prefix: "" }));
  for (let n = 1; n < 1000; n++) carl.watch(n, { prefix: "" });
  dora.watch(1, { prefix: "" });
  anna.hold(Array.from({ length: 60 }, (_, n) => `x${n}`));
  assert.deepEqual(heard(carl), []);
  assert.equal(heard(dora).length, 1);
  const hungUp = () => broker.letters.flatMap((letter) => (letter.kind === "hangup" ? [letter.to] : []));
  assert.deepEqual(hungUp(), [carl.to]);
  carl.disconnect();
  carl.resume();
  for (let n = 0; n < 1000; n++)
    broker.core.handle(
      { kind: "watch", connection: carl.to, request: 5000 + n, watch: n, name: undefined, prefix: "", after: upTo },
      broker.now,
    );
  carl.ping();
  const begun = broker.letters.flatMap((letter) =>
    letter.kind === "watching" && letter.to === carl.to ? [letter.gap] : [],
  );
  assert.equal(begun.length, 1000);
  const gaps = begun.filter((gap) => gap).length;
  assert.ok(gaps > 100 && gaps < 300, `${gaps} gaps`);
  assert.equal(heard(carl).length, 1000 - gaps);
  assert.equal(hungUp().length, 1);
});

test("when nobody has watched for as many events as are kept, none are kept any more", () => {
  const { anna, carl } = cast({ limits: { lockEventsKeptMax: 4 } });
  const { upTo } = watching(carl.watch(1, { prefix: "" }));
  carl.unwatch(1);
  anna.hold("x");
  assert.equal(watching(carl.watch(2, { prefix: "", after: upTo })).gap, false);
  carl.unwatch(2);
  for (let i = 0; i < 4; i++) anna.release(anna.hold("y"));
  const last = anna.history("y").at(-1)?.n ?? 0;
  assert.equal(watching(carl.watch(3, { prefix: "", after: last - 1 })).gap, true);
});

test("a watch under the number of another takes its place, from how things are or from behind an event", () => {
  const { anna, carl } = cast({ limits: { watchesPerSessionMax: 1 } });
  carl.watch(1, { prefix: "" });
  anna.hold("x");
  const { locks, upTo } = watching(carl.watch(1, { prefix: "x" }));
  assert.deepEqual(
    locks?.map(({ name }) => name),
    ["x"],
  );
  anna.hold("y");
  assert.deepEqual(heard(carl), ["1: x granted"]);
  assert.equal(watching(carl.watch(1, { prefix: "y", after: upTo })).locks, undefined);
  assert.deepEqual(heard(carl), ["1: x granted", "1: y granted"]);
});

test("a connection watches so much and no more", () => {
  const { carl } = cast({ limits: { watchesPerSessionMax: 2 } });
  carl.watch(1, { prefix: "" });
  carl.watch(2, { prefix: "x" });
  assert.deepEqual(carl.watch(3, { prefix: "y" }).refusal.details, { limit: "watchesPerSessionMax" });
  carl.unwatch(1);
  watching(carl.watch(3, { prefix: "y" }));
});
