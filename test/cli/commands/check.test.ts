import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { lstatSync, mkdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import Database from "better-sqlite3";
import { connect } from "../../../src/client/index.js";
import { tempDir } from "../../support/temp-dir.js";
import { Holdfast, until } from "../holdfast.js";

/** To look through it takes minutes: what its index has is slow to be found out, other than when the rows were put in. */
function slowDatabase(t: TestContext): string {
  const path = join(tempDir(t), "slow.db");
  const database = new Database(path);
  database.exec(`create table slow (n); create index slowly on slow (n + 0); create table w (a);
    with recursive i(n) as (select 1 union all select n + 1 from i where n < 50000) insert into slow select n from i`);
  database.unsafeMode(true);
  database.pragma("writable_schema = on");
  database.exec(
    "update sqlite_schema set sql = replace(sql, '+ 0', '+ 0 * length(hex(zeroblob(5000000 + n)))') where name = 'slowly'",
  );
  database.close();
  return path;
}

/** The errand on this database. */
function errandOn(path: string): number | undefined {
  const lines = execFileSync("ps", ["-eo", "pid=,args="], { encoding: "utf8", maxBuffer: 2 ** 26 }).split("\n");
  const line = lines.find((one) => /front\.js --(?:check|backup|restore|import)/.test(one) && one.includes(path));
  return line === undefined ? undefined : Number.parseInt(line, 10);
}

test("a check ends with whoever called it, also when that one is killed", async (t) => {
  const holdfast = new Holdfast(t);
  const path = slowDatabase(t);
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    const checking = holdfast.start(["check", "--database", path]);
    await until(() => errandOn(path) !== undefined, "the errand runs");
    checking.child.kill(signal);
    await checking.ended;
    await until(() => errandOn(path) === undefined, `the errand has ended after ${signal}`);
  }
});

test("a check ends before the log is so long that writes would be refused, and says so", async (t) => {
  const holdfast = new Holdfast(t);
  const path = slowDatabase(t);
  const limits = ["--limit", `walBytesHardMax=${16 * 2 ** 20}`, "--limit", `walBytesMax=${12 * 2 ** 20}`];
  const serving = holdfast.start(["serve", "--database", path, ...limits]);
  await serving.until(/ready|listening|serving/i);
  const broker = await connect({ dir: holdfast.dir, start: false });
  t.after(() => broker.close());
  let over = false;
  const checking = holdfast.run(["check"]).finally(() => {
    over = true;
  });
  // One that is refused ends the test.
  while (!over) await broker.execute("insert into w values (zeroblob(20000))");
  const { code, out, err } = await checking;
  assert.equal(code, 1, out + err);
  assert.match(err, /the log of .*slow\.db has grown to 12582912 bytes while it was checked/);
  await broker.execute("insert into w values (zeroblob(20000))");
});

test("what cannot be done is refused in a sentence: no rights, a name that is too long", async (t) => {
  const holdfast = new Holdfast(t);
  await holdfast.print("sql", "create table t (a)");
  const dir = tempDir(t);
  const file = join(dir, "copy.db");
  await holdfast.print("backup", file);
  const long = await holdfast.run(["backup", join(dir, `${"x".repeat(245)}.db`)]);
  assert.deepEqual(
    [long.code, /name too long/.test(long.err), /\bat \w|without a word/.test(long.err)],
    [78, true, false],
  );
  await holdfast.print("stop");
  // A directory takes no file while it is none.
  mkdirSync(join(dir, "data.db.writer.lock"));
  for (const command of ["restore", "import"]) {
    const { code, err } = await holdfast.run([command, file], { env: { HOLDFAST_DATABASE: join(dir, "data.db") } });
    assert.deepEqual([code, /writer\.lock/.test(err), /\bat \w|without a word/.test(err)], [77, true, false], command);
  }
});

test("what a link leads to is replaced, and not the link", async (t) => {
  const holdfast = new Holdfast(t);
  await holdfast.print("sql", "create table t (a)");
  const dir = tempDir(t);
  for (const [name, words] of [
    ["rows.csv", ["export", "t", "-o"]],
    ["copy.db", ["backup", "--force"]],
  ] as const) {
    writeFileSync(join(dir, name), "");
    symlinkSync(name, join(dir, `link-${name}`));
    await holdfast.print(...words, join(dir, `link-${name}`));
    assert.ok(lstatSync(join(dir, `link-${name}`)).isSymbolicLink(), name);
    assert.ok(statSync(join(dir, name)).size > 0, name);
  }
});

test("what is no database is not called whole: an empty file, a directory, a device", async (t) => {
  const holdfast = new Holdfast(t);
  const dir = tempDir(t);
  writeFileSync(join(dir, "empty.db"), "");
  for (const [path, told, expected] of [
    [join(dir, "empty.db"), /empty\.db is empty/, 1],
    [dir, /is not a file/, 78],
    ["/dev/null", /null is not a file/, 78],
  ] as const) {
    const { code, out, err } = await holdfast.run(["check", "--database", path]);
    assert.deepEqual([code, out], [expected, ""], path);
    assert.match(err, told);
  }
});
