/**
 * The store with its real processes: what it is told to do it does, and what happens to its children it tells. Jobs are
 * given as the core gives them.
 */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { killOrphans } from "../../../src/store/index.js";
import { readerId, requestKey, seq } from "../../../src/terms/index.js";
import { until } from "../../support/patience.js";
import { isGone, known, stateOf, stop } from "../../support/processes.js";
import { tempDir } from "../../support/temp-dir.js";
import { alice, bob, rig, type StoreRig } from "../store-rig.js";

const table = "create table t (id integer primary key, a)";
const insert = "insert into t (a) values (?)";
const endless = "insert into t (a) with recursive n(x) as (select 1 union all select x from n) select count(*) from n";

/** When the writer has begun with it. */
function running(r: StoreRig, at: number) {
  return until(`write ${at} to run`, async () => {
    const seen = r.next("writer-progress");
    r.obey({ to: "writer", kind: "probe" });
    const { progress } = await seen;
    return progress?.phase === "running" && progress.seq === at && progress;
  });
}

test("writes are answered by the writer, and reads by the reader they are given to", async (t) => {
  const r = rig(t);
  const ready = await r.startWriter();
  assert.deepEqual([ready.epoch, ready.storedSeq, ready.previousBootId, ready.tokensFrom], [1, 0, null, 1]);
  await r.execute(table);
  assert.deepEqual((await r.execute(insert, ["x"], { key: 1 })) as unknown, {
    kind: "done",
    result: { columns: [], rows: [], rowsAffected: 1, lastInsertRowid: 1 },
  });
  await r.startReader(1);
  await r.startReader(2);
  for (const reader of [1, 2]) {
    const answered = await r.read("db.query", { sql: "select a from t" }, reader);
    assert.deepEqual(answered.kind === "done" && answered.result.rows, [["x"]]);
  }
});

test("requests in MessagePack are answered in MessagePack", async (t) => {
  const r = rig(t);
  await r.startWriter();
  await r.execute("create table t (a)", [], { encoding: "msgpack" });
  const answered = await r.execute("insert into t values (?) returning a", [Buffer.from("ü")], { encoding: "msgpack" });
  assert.deepEqual(answered.kind === "done" && answered.result.rows, [[Buffer.from("ü")]]);
});

test("a killed writer is told with what it was doing, and the next one goes on", async (t) => {
  const r = rig(t, { standby: true });
  await r.startWriter();
  await r.execute(table);
  await r.startReader();
  const standby = await until("a standby", () => r.store.processes().find(({ role }) => role === "standby"));
  await r.execute(insert, ["acked"], { key: 1 });
  const gone = await r.killWriter();
  assert.deepEqual([gone.ioFailed, gone.progress?.phase, gone.reason], [false, "idle", "signal SIGKILL"]);
  const ready = await r.startWriter();
  assert.deepEqual([ready.epoch, ready.storedSeq, ready.previousBootId], [2, 2, "boot-1"]);
  assert.equal(r.pidOf("writer"), standby.pid);
  assert.equal((await r.execute(insert, ["acked"], { key: 1 })).kind, "done");
  assert.deepEqual(await r.rows("select a from t"), [["acked"]]);
});

// rule 8: nobody's write is to blame
test("a writer that leaves because its memory is full is told from one that was killed", {
  skip: process.platform !== "linux",
}, async (t) => {
  const MiB = 1024 * 1024;
  const hook = join(tempDir(t), "hook.mjs");
  const memory = new URL("../../../src/store/pipe/memory.js", import.meta.url).href;
  // Over three quarters of what it may have.
  writeFileSync(
    hook,
    `import { readFileSync } from "node:fs";
     import { reservedBytes } from ${JSON.stringify(memory)};
     const taken = Number(readFileSync("/proc/self/statm", "latin1").split(" ")[5]) * 4096 - reservedBytes;
     globalThis.kept = Buffer.alloc(Math.max(0, 200 * ${MiB} - taken), 1);`,
  );
  const r = rig(t, { execArgv: ["--import", hook], limits: { childBytesMax: 256 * MiB } });
  await r.startWriter();
  const gone = r.next("writer-gone");
  // Too short a one is not worth a look.
  const count = "with recursive n(x) as (select 1 union all select x + 1 from n limit 3000000) select count(*) from n";
  await r.execute(`create table t as ${count}`);
  assert.deepEqual([(await gone).left, (await gone).reason.includes("it is replaced")], [true, true]);
  await r.startWriter();
  assert.equal((await r.killWriter()).left, false);
});

// rule 8: it stands still, whatever it was at
test("a writer that somebody has stopped is said to be stopped", async (t) => {
  const r = rig(t);
  await r.startWriter();
  const look = async () => {
    const seen = r.next("writer-progress");
    r.obey({ to: "writer", kind: "probe" });
    return (await seen).stopped;
  };
  assert.equal(await look(), false);
  await stop(known(r.pidOf("writer")));
  assert.equal(await look(), true);
  await r.killWriter();
});

// rule 13: only an end in good order is believed
test("that nothing is held is written down when the writer leaves, and not by one that is killed", async (t) => {
  const dir = tempDir(t);
  const lives: boolean[] = [];
  for (const end of ["killed", "leaves", "leaves in a transaction", "leaves without a word"]) {
    const r = rig(t, { dir });
    lives.push((await r.startWriter()).heldBefore);
    if (end === "leaves in a transaction") await r.begin().answer;
    if (end !== "leaves without a word") r.obey({ to: "writer", kind: "nothing-held" });
    if (end === "killed") await r.killWriter();
    await r.store.close();
  }
  const last = rig(t, { dir });
  lives.push((await last.startWriter()).heldBefore);
  assert.deepEqual(lives, [false, true, false, true, true]);
});

// rule 8: its first statements are applied, and no sequence on disk says so
test("of a script that was refused in its middle a writer that dies says that it had begun it", async (t) => {
  const r = rig(t);
  await r.startWriter();
  await r.execute(table);
  const sql = "insert into t (a) values (1); insert into nowhere values (1)";
  const { seq: at, answer } = r.give("db.script", { sql, atomic: false });
  r.store.flush();
  assert.equal((await answer).kind, "refused");
  const { progress } = await r.killWriter();
  const { storedSeq } = await r.startWriter();
  assert.deepEqual([progress?.phase, progress?.seq], ["idle", at]);
  assert.ok(storedSeq < at);
});

// rule 8: who was it
test("of fifty writes that wait together the endless one is named, and the others are not applied", async (t) => {
  // However slow the machine is, the first sixteen at least are one group.
  const r = rig(t, { limits: { groupMs: 1000 } });
  await r.startWriter();
  await r.execute(table);
  const given = Array.from({ length: 50 }, (_, at) =>
    r.give("db.execute", at === 10 ? { sql: endless } : { sql: insert, args: [at] }),
  );
  for (const { answer } of given) answer.catch(() => undefined);
  r.store.flush();
  const culprit = given[10]?.seq ?? 0;
  await running(r, culprit);
  const gone = r.next("writer-gone");
  r.obey({ to: "writer", kind: "kill", why: "it ran too long" });
  const { progress, reason } = await gone;
  assert.deepEqual([progress?.seq, progress?.phase, reason], [culprit, "running", "killed: it ran too long"]);
  const { storedSeq } = await r.startWriter();
  assert.ok(storedSeq < (given[0]?.seq ?? 0));
  await r.startReader();
  assert.deepEqual(await r.rows("select count(*) from t"), [[0]]);
});

test("a writer that was killed has been read to its last answer", async (t) => {
  const r = rig(t, { limits: { groupRequestsMax: 1 } });
  await r.startWriter();
  await r.execute(table);
  // The first ones are answered while the endless one runs; more than a pipe holds waits behind it.
  const before = Array.from({ length: 20 }, (_, at) => r.give("db.execute", { sql: insert, args: [at] }));
  const { seq: culprit, answer } = r.give("db.execute", { sql: endless });
  answer.catch(() => undefined);
  for (let at = 0; at < 40; at++)
    r.give("db.execute", { sql: insert, args: ["x".repeat(100_000)] }).answer.catch(() => undefined);
  r.store.flush();
  await running(r, culprit);
  const gone = r.killWriter();
  for (const { answer: early } of before) assert.equal((await early).kind, "done");
  await gone;
  const order = r.events.map(({ kind }) => kind);
  assert.ok(order.lastIndexOf("writer-settled") < order.indexOf("writer-gone"));
});

test("when no writer can be had, it is told why, and asking again helps when the reason is gone", async (t) => {
  const dir = tempDir(t);
  const r = rig(t, { dir });
  mkdirSync(r.places.database);
  const unavailable = r.next("writer-unavailable");
  r.obey({ to: "writer", kind: "start", repair: false });
  assert.match((await unavailable).reason, /unable to open database file/);
  assert.deepEqual(r.store.processes(), []);
});

// What is in doubt would be refused with an unknown outcome, though the next process can settle it.
test("a writer that is killed while it starts is replaced without a word", async (t) => {
  const r = rig(t);
  const ready = r.next("writer-ready");
  r.obey({ to: "writer", kind: "start", repair: false });
  process.kill(r.pidOf("writer"), "SIGKILL");
  await ready;
  assert.deepEqual(
    r.events.map(({ kind }) => kind),
    ["writer-ready"],
  );
  assert.equal((await r.execute(table)).kind, "done");
});

test("when each process for the writer dies without a word, none can be had", async (t) => {
  const r = rig(t, { node: "/bin/false" });
  const unavailable = r.next("writer-unavailable");
  r.obey({ to: "writer", kind: "start", repair: false });
  assert.match((await unavailable).reason, /exit code 1/);
  assert.deepEqual(r.store.processes(), []);
});

test("a program that cannot be started makes no writer and no reader", async (t) => {
  const r = rig(t, { node: "/nowhere/node" });
  const unavailable = r.next("writer-unavailable");
  const gone = r.next("reader-gone");
  r.obey(
    { to: "writer", kind: "start", repair: false },
    { to: "reader", kind: "start", reader: readerId(1), withoutWriter: false },
  );
  assert.match((await unavailable).reason, /\/nowhere\/node: not found/);
  assert.match((await gone).reason, /\/nowhere\/node: not found/);
});

test("a reader that is killed is told, and so is one that cannot read", async (t) => {
  const r = rig(t);
  await r.startWriter();
  await r.startReader(1);
  const gone = r.next("reader-gone");
  r.obey({ to: "reader", kind: "kill", reader: readerId(1), why: "too slow" });
  assert.deepEqual(await gone, { kind: "reader-gone", reader: 1, reason: "killed: too slow" });
  // What is still given to it goes nowhere: the core gives it to another.
  r.giveRead("db.query", { sql: "select 1" }).answer.catch(() => undefined);
  r.store.flush();
});

// rule 1
test("a second reader, which is started later than it was asked for, syncs what it finds when there is no writer by then", async (t) => {
  const hook = join(tempDir(t), "hook.cjs");
  writeFileSync(
    hook,
    `const fs = require("node:fs");
     const sync = fs.fsyncSync;
     fs.fsyncSync = (file) => { console.error("synced"); sync(file); };
     require("node:module").syncBuiltinESMExports();`,
  );
  const before = rig(t);
  await before.startWriter();
  await before.execute(table);
  process.kill(before.pidOf("writer"), "SIGKILL");
  await before.next("writer-gone");
  const r = rig(t, { dir: before.dir, execArgv: ["--require", hook] });
  const second = r.next("reader-ready", ({ reader }) => reader === readerId(2));
  r.obey(
    { to: "reader", kind: "start", reader: readerId(1), withoutWriter: false },
    { to: "reader", kind: "start", reader: readerId(2), withoutWriter: false },
  );
  await second;
  await until("the log to be synced", () => r.log.includes("reader: synced"));
});

test("a reader that is not started yet can be ended, and is heard of like any other", async (t) => {
  const r = rig(t);
  await r.startWriter();
  await r.startReader(1);
  const gone = r.next("reader-gone");
  r.obey(
    { to: "reader", kind: "start", reader: readerId(2), withoutWriter: false },
    { to: "reader", kind: "kill", reader: readerId(2), why: "nobody needs it" },
  );
  // On a slow machine it may be started by then, and is killed.
  const { reader, reason } = await gone;
  assert.equal(reader, 2);
  assert.match(reason, /nobody needs it$/);
  await r.startReader(3);
  assert.equal(r.store.processes().filter(({ role }) => role === "reader").length, 2);
});

test("a reader without a database ends and says why", async (t) => {
  const r = rig(t);
  const gone = r.next("reader-gone");
  r.obey({ to: "reader", kind: "start", reader: readerId(7), withoutWriter: false });
  const { reader, reason } = await gone;
  assert.equal(reader, 7);
  assert.match(reason, /unable to open database file/);
});

// rule 17
test("signals to the whole group end no child; the end of its pipe does", async (t) => {
  const r = rig(t, { standby: true });
  await r.startWriter();
  await r.execute(table);
  await r.startReader();
  await until("a standby", () => r.store.processes().length === 3);
  const children = r.store.processes().map(({ pid }) => known(pid));
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    for (const { pid } of children) process.kill(pid, signal);
  assert.equal((await r.execute(insert, ["x"])).kind, "done");
  assert.deepEqual(await r.rows("select a from t"), [["x"]]);
  await r.store.close();
  assert.ok(children.every(isGone));
});

test("a store that is closed leaves one file with everything in it, and nobody behind", async (t) => {
  const r = rig(t);
  await r.startWriter();
  await r.execute(table);
  await r.execute(insert, ["x"]);
  await r.startReader();
  assert.equal(JSON.parse(readFileSync(r.places.children, "utf8")).length, 2);
  const children = r.store.processes().map(({ pid }) => known(pid));
  await r.store.close();
  assert.ok(children.every(isGone));
  assert.deepEqual([existsSync(r.places.children), existsSync(`${r.places.database}-wal`)], [false, false]);
});

test("every child is written down before it is told anything", async (t) => {
  const r = rig(t);
  await r.startWriter();
  await r.startReader();
  const written = JSON.parse(readFileSync(r.places.children, "utf8")) as {
    pid: number;
    startTime: string;
    role: string;
  }[];
  assert.deepEqual(
    written.map(({ pid, startTime, role }) => ({ pid, startTime, role })),
    r.store.processes().map(({ pid, role }) => ({ ...known(pid), role })),
  );
});

// rule 2: a stopped orphan never hears that its front is gone
test("a writer that stands still is ended before the next front starts its own", async (t) => {
  const dir = tempDir(t);
  const first = rig(t, { dir });
  await first.startWriter();
  await first.execute(table);
  const orphan = known(first.pidOf("writer"));
  await stop(orphan);
  // Fifty writes are in its hands when the second front comes.
  for (let at = 0; at < 50; at++)
    first.give("db.execute", { sql: insert, args: ["late"] }).answer.catch(() => undefined);
  first.store.flush();
  assert.deepEqual(await killOrphans(first.places), []);
  assert.ok(isGone(orphan));
  const second = rig(t, { dir });
  assert.equal((await second.startWriter()).epoch, 2);
  await second.startReader();
  assert.deepEqual(await second.rows("select count(*) from t"), [[0]]);
});

test("tokens are reserved one block after the other, above what is asked", async (t) => {
  const r = rig(t);
  const { tokensTo, incarnation } = await r.startWriter();
  const reserved = r.next("tokens-reserved");
  r.obey({ to: "writer", kind: "reserve", above: 0, newIncarnation: false });
  assert.deepEqual(await reserved, {
    kind: "tokens-reserved",
    tokensFrom: tokensTo,
    tokensTo: tokensTo + 2 ** 26,
    incarnation,
  });
  const above = r.next("tokens-reserved");
  r.obey({ to: "writer", kind: "reserve", above: 2 ** 40, newIncarnation: true });
  const { tokensFrom, incarnation: renamed } = await above;
  assert.equal(tokensFrom, 2 ** 40 + 1);
  assert.notEqual(renamed, incarnation);
});

test("the log is folded when it is asked for, and its size is told with every answer", async (t) => {
  const r = rig(t);
  await r.startWriter();
  await r.execute("create table t (a)");
  const settled = r.next("writer-settled");
  await r.execute("insert into t values (?)", ["x".repeat(1_000_000)]);
  assert.ok((await settled).walBytes > 1_000_000);
  const checkpointed = r.next("checkpointed");
  r.obey({ to: "writer", kind: "checkpoint" });
  assert.deepEqual(await checkpointed, { kind: "checkpointed", walBytes: 0, complete: true });
});

test("a session that ended is told to the next writer until one has stored it", async (t) => {
  const r = rig(t);
  await r.startWriter();
  await r.execute("create table t (a)", [], { key: 1, session: bob });
  await stop(known(r.pidOf("writer")));
  r.obey({ to: "writer", kind: "end-session", session: bob });
  await r.killWriter();
  await r.startWriter();
  const late = await r.execute("insert into t values (1)", [], { key: 2, session: bob });
  assert.equal(late.kind === "refused" && late.refusal.refused, "RETRY_TOO_OLD");
  assert.equal((await r.execute("insert into t values (1)", [], { key: 2, session: alice })).kind, "done");
});

test("a session is settled by the writer that is there, also in the other encoding", async (t) => {
  const r = rig(t);
  await r.startWriter();
  await r.execute("create table t (a)");
  await r.execute("insert into t values (1) returning a", [], { key: 2 });
  const settled = await r.settle(alice, [1, 2], "msgpack");
  assert.deepEqual(settled.kind === "done" && settled.result.outcomes, [
    { key: 1, outcome: "never", resultKept: false },
    {
      key: 2,
      outcome: "applied",
      resultKept: true,
      result: { columns: ["a"], rows: [[1]], rowsAffected: 1, lastInsertRowid: 1 },
    },
  ]);
});

test("what the core gives while there is no writer goes nowhere, and does no harm", async (t) => {
  const r = rig(t);
  r.give("db.execute", { sql: table }).answer.catch(() => undefined);
  r.obey(
    { to: "writer", kind: "kill", why: "nobody is there" },
    { to: "writer", kind: "checkpoint" },
    { to: "writer", kind: "forget", session: alice, below: requestKey(3) },
  );
  const seen = r.next("writer-progress");
  r.obey({ to: "writer", kind: "probe" });
  assert.deepEqual(await seen, { kind: "writer-progress", progress: undefined, stopped: false });
  assert.equal((await r.startWriter()).storedSeq, seq(0));
  assert.equal(stateOf(process.pid) === undefined, false);
});
