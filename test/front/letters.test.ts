/** What the core says of locks, in the words of the wire: each answer is held to the schema of its method. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { HolderView, Letter, LockEvent, LockView } from "../../src/core/index.js";
import { type AnswerLetter, type LetterContext, resultOf } from "../../src/front/letters.js";
import { type Notice, noticeOf } from "../../src/front/notices.js";
import { checkOf } from "../../src/protocol/check.js";
import { encodeBody } from "../../src/protocol/envelope.js";
import { checkNotice, type MethodName, methods, type ToClient } from "../../src/protocol/index.js";
import {
  connectionId,
  instant,
  type LockName,
  lockName,
  requestKey,
  sessionId,
  token,
  wallTime,
} from "../../src/terms/index.js";

const to = connectionId(1);
const session = sessionId("a".repeat(32));
const identity = { program: "make", version: "1", process: { pid: 7, startTime: "1" }, bound: false };
const nobody = { program: "", version: "", process: undefined, bound: false };
const context: LetterContext = {
  greeting: {
    incarnation: "i",
    epoch: 1,
    broker: { version: "1", pid: 1, startTime: "1" },
    runDir: "/run/h",
    limits: {},
  },
  secret: "A".repeat(43),
  wallNow: wallTime(1_767_225_600_000),
};
const now = instant(100_000);

function name(text: string): LockName {
  return lockName(text, 512) as LockName;
}

/** The answer as it is on the wire, having passed the schema of the method's result. */
function answered(method: MethodName, letter: AnswerLetter): { readonly [field: string]: unknown } {
  const body = JSON.parse(String(encodeBody(resultOf(letter, context), "json"))) as {
    readonly [field: string]: unknown;
  };
  assert.equal(checkOf(methods[method].result)(body), undefined, `${method} ${JSON.stringify(body)}`);
  return body;
}

function told(method: ToClient, notice: Notice): { readonly [field: string]: unknown } {
  const frame = JSON.parse(String(noticeOf(notice, "json", context.wallNow))) as { method: string; params: object };
  assert.equal(frame.method, method);
  assert.equal(checkNotice(method, frame.params), undefined, JSON.stringify(frame));
  return frame.params as { readonly [field: string]: unknown };
}

const holder: HolderView = {
  session,
  token: token(7),
  identity,
  reason: "release build",
  since: instant(40_000),
  connected: true,
  mode: "exclusive",
  take: 1,
  also: [],
  ttlMs: undefined,
  leaseUntil: undefined,
  guarded: false,
};

const lock: LockView = {
  name: name("a"),
  mode: "exclusive",
  slots: undefined,
  slotsFree: undefined,
  ending: undefined,
  holders: [holder],
  holdersTotal: 1,
  waiters: [],
  waitersTotal: 0,
};

const event: LockEvent = {
  n: 2 ** 32 + 1,
  at: instant(99_000),
  kind: "lost",
  name: name("a"),
  session,
  program: "make",
  pid: undefined,
  token: token(7),
  reason: "its lease of 30000 ms ran out",
};

function granted(...names: string[]): Extract<Letter, { kind: "granted" }> {
  const claims = names.map((one) => ({ name: name(one), mode: "exclusive" as const }));
  const grant = { token: token(7), key: requestKey(3), claims };
  return { kind: "granted", to, request: 1, grant, waitedMs: 1.4, waiting: 2 };
}

test("a grant of one name has no list of names, and one of several has the others", () => {
  const one = { name: "a", token: 7, key: 3, waitedMs: 1, waiting: 2 };
  assert.deepEqual(answered("lock.acquire", granted("a")), one);
  assert.deepEqual(answered("lock.acquire", granted("a", "b", "c")), { ...one, also: ["b", "c"] });
});

test("a welcome lists a grant of several names once for each", () => {
  const { grant } = granted("a", "b");
  const letter: Letter = {
    kind: "welcome",
    to,
    request: 1,
    session,
    role: "admin",
    resumed: true,
    grants: [grant],
    lost: [],
    windowMs: 1,
  };
  const { grants } = answered("session.hello", { ...letter });
  assert.deepEqual(grants, [
    { name: "a", token: 7, key: 3 },
    { name: "b", token: 7, key: 3 },
  ]);
});

test("what became of a lock is answered in few words", () => {
  const fence = { name: name("a"), token: token(8) };
  const common = { to, request: 1 };
  assert.deepEqual(answered("lock.upgrade", { kind: "converted", ...common, fence, waitedMs: 3.6 }), {
    name: "a",
    token: 8,
    waitedMs: 4,
  });
  answered("lock.downgrade", { kind: "converted", ...common, fence, waitedMs: 0 });
  const ended = [{ token: token(7), outcome: "broken" as const }];
  assert.deepEqual(answered("lock.break", { kind: "broken", ...common, ended }), { ended });
  assert.deepEqual(answered("lock.transfer", { kind: "transferred", ...common, from: token(7), heir: session }), {
    from: 7,
    to: session,
  });
  assert.deepEqual(answered("lock.resize", { kind: "resized", ...common, slots: 4 }), { slots: 4 });
  assert.deepEqual(answered("lock.unwatch", { kind: "unwatched", ...common }), {});
  assert.deepEqual(answered("session.ping", { kind: "pong", ...common }), { now: context.wallNow });
});

test("a list says when there is more behind its last name", () => {
  const listing = { kind: "listing", to, request: 1, locks: [], now } as const;
  assert.deepEqual(answered("lock.list", { ...listing, more: true }), { locks: [], more: true });
  assert.deepEqual(answered("lock.list", { ...listing, more: false }), { locks: [] });
});

function listed(view: LockView): { readonly [field: string]: unknown } {
  const { locks } = answered("lock.list", { kind: "listing", to, request: 1, locks: [view], more: false, now });
  return (locks as { readonly [field: string]: unknown }[])[0] ?? {};
}

test("a holder is shown with how long it has held the lock and what is left of its lease", () => {
  const leased: HolderView = { ...holder, ttlMs: 90_000, leaseUntil: instant(130_000.4), guarded: true };
  assert.deepEqual(listed({ ...lock, holders: [leased] })["holders"], [
    {
      session,
      program: "make",
      pid: 7,
      reason: "release build",
      connected: true,
      mode: "exclusive",
      token: 7,
      heldMs: 60_000,
      since: context.wallNow - 60_000,
      ttlMs: 90_000,
      leaseLeftMs: 30_000,
      guarded: true,
    },
  ]);
});

test("a lease that is over and not yet confirmed has nothing left", () => {
  const [shown] = listed({ ...lock, holders: [{ ...holder, ttlMs: 1000, leaseUntil: instant(99_000) }] })[
    "holders"
  ] as {
    leaseLeftMs: number;
  }[];
  assert.equal(shown?.leaseLeftMs, 0);
});

test("a semaphore is shown with its slots, and each of its holders with how many it took", () => {
  const taken: HolderView = { ...holder, identity: nobody, mode: "semaphore", take: 3, also: [name("b")] };
  const row = listed({ ...lock, mode: "semaphore", slots: 8, slotsFree: 5, holders: [taken] });
  assert.deepEqual([row["mode"], row["slots"], row["slotsFree"]], ["semaphore", 8, 5]);
  const [shown] = row["holders"] as { take: number; also: string[]; pid: null; program: string }[];
  assert.deepEqual([shown?.take, shown?.also, shown?.pid, shown?.program], [3, ["b"], null, ""]);
});

test("a name drains when its last holder is gone and something of it is not over", () => {
  const row = (view: Partial<LockView>) => {
    const { draining, ending, mode } = listed({ ...lock, ...view });
    return [draining, ending, mode];
  };
  assert.deepEqual(row({}), [false, null, "exclusive"]);
  assert.deepEqual(row({ mode: undefined, holders: [], holdersTotal: 0, ending: "writes" }), [true, "writes", null]);
  // Another shares it: it is not free, and does not drain.
  assert.deepEqual(row({ mode: "shared", ending: "processes" }), [false, "processes", "shared"]);
});

test("a waiter is shown with its place, and an upgrade as such", () => {
  const waiter = { session, identity, reason: "", place: 1, since: instant(99_000), connected: false };
  const waiters = [{ ...waiter, mode: "exclusive" as const, take: 1, also: [], upgrade: true }];
  assert.deepEqual(listed({ ...lock, waiters, waitersTotal: 1 })["waiters"], [
    {
      session,
      program: "make",
      pid: 7,
      reason: "",
      connected: false,
      mode: "exclusive",
      upgrade: true,
      place: 1,
      waitedMs: 1000,
    },
  ]);
});

test("an event has the wall time at which it happened, and only what it has", () => {
  const common = { session, program: "make", pid: null, n: 4294967297, at: context.wallNow - 1000, kind: "lost" };
  const letter = { kind: "history" as const, to, request: 1, now };
  assert.deepEqual(answered("lock.history", { ...letter, events: [event] })["events"], [
    { ...common, name: "a", token: 7, reason: "its lease of 30000 ms ran out" },
  ]);
  const bare = { ...event, kind: "queued" as const, token: undefined, reason: "" };
  assert.deepEqual(answered("lock.history", { ...letter, events: [bare] })["events"], [
    { ...common, kind: "queued", name: "a" },
  ]);
});

test("a watch begins with how things are, or with nothing when the events follow", () => {
  const watching = { kind: "watching" as const, to, request: 1, upTo: 9, now };
  assert.equal((answered("lock.watch", { ...watching, gap: true, locks: [lock] })["locks"] as object[]).length, 1);
  assert.deepEqual(answered("lock.watch", { ...watching, gap: false, locks: undefined }), { upTo: 9, gap: false });
});

test("notices are what their schemas say", () => {
  const fence = { name: name("a"), token: token(7) };
  assert.deepEqual(told("lock.lost", { kind: "lost", to, fence, reason: "broken" }), { ...fence, reason: "broken" });
  assert.deepEqual(told("lock.contended", { kind: "contended", to, fence, waiting: 1 }), { ...fence, waiting: 1 });
  const by = { session, identity };
  assert.deepEqual(told("lock.revoking", { kind: "revoking", to, fence, graceMs: 5, reason: "", by }), {
    ...fence,
    graceMs: 5,
    reason: "",
    by: { session, program: "make", pid: 7 },
  });
  const place = { key: requestKey(3), name: name("a"), place: 2, waiting: 4 };
  const queued = told("lock.queued", {
    kind: "queued",
    to,
    asked: "id",
    ...place,
    holders: [holder],
    ending: undefined,
    now,
  });
  assert.deepEqual([queued["id"], queued["key"], queued["place"], queued["waiting"]], ["id", 3, 2, 4]);
  assert.equal(queued["ending"], null);
  assert.equal((queued["holders"] as { heldMs: number }[])[0]?.heldMs, 60_000);
  const events = told("lock.events", { kind: "events", to, watch: 5, events: [event], now });
  assert.deepEqual([events["watch"], (events["events"] as object[]).length], [5, 1]);
  assert.deepEqual(told("session.expired", { kind: "expired", to }), {});
  assert.deepEqual(told("session.taken", { kind: "taken", to }), {});
});
