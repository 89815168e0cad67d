import assert from "node:assert/strict";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { cli, Holdfast, until } from "../holdfast.js";
import { noTerminal, onTerminal } from "../terminal.js";

function fileIn(holdfast: Holdfast, name: string, text: string | Uint8Array): string {
  const path = join(holdfast.dir, name);
  writeFileSync(path, text);
  return path;
}

const quoted = "select group_concat(quote(a) || ' ' || quote(b), '; ') from t";

test("what was exported goes back into a table that computes columns, without those", async (t) => {
  const holdfast = new Holdfast(t);
  await holdfast.print("sql", "create table g (a, b as (a * 2) stored, c as (a + 1), d)");
  await holdfast.print("sql", "insert into g values (1, 'x'), (2, null)");
  for (const form of ["jsonl", "csv"]) {
    const file = join(holdfast.dir, `g.${form}`);
    await holdfast.print("export", "g", "-o", file);
    await holdfast.print("sql", "delete from g");
    await holdfast.print("import", file, "--table", "g");
    assert.equal(await holdfast.print("sql", "select * from g"), "1\t2\t2\tx\n2\t4\t3\t\n", form);
  }
});

test("CSV makes a table or is added to one, with what its fields mean there", async (t) => {
  const holdfast = new Holdfast(t);
  const people = fileIn(holdfast, "t.csv", '\ufeffa,b\r\n1,"x\r\ny"\r\n007,\r\n2.5,""\r\n');
  assert.equal(await holdfast.print("import", people, "--table", "t"), 'imported 3 rows into "t", which is new\n');
  assert.equal(await holdfast.print("sql", quoted), "1 'x\\r\\ny'; '007' NULL; 2.5 ''\n");
  const more = fileIn(holdfast, "more.csv", "B,A\nz,3\n");
  assert.equal(await holdfast.print("import", more, "--table", "t"), 'imported 1 row into "t"\n');
  assert.equal(await holdfast.print("sql", "select quote(a), quote(b) from t where b = 'z'"), "3\t'z'\n");

  await holdfast.print("sql", "create table typed(a text, b integer, c real default 7, d)");
  const typed = fileIn(holdfast, "typed.csv", "a,b,d\n0.30000000000000004,007,12\n");
  await holdfast.print("import", typed, "--table", "typed");
  assert.equal(
    await holdfast.print("sql", "select quote(a), quote(b), quote(c), quote(d) from typed"),
    "'0.30000000000000004'\t7\t7.0\t12\n",
  );
  await holdfast.print("import", typed, "--table", "texts", "--text");
  assert.equal(await holdfast.print("sql", "select quote(b), quote(d) from texts"), "'007'\t'12'\n");
});

test("what export has written as JSON lines, import makes the same again", async (t) => {
  const holdfast = new Holdfast(t);
  await holdfast.print(
    "sql",
    `create table t(a, b); insert into t values (1, 1.0), (9223372036854775807, -9223372036854775808), (9007199254740993, -0.0),
      (9e999, -9e999), (0.1, 1e300), ('', null), ('1', x''), ('{"$int":"1"}', x'00ff0a'), ('a"\\' || char(10, 8232, 0), '日本')`,
  );
  const file = join(holdfast.dir, "t.jsonl");
  await holdfast.print("export", "t", "-o", file);
  const imported = JSON.parse(await holdfast.print("import", file, "--table", "again", "--json"));
  assert.deepEqual(imported, { table: "again", rows: 9, created: true });
  const all = (table: string) => holdfast.print("export", table, "--jsonl");
  assert.equal(await all("again"), await all("t"));
  const types = (table: string) => holdfast.print("sql", `select typeof(a), typeof(b), hex(a), hex(b) from ${table}`);
  assert.equal(await types("again"), await types("t"));
});

test("JSON lines may lack members, which then are what is usual in their column", async (t) => {
  const holdfast = new Holdfast(t);
  await holdfast.print("sql", "create table t(a, b default 'usual')");
  const file = fileIn(holdfast, "t.jsonl", '{"a":1}\n\n{"b":true,"a":[1, 2]}\n{}\n');
  await holdfast.print("import", file, "--table", "t");
  assert.equal(await holdfast.print("sql", quoted), "1 'usual'; '[1, 2]' 1; NULL 'usual'\n");
  const other = fileIn(holdfast, "other.jsonl", '{"a":1}\n{"c":1}\n');
  const { code, err } = await holdfast.run(["import", other, "--table", "t"]);
  assert.equal(code, 1);
  assert.match(err, /other\.jsonl, line 2: the table "t" has no column "c"\n {2}nothing is stored\n/);
});

/** Rows 1 to `count`; one line may be another. */
function numbers(count: number, odd: { readonly [line: number]: string } = {}): string {
  const lines = Array.from({ length: count }, (_, i) => odd[i + 2] ?? `${i + 1},row ${i + 1}`);
  return `a,b\n${lines.join("\n")}\n`;
}

test("a row that is refused is named by its line, and nothing of its batch is stored", async (t) => {
  const holdfast = new Holdfast(t);
  await holdfast.print("sql", "create table t(a integer primary key, b not null)");
  const file = fileIn(holdfast, "t.csv", numbers(300, { 200: "7,again" }));
  const { code, err } = await holdfast.run(["import", file, "--table", "t"]);
  assert.equal(code, 1);
  assert.match(err, /t\.csv, line 200: UNIQUE constraint failed: t\.a\n {2}nothing is stored\n$/);
  assert.equal(await holdfast.print("sql", "select count(*) from t"), "0\n");
  const fresh = await holdfast.run(["import", fileIn(holdfast, "u.csv", 'a\n1\n"2\n'), "--table", "u"]);
  assert.match(fresh.err, /u\.csv, line 3: Quote Not Closed.*\n {2}nothing is stored\n$/);
  assert.match((await holdfast.run(["sql", "select * from u"])).err, /no such table: u/);
});

test("an import that ends in the middle goes on behind what is stored, once the line is mended", async (t) => {
  const holdfast = new Holdfast(t);
  await holdfast.print("sql", "create table t(a integer primary key, b not null)");
  const file = fileIn(holdfast, "t.csv", numbers(1700, { 1502: "7,again" }));
  const { code, err } = await holdfast.run(["import", file, "--table", "t"]);
  assert.equal(code, 1);
  assert.match(
    err,
    /line 1502: UNIQUE constraint failed: t\.a\n {2}1,500 rows before it are stored in "t"; --resume goes on/,
  );
  assert.equal(await holdfast.print("sql", "select count(*) from t"), "1500\n");

  writeFileSync(file, numbers(1700));
  const asked = await holdfast.run(["import", file, "--table", "t"]);
  assert.equal(asked.code, 1);
  assert.match(asked.err, /was interrupted .* ago; 1,500 rows of it are stored\n {2}--resume goes on/);
  assert.equal(await holdfast.print("import", file, "--table", "t", "--resume"), 'imported 1,700 rows into "t"\n');
  assert.equal(await holdfast.print("sql", "select count(*), max(a) from t"), "1700\t1700\n");
  assert.match((await holdfast.run(["import", file, "--table", "t", "--resume"])).err, /was interrupted/);
});

test("an import of which the lines before have changed does not go on", async (t) => {
  const holdfast = new Holdfast(t);
  const file = fileIn(holdfast, "t.csv", numbers(800, { 700: '1,"open' }));
  assert.match((await holdfast.run(["import", file, "--table", "t"])).err, /500 rows before it are stored in "t"/);
  writeFileSync(file, numbers(800, { 5: "5,other" }));
  const changed = await holdfast.run(["import", file, "--table", "t", "--resume"]);
  assert.match(changed.err, /line 2: what was stored before from these lines was something else; --anew begins/);
  await holdfast.print("sql", "delete from t");
  assert.equal(await holdfast.print("import", file, "--table", "t", "--anew"), 'imported 800 rows into "t"\n');
  assert.equal(await holdfast.print("sql", "select count(*) from t"), "800\n");
});

test("killed at any moment and taken up again, every row is stored once", async (t) => {
  const holdfast = new Holdfast(t);
  await holdfast.print("sql", "create table other(a)");
  const file = fileIn(holdfast, "t.csv", numbers(20_000));
  const notes = join(holdfast.dir, "log", "imports");
  let rows = 0;
  for (const again of [false, true, true]) {
    const running = holdfast.start(["import", file, "--table", "t", ...(again ? ["--resume"] : [])]);
    await until(async () => {
      const { code, out } = await holdfast.run(["sql", "select count(*) from t"]);
      return code === 0 && Number(out) > rows;
    }, "more rows are stored");
    running.child.kill("SIGKILL");
    const { code } = await running.ended;
    rows = Number(await holdfast.print("sql", "select count(*) from t"));
    if (code === 0) break;
  }
  if (readdirSync(notes).length > 0) await holdfast.print("import", file, "--table", "t", "--resume");
  assert.equal(
    await holdfast.print("sql", "select count(*), count(distinct a), max(a) from t"),
    "20000\t20000\t20000\n",
  );
  assert.deepEqual(readdirSync(notes), []);
});

test("a long import that is taken up again stores nothing twice, though the broker has no room for the keys of its beginning", async (t) => {
  const holdfast = new Holdfast(t);
  const server = holdfast.start(["serve", "--limit", "ownKeysBytesMax=65536"]);
  await server.until(/ready/);
  await holdfast.print("sql", "create table t(a integer, b, c)");
  // Rows that take turns in what they have make a statement each, and so a long answer for each batch.
  const lines = (odd: string) =>
    Array.from({ length: 4000 }, (_, n) => (n === 3800 ? odd : `{"a":${n},"${n % 2 === 0 ? "b" : "c"}":1}`)).join("\n");
  const file = fileIn(holdfast, "t.jsonl", lines('{"a":"broken'));
  const first = await holdfast.run(["import", file, "--table", "t"]);
  assert.match(first.err, /3,500 rows before it are stored/);
  assert.ok(Number(await holdfast.print("sql", "select count(*) from t")) === 3500);
  writeFileSync(file, lines('{"a":3800,"b":1}'));
  await holdfast.print("import", file, "--table", "t", "--resume");
  assert.equal(await holdfast.print("sql", "select count(*), count(distinct a), max(a) from t"), "4000\t4000\t3999\n");
});

test("an import is not taken up again in another database than the one in which its beginning is stored", async (t) => {
  const holdfast = new Holdfast(t);
  await holdfast.print("sql", "create table t(a integer primary key, b not null)");
  const backup = join(holdfast.dir, "empty.db");
  await holdfast.print("backup", backup);
  const file = fileIn(holdfast, "t.csv", numbers(700, { 600: "7,again" }));
  assert.match((await holdfast.run(["import", file, "--table", "t"])).err, /500 rows before it are stored/);
  writeFileSync(file, numbers(700));
  await holdfast.print("restore", "--stop", backup);
  const refused = await holdfast.run(["import", file, "--table", "t", "--resume"]);
  assert.equal(refused.code, 1);
  assert.match(refused.err, /knows nothing any more of what was stored of it; .*\n {2}--anew begins from the start\n$/);
  assert.equal(await holdfast.print("sql", "select count(*) from t"), "0\n");
  await holdfast.print("import", file, "--table", "t", "--anew");
  assert.equal(await holdfast.print("sql", "select count(*) from t"), "700\n");
});

test("a line that is too long is told as what it is", async (t) => {
  const holdfast = new Holdfast(t);
  const file = fileIn(holdfast, "long.jsonl", `{"a":1}\n{"a":"${"x".repeat(17 * 2 ** 20)}"}\n`);
  const { code, err } = await holdfast.run(["import", file, "--table", "t"]);
  assert.equal(code, 1);
  assert.match(err, /^holdfast: .*long\.jsonl: line 2 is longer than 16777216 characters\n {2}nothing is stored\n$/);
});

test("stdin is taken, and told what it is", async (t) => {
  const holdfast = new Holdfast(t);
  assert.equal((await holdfast.run(["import", "-", "--table", "t"], { input: "a\n1\n" })).code, 64);
  const done = await holdfast.run(["import", "-", "--table", "t", "--from", "csv"], { input: "a\n1\n" });
  assert.equal(done.out, 'imported 1 row into "t", which is new\n');
  const wrong = await holdfast.run(["import", "-", "--table", "t", "--from", "csv"], {
    input: Buffer.from([0x61, 0x0a, 0xff, 0x0a]),
  });
  assert.equal(wrong.code, 1);
  assert.match(wrong.err, /not UTF-8[\s\S]*nothing is stored/);
});

test("what a pipe is known by is read as a pipe, and left when a line of it is refused", async (t) => {
  const holdfast = new Holdfast(t);
  const shell = (script: string) =>
    holdfast.run([], { program: ["bash", ["-c", script, "bash", process.execPath, cli]] });
  for (const script of [
    `"$1" "$2" import <(echo a; echo 1) --table t --from csv`,
    `{ echo a; echo 2; } | "$1" "$2" import /dev/stdin --table t --from csv`,
  ]) {
    const { code, err } = await shell(script);
    assert.equal(code, 0, err);
  }
  assert.equal(await holdfast.print("sql", "select a from t"), "1\n2\n");
  const refused = await shell(`"$1" "$2" import <(echo '{"a":'; exec sleep 600 2>/dev/null) --table t --from jsonl`);
  assert.deepEqual([refused.code, /line 1: [\s\S]*nothing is stored\n$/.test(refused.err)], [1, true], refused.err);
});

test("what cannot be meant ends with 64", async (t) => {
  const holdfast = new Holdfast(t);
  for (const args of [
    ["import", "t.csv"],
    ["import", "t.txt", "--table", "t"],
    ["import", "app.db", "--resume"],
    ["import", "t.csv", "--table", "t", "--force"],
    ["import", "t.csv", "--table", "t", "--resume", "--anew"],
    ["import", "t.csv", "--table", "t", "--from", "html"],
  ])
    assert.equal((await holdfast.run(args)).code, 64, args.join(" "));
  const missing = await holdfast.run(["import", "/nowhere/t.csv", "--table", "t"]);
  assert.deepEqual([missing.code, missing.out], [1, ""]);
  assert.match(missing.err, /no such file or directory/);
});

test("at a terminal it tells how far it is, and Ctrl-C leaves whole batches", { skip: noTerminal }, async (t) => {
  const holdfast = new Holdfast(t);
  const file = fileIn(holdfast, "t.csv", numbers(100_000));
  const script = `trap : INT; holdfast import ${file} --table t; echo "code $?"`;
  const running = holdfast.start([], { program: onTerminal(script), input: "open" });
  await running.until(/\d+ rows, \d+ %/);
  running.type("\u0003");
  await running.until(/t\.csv: interrupted\r\n {2}[\d,]+ rows before it are stored in "t"; --resume [\s\S]*code 130/);
  const rows = Number(await holdfast.print("sql", "select count(*) from t"));
  assert.ok(rows > 0 && rows < 100_000 && rows % 500 === 0, `${rows}`);
  await holdfast.print("import", file, "--table", "t", "--resume");
  assert.equal(await holdfast.print("sql", "select count(*), count(distinct a) from t"), "100000\t100000\n");
});

test("in the shell .import is part of the transaction that is open", { skip: noTerminal }, async (t) => {
  const holdfast = new Holdfast(t);
  const file = fileIn(holdfast, "t.csv", numbers(600));
  const shell = holdfast.start([], { program: onTerminal("holdfast sql"), input: "open", env: { NO_COLOR: "1" } });
  await shell.until(/Ctrl-D leaves/);
  shell.type("begin;\n");
  await shell.until(/holdfast\*> /);
  shell.type(`.import ${file} t\n`);
  await shell.until(/600 rows into "t", which is new/);
  shell.type("rollback;\n");
  await shell.until(/holdfast\*> [\s\S]*holdfast> /);
  assert.match((await holdfast.run(["sql", "select * from t"])).err, /no such table: t/);
  shell.type(`.import ${file} u\n`);
  await shell.until(/600 rows into "u", which is new/);
  assert.equal(await holdfast.print("sql", "select count(*) from u"), "600\n");
});
