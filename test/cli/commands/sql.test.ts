import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { cli, Holdfast, Running } from "../holdfast.js";

test("rows come tab-separated without header when piped, and in every form that is asked for", async (t) => {
  const holdfast = new Holdfast(t);
  const select = "select 1 as id, 'a b' as name union all select 9007199254740993, null order by id";
  assert.equal(await holdfast.print("sql", select), "1\ta b\n9007199254740993\t\n");
  assert.equal(await holdfast.print("sql", "--header", select), "id\tname\n1\ta b\n9007199254740993\t\n");
  assert.equal(
    await holdfast.print("sql", "--json", select),
    '[{"id":1,"name":"a b"},\n {"id":9007199254740993,"name":null}]\n',
  );
  assert.equal(
    await holdfast.print("sql", "--jsonl", select),
    '{"id":1,"name":"a b"}\n{"id":9007199254740993,"name":null}\n',
  );
  assert.equal(await holdfast.print("sql", "--csv", select), "id,name\n1,a b\n9007199254740993,\n");
  assert.match(await holdfast.print("sql", "--table", select), /^ {14}id {2}name\n─{16} {2}─{4}\n/);
});

test("a value is bound as what it reads as, or as what is said", async (t) => {
  const holdfast = new Holdfast(t);
  const types = (...args: string[]) =>
    holdfast.print("sql", "select typeof(?1), typeof(?2), typeof(?3), typeof(?4)", ...args);
  assert.equal(await types("12", "2.0", "007", "-5"), "integer\treal\ttext\tinteger\n");
  assert.equal(await types("--text", "12", "2.0", "007", "x"), "text\ttext\ttext\ttext\n");
  writeFileSync(join(holdfast.dir, "bytes"), Buffer.from([0, 255]));
  assert.equal(
    await holdfast.print(
      ...["sql", "select :i, typeof(:t), :n is null, hex(:b), :r"],
      ...["--arg", "i:int=9223372036854775807", "--arg", "t:text=5", "--arg", "n:null"],
      ...["--arg", `b:blob=@${join(holdfast.dir, "bytes")}`, "--arg", "r:real=1"],
    ),
    "9223372036854775807\ttext\t1\t00FF\t1.0\n",
  );
});

test("a write says on stderr what it changed, and nothing on stdout", async (t) => {
  const holdfast = new Holdfast(t);
  await holdfast.print("sql", "create table t(a integer primary key, b)");
  const written = await holdfast.run(["sql", "insert into t(b) values (?), (?)", "x", "y"]);
  assert.deepEqual([written.code, written.out], [0, ""]);
  assert.match(written.err, /^2 rows changed/);
  assert.equal((await holdfast.run(["sql", "-q", "delete from t where a = 1"])).err, "");
  assert.equal(await holdfast.print("sql", "insert into t(b) values ('z') returning a, b"), "3\tz\n");
});

test("an error names the place in the SQL and ends with 1", async (t) => {
  const holdfast = new Holdfast(t);
  const wrong = await holdfast.run(["sql", "select *\nfrom nowhere"]);
  assert.deepEqual([wrong.code, wrong.out], [1, ""]);
  assert.match(wrong.err, /no such table: nowhere/);
  const syntax = await holdfast.run(["sql", "select * form t"]);
  assert.match(syntax.err, /^holdfast: .*syntax error.*\n {2}select \* form t\n {11}\^{4}\n/);
  await holdfast.print("sql", "create table t(a unique)");
  await holdfast.print("sql", "insert into t values (1)");
  const twice = await holdfast.run(["sql", "insert into t values (1)"]);
  assert.equal(twice.code, 1);
  assert.match(twice.err, /UNIQUE constraint failed: t\.a/);
});

test("a file, stdin and several statements run as a script, all or nothing", async (t) => {
  const holdfast = new Holdfast(t);
  const script = "create table t(a);\ninsert into t values (1), (2);\nselect sum(a) as total from t;\n";
  writeFileSync(join(holdfast.dir, "script.sql"), script);
  const fromFile = await holdfast.run(["sql", "-f", join(holdfast.dir, "script.sql")]);
  assert.deepEqual([fromFile.code, fromFile.out, fromFile.err], [0, "3\n", "3 statements, 2 rows changed\n"]);
  assert.equal((await holdfast.run(["sql"], { input: "select count(*) from t" })).out, "2\n");
  assert.equal((await holdfast.run(["sql", "-"], { input: "select count(*) from t" })).out, "2\n");
  assert.equal((await holdfast.run(["sql", "insert into t values (3); select max(a) from t"])).out, "3\n");

  const failing = "insert into t values (4); insert into nowhere values (5)";
  assert.equal((await holdfast.run(["sql"], { input: failing })).code, 1);
  assert.equal(await holdfast.print("sql", "select max(a) from t"), "3\n");
  assert.equal((await holdfast.run(["sql", "--no-atomic"], { input: failing })).code, 1);
  assert.equal(await holdfast.print("sql", "select max(a) from t"), "4\n");
});

test("a script that is not UTF-8 is refused and nothing of it is run: what cannot be read is not stored as something else", async (t) => {
  const holdfast = new Holdfast(t);
  const latin = Buffer.from("create table t(a); insert into t values ('caf\xe9');", "latin1");
  const file = join(holdfast.dir, "latin.sql");
  writeFileSync(file, latin);
  for (const [args, input] of [
    [["sql", "-f", file], ""],
    [["sql"], latin],
  ] as const) {
    const { code, err } = await holdfast.run(args, { input });
    assert.equal(code, 1);
    assert.match(err, /it is not UTF-8; `iconv -t UTF-8` makes it so/);
  }
  writeFileSync(file, "\ufeffcreate table t(a); insert into t values ('café');");
  assert.equal((await holdfast.run(["sql", "-f", file])).code, 0);
  assert.equal(await holdfast.print("sql", "select a from t"), "café\n");
});

test("raw output is the bytes of the value", async (t) => {
  const holdfast = new Holdfast(t);
  const running = holdfast.start(["sql", "--raw", "select x'00ff0a09'"]);
  assert.equal((await running.ended).code, 0);
  assert.deepEqual(Buffer.concat(running.outBytes), Buffer.from([0, 255, 10, 9]));
});

test("a fence lets a write through while the lock is held under that token, and not later", async (t) => {
  const holdfast = new Holdfast(t);
  await holdfast.print("sql", "create table t(a)");
  const write = [process.execPath, cli, "sql", "--fenced", "insert into t values (1)"];
  const inside = await holdfast.run([
    "lock",
    "demo",
    "--",
    "sh",
    "-c",
    'echo "$HOLDFAST_LOCK_NAME:$HOLDFAST_LOCK_TOKEN"; "$@"',
    "sh",
    ...write,
  ]);
  assert.equal(inside.code, 0, inside.err);
  assert.match(inside.err, /1 row changed/);
  const late = await holdfast.run(["sql", "--fence", inside.out.trim(), "insert into t values (2)"]);
  assert.equal(late.code, 1);
  assert.equal(await holdfast.print("sql", "select a from t"), "1\n");
});

test("a reader that stops reading ends it quietly", async (t) => {
  const holdfast = new Holdfast(t);
  const many = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 100000) select i from n";
  const { out, err } = await holdfast.run([
    "lock",
    "x",
    "--",
    "sh",
    "-c",
    '"$@" | head -n 1',
    "sh",
    process.execPath,
    cli,
    "sql",
    many,
  ]);
  assert.deepEqual([out, err], ["1\n", ""]);
});

test("without a broker and without leave to start one it ends with 69", async (t) => {
  const holdfast = new Holdfast(t);
  const refused = await holdfast.run(["--no-start", "sql", "select 1"]);
  assert.equal(refused.code, 69);
  assert.match(refused.err, /no broker is running/);
  assert.equal((await holdfast.run(["sql", "select 1"], { env: { HOLDFAST_START: "never" } })).code, 69);
});

test("what cannot be meant ends with 64 before any broker is asked", async () => {
  for (const args of [
    ["sql", "-f", "x", "select 1"],
    ["sql", "select ?", "--arg", "x"],
    ["sql", "select 1", "--timeout", "soon"],
    ["sql", "select 1", "--fence", "demo"],
    ["sql", "select 1", "--fenced"],
    ["sql", "--nonsense"],
  ]) {
    const { code, err } = await new Running(args, { env: { HOLDFAST_DIR: "/nonexistent/holdfast" } }).ended;
    assert.equal(code, 64, `${args.join(" ")}: ${err}`);
  }
});

test("a text is described without being run, for people and as JSON", async (t) => {
  const holdfast = new Holdfast(t);
  await holdfast.print("sql", "create table t(a integer, b text)");
  const text = "insert into t values (?, :b);\nselect a, 1 from t; create table u(x);\nselect x from u";
  assert.equal(
    await holdfast.print("sql", "--describe", text),
    "1\tINSERT\twrite\t?1, :b\t\n2\tSELECT\tread\t\ta INTEGER, 1\n2\tCREATE\twrite\t\t\n3\tSELECT\tread\t\tnot known yet\n",
  );
  assert.equal(await holdfast.print("sql", "select count(*) from t"), "0\n");
  const [described] = JSON.parse(await holdfast.print("sql", "--describe", "--json", "select a from t")) as unknown[];
  assert.deepEqual(described, {
    ...{ position: 0, length: 15, verb: "SELECT", access: "read", parameters: [] },
    columns: [{ name: "a", decltype: "INTEGER", table: "t", column: "a" }],
    sql: "select a from t",
  });
  const wrong = await holdfast.run(["sql", "--describe"], { input: "select 1;\nselect nix from t" });
  assert.equal(wrong.code, 1);
  assert.match(wrong.err, /no such column: nix\n {2}line 2: select nix from t\n {17}\^{3}\n/);
});

test("with the role read nothing can be changed, whether it is an option or in the environment", async (t) => {
  const holdfast = new Holdfast(t);
  await holdfast.print("sql", "create table t(a)");
  const refused = await holdfast.run(["sql", "--role", "read", "insert into t values (1)"]);
  assert.equal(refused.code, 77);
  assert.match(refused.err, /this needs the role write, and the session has the role read/);
  const fromEnv = await holdfast.run(["sql", "insert into t values (1)"], { env: { HOLDFAST_ROLE: "read" } });
  assert.equal(fromEnv.code, 77);
  assert.equal((await holdfast.run(["stop"], { env: { HOLDFAST_ROLE: "write" } })).code, 77);
  assert.equal(await holdfast.print("sql", "--role", "read", "select count(*) from t"), "0\n");
  for (const role of ["root", ""]) assert.equal((await holdfast.run(["sql", "--role", role, "select 1"])).code, 64);
});
