/** What a request key promises (rule 6): run once, answered the same for as long as it is kept, never run when it is not. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { openDatabase } from "../../../src/sqlite/index.js";
import { MetaRow } from "../../../src/store/writer/meta-row.js";
import { neverToldMax } from "../../../src/store/writer/never-told.js";
import { OwnKeys } from "../../../src/store/writer/own-keys.js";
import { RepliesKept, replyKinds } from "../../../src/store/writer/replies-kept.js";
import { limitsWith, requestKey, type SessionId, sessionId } from "../../../src/terms/index.js";
import { type TestLife, tempDir } from "../../support/temp-dir.js";
import { alice, bench, bob, codes, type WriterBench } from "../writer-bench.js";

const insert = "insert into t (a) values (?)";

function withTable(w: WriterBench): WriterBench {
  w.run("create table if not exists t (id integer primary key, a)");
  return w;
}

test("a write that comes again under its key answers what it answered and is not applied again", (t) => {
  const w = withTable(bench(t));
  const first = w.run({ sql: insert, args: ["x"], key: 1 });
  assert.deepEqual(first.result, { columns: [], rows: [], rowsAffected: 1, lastInsertRowid: 1 });
  assert.deepEqual(w.run({ sql: insert, args: ["x"], key: 1 }), first);
  assert.deepEqual(w.rows("select a from t"), [["x"]]);
});

test("a key is found again by the next writer", (t) => {
  const dir = tempDir(t);
  const before = withTable(bench(t, { dir }));
  const first = before.run({ sql: `${insert} returning id, a`, args: ["x"], key: 7 });
  before.close();
  const w = bench(t, { dir });
  assert.deepEqual(w.run({ sql: `${insert} returning id, a`, args: ["x"], key: 7 }), first);
  assert.equal(w.value("select count(*) from t"), 1);
});

test("a stored result answers in the encoding of whoever asks again", (t) => {
  const w = withTable(bench(t));
  const write = { sql: `${insert} returning a, 9007199254740993, 1.0, x'00ff'`, key: 3, args: ["ü"] };
  const json = w.run(write);
  const msgpack = w.run({ ...write, encoding: "msgpack" });
  assert.deepEqual(json.result.rows, [["ü", { $int: "9007199254740993" }, { $real: "1" }, { $blob: "AP8=" }]]);
  assert.deepEqual(msgpack.result.rows, [["ü", 9007199254740993n, { $real: "1" }, Buffer.from([0, 255])]]);
  assert.equal(w.value("select count(*) from t"), 1);
});

test("a key that was used for another request is refused, whatever differs", (t) => {
  const w = withTable(bench(t));
  const write = { sql: insert, args: ["x"], key: 1 };
  w.run(write);
  const others = [
    { ...write, args: ["y"] },
    { ...write, args: [{ $blob: "eA==" }] },
    { ...write, sql: `${insert} returning a` },
    { ...write, params: { sql: insert, args: ["x"], fence: [{ name: "a", token: 1 }] } },
    { ...write, method: "db.batch" as const, params: { statements: [{ sql: insert, args: ["x"] }] } },
  ];
  for (const other of others) assert.deepEqual(codes([w.run(other)]), ["KEY_REUSED"]);
  assert.equal(w.value("select count(*) from t"), 1);
});

test("what does not change the meaning of a request does not change its key", (t) => {
  const w = withTable(bench(t));
  const first = w.run({ params: { sql: "insert into t (a, id) values (:a, :b)", named: { a: 1, b: 2 } }, key: 1 });
  const again = { sql: "insert into t (a, id) values (:a, :b)", named: { ":b": 2, ":a": 1 }, timeoutMs: 5, ack: 1 };
  assert.deepEqual(w.run({ params: again, key: 1 }), first);
  assert.deepEqual(w.run({ params: again, key: 1, encoding: "msgpack" }), first);
});

test("a write that was refused leaves no key, and may be tried again", (t) => {
  const w = withTable(bench(t));
  w.run("create unique index only on t (a)");
  w.run({ sql: insert, args: ["x"] });
  assert.deepEqual(codes([w.run({ sql: insert, args: ["x"], key: 1 })]), ["SQLITE_CONSTRAINT"]);
  w.run("delete from t");
  assert.deepEqual(codes([w.run({ sql: insert, args: ["x"], key: 1 })]), ["done"]);
});

test("a replay answers what is stored, runs nothing, and says so when nothing is stored", (t) => {
  const w = withTable(bench(t));
  const write = { sql: insert, args: ["x"], key: 1 };
  assert.equal(w.run({ ...write, mode: "replay" }).kind, "absent");
  const first = w.run(write);
  assert.deepEqual(w.run({ ...write, mode: "replay" }), first);
  assert.equal(w.run({ sql: insert, args: ["x"], mode: "replay" }).kind, "absent");
  assert.equal(w.value("select count(*) from t"), 1);
});

test("a result that is too large to be kept is applied once, and says so afterwards", (t) => {
  const w = withTable(bench(t, { limits: { replyBytesKeptMax: 100 } }));
  const write = { sql: `${insert} returning a`, args: ["x".repeat(200)], key: 1 };
  assert.equal(w.run(write).result.rows[0][0].length, 200);
  assert.deepEqual(codes([w.run(write)]), ["RESULT_NOT_KEPT"]);
  assert.deepEqual(w.settle(alice, [1]), [{ key: 1, outcome: "applied", resultKept: false }]);
  assert.equal(w.value("select count(*) from t"), 1);
});

test("keys that were acknowledged are deleted in a later transaction, and are never run again", (t) => {
  const w = withTable(bench(t));
  const writes = Array.from({ length: 40 }, (_, at) => ({ sql: insert, args: [at], key: at + 1 }));
  w.group(writes);
  w.writer.take({ kind: "forget", session: alice, below: requestKey(41) });
  assert.equal(w.value("select count(*) from _holdfast_replies"), 40);
  w.run({ sql: insert, args: ["later"], key: 41 });
  assert.deepEqual(w.rows("select key from _holdfast_replies"), [[41]]);
  assert.deepEqual(codes([w.run(writes[3] as never)]), ["RETRY_TOO_OLD"]);
  assert.equal(w.value("select count(*) from t"), 41);
});

test("the mark of what was forgotten outlives the writer", (t) => {
  const dir = tempDir(t);
  const before = withTable(bench(t, { dir }));
  before.group(Array.from({ length: 40 }, (_, at) => ({ sql: insert, args: [at], key: at + 1 })));
  before.writer.take({ kind: "forget", session: alice, below: requestKey(41) });
  before.run({ sql: insert, args: ["later"], key: 41 });
  before.close();
  const w = bench(t, { dir });
  assert.deepEqual(codes([w.run({ sql: insert, args: [3], key: 4 })]), ["RETRY_TOO_OLD"]);
  assert.deepEqual(
    w.settle(alice, [4, 41, 42]).map(({ key, outcome }: { key: number; outcome: string }) => [key, outcome]),
    [
      [4, "unknown"],
      [41, "applied"],
      [42, "never"],
    ],
  );
});

const replyBytes = "select count(*) * 64 + coalesce(sum(length(cast(result as blob))), 0) from _holdfast_replies";

test("answers that the client has are written over one by one, and what they stood for is never run again", (t) => {
  const dir = tempDir(t);
  const before = withTable(bench(t, { dir }));
  const write = (key: number, text = "x") => ({ sql: `${insert} returning a`, args: [text], key, ackedBelow: key });
  before.group([1, 2, 3].map((key) => ({ ...write(key, "long ".repeat(key)), ackedBelow: 1 })));
  before.run(write(4));
  assert.deepEqual(before.rows("select key, below from _holdfast_replies"), [
    [2, 1],
    [3, 1],
    [4, 4],
  ]);
  before.close();
  const w = bench(t, { dir });
  for (let key = 5; key <= 20; key++) w.run(write(key, String(key)));
  assert.deepEqual(w.rows("select key from _holdfast_replies"), [[18], [19], [20]]);
  assert.equal(w.value("select replies_bytes from _holdfast_meta"), w.value(replyBytes));
  w.close();
  const next = bench(t, { dir });
  assert.deepEqual(codes([next.run(write(1)), next.run(write(17)), next.run(write(20, "20"))]), [
    "RETRY_TOO_OLD",
    "RETRY_TOO_OLD",
    "done",
  ]);
  assert.deepEqual(
    next.settle(alice, [17, 19, 20, 21]).map(({ outcome }: { outcome: string }) => outcome),
    ["unknown", "applied", "applied", "never"],
  );
  assert.equal(next.value("select count(*) from t"), 20);
});

test("an answer that was to be written over by a write which came to nothing is there again", (t) => {
  const w = withTable(bench(t));
  w.run("create table parent (id integer primary key)");
  w.run("create table child (p references parent (id) deferrable initially deferred)");
  const first = w.run({ sql: insert, args: ["x"], key: 1 });
  assert.deepEqual(codes([w.run({ sql: "insert into child values (1)", key: 2, ackedBelow: 2 })]), [
    "SQLITE_CONSTRAINT",
  ]);
  assert.deepEqual(w.run({ sql: insert, args: ["x"], key: 1 }), first);
  w.run({ sql: insert, args: ["y"], key: 3, ackedBelow: 3 });
  assert.deepEqual(w.rows("select key from _holdfast_replies"), [[3]]);
  assert.equal(w.value("select replies_bytes from _holdfast_meta"), w.value(replyBytes));
});

test("a script writes over its own answer, not over one that is still needed", (t) => {
  const w = withTable(bench(t));
  w.run({ sql: insert, args: ["x"], key: 1 });
  const script = { sql: `insert into t (a) values (1); insert into t (a) values (2)`, atomic: false };
  w.run({ method: "db.script", params: script, key: 2, ackedBelow: 1 });
  assert.deepEqual(w.rows("select key from _holdfast_replies"), [[1], [2]]);
  w.run({ method: "db.script", params: script, key: 3, ackedBelow: 3 });
  assert.deepEqual(w.rows("select key from _holdfast_replies"), [[2], [3]]);
  assert.equal(w.value("select replies_bytes from _holdfast_meta"), w.value(replyBytes));
});

test("what the client has of a session that ends goes with it", (t) => {
  const w = withTable(bench(t));
  w.group([1, 2, 3].map((key) => ({ sql: insert, args: [key], key })));
  w.writer.take({ kind: "forget", session: alice, below: requestKey(3) });
  w.run({ sql: insert, args: ["bob"], key: 1, session: bob });
  assert.equal(w.value("select count(*) from _holdfast_replies"), 4);
  w.writer.take({ kind: "end-session", session: alice });
  w.turn();
  assert.deepEqual(w.rows(`select key from _holdfast_replies where session = x'${alice}'`), [[3]]);
  assert.deepEqual(
    w.settle(alice, [2, 3]).map(({ outcome }: { outcome: string }) => outcome),
    ["unknown", "applied"],
  );
});

test("settling says for good what became of each key, with its result", (t) => {
  const w = withTable(bench(t));
  w.run({ sql: `${insert} returning a`, args: ["x"], key: 2 });
  assert.deepEqual(w.settle(alice, [1, 2]), [
    { key: 1, outcome: "never", resultKept: false },
    {
      key: 2,
      outcome: "applied",
      resultKept: true,
      result: { columns: ["a"], rows: [["x"]], rowsAffected: 1, lastInsertRowid: 1 },
    },
  ]);
  // What was told to be never stays so, and what was applied is still told.
  assert.deepEqual(codes([w.run({ sql: insert, args: ["x"], key: 1 })]), ["RETRY_TOO_OLD"]);
  assert.equal(w.run({ sql: `${insert} returning a`, args: ["x"], key: 2 }).kind, "done");
  assert.deepEqual(
    w.settle(alice, [1, 2]).map(({ outcome }: { outcome: string }) => outcome),
    ["never", "applied"],
  );
});

test("a session that nobody knew is settled as well, and stays so over the writer's death", (t) => {
  const dir = tempDir(t);
  const before = withTable(bench(t, { dir }));
  assert.deepEqual(before.settle(bob, [1], "msgpack"), [{ key: 1, outcome: "never", resultKept: false }]);
  before.close();
  const w = bench(t, { dir });
  assert.deepEqual(codes([w.run({ sql: insert, args: ["x"], key: 1, session: bob })]), ["RETRY_TOO_OLD"]);
});

test("a session that has ended answers for its keys and runs no others", (t) => {
  const w = withTable(bench(t));
  const first = w.run({ sql: insert, args: ["x"], key: 1 });
  w.writer.take({ kind: "end-session", session: alice });
  assert.deepEqual(w.turn(), []);
  assert.deepEqual(w.said.at(-1), {
    kind: "settled",
    walBytes: (w.said.at(-1) as { walBytes: number }).walBytes,
    housekept: 1,
    storedSeq: 2,
    ranMs: 0,
    committedMs: 0,
    answers: [],
  });
  assert.deepEqual(w.run({ sql: insert, args: ["x"], key: 1 }), first);
  assert.deepEqual(codes([w.run({ sql: insert, args: ["y"], key: 2 })]), ["RETRY_TOO_OLD"]);
  assert.equal(w.value("select ended is not null from _holdfast_sessions"), 1);
});

test("the keys of other sessions are their own", (t) => {
  const w = withTable(bench(t));
  assert.deepEqual(codes(w.group([alice, bob].map((session) => ({ sql: insert, args: [session], key: 1, session })))), [
    "done",
    "done",
  ]);
  assert.equal(w.value("select count(*) from t"), 2);
});

test("answers beyond the bound go, those of ended sessions first, and their keys are never run again", (t) => {
  const w = withTable(bench(t, { limits: { repliesBytesAllMax: 1024 * 1024, replyBytesKeptMax: 256 * 1024 } }));
  const large = (key: number, session = alice) => ({
    sql: `${insert} returning a`,
    args: ["x".repeat(200_000)],
    key,
    session,
  });
  w.run(large(1, bob));
  w.run(large(1));
  w.writer.take({ kind: "end-session", session: bob });
  w.turn();
  for (let key = 2; key <= 5; key++) w.run(large(key));
  assert.deepEqual(w.rows("select distinct hex(session) from _holdfast_replies"), [[alice.toUpperCase()]]);
  assert.deepEqual(codes([w.run(large(1, bob))]), ["RETRY_TOO_OLD"]);
  for (let key = 6; key <= 9; key++) w.run(large(key));
  assert.ok(Number(w.value("select sum(length(result)) from _holdfast_replies")) <= 1024 * 1024);
  assert.deepEqual(codes([w.run(large(1)), w.run(large(9))]), ["RETRY_TOO_OLD", "done"]);
  assert.equal(w.value("select count(*) from t"), 10);
  assert.equal(w.value("select replies_bytes from _holdfast_meta"), w.value(replyBytes));
});

/** The tables by themselves, under a clock that the test moves. */
function kept(t: TestLife) {
  const database = openDatabase({ path: join(tempDir(t), "d"), role: "writer", durability: "full", busyMs: 0 });
  t.after(() => database.close());
  MetaRow.start(database, "boot-1");
  const clock = { now: Date.UTC(2026, 0, 1) };
  const replies = new RepliesKept(database, limitsWith(), 0, () => clock.now);
  const commit = () => {
    replies.write();
    replies.housekeep();
    replies.committed();
  };
  const sessions = () => database.prepare("select count(*), sum(pruned) from _holdfast_sessions").raw(true).get();
  return { database, replies, clock, commit, sessions };
}

test("of sessions that come and go by the hundred those that have never had an answer leave nothing, the others a mark", (t) => {
  const { replies, clock, commit, sessions } = kept(t);
  const ids = Array.from({ length: 500 }, (_, n) => sessionId((n + 1).toString(16).padStart(32, "0")));
  const reply = { kind: replyKinds.change, result: "1," } as const;
  for (const [n, session] of ids.entries()) {
    if (n % 10 === 0) replies.keep({ session, key: requestKey(1), hash: 7, reply, again: false });
    commit();
    replies.endSession(session);
  }
  commit();
  assert.deepEqual(sessions(), [50, 0]);
  const [answered, silent] = ids as [SessionId, SessionId];
  assert.deepEqual(
    [answered, silent].map((session) => replies.find(session, requestKey(1)).state),
    ["stored", "never"],
  );
  clock.now += limitsWith().endedKeysMs + 60_001;
  commit();
  assert.deepEqual(sessions(), [50, 50]);
  assert.deepEqual(
    [answered, silent].map((session) => replies.find(session, requestKey(1)).state),
    ["forgotten", "never"],
  );
  clock.now += 40 * 24 * 3_600_000;
  commit();
  assert.deepEqual(sessions(), [0, null]);
});

// rule 6
test("whoever settles sessions that never were has the oldest of them forgotten, and no session that had an answer", (t) => {
  const { database, replies, commit, sessions } = kept(t);
  const idOf = (n: number) => sessionId((n + 1).toString(16).padStart(32, "0"));
  const reply = { kind: replyKinds.change, result: "1," } as const;
  replies.keep({ session: idOf(0), key: requestKey(1), hash: 7, reply, again: false });
  commit();
  let told = 0;
  const settle = (upTo: number) => {
    while (told < upTo) {
      database.exec("begin");
      for (let n = 0; n < 10_000 && told < upTo; n++)
        assert.equal(replies.settle(idOf(told++), [requestKey(9)])[0]?.found.state, "never");
      commit();
      database.exec("commit");
    }
  };
  settle(neverToldMax + 1);
  assert.deepEqual(sessions(), [neverToldMax + 1, 0]);
  database.exec("begin");
  replies.settle(idOf(told), [requestKey(9)]);
  replies.housekeep();
  database.exec("rollback");
  replies.rolledBack();
  assert.equal(replies.find(idOf(1), requestKey(9)).state, "forgotten");
  settle(neverToldMax + 101);
  assert.deepEqual(sessions(), [neverToldMax + 1, 0]);
  const stateOf = (n: number, key = 9) => replies.find(idOf(n), requestKey(key)).state;
  assert.deepEqual(
    [stateOf(0, 1), stateOf(0), stateOf(1), stateOf(100), stateOf(101)],
    ["stored", "forgotten", "never", "never", "forgotten"],
  );
});

test("those of whom nobody has heard for long are looked for some at a time, and all are found", (t) => {
  const { database, clock, commit, sessions } = kept(t);
  const old = BigInt(clock.now - 40 * 24 * 3_600_000);
  const put = database.prepare("insert into _holdfast_sessions (session, below, seen, pruned) values (?, 5, ?, 1)");
  database.exec("begin");
  for (let n = 1; n <= 5000; n++) put.run(Buffer.from(n.toString(16).padStart(32, "0"), "hex"), old);
  database.exec("commit");
  const left = [0, 1, 2, 3].map(() => {
    commit();
    clock.now += 1000;
    return (sessions() as [number])[0];
  });
  assert.ok((left[0] ?? 0) > 0 && (left[0] ?? 0) < 5000, String(left));
  assert.equal(left.at(-1), 0, String(left));
});

// rule 6: what is stored is never told not to be
test("while a stranger has the database locked, a write that was applied before is answered as it was", (t) => {
  const w = withTable(bench(t));
  const first = w.run({ sql: insert, args: ["x"], key: 1 });
  const stranger = openDatabase({ path: w.orders.database, role: "writer", durability: "off", busyMs: 0 });
  t.after(() => stranger.close());
  stranger.exec("begin immediate");
  const settled = w.group([
    { sql: insert, args: ["x"], key: 1 },
    { sql: insert, args: ["y"], key: 2 },
    { sql: insert, args: ["z"], key: 3, mode: "replay" },
    { sql: insert, args: ["other"], key: 1 },
  ]);
  assert.deepEqual(settled[0], first);
  assert.deepEqual(codes(settled), ["done", "SQLITE_BUSY", "absent", "KEY_REUSED"]);
  stranger.exec("rollback");
  assert.deepEqual(w.rows("select a from t"), [["x"]]);
});

test("while nothing can be looked up either, nobody is told that a write with a key was not applied", (t) => {
  const w = withTable(bench(t));
  w.run({ sql: insert, args: ["x"], key: 1 });
  const stranger = openDatabase({ path: w.orders.database, role: "writer", durability: "off", busyMs: 0 });
  t.after(() => stranger.close());
  stranger.exec("begin immediate");
  t.mock.method(OwnKeys.prototype, "admit", unreadable);
  t.mock.method(RepliesKept.prototype, "admit", unreadable);
  const outcomes = w
    .group([
      { sql: insert, args: ["x"], key: 1 },
      { params: { sql: insert, args: ["y"], key: "own" } },
      { sql: insert, args: ["z"] },
    ])
    .map(({ refusal }) => [refusal?.refused, refusal?.outcome]);
  assert.deepEqual(outcomes, [
    ["SQLITE_BUSY", "unknown"],
    ["SQLITE_BUSY", "unknown"],
    ["SQLITE_BUSY", undefined],
  ]);
});

function unreadable(): never {
  throw Object.assign(new Error("database is locked"), { name: "SqliteError", code: "SQLITE_BUSY" });
}

test("sessions that have ended and cannot be noted down keep nobody from being served, however many they are", (t) => {
  const w = withTable(bench(t));
  w.run({ sql: insert, args: ["before"], session: sessionId("1".padStart(32, "0")), key: 5 });
  for (let n = 1; n <= 20_100; n++)
    w.writer.take({ kind: "end-session", session: sessionId(n.toString(16).padStart(32, "0")) });
  assert.deepEqual(codes([w.run("insert into nowhere values (1)")]), ["SQLITE_ERROR"]);
  const ended = sessionId("1".padStart(32, "0"));
  assert.deepEqual(codes([w.run({ sql: insert, args: ["x"], session: ended, key: 1 })]), ["RETRY_TOO_OLD"]);
  w.turn();
  assert.equal(w.value("select count(*) from _holdfast_sessions where ended is not null"), 1);
});

test("after a transaction that was rolled back only the keys of those whom it had changed are read again", (t) => {
  const { database, replies, commit } = kept(t);
  const busy = sessionId("1".repeat(32));
  const other = sessionId("2".repeat(32));
  const keep = (session: SessionId, key: number) =>
    replies.keep({
      session,
      key: requestKey(key),
      hash: 1,
      reply: { kind: replyKinds.change, result: "1,1" },
      again: false,
    });
  const stored = (session: SessionId, key: number) => replies.find(session, requestKey(key)).state;
  keep(busy, 1);
  keep(other, 1);
  commit();
  assert.deepEqual([stored(busy, 1), stored(other, 1)], ["stored", "stored"]);
  // Behind its back: whoever has its rows read again sees this one.
  for (const session of [busy, other])
    database
      .prepare("insert into _holdfast_replies (session, key, hash, kind, result, below) values (?, 9, 1, 3, '1,1', 0)")
      .run(Buffer.from(session, "hex"));
  replies.rolledBack();
  assert.deepEqual([stored(busy, 9), stored(other, 9)], ["never", "never"]);
  keep(other, 2);
  replies.rolledBack();
  assert.deepEqual([stored(busy, 9), stored(other, 9), stored(other, 2)], ["never", "stored", "never"]);
});
