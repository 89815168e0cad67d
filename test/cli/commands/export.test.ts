import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { cli, Holdfast, until } from "../holdfast.js";

const values = `create table v(a, b);
  insert into v values (1, 'x,"y"'), (9007199254740993, x'00ff'), (1.0, null), (-0.0, ''), (9e999, '
'), (0.1, 'é');`;

test("a table and a statement come as CSV and as JSON lines", async (t) => {
  const holdfast = new Holdfast(t);
  await holdfast.print("sql", values);
  assert.equal(
    await holdfast.print("export", "v", "--csv"),
    'a,b\n1,"x,""y"""\n9007199254740993,X\'00FF\'\n1.0,\n-0.0,""\nInf,"\n"\n0.1,é\n',
  );
  assert.equal(
    await holdfast.print("export", "select * from v", "--jsonl"),
    [
      '{"a":1,"b":"x,\\"y\\""}',
      '{"a":{"$int":"9007199254740993"},"b":{"$blob":"AP8="}}',
      '{"a":{"$real":"1"},"b":null}',
      '{"a":{"$real":"-0"},"b":""}',
      '{"a":{"$real":"Infinity"},"b":"\\n"}',
      '{"a":0.1,"b":"é"}',
      "",
    ].join("\n"),
  );
  assert.equal(await holdfast.print("export", "select a from v where 0", "--csv"), "a\n");
  assert.equal(await holdfast.print("export", "select a from v where a = 1", "--csv", "--no-header"), "1\n1.0\n");
});

test("a table may have any name", async (t) => {
  const holdfast = new Holdfast(t);
  await holdfast.print(
    "sql",
    `create table "my table"(a); insert into "my table" values (1);
    create table "a""b"(a); insert into "a""b" values (2); create table "2024-01"(a); insert into "2024-01" values (3);
    create table "select"(a); insert into "select" values (4)`,
  );
  const names = [
    ["my table", 1],
    ['"my table"', 1],
    ['a"b', 2],
    ['"a""b"', 2],
    ["2024-01", 3],
    ["select", 4],
  ] as const;
  for (const [name, value] of names)
    assert.equal(await holdfast.print("export", name, "--csv", "--no-header"), `${value}\n`, name);
  for (const sql of ["select(5) as n", " with c as (select 5 as n) select n from c", "/* five */ values (5)"])
    assert.equal(await holdfast.print("export", sql, "--csv", "--no-header"), "5\n", sql);
});

test("a file has its name once it is whole, and tells the form by it", async (t) => {
  const holdfast = new Holdfast(t);
  await holdfast.print("sql", 'create table "order"(a); insert into "order" values (1)');
  const file = join(holdfast.dir, "order.csv");
  const { code, err } = await holdfast.run(["export", "order", "-o", file]);
  assert.deepEqual([code, err], [0, `1 row, 4 bytes, in ${file}\n`]);
  assert.equal(readFileSync(file, "utf8"), "a\n1\n");
  const refused = await holdfast.run(["export", "select abs(-9223372036854775808)", "--csv", "-o", file]);
  assert.equal(refused.code, 1);
  assert.match(refused.err, /integer overflow/);
  assert.equal(readFileSync(file, "utf8"), "a\n1\n", "what was there stays");
  const late = `with recursive n(i) as (select 1 union all select i + 1 from n)
    select case when i = 400000 then abs(-9223372036854775808) else i end from n`;
  assert.equal((await holdfast.run(["export", late, "-o", file])).code, 1);
  assert.equal(readFileSync(file, "utf8"), "a\n1\n");
  assert.deepEqual(
    readdirSync(holdfast.dir).filter((name) => name.startsWith("order")),
    ["order.csv"],
  );
});

test("what a pipe is known by is written to as a pipe", async (t) => {
  const holdfast = new Holdfast(t);
  await holdfast.print("sql", "create table t(a); insert into t values (1)");
  for (const words of ["-o /dev/stdout", "-o /dev/fd/3 3>&1"]) {
    const script = `"$1" "$2" export t --csv ${words} | cat`;
    const { out, err } = await holdfast.run([], { program: ["bash", ["-c", script, "bash", process.execPath, cli]] });
    assert.deepEqual([out, /^1 row, 4 bytes, in/.test(err)], ["a\n1\n", true], err);
  }
});

test("an export that is interrupted leaves no file, and ends with 128 and the signal's number", async (t) => {
  const holdfast = new Holdfast(t);
  const file = join(holdfast.dir, "endless.jsonl");
  const endless = "with recursive n(i) as (select 1 union all select i + 1 from n) select i from n";
  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const) {
    const running = holdfast.start(["export", endless, "-o", file]);
    await until(() => readdirSync(holdfast.dir).some((name) => name.endsWith(".part")), "it writes");
    running.child.kill(signal);
    assert.equal((await running.ended).code, code);
    assert.equal(existsSync(file), false);
    assert.deepEqual(
      readdirSync(holdfast.dir).filter((name) => name.endsWith(".part")),
      [],
    );
  }
});

test("memory stays bounded however large the result is", async (t) => {
  const holdfast = new Holdfast(t);
  const many =
    "with recursive n(i) as (select 1 union all select i + 1 from n where i < 1000000) select i, 'some text beside it' as t from n";
  const file = join(holdfast.dir, "many.csv");
  const running = holdfast.start(["export", many, "-o", file], {
    env: { NODE_OPTIONS: "--max-old-space-size=48" },
  });
  const { code, err } = await running.ended;
  assert.deepEqual([code, err.startsWith("1,000,000 rows, ")], [0, true], err);
  assert.ok(readFileSync(file, "utf8").endsWith("\n1000000,some text beside it\n"));
});

test("what cannot be meant ends with 64, a table that is not there with 1", async (t) => {
  const holdfast = new Holdfast(t);
  writeFileSync(join(holdfast.dir, "x"), "");
  for (const args of [["export"], ["export", "t"], ["export", "t", "--csv", "--jsonl"], ["export", "a", "b", "--csv"]])
    assert.equal((await holdfast.run(args)).code, 64, args.join(" "));
  const missing = await holdfast.run(["export", "nowhere", "--csv"]);
  assert.deepEqual([missing.code, missing.out], [1, ""]);
  assert.match(missing.err, /no such table: nowhere/);
  const writes = await holdfast.run(["export", "create table t(a)", "--csv"]);
  assert.equal(writes.code, 1);
  assert.match(writes.err, /only reads, and this is CREATE/);
  symlinkSync(join(holdfast.dir, "unmounted", "t.csv"), join(holdfast.dir, "t.csv"));
  const nowhere = await holdfast.run(["export", "select 1", "-o", join(holdfast.dir, "t.csv")]);
  assert.notEqual(nowhere.code, 0);
  assert.match(nowhere.err, /t\.csv is a link that leads nowhere/);
});
