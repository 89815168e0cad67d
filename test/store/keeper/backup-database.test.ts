import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { loadSqlite, openDatabase } from "../../../src/sqlite/index.js";
import { type BackupProgress, backupDatabase, checkDatabase } from "../../../src/store/index.js";
import { MetaRow } from "../../../src/store/writer/meta-row.js";
import { tempDir } from "../../support/temp-dir.js";

/** As the broker's writer has it: with a log, and the broker's own tables. */
function served(path: string, rows: number) {
  const database = openDatabase({ path, role: "writer", durability: "full", busyMs: 1000 });
  const meta = MetaRow.start(database, "boot", { nowWall: Date.UTC(2026, 0, 1) });
  database.exec("create table t (a, b)");
  const insert = database.prepare("insert into t values (?, randomblob(500))");
  const add = (from: number, to: number) =>
    database.transaction(() => {
      for (let n = from; n < to; n++) insert.run(n);
      meta.advance(to, 0);
    })();
  add(0, rows);
  return { database, add };
}

function ask(path: string, sql: string): unknown {
  const database = new (loadSqlite())(path, { readonly: true });
  try {
    return database.prepare(sql).pluck().get();
  } finally {
    database.close();
  }
}

const order = { force: false, walBytesHardMax: 2 ** 30, progress: () => {} };

test("a backup is one moment of the database, however much is written meanwhile, and one file that is whole", async (t) => {
  const dir = tempDir(t);
  const path = join(dir, "data.db");
  const rows = 20_000;
  const { database, add } = served(path, rows);
  t.after(() => database.close());
  const to = join(dir, "copy.db");
  const steps: BackupProgress[] = [];
  let written = rows;
  const done = await backupDatabase({
    ...order,
    database: path,
    to,
    progress: (step) => {
      steps.push(step);
      add(written, written + 100);
      written += 100;
    },
  });
  assert.deepEqual([done.file, done.tables, done.seq], [to, 1, rows]);
  assert.ok(written > rows, "nothing was written meanwhile: the test shows nothing");
  assert.deepEqual([ask(to, "select count(*) from t"), ask(to, "select max(a) from t")], [rows, rows - 1]);
  assert.equal(ask(to, "pragma journal_mode"), "delete");
  assert.deepEqual(readdirSync(dir).sort(), ["copy.db", "data.db", "data.db-shm", "data.db-wal"]);
  const last = steps.at(-1);
  assert.equal(last?.pages, last?.pagesAll);
  assert.ok(
    steps.every(({ pages }, at) => at === 0 || pages > (steps[at - 1]?.pages ?? 0)),
    "it began anew",
  );
});

test("a file that is there is replaced only by force, and the database never", async (t) => {
  const dir = tempDir(t);
  const path = join(dir, "data.db");
  served(path, 10).database.close();
  const to = join(dir, "copy.db");
  writeFileSync(to, "precious");
  const refused = { code: "CONFIGURATION" };
  await assert.rejects(backupDatabase({ ...order, database: path, to }), { ...refused, message: /--force/ });
  await assert.rejects(backupDatabase({ ...order, database: path, to: path, force: true }), refused);
  await assert.rejects(backupDatabase({ ...order, database: join(dir, "none.db"), to: join(dir, "x.db") }), refused);
  await backupDatabase({ ...order, database: path, to, force: true });
  assert.equal(ask(to, "select count(*) from t"), 10);
});

test("the database is not written over under another of its names, nor is what lies beside it", async (t) => {
  const dir = realpathSync(tempDir(t));
  const path = join(dir, "data.db");
  const { database, add } = served(path, 10);
  t.after(() => database.close());
  mkdirSync(join(dir, "links"));
  const link = join(dir, "links", "link.db");
  const folder = join(dir, "links", "folder");
  const hard = join(dir, "links", "hard.db");
  symlinkSync(path, link);
  symlinkSync(dir, folder);
  linkSync(path, hard);
  for (const [from, to] of [
    [link, path],
    [path, join(folder, "data.db")],
    [path, hard],
    [path, `${path}-wal`],
    [link, `${path}-shm`],
  ] as const)
    await assert.rejects(
      backupDatabase({ ...order, database: from, to, force: true }),
      { code: "CONFIGURATION", message: /the database itself/ },
      to,
    );
  add(10, 20);
  assert.equal(ask(path, "select count(*) from t"), 20);
  // The log's size is that of the file that the link leads to.
  await assert.rejects(backupDatabase({ ...order, database: link, to: join(dir, "copy.db"), walBytesHardMax: 1000 }), {
    code: "DISK_FULL",
  });
});

test("a place where no file can be is a refusal that names it", async (t) => {
  const dir = tempDir(t);
  const path = join(dir, "data.db");
  served(path, 10).database.close();
  mkdirSync(join(dir, "folder"));
  execFileSync("mkfifo", [join(dir, "pipe")]);
  writeFileSync(join(dir, "file"), "");
  symlinkSync(join(dir, "unmounted", "copy.db"), join(dir, "link"));
  for (const [to, message] of [
    [join(dir, "none", "copy.db"), /none is no directory/],
    [join(dir, "file", "copy.db"), /file is no directory/],
    [join(dir, "file", "below", "copy.db"), /below/],
    [join(dir, "folder"), /folder is a directory/],
    [join(dir, "pipe"), /pipe is no plain file/],
    [join(dir, "link"), /link is a link that leads nowhere/],
  ] as const)
    await assert.rejects(backupDatabase({ ...order, database: path, to, force: true }), {
      code: "CONFIGURATION",
      message,
    });
});

test("the log that is left of another database is not taken for a part of the copy that gets its name", async (t) => {
  const dir = tempDir(t);
  const path = join(dir, "data.db");
  served(path, 10).database.close();
  const to = join(dir, "copy.db");
  const { database } = served(to, 20);
  copyFileSync(`${to}-wal`, join(dir, "left"));
  database.close();
  copyFileSync(join(dir, "left"), `${to}-wal`);
  await backupDatabase({ ...order, database: path, to, force: true });
  assert.equal(ask(to, "select count(*) from t"), 10);
});

test("a backup ends when the log has come to its cap, and leaves nothing", async (t) => {
  const dir = tempDir(t);
  const path = join(dir, "data.db");
  const { database } = served(path, 5000);
  t.after(() => database.close());
  const to = join(dir, "copy.db");
  await assert.rejects(backupDatabase({ ...order, database: path, to, walBytesHardMax: 1000 }), {
    code: "DISK_FULL",
    details: { path, limit: "walBytesHardMax" },
  });
  assert.deepEqual(
    readdirSync(dir).filter((name) => name.startsWith("copy")),
    [],
  );
});

test("a damaged database is not backed up as if it were whole, and is told by a check", async (t) => {
  const dir = tempDir(t);
  const path = join(dir, "data.db");
  const { database } = served(path, 2000);
  database.exec("create index i on t (a)");
  database.unsafeMode(true);
  database.exec("pragma writable_schema = on");
  // The index says less than the table has.
  database.exec("update sqlite_schema set sql = 'create index i on t (b)' where name = 'i'");
  database.close();
  const to = join(dir, "copy.db");
  await assert.rejects(backupDatabase({ ...order, database: path, to }), { code: "SQLITE_CORRUPT" });
  assert.equal(existsSync(to), false);
  assert.notDeepEqual(checkDatabase({ database: path, quick: false }).problems, []);
  assert.deepEqual(checkDatabase({ database: path, quick: true }).problems, []);
});

test("a check finds rows whose parents are gone, and a missing row of the broker's own", (t) => {
  const path = join(tempDir(t), "data.db");
  const { database } = served(path, 10);
  database.exec("create table p (id integer primary key); create table c (p references p)");
  assert.deepEqual(checkDatabase({ database: path, quick: false }).problems, []);
  database.pragma("foreign_keys = off");
  database.exec("insert into c values (7); delete from _holdfast_meta");
  database.close();
  assert.deepEqual(checkDatabase({ database: path, quick: false }).problems, [
    "row 1 of c refers to a row of p that is not there",
    "the broker's own table _holdfast_meta has lost its row",
  ]);
  const again = openDatabase({ path, role: "writer", durability: "full", busyMs: 1000 });
  again.exec("drop table _holdfast_meta");
  again.close();
  assert.equal(
    checkDatabase({ database: path, quick: false }).problems.at(-1),
    "the broker's own table _holdfast_meta is gone",
  );
  assert.throws(() => checkDatabase({ database: `${path}.none`, quick: false }), { code: "CONFIGURATION" });
  writeFileSync(path, "this is no database, however long it may be, and has never been one".repeat(100));
  assert.throws(() => checkDatabase({ database: path, quick: false }), { code: "SQLITE_CORRUPT" });
});
