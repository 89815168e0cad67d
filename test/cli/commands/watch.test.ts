import assert from "node:assert/strict";
import { test } from "node:test";
import { Holdfast } from "../holdfast.js";

test("a watch in one shell tells what is written in others, a line for each commit and table", async (t) => {
  const holdfast = new Holdfast(t);
  // A command takes a while to start.
  await holdfast.start(["serve", "--limit", "watchLingerMs=600000"]).until(/ready/);
  await holdfast.print("sql", "create table job (id integer primary key, name text)");
  const tabs = holdfast.start(["watch", "job", "page", "-n", "3"]);
  await tabs.until(/watching "job", "page"; there is no "page" yet/);
  const json = holdfast.start(["watch", "job", "--keys", "--json", "-n", "2"]);
  await json.until(/watching "job"/);
  await holdfast.print("sql", "insert into job values (1, 'a'), (2, 'b')");
  await holdfast.print("sql", "update job set id = 7 where id = 2");
  await holdfast.print("sql", "create table page (path text)");
  const { out, code } = await tabs.ended;
  assert.equal(code, 0);
  assert.deepEqual(
    out.split("\n").map((line) => line.split("\t").toSpliced(1, 1).join(" ")),
    ["change job 2 0 0  ", "change job 0 1 0  ", "change page 0 0 0 created ", ""],
  );
  const lines = (await json.ended).out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    lines.map(({ seq, cursor, ...line }) => ({ ...line, numbered: cursor.endsWith(`:${seq}`) })),
    [
      {
        ...{ gap: false, table: "job", inserts: 2, updates: 0, deletes: 0, keysCut: false, numbered: true },
        keys: [
          { change: "insert", key: [1] },
          { change: "insert", key: [2] },
        ],
      },
      {
        ...{ gap: false, table: "job", inserts: 0, updates: 1, deletes: 0, keysCut: false, numbered: true },
        keys: [{ change: "update", key: [7], was: [2] }],
      },
    ],
  );
  // Its table stays watched for a while (`watchLingerMs`), so who comes back in time has missed nothing.
  const again = await holdfast.print("watch", "job", "--json", "-n", "1", "--after", lines[0].cursor);
  const { gap, updates, seq } = JSON.parse(again);
  assert.deepEqual({ gap, updates, seq }, { gap: false, updates: 1, seq: lines[1].seq });
});

test("a table on a terminal's terms: what changed, without what did not", async (t) => {
  const holdfast = new Holdfast(t);
  await holdfast.print("sql", "create table job (a text, b int, primary key (a, b))");
  const people = holdfast.start(["watch", "job", "--keys", "--table", "-n", "1"]);
  await people.until(/watching/);
  await holdfast.print("sql", "insert into job values ('x', 1)");
  assert.match((await people.ended).out, /^\d\d:\d\d:\d\d {2}job {2}\+1 {2}\+\(x, 1\)\n$/);
});

test("what cannot be watched, and a call without tables, are errors", async (t) => {
  const holdfast = new Holdfast(t);
  await holdfast.print("sql", "create view v as select 1 as a");
  const refused = await holdfast.run(["watch", "v"]);
  assert.deepEqual([refused.code, /"v" is a view/.test(refused.err)], [1, true]);
  assert.equal((await holdfast.run(["watch"])).code, 64);
  for (const count of ["x", ""]) assert.equal((await holdfast.run(["watch", "job", "-n", count])).code, 64);
});
