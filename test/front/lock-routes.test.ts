/** Requests for locks, from what the schema has let through to what the core understands. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { LockCommand } from "../../src/core/index.js";
import { Conversation } from "../../src/front/conversation.js";
import { lockRoutes } from "../../src/front/lock-routes.js";
import type { Routed } from "../../src/front/route.js";
import { UnansweredOfAll } from "../../src/front/unanswered-bytes.js";
import type { ParamsOf } from "../../src/protocol/index.js";
import { connectionId, instant, isRefusal, limitsWith, type Refusal } from "../../src/terms/index.js";
import type { Link } from "../../src/transport/index.js";

const limits = limitsWith({ namesPerRequestMax: 3 });
const routes = lockRoutes(limits);
const link = { id: connectionId(1), encoding: "json" } as unknown as Link;
const inHand = {
  conversation: new Conversation(link, { limits, now: () => instant(0), all: new UnansweredOfAll(1) }),
  request: 1,
  raw: Buffer.alloc(0),
};
const session = "0".repeat(32);

function commandOf(routed: Routed): LockCommand {
  assert.ok("command" in routed, JSON.stringify(routed));
  return routed.command as LockCommand;
}

function refusalOf(routed: Routed): Refusal {
  assert.ok(isRefusal(routed), JSON.stringify(routed));
  return routed;
}

function acquire(params: Partial<ParamsOf<"lock.acquire">>): Routed {
  return routes["lock.acquire"]({ name: "a", key: 1, ...params }, inHand);
}

const asker = { connection: 1, request: 1 };

test("the least that can be asked is one name, alone, for as long as it takes", () => {
  assert.deepEqual(commandOf(acquire({})), {
    kind: "acquire",
    ...asker,
    key: 1,
    claims: [{ name: "a", mode: "exclusive" }],
    waitMs: undefined,
    reason: "",
    ttlMs: undefined,
    guarded: false,
    tell: { place: false, contended: false },
    steal: false,
    under: undefined,
  });
});

test("all that can be asked arrives", () => {
  const command = commandOf(
    acquire({
      mode: "semaphore",
      slots: 8,
      take: 3,
      also: [{ name: "b", mode: "shared" }, { name: "c" }],
      waitMs: 0,
      reason: "nightly",
      ttlMs: 30_000,
      guard: true,
      steal: true,
      under: [7, 8],
      tell: ["contended"],
    }),
  );
  assert.deepEqual(command, {
    kind: "acquire",
    ...asker,
    key: 1,
    claims: [
      { name: "a", mode: "semaphore", slots: 8, take: 3 },
      { name: "b", mode: "shared" },
      { name: "c", mode: "exclusive" },
    ],
    waitMs: 0,
    reason: "nightly",
    ttlMs: 30_000,
    guarded: true,
    tell: { place: false, contended: true },
    steal: true,
    under: [7, 8],
  });
  const nothingHeld = commandOf(acquire({ under: [] }));
  assert.ok(nothingHeld.kind === "acquire");
  assert.deepEqual(nothingHeld.under, [], "an empty list is not an absent one");
});

test("slots belong to a semaphore, wherever they stand", () => {
  for (const params of [
    { slots: 2 },
    { take: 1, mode: "shared" as const },
    { also: [{ name: "b" }, { name: "c", slots: 1 }] },
  ]) {
    const refusal = refusalOf(acquire(params));
    assert.equal(refusal.refused, "PARAMS_INVALID");
    assert.match(String(refusal.details?.["path"]), /^params(\.also\[1\])?\.(slots|take)$/);
  }
});

test("so many names as the limit says, and no more", () => {
  commandOf(acquire({ also: [{ name: "b" }, { name: "c" }] }));
  const refusal = refusalOf(acquire({ also: [{ name: "b" }, { name: "c" }, { name: "d" }] }));
  assert.deepEqual([refusal.refused, refusal.details?.["limit"]], ["PARAMS_INVALID", "namesPerRequestMax"]);
});

test("every name of a request is checked", () => {
  for (const params of [{ name: "a\n" }, { also: [{ name: "x".repeat(600) }] }])
    assert.equal(refusalOf(acquire(params)).refused, "NAME_INVALID");
});

test("a lease that is too short or too long is refused with the limit that says so", () => {
  for (const [ttlMs, limit] of [
    [999, "ttlMsMin"],
    [86_400_001, "ttlMsMax"],
  ] as const) {
    const refusal = refusalOf(acquire({ ttlMs }));
    assert.deepEqual([refusal.refused, refusal.details?.["limit"]], ["PARAMS_INVALID", limit]);
  }
  for (const ttlMs of [1000, 86_400_000]) commandOf(acquire({ ttlMs }));
});

test("a reason is measured in bytes", () => {
  commandOf(acquire({ reason: "x".repeat(4096) }));
  assert.equal(refusalOf(acquire({ reason: "ü".repeat(2049) })).refused, "META_TOO_LARGE");
  const broken = routes["lock.break"]({ name: "a", key: 1, reason: "ü".repeat(2049) }, inHand);
  assert.equal(refusalOf(broken).refused, "META_TOO_LARGE");
});

test("an upgrade and a downgrade are conversions of a grant", () => {
  const grant = { name: "a", token: 7, key: 2 };
  assert.deepEqual(commandOf(routes["lock.upgrade"]({ ...grant, waitMs: 5, under: [3] }, inHand)), {
    kind: "convert",
    ...asker,
    ...grant,
    to: "exclusive",
    waitMs: 5,
    under: [3],
  });
  assert.deepEqual(commandOf(routes["lock.downgrade"](grant, inHand)), {
    kind: "convert",
    ...asker,
    ...grant,
    to: "shared",
    waitMs: undefined,
    under: undefined,
  });
});

test("a break without a grace is at once, and says nothing unless it is told to", () => {
  assert.deepEqual(commandOf(routes["lock.break"]({ name: "a", key: 3 }, inHand)), {
    kind: "break",
    ...asker,
    name: "a",
    key: 3,
    token: undefined,
    graceMs: 0,
    reason: "",
  });
});

test("a transfer and a resize arrive as they are", () => {
  assert.deepEqual(commandOf(routes["lock.transfer"]({ name: "a", token: 7, to: session, key: 3 }, inHand)), {
    kind: "transfer",
    ...asker,
    name: "a",
    key: 3,
    token: 7,
    to: session,
    reason: "",
  });
  assert.deepEqual(commandOf(routes["lock.resize"]({ name: "a", slots: 4, key: 3 }, inHand)), {
    kind: "resize",
    ...asker,
    name: "a",
    key: 3,
    slots: 4,
  });
});

test("a list has the waiters unless they are not wanted, and its filters", () => {
  const list = (params: ParamsOf<"lock.list">) => commandOf(routes["lock.list"](params, inHand));
  const which = { name: undefined, prefix: "", session: undefined, contended: false, after: undefined };
  const all = { kind: "list", ...asker, ...which };
  assert.deepEqual(list({}), { ...all, waitersMax: 100 });
  assert.deepEqual(list({ prefix: "x/", session, contended: true, waiters: false }), {
    ...all,
    prefix: "x/",
    session,
    contended: true,
    waitersMax: 0,
  });
  assert.deepEqual(list({ after: "x/9" }), { ...all, after: "x/9", waitersMax: 100 });
  assert.equal(refusalOf(routes["lock.list"]({ after: "\0" }, inHand)).refused, "NAME_INVALID");
});

test("a history has no more events than are remembered", () => {
  const max = (params: { readonly max?: number }) => {
    const command = commandOf(routes["lock.history"]({ name: "a", ...params }, inHand));
    return command.kind === "history" ? command.max : undefined;
  };
  assert.deepEqual([max({}), max({ max: 3 }), max({ max: 10_000 })], [16, 3, 16]);
});

test("a watch is of one name, or of a prefix, or of all, but not of two of these", () => {
  const watch = (params: Partial<ParamsOf<"lock.watch">>) => routes["lock.watch"]({ watch: 1, ...params }, inHand);
  const of = { kind: "watch", ...asker, watch: 1, after: undefined };
  assert.deepEqual(commandOf(watch({})), { ...of, name: undefined, prefix: "" });
  assert.deepEqual(commandOf(watch({ name: "a", after: 9 })), { ...of, name: "a", prefix: "", after: 9 });
  assert.deepEqual(commandOf(watch({ prefix: "a/" })), { ...of, name: undefined, prefix: "a/" });
  assert.equal(refusalOf(watch({ name: "a", prefix: "a/" })).refused, "PARAMS_INVALID");
  // It would be kept as long as the watch.
  assert.deepEqual(commandOf(watch({ prefix: "x".repeat(512) })), { ...of, name: undefined, prefix: "x".repeat(512) });
  assert.equal(refusalOf(watch({ prefix: "x".repeat(513) })).refused, "NAME_INVALID");
});
