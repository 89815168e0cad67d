import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import Database from "better-sqlite3";
import { connect } from "../../../src/client/index.js";
import { isHoldfastError } from "../../../src/terms/index.js";
import { GoBetween } from "../../support/go-between.js";
import { tempDir } from "../../support/temp-dir.js";
import { Holdfast, until } from "../holdfast.js";

function ask(path: string, sql: string): unknown {
  const database = new Database(path, { readonly: true });
  try {
    return database.prepare(sql).pluck().get();
  } finally {
    database.close();
  }
}

test("a backup under load is one moment: of writes that belong together it has all or none", async (t) => {
  const holdfast = new Holdfast(t);
  const broker = await connect({ dir: holdfast.dir });
  t.after(() => broker.close());
  await broker.script("create table a (n integer, blob); create table b (n integer, blob)");
  let over = false;
  let acknowledged = 0;
  const writing = (async () => {
    for (let n = 1; !over; n++) {
      await broker.batch([
        { sql: "insert into a values (?, randomblob(2000))", args: [n] },
        { sql: "insert into b values (?, randomblob(2000))", args: [n] },
      ]);
      acknowledged = n;
    }
  })();
  const before = await waited(() => acknowledged > 100 && acknowledged);
  const file = join(tempDir(t), "copy.db");
  const out = JSON.parse(await holdfast.print("backup", file, "--json"));
  const after = acknowledged;
  over = true;
  await writing;
  assert.deepEqual([out.file, out.tables], [file, 2]);
  const [a, b] = [ask(file, "select count(*) from a"), ask(file, "select count(*) from b")] as [number, number];
  assert.equal(a, b);
  assert.ok(a >= before && a <= after + 1, `${before} were acknowledged before, ${after} after; it has ${a}`);
  assert.equal(ask(file, "pragma integrity_check"), "ok");
  const again = await holdfast.run(["backup", file]);
  assert.deepEqual([again.code, /--force replaces it/.test(again.err)], [78, true]);
});

async function waited<T>(look: () => T | false): Promise<T> {
  for (;;) {
    const found = look();
    if (found !== false) return found;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test("a restore wants the broker ended, brings the data back, and lets no token or session of before count", async (t) => {
  const holdfast = new Holdfast(t);
  await holdfast.print("sql", "create table t (a)");
  await holdfast.print("sql", "insert into t values ('then')");
  const file = join(tempDir(t), "copy.db");
  await holdfast.print("backup", file);
  await holdfast.print("sql", "insert into t values ('later')");
  const first = Number(await holdfast.print("lock", "x", "--", "sh", "-c", "echo $HOLDFAST_LOCK_TOKEN"));

  const refused = await holdfast.run(["restore", file]);
  assert.equal(refused.code, 75);
  assert.match(refused.err, /--stop lets restore stop it first/);
  assert.equal(await holdfast.print("sql", "select count(*) from t"), "2\n");

  const done = JSON.parse(await holdfast.print("restore", "--stop", "--json", file));
  assert.equal(done.database, join(holdfast.dir, "data", "data.db"));
  assert.equal(ask(done.before, "select count(*) from t"), 2);
  assert.equal(await holdfast.print("sql", "select group_concat(a) from t"), "then\n");
  const second = Number(await holdfast.print("lock", "x", "--", "sh", "-c", "echo $HOLDFAST_LOCK_TOKEN"));
  assert.ok(second > first, `token ${second} after ${first}`);
});

test("a restore that stops the broker has its place before a program at work has started the next one", async (t) => {
  const holdfast = new Holdfast(t);
  await holdfast.print("sql", "create table t (a)");
  const file = join(tempDir(t), "copy.db");
  await holdfast.print("backup", file);
  let over = false;
  let inserted = 0;
  const insertOn = async () => {
    const broker = await connect({ dir: holdfast.dir });
    while (!over) {
      try {
        await broker.execute("insert into t values (1)");
        inserted++;
      } catch (error) {
        // Of what was under way, when the database of before was put aside, nobody knows any more.
        if (!isHoldfastError(error) || error.outcome !== "unknown") throw error;
      }
    }
    await broker.close();
  };
  const programs = Promise.all([insertOn(), insertOn(), insertOn()]);
  const onward = async () => {
    const before = inserted;
    await Promise.race([programs, until(() => inserted > before + 20, "the programs to go on")]);
  };
  try {
    for (let round = 1; round <= 10; round++) {
      await onward();
      const { code, err } = await holdfast.run(["restore", "--stop", file]);
      assert.equal(code, 0, `round ${round}: ${err}`);
    }
    await onward();
  } finally {
    over = true;
    await programs;
  }
});

/** To a broker that runs, for clients that are told its socket. */
function lineTo(t: TestContext, { dir }: Holdfast): Promise<GoBetween> {
  const socket = join(dir, "run", "broker.sock");
  return GoBetween.open({ dir, socket, beforeLeaving: (act) => t.after(act) });
}

test("a restore waits for the end of the broker whose socket is named, which has another run directory", async (t) => {
  const [holdfast, elsewhere] = [new Holdfast(t), new Holdfast(t)];
  const file = join(holdfast.dir, "copy.db");
  await holdfast.print("sql", "create table t (a)");
  await holdfast.print("backup", file);
  const { pid, processes } = JSON.parse(await holdfast.print("status", "--json"));
  const children = (processes as { role: string; pid: number }[]).filter(({ role }) => role !== "front");
  const line = await lineTo(t, holdfast);
  let asked = false;
  line.breakAt(4, {
    clients: 2,
    instead: () => {
      // It is there still, and nothing but its place says so to whoever wants the database.
      process.kill(pid, "SIGSTOP");
      for (const child of children) process.kill(child.pid, "SIGKILL");
      asked = true;
    },
  });
  const restoring = elsewhere.start(["restore", "--stop", file], { env: { HOLDFAST_SOCKET: line.path } });
  try {
    await until(() => asked, "the broker to be told to stop");
    // Time enough for one that does not wait.
    await new Holdfast(t).print("restore", file);
    const there = readdirSync(join(holdfast.dir, "data"));
    assert.ok(!there.some((name) => name.includes("before-restore")), there.join(" "));
  } finally {
    process.kill(pid, "SIGKILL");
  }
  const { code, out, err } = await restoring.ended;
  assert.equal(code, 0, err);
  assert.ok(out.includes(`into ${join(holdfast.dir, "data", "data.db")}\n`), out);
});

test("a restore goes on when the broker that it stops is gone before it has answered", async (t) => {
  const holdfast = new Holdfast(t);
  const file = join(holdfast.dir, "copy.db");
  await holdfast.print("sql", "create table t (a)");
  await holdfast.print("backup", file);
  await holdfast.print("sql", "insert into t values ('later')");
  const line = await lineTo(t, holdfast);
  const env = { HOLDFAST_SOCKET: line.path };
  const instead = () => process.kill(holdfast.brokerPid() ?? 0, "SIGKILL");
  // The first client has looked whether a broker runs; the second one asks for its process number, and then for its end.
  line.breakAt(4, { clients: 2, instead });
  const { code, err } = await holdfast.run(["restore", "--stop", file], { env });
  assert.deepEqual([code, err], [0, ""]);
  assert.equal(await holdfast.print("sql", "select count(*) from t"), "0\n");
  line.breakAt(4, { instead });
  const stopped = await holdfast.run(["stop"], { env });
  assert.equal(stopped.code, 0, stopped.err);
});

test("a broker is not stopped for a run that cannot have its place", async (t) => {
  const holdfast = new Holdfast(t);
  await holdfast.print("sql", "create table t (a)");
  const file = join(tempDir(t), "copy.db");
  await holdfast.print("backup", file);
  const nowhere = join(tempDir(t), "no", "where.db");
  const refused = await holdfast.run(["restore", "--stop", "--database", nowhere, file]);
  assert.equal(refused.code, 78);
  assert.doesNotMatch(refused.err, /has been stopped/);
  assert.match(await holdfast.print("status"), /runs: pid/);
});

test("a restore into an empty directory, where no ledger knows the tokens, gives none of them again", async (t) => {
  const old = new Holdfast(t);
  const file = join(tempDir(t), "copy.db");
  await old.print("sql", "create table t (a)");
  await old.print("backup", file);
  const first = Number(await old.print("lock", "x", "--", "sh", "-c", "echo $HOLDFAST_LOCK_TOKEN"));
  const fresh = new Holdfast(t);
  await fresh.print("restore", file);
  const second = Number(await fresh.print("lock", "x", "--", "sh", "-c", "echo $HOLDFAST_LOCK_TOKEN"));
  assert.ok(second > first, `token ${second} after ${first}`);
  assert.match(await fresh.print("check"), /1 table, whole$/m);
});

test("check says whether the database is whole, beside a broker and without one", async (t) => {
  const holdfast = new Holdfast(t);
  await holdfast.print("sql", "create table p (id integer primary key)");
  await holdfast.print("sql", "create table c (p references p)");
  assert.match(await holdfast.print("check"), /2 tables, whole$/m);
  await holdfast.print("stop");
  const path = join(holdfast.dir, "data", "data.db");
  const database = new Database(path);
  database.pragma("foreign_keys = off");
  database.exec("insert into c values (9)");
  database.close();
  const found = await holdfast.run(["check", "--quick"]);
  assert.equal(found.code, 1);
  assert.match(found.out, /1 problem\n {2}row 1 of c refers to a row of p that is not there/);
  assert.equal(await holdfast.run(["status"]).then(({ code }) => code), 69, "check has started a broker");
});

test("what cannot be backed up or put back is refused, and leaves nothing", async (t) => {
  const holdfast = new Holdfast(t);
  const dir = tempDir(t);
  const none = await holdfast.run(["backup", join(dir, "a.db")]);
  assert.deepEqual([none.code, /there is no database/.test(none.err)], [78, true]);
  await holdfast.print("sql", "create table t (a)");
  const nowhere = await holdfast.run(["backup", join(dir, "no", "where.db")]);
  assert.deepEqual(
    [nowhere.code, nowhere.err],
    [78, `holdfast: ${join(dir, "no", "where.db")} cannot be there: ${join(dir, "no")} is no directory\n`],
  );
  writeFileSync(join(dir, "text"), "no database");
  const text = await holdfast.run(["restore", "--stop", join(dir, "text")]);
  assert.deepEqual([text.code, /is not an SQLite database/.test(text.err)], [1, true]);
  assert.equal(await holdfast.print("sql", "select count(*) from t"), "0\n");
  assert.deepEqual(readdirSync(dir), ["text"]);
  assert.equal(readFileSync(join(dir, "text"), "utf8"), "no database");
  assert.equal(existsSync(join(holdfast.dir, "data", "data.db")), true);
});
