import assert from "node:assert/strict";
import { test } from "node:test";
import type { LockEvent } from "../../../src/core/index.js";
import { cast, reborn } from "../support/cast.js";

function words(events: readonly LockEvent[]): string[] {
  return events.map(({ kind, program, reason }) => `${program} ${kind}${reason === undefined ? "" : `: ${reason}`}`);
}

test("a name remembers who had it, in order, with numbers that rise", () => {
  const { broker, anna, bert } = cast();
  const held = anna.hold("x");
  const waiting = bert.acquire("x");
  broker.pass(30);
  anna.release(held);
  bert.release(waiting.grant);
  const events = anna.history("x");
  assert.deepEqual(words(events), ["anna granted", "bert queued", "anna released", "bert granted", "bert released"]);
  assert.deepEqual(
    events.map(({ token, at, name }) => [token, at - broker.now, name]),
    [
      [held.token, -30, "x"],
      [undefined, -30, "x"],
      [held.token, 0, "x"],
      [waiting.grant.token, 0, "x"],
      [waiting.grant.token, 0, "x"],
    ],
  );
  for (const [i, { n }] of events.entries()) assert.equal(n - (events[0]?.n ?? 0), i);
  assert.deepEqual(words(anna.history("x", 2)), ["bert granted", "bert released"]);
  assert.deepEqual(anna.history("nothing"), []);
});

test("everything that happens to a name is in its history, with the reason", () => {
  const { broker, anna, bert, carl } = cast();
  const a = anna.hold("x", { mode: "shared" });
  const b = bert.hold("x", { mode: "shared" });
  anna.upgrade(a, { waitMs: 10 });
  bert.upgrade(b);
  broker.pass(10);
  bert.write("w", { fences: [b] });
  carl.break("x", { token: b.token, reason: "stuck" });
  broker.settle();
  anna.upgrade(a, { key: 50 });
  const alone = anna.list({ name: "x" })[0]?.holders[0]?.token;
  assert.ok(alone !== undefined);
  anna.downgrade({ ...a, token: alone });
  bert.acquire("x", { key: 60 });
  bert.cancelAcquire(60);
  anna.goodbye();
  assert.deepEqual(
    words(bert.history("x")).map((word) => word.replace(/: "x" is held.*/, ": …")),
    [
      "anna granted",
      "bert granted",
      "anna queued",
      'bert refused-deadlock: to wait for "x" would never end: bert waits for "x", held by anna; anna waits for "x", held by bert',
      "anna timed-out: …",
      "bert lost: broken by carl: stuck",
      "bert free",
      "anna upgraded",
      "anna downgraded",
      "bert queued",
      'bert cancelled: the request for "x" was cancelled',
      "anna released: it said goodbye",
    ],
  );
});

test("a name remembers its last events only, and only the names used last are remembered", () => {
  const { broker, anna } = cast({ limits: { historyEventsMax: 3, historyNamesMax: 2 } });
  for (let i = 0; i < 4; i++) anna.release(anna.hold("x"));
  assert.deepEqual(words(anna.history("x")), ["anna released", "anna granted", "anna released"]);
  anna.release(anna.hold("y"));
  anna.release(anna.hold("z"));
  assert.deepEqual([anna.history("x").length, anna.history("y").length, anna.history("z").length], [0, 2, 2]);
  anna.hold("y");
  const held = anna.hold("x");
  assert.deepEqual([anna.history("x").length, anna.history("y").length, anna.history("z").length], [1, 3, 0]);
  anna.release(held);
  assert.equal(broker.core.counts.held, 1);
  assert.deepEqual(
    anna.list().map(({ name }) => name),
    ["y"],
  );
});

test("without room for events or names there is no history, and locks work all the same", () => {
  for (const limits of [{ historyEventsMax: 0 }, { historyNamesMax: 0 }] as const) {
    const { anna } = cast({ limits });
    for (const lock of ["x", "y", "x"]) anna.release(anna.hold(lock));
    assert.ok(anna.history("x").length <= 2);
    assert.deepEqual(anna.list(), []);
  }
});

test("a wait for several names that times out takes no name from who holds it, however few names have a history", () => {
  for (const historyNamesMax of [0, 1, 2]) {
    const { broker, anna, bert, carl, dora } = cast({ limits: { historyNamesMax } });
    anna.hold("a");
    bert.acquire(["a", "b"], { waitMs: 10 });
    broker.pass(10);
    carl.hold("b");
    assert.equal(dora.acquire("b", { waitMs: 0 }).refusal.code, "LOCK_HELD");
    assert.deepEqual(
      dora.list().map(({ name, holdersTotal }) => [name, holdersTotal]),
      [
        ["a", 1],
        ["b", 1],
      ],
    );
  }
});

test("a wait that would never end, refused, takes no name from who holds it either", () => {
  const { anna, bert, carl, dora } = cast({ limits: { historyNamesMax: 2 } });
  anna.hold("x");
  bert.hold("y");
  anna.release(anna.hold("z"));
  bert.acquire("x");
  assert.equal(anna.acquire(["y", "z"]).refusal.code, "DEADLOCK");
  carl.hold("z");
  carl.hold("w");
  assert.equal(dora.acquire("z", { waitMs: 0 }).refusal.code, "LOCK_HELD");
});

test("numbers rise over lives of the broker", () => {
  const { broker, anna, bert } = cast();
  const held = anna.hold("x");
  const before = anna.history("x").at(-1)?.n ?? 0;
  const after = reborn(broker, anna, bert);
  const dora = after.client("dora");
  dora.hold("y");
  assert.ok((dora.history("y")[0]?.n ?? 0) > before);
  anna.resume({ grants: [held] });
});

test("a name with several that were granted together has its own events", () => {
  const { anna } = cast();
  anna.release(anna.hold(["a", "b"]));
  const [a, b] = [anna.history("a"), anna.history("b")];
  assert.deepEqual(
    [words(a), words(b)],
    [
      ["anna granted", "anna released"],
      ["anna granted", "anna released"],
    ],
  );
  assert.equal(new Set([...a, ...b].map(({ n }) => n)).size, 4);
});
