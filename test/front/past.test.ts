/** A front that begins while the old writer holds its lock and does not end: rules 1, 2 and 13 together. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { LedgerEntry, Letter, StoreEvent } from "../../src/core/index.js";
import { Past } from "../../src/front/past.js";
import type { WriterAway, WriterReady } from "../../src/front/rebirth.js";
import { Ledger, LedgerFull } from "../../src/ledger/index.js";
import { placesFor } from "../../src/places/index.js";
import {
  connectionId,
  instant,
  limitsWith,
  lockName,
  requestKey,
  seq,
  sessionId,
  token,
  wallTime,
} from "../../src/terms/index.js";
import { acquire, grantRow, hello, parcel, writerReady } from "../core/support/values.js";
import { type TestLife, tempDir } from "../support/temp-dir.js";

const [holder, newcomer] = [sessionId("b".repeat(32)), sessionId("c".repeat(32))];
const now = instant(1000);
const identity = { program: "make", version: "", process: undefined, bound: false };
const name = lockName("index/rebuild", 512);
if (typeof name !== "string") throw new Error("not a name");
const claims = [{ name, mode: "exclusive" }] as const;
const fence = { name, token: token(42) };

const ready = writerReady({
  ...{ epoch: 2, storedSeq: seq(60), previousBootId: "this boot", heldBefore: true, incarnation: "first" },
  ...{ tokensFrom: 100, tokensTo: 200 },
});

const held = { kind: "writer-unavailable", reason: "node (pid 7) holds it", lockHeld: true } as const;
const stuck = { pid: 7, startTime: "start of 7", role: "writer", bootId: "this boot" };
const away = { ...held, stuck: [stuck] };

/** A front whose writer cannot be had, beside a ledger that knows a holder; and a client that nobody has seen before. */
function awaited(t: TestLife, word: WriterReady | WriterAway = away, more: readonly LedgerEntry[] = []) {
  const dir = tempDir(t);
  const places = { ...placesFor({ env: {}, platform: "linux", uid: 0, home: () => "/", dir }) };
  const path = join(dir, "ledger.db");
  const before = Ledger.open(path);
  before.read();
  before.commit([
    { kind: "mark", tokensTo: 100, seq: seq(50), incarnation: "first" },
    { kind: "session-opened", row: { session: holder, identity, role: "admin", windowMs: 30_000, outer: undefined } },
    { kind: "granted", row: grantRow({ token: token(42), session: holder, claims }) },
    ...more,
  ]);
  before.close();
  const parts = { limits: limitsWith(), bootId: "this boot", now, wallNow: wallTime(0), log: () => undefined };
  const moved = join(dir, "moved");
  const stuckNow = { lives: true };
  const processes = { startTimeOf: () => (stuckNow.lives ? stuck.startTime : undefined) };
  const past = new Past(word, { ...parts, processes, places: { ...places, ledger: path, moved } });
  let connections = 0;
  const turn = () => {
    const { ledger, send, dispatch } = past.core.takeTurn();
    past.ledger.commit(ledger);
    past.core.check();
    return { send, dispatch };
  };
  const says = (command: Parameters<typeof past.core.handle>[0]): readonly Letter[] => {
    past.core.handle(command, now);
    return turn().send;
  };
  const greets = (words: Omit<Parameters<typeof hello>[0], "connection" | "identity">) => {
    const connection = connectionId(++connections);
    past.core.handle({ kind: "connected", connection }, now);
    return { connection, letters: says(hello({ connection, identity, ...words })) };
  };
  /** The rows that the next front would find. */
  const rows = () => {
    past.ledger.close();
    const ledger = Ledger.open(path);
    const contents = ledger.read();
    ledger.close();
    assert.ok(contents !== "damaged");
    return contents;
  };
  return { past, turn, says, greets, rows, moved, stuckNow };
}

function codes(letters: readonly Letter[]): string[] {
  return letters.map((letter) => (letter.kind === "refused" ? letter.refusal.refused : letter.kind));
}

// rule 2: say so, serve reads only
test("without a writer somebody new is welcome and reads; what is written or locked is refused", (t) => {
  const { past, turn, says, greets } = awaited(t);
  assert.ok(past.ready);
  const starts = turn().dispatch.filter((job) => job.to === "reader");
  assert.deepEqual(
    starts.map((job) => job.kind === "start" && job.withoutWriter),
    [true, true],
    "what they find, they must bring to the disk",
  );
  const { connection, letters } = greets({ session: newcomer });
  assert.deepEqual(codes(letters), ["welcome"]);
  const asked = { connection, request: 2, timeoutMs: undefined, parcel: parcel("x") };
  const write = { ...asked, kind: "write", key: requestKey(1), fences: [], alone: false } as const;
  assert.deepEqual(codes(says(write)), ["WRITER_UNAVAILABLE"]);
  assert.deepEqual(codes(says(acquire({ connection, claims, key: requestKey(2) }))), ["WRITER_UNAVAILABLE"]);
  past.core.handle({ ...asked, kind: "read" }, now);
  assert.equal(past.core.counts.readsQueued, 1);
});

test("whether a session of before lives is told by a writer, so until there is one its client is asked to wait", (t) => {
  const { says, greets } = awaited(t);
  for (const mode of ["resume", "either", "new"] as const)
    assert.deepEqual(codes(greets({ session: holder, mode }).letters), ["WRITER_UNAVAILABLE"], mode);
  const stranger = sessionId("d".repeat(32));
  assert.deepEqual(codes(greets({ session: stranger, mode: "resume" }).letters), ["WRITER_UNAVAILABLE"]);
  const { connection } = greets({ session: newcomer });
  const settle = { kind: "settle", connection, request: 3, session: holder, keys: [requestKey(1)] } as const;
  assert.deepEqual(codes(says({ ...settle, parcel: parcel("settle") })), ["WRITER_UNAVAILABLE"]);
});

test("when a writer comes in the same run of the machine, holders are as they were, beside those who came meanwhile", (t) => {
  const { past, turn, greets, rows } = awaited(t);
  greets({ session: newcomer });
  past.hear(ready, now);
  turn();
  const { sessions, held } = past.core.counts;
  assert.deepEqual([past.core.ready, sessions, held], [true, 2, 1]);
  const { letters } = greets({ session: holder, mode: "resume", grants: [fence] });
  assert.ok(letters[0]?.kind === "welcome" && letters[0].resumed && letters[0].grants.length === 1);
  const { sessions: known, grants } = rows();
  assert.deepEqual([known.map(({ session }) => session).sort(), grants.length], [[holder, newcomer], 1]);
});

// rule 13: the ledger of an earlier run of the machine
test("when the writer says that the ledger is of an earlier run of the machine, it is void, but for those who came meanwhile", (t) => {
  const { past, turn, greets, rows } = awaited(t);
  greets({ session: newcomer });
  past.hear({ ...ready, previousBootId: "an earlier boot" }, now);
  turn();
  const { sessions, held } = past.core.counts;
  assert.deepEqual([past.core.ready, sessions, held], [true, 1, 0]);
  assert.deepEqual(codes(greets({ session: holder, mode: "resume" }).letters), ["SESSION_EXPIRED"]);
  const { sessions: known, grants } = rows();
  assert.deepEqual([known.map(({ session }) => session), grants.length], [[newcomer], 0]);
});

test("a ledger that contradicts itself is taken for damaged before anybody is let in", (t) => {
  const second = grantRow({ token: token(43), session: holder, claims, key: requestKey(2) });
  const { past, turn, greets, says } = awaited(t, away, [{ kind: "granted", row: second }]);
  turn();
  past.hear(ready, now);
  past.hear({ kind: "tokens-reserved", tokensFrom: 300, tokensTo: 400, incarnation: "second" }, now);
  turn();
  assert.deepEqual(codes(greets({ session: holder, mode: "resume" }).letters), ["SESSION_EXPIRED"]);
  const { connection } = greets({ session: newcomer });
  assert.deepEqual(codes(says(acquire({ connection, claims, key: requestKey(1) }))), []);
  assert.equal(past.core.counts.held, 0, "who held it may live, and has the time of one window");
});

test("when the ledger is full while a writer is awaited, what became void is written down when there is room", (t) => {
  const { past, rows } = awaited(t);
  const full = t.mock.method(Ledger.prototype, "commit", () => {
    throw new LedgerFull("no room");
  });
  past.hear({ ...ready, incarnation: "another" }, now);
  past.hear({ kind: "tokens-reserved", tokensFrom: 300, tokensTo: 400, incarnation: "third" }, now);
  const { ledger } = past.core.takeTurn();
  assert.throws(() => past.ledger.commit(ledger), LedgerFull);
  full.mock.restore();
  past.ledger.commit(ledger);
  const { sessions, grants, mark } = rows();
  assert.deepEqual([sessions.length, grants.length, mark], [0, 0, undefined]);
});

const gone = { kind: "writer-gone", progress: undefined, ioFailed: false, reason: "killed" } as const;
const next = { ...ready, epoch: 3, tokensFrom: 200, tokensTo: 300 };

const others: { readonly [what: string]: StoreEvent } = {
  "holds its writer's lock": held,
  "has had it, in another run directory": { ...next, movedFrom: "/run/elsewhere" },
  "has had it, in a run directory of the same name": { ...next, epoch: 4 },
  "was served there in the meantime, from an older file": { ...next, incarnation: "another" },
};

// rule 2, promise 4
for (const [what, event] of Object.entries(others))
  test(`when another broker ${what}, those who hold a lock hear that it is lost, nobody is granted it, and the broker is to end`, (t) => {
    const { past, turn, greets, says, rows, moved } = awaited(t, ready);
    const { letters } = greets({ session: holder, mode: "resume", grants: [fence] });
    assert.ok(letters[0]?.kind === "welcome" && letters[0].grants.length === 1);
    const { connection } = greets({ session: newcomer });
    assert.deepEqual(codes(says(acquire({ connection, claims, key: requestKey(1) }))), []);
    assert.equal(past.hear(gone, now), undefined);
    assert.ok(past.hear(event, now));
    assert.deepEqual(new Set(codes(turn().send)), new Set(["expired", "SESSION_EXPIRED"]));
    assert.ok(existsSync(moved));
    assert.deepEqual(rows().grants, []);
  });

test("when another broker holds the lock for which nobody of before is left who could, whoever came hears it, and the broker is to end", (t) => {
  const { past, turn, greets, moved, stuckNow } = awaited(t);
  turn();
  greets({ session: newcomer });
  assert.equal(past.hear(held, now), undefined, "who had it at the start has it still");
  stuckNow.lives = false;
  assert.equal(past.hear(held, now), undefined, "he may have gone when this was tried already");
  assert.equal(past.hear({ kind: "writer-unavailable", reason: "no memory" }, now), undefined);
  assert.equal(existsSync(moved), false);
  assert.equal(past.hear(held, now), held.reason);
  assert.deepEqual(codes(turn().send), ["expired"]);
  assert.ok(existsSync(moved));
});

test("a writer that takes the place of another is no other broker's, however many died before they could say a word", (t) => {
  const { past, turn } = awaited(t, ready);
  turn();
  past.hear(gone, now);
  assert.equal(past.hear({ ...next, epoch: 4, starts: 2 }, now), undefined);
  const block = { tokensFrom: 300, tokensTo: 400, incarnation: "second" };
  assert.equal(past.hear({ kind: "tokens-reserved", ...block }, now), undefined);
  past.hear(gone, now);
  assert.equal(past.hear({ kind: "writer-unavailable", reason: "no memory" }, now), undefined);
  assert.equal(past.hear({ ...next, epoch: 5, incarnation: "second", tokensFrom: 400, tokensTo: 500 }, now), undefined);
  assert.equal(past.core.counts.held, 1);
});

test("until tokens are reserved the database is noted as the other broker's, whose it was at the start", (t) => {
  const { past, turn } = awaited(t, { ...ready, movedFrom: "/run/elsewhere" });
  turn();
  past.hear(gone, now);
  assert.equal(past.hear({ ...next, movedFrom: "/run/elsewhere" }, now), undefined);
  past.hear({ kind: "tokens-reserved", tokensFrom: 300, tokensTo: 400, incarnation: "second" }, now);
  past.hear(gone, now);
  assert.ok(past.hear({ ...next, epoch: 4, movedFrom: "/run/elsewhere", incarnation: "second" }, now));
});
