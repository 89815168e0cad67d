/**
 * The writer and a disk that fails, real processes on both sides: what was told stays true, and what was not is not told.
 *
 * The disk is a library between SQLite and the system (support/faulty-disk.ts). It shows what a process that is killed
 * or a call that fails leaves behind; it cannot show what a power loss takes from the page cache.
 */
import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { FileLock, openDatabase } from "../../../src/sqlite/index.js";
import { FaultyDisk } from "../../support/faulty-disk.js";
import { until } from "../../support/patience.js";
import type { KnownProcess } from "../../support/processes.js";
import { type TestLife, tempDir } from "../../support/temp-dir.js";
import { type Answered, alice, bob, type Result, rig, type StoreRig } from "../store-rig.js";

const table = "create table t (id integer primary key, a)";
const insert = "insert into t (a) values (?)";
const wal = "data.db-wal";

type Life = TestLife & Parameters<typeof rig>[0];

/** A store on a disk that obeys. */
function rigOnDisk(
  t: Life,
  limits: { readonly [name: string]: number } = {},
): { r: StoreRig; disk: FaultyDisk; dir: string } {
  const disk = FaultyDisk.make(tempDir(t));
  const dir = tempDir(t);
  return { r: rig(t, { dir, env: disk.env, limits }), disk, dir };
}

async function killChild(r: StoreRig, child: KnownProcess): Promise<void> {
  const gone = r.next("writer-gone");
  process.kill(child.pid, "SIGKILL");
  await gone;
}

/** A table, and a write that its writer has ended with. */
async function failSync(r: StoreRig, disk: FaultyDisk): Promise<void> {
  await r.startWriter();
  await r.execute(table);
  const gone = r.next("writer-gone");
  await disk.failSync(wal, () => r.write("db.execute", { sql: insert, args: ["lost"] }).catch(() => undefined));
  assert.equal((await gone).ioFailed, true);
}

/** Another program, past the broker, in the middle of it until it is closed. */
function readsFrom(t: Life, { places }: StoreRig): { close(): void } {
  const other = openDatabase({ path: places.database, role: "reader", durability: "full", busyMs: 1000 });
  t.after(() => other.close());
  other.exec("begin");
  other.prepare("select count(*) from t").get();
  return other;
}

function code(answered: Answered): string {
  return answered.kind === "refused" ? answered.refusal.refused : answered.kind;
}

// rule 1
test("a write that was told to be absent does not come back, though its writer died in the middle of its sync", async (t) => {
  const { r, disk, dir } = rigOnDisk(t);
  await r.startWriter();
  await r.execute(table);
  await r.execute(insert, ["acked"], { key: 1 });
  // The reader keeps the log's index alive, so the next writer finds it as it was and recovers nothing.
  await r.startReader();
  await r.rows("select a from t");
  const inDoubt = { sql: insert, args: ["in doubt"] };
  const standing = await disk.stopAtSync(wal, () => r.write("db.execute", inDoubt, { key: 2 }).catch(() => undefined));
  await killChild(r, standing);
  await r.startWriter();
  assert.equal(code(await r.write("db.execute", inDoubt, { key: 2, mode: "replay" })), "absent");
  assert.deepEqual(await r.rows("select a from t"), [["acked"]]);
  // Now nobody is left who knows better than the file.
  for (const { pid } of r.store.processes()) process.kill(pid, "SIGKILL");
  await r.store.close();
  const later = rig(t, { dir });
  await later.startWriter();
  await later.startReader();
  assert.deepEqual(await later.rows("select a from t"), [["acked"]]);
  assert.equal(code(await later.write("db.execute", inDoubt, { key: 2, mode: "replay" })), "absent");
});

// rules 1 and 6
test("what was settled as never applied stays so, though its writer died in the middle of its sync", async (t) => {
  const { r, disk, dir } = rigOnDisk(t);
  await r.startWriter();
  await r.execute(table);
  await r.execute(insert, ["acked"], { key: 1 });
  await r.startReader();
  await r.rows("select a from t");
  const inDoubt = { sql: insert, args: ["in doubt"] };
  const standing = await disk.stopAtSync(wal, () => r.write("db.execute", inDoubt, { key: 2 }).catch(() => undefined));
  await killChild(r, standing);
  await r.startWriter();
  const settled = await r.settle(alice, [1, 2]);
  const outcomes = settled.kind === "done" && settled.result.outcomes.map(({ outcome }: Result) => outcome);
  assert.deepEqual(outcomes, ["applied", "never"]);
  for (const { pid } of r.store.processes()) process.kill(pid, "SIGKILL");
  await r.store.close();
  const later = rig(t, { dir });
  await later.startWriter();
  await later.startReader();
  assert.deepEqual(await later.rows("select a from t"), [["acked"]]);
  assert.equal(code(await later.write("db.execute", inDoubt, { key: 2 })), "RETRY_TOO_OLD");
});

// rule 1
test("a write that is found after its writer died is told only when the disk has it", async (t) => {
  const { r, disk } = rigOnDisk(t);
  await r.startWriter();
  await r.execute(table);
  const standing = await disk.stopAtSync(wal, () =>
    r.write("db.execute", { sql: insert, args: ["found"] }, { key: 1 }).catch(() => undefined),
  );
  await killChild(r, standing);
  // Nobody has the database open, so this writer recovers the log from the page cache; before it says a word it syncs.
  const next = await disk.stopAtSync(wal, () => r.obey({ to: "writer", kind: "start", repair: false }));
  assert.equal(r.events.filter(({ kind }) => kind === "writer-ready").length, 1);
  const ready = r.next("writer-ready");
  process.kill(next.pid, "SIGCONT");
  await ready;
  assert.equal(code(await r.write("db.execute", { sql: insert, args: ["found"] }, { key: 1, mode: "replay" })), "done");
});

// rule 8: no timeout while committing, so it must be known
test("a writer that waits for the disk says that it is committing, and up to which write", async (t) => {
  const { r, disk } = rigOnDisk(t);
  await r.startWriter();
  await r.execute(table);
  const given = [1, 2, 3].map((a) => r.give("db.execute", { sql: insert, args: [a] }));
  const standing = await disk.stopAtSync(wal, () => r.store.flush());
  const seen = r.next("writer-progress");
  r.obey({ to: "writer", kind: "probe" });
  const { progress } = await seen;
  assert.equal(progress?.phase, "committing");
  assert.ok(given.some(({ seq }) => seq === progress?.seq));
  process.kill(standing.pid, "SIGCONT");
  for (const { answer } of given) assert.equal(code(await answer), "done");
});

// rule 9
test("a sync that fails ends the writer without an answer, and the next one writes the log anew before it is ready", async (t) => {
  const { r, disk, dir } = rigOnDisk(t);
  await r.startWriter();
  await r.execute(table);
  await r.execute(insert, ["x".repeat(500_000)], { key: 1 });
  const gone = r.next("writer-gone");
  let answered = false;
  await disk.failSync(wal, () =>
    r
      .write("db.execute", { sql: insert, args: ["lost"] }, { key: 2 })
      .then(() => (answered = true))
      .catch(() => undefined),
  );
  const { ioFailed, reason } = await gone;
  assert.deepEqual([ioFailed, answered], [true, false]);
  assert.match(reason, /the disk failed: disk I\/O error \(SQLITE_IOERR_FSYNC\)/);
  await r.startWriter(true);
  assert.ok(statSync(join(dir, wal)).size < 100_000, "the log was not folded");
  assert.equal((await r.execute(insert, ["x".repeat(500_000)], { key: 1 })).kind, "done");
  await r.startReader();
  assert.deepEqual(await r.rows("select count(*) from t where length(a) > 10"), [[1]]);
});

// rule 9: the front that has seen the failure may end before its next writer has repaired the log
test("what is acknowledged by another front after a sync that failed survives a loss of power", async (t) => {
  const disk = FaultyDisk.make(tempDir(t));
  const dir = tempDir(t);
  const front = () => rig(t, { dir, env: disk.shadowingEnv });
  const before = front();
  await failSync(before, disk);
  await before.store.close();
  const after = front();
  await after.startWriter();
  await after.execute(insert, ["acknowledged"]);
  for (const { pid } of after.store.processes()) process.kill(pid, "SIGKILL");
  await after.store.close();
  disk.losePower(join(dir, "data.db"));
  const later = front();
  await later.startWriter();
  await later.startReader();
  assert.deepEqual(await later.rows("select a from t where a = 'acknowledged'"), [["acknowledged"]]);
});

// rule 9: with somebody in the way it cannot be written anew
test("after a sync that failed no front has a writer while another program reads from the log, and has one after it", async (t) => {
  const { r, disk, dir } = rigOnDisk(t);
  await failSync(r, disk);
  const other = readsFrom(t, r);
  await r.store.close();
  const next = rig(t, { dir });
  await assert.rejects(next.startWriter(), /could not be folded .* after the disk had failed/);
  other.close();
  await next.startWriter();
  await next.killWriter();
  readsFrom(t, next);
  await next.store.close();
  await rig(t, { dir }).startWriter();
});

// rule 9
test("a disk that fails while a log over its hard limit is folded ends the writer as one that fails at a sync", async (t) => {
  const { r, disk } = rigOnDisk(t, { walBytesHardMax: 2_097_152 });
  await r.startWriter();
  await r.execute(table);
  await r.execute(insert, ["x".repeat(2_500_000)]);
  const gone = r.next("writer-gone");
  await disk.failSync("data.db", () => r.write("db.execute", { sql: insert, args: ["lost"] }).catch(() => undefined));
  assert.equal((await gone).ioFailed, true);
});

// rule 9
test("a log that cannot be written anew after the disk has failed makes no writer", async (t) => {
  const { r, disk } = rigOnDisk(t);
  await r.startWriter();
  await r.execute(table);
  await r.killWriter();
  const unavailable = r.next("writer-unavailable");
  await disk.failSync("data.db", () => r.obey({ to: "writer", kind: "start", repair: true }));
  const { reason, ioFailed } = await unavailable;
  assert.match(reason, /disk I\/O error/);
  assert.equal(ioFailed, true);
});

// rule 9: nothing of the log is in doubt
test("that somebody has the database locked is not said to be a failure of the disk", async (t) => {
  const r = rig(t);
  await r.startWriter();
  await r.execute(table);
  await r.killWriter();
  const stranger = openDatabase({ path: r.places.database, role: "writer", durability: "off", busyMs: 1000 });
  t.after(() => stranger.close());
  stranger.exec("begin immediate");
  const unavailable = r.next("writer-unavailable");
  r.obey({ to: "writer", kind: "start", repair: false });
  const { reason, ioFailed } = await unavailable;
  assert.match(reason, /is locked by/);
  assert.equal(ioFailed, false);
});

test("on a full disk writes are refused and nothing of them is applied, reads go on, and with room all is well again", async (t) => {
  const { r, disk } = rigOnDisk(t);
  await r.startWriter();
  await r.execute(table);
  await r.execute(insert, ["before"]);
  await r.startReader();
  disk.fill(wal);
  const refused = await r.together([1, 2, 3].map((a) => ({ sql: insert, args: [a], options: { key: a } })));
  assert.deepEqual(refused.map(code), ["DISK_FULL", "DISK_FULL", "DISK_FULL"]);
  assert.deepEqual(await r.rows("select a from t"), [["before"]]);
  disk.makeRoom();
  const applied = await r.together([1, 2, 3].map((a) => ({ sql: insert, args: [a], options: { key: a } })));
  assert.deepEqual(applied.map(code), ["done", "done", "done"]);
  assert.deepEqual(await r.rows("select count(*) from t"), [[4]]);
});

// rule 6: what is stored is never told not to be
test("on a full disk a write that was applied before is answered as it was, also when an ended session waits to be noted down", async (t) => {
  const { r, disk } = rigOnDisk(t);
  await r.startWriter();
  await r.execute(table);
  const first = await r.execute(insert, ["x"], { key: 1 });
  disk.fill(wal);
  r.obey({ to: "writer", kind: "end-session", session: bob });
  assert.deepEqual(await r.execute(insert, ["x"], { key: 1 }), first);
  assert.equal(code(await r.execute(insert, ["y"], { key: 2, mode: "replay" })), "absent");
  assert.equal(code(await r.execute("insert into nowhere values (1)", [], { key: 3 })), "SQLITE_ERROR");
  assert.equal(code(await r.execute(insert, ["z"], { key: 4 })), "DISK_FULL");
  disk.makeRoom();
  assert.equal(code(await r.execute(insert, ["z"], { key: 4 })), "done");
});

// rule 3: SQLite may end the whole transaction when a statement finds the disk full, and need not
test("a statement that finds the disk full in its middle leaves no part of its group behind", async (t) => {
  const { r, disk } = rigOnDisk(t);
  await r.startWriter();
  await r.execute(table);
  await r.startReader();
  // More than the cache holds, so that it is written before COMMIT.
  const group = ["one", "x".repeat(6_000_000), "two"].map((a, at) => ({
    sql: insert,
    args: [a],
    options: { key: at + 1 },
  }));
  disk.fill(wal);
  assert.deepEqual((await r.together(group)).map(code), ["DISK_FULL", "DISK_FULL", "DISK_FULL"]);
  disk.makeRoom();
  assert.deepEqual((await r.together(group)).map(code), ["done", "done", "done"]);
  assert.deepEqual(await r.rows("select length(a) from t"), [[3], [6_000_000], [3]]);
  assert.deepEqual(await r.rows("pragma integrity_check"), [["ok"]]);
});

test("a value that SQLite cannot hold costs its neighbours nothing", async (t) => {
  const r = rig(t);
  await r.startWriter();
  await r.execute(table);
  const answers = await r.together([
    { sql: insert, args: ["one"], options: { key: 1 } },
    { sql: "insert into t (a) values (zeroblob(1000000001))", options: { key: 2 } },
    { sql: insert, args: ["two"], options: { key: 3 } },
  ]);
  assert.deepEqual(answers.map(code), ["done", "SQLITE_TOOBIG", "done"]);
  await r.startReader();
  assert.deepEqual(await r.rows("select a from t"), [["one"], ["two"]]);
});

// rule 26
test("a stranger who has the database locked is named, and is waited for only so long", async (t) => {
  const r = rig(t);
  await r.startWriter();
  await r.execute(table);
  const stranger = openDatabase({ path: r.places.database, role: "writer", durability: "off", busyMs: 1000 });
  t.after(() => stranger.close());
  stranger.exec("begin immediate");
  const refused = await r.together([1, 2, 3].map((a) => ({ sql: insert, args: [a] })));
  for (const answered of refused) {
    assert.equal(code(answered), "SQLITE_BUSY");
    if (process.platform === "linux")
      assert.equal(answered.kind === "refused" && answered.refusal.details?.["pid"], process.pid);
  }
  stranger.exec("commit");
  assert.equal(code(await r.execute(insert, ["x"])), "done");
});

// rule 2
test("the writer's lock is held for as long as the writer lives, whatever memory is collected in it", async (t) => {
  const r = rig(t, { execArgv: ["--expose-gc", "--import", "data:text/javascript,setInterval(gc, 5)"] });
  await r.startWriter();
  await r.execute(table);
  for (let turn = 0; turn < 20; turn++) await r.execute(insert, ["x".repeat(1000)]);
  assert.equal(FileLock.take(r.places.writerLock, 0), undefined);
  await r.killWriter();
  const lock = await until("the lock to be free", () => FileLock.take(r.places.writerLock, 0));
  lock.release();
});

// rule 16
test("writes are refused while a snapshot keeps the log from being folded beyond its bound, and taken again after", async (t) => {
  const r = rig(t, { limits: { walBytesHardMax: 2 * 1024 * 1024, walBytesMax: 1024 * 1024 } });
  await r.startWriter();
  await r.execute(table);
  const snapshot = openDatabase({ path: r.places.database, role: "reader", durability: "full", busyMs: 1000 });
  t.after(() => snapshot.close());
  snapshot.exec("begin");
  snapshot.prepare("select count(*) from t").get();
  await r.execute(insert, ["x".repeat(1_500_000)], { key: 1 });
  await r.execute(insert, ["x".repeat(1_500_000)], { key: 2 });
  assert.equal(code(await r.execute(insert, ["x"], { key: 3 })), "DISK_FULL");
  assert.equal(code(await r.execute(insert, ["x".repeat(1_500_000)], { key: 2 })), "done");
  snapshot.exec("commit");
  assert.equal(code(await r.execute(insert, ["x"], { key: 3 })), "done");
});

test("tokens that a stranger was in the way of are reserved when he is gone, though nobody asks for anything", async (t) => {
  const r = rig(t);
  const { tokensTo } = await r.startWriter();
  const stranger = openDatabase({ path: r.places.database, role: "writer", durability: "full", busyMs: 0 });
  stranger.exec("begin immediate");
  const reserved = r.next("tokens-reserved");
  const tried = r.next("checkpointed");
  r.obey(
    { to: "writer", kind: "reserve", above: tokensTo - 1, newIncarnation: false },
    { to: "writer", kind: "checkpoint" },
  );
  await tried;
  assert.deepEqual(
    r.events.filter(({ kind }) => kind === "tokens-reserved"),
    [],
  );
  stranger.exec("rollback");
  stranger.close();
  assert.equal((await reserved).tokensFrom, tokensTo);
});
