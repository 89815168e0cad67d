/** Keys of the callers' own making: one request happens once under one of them, whoever sends it and however often. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { openDatabase } from "../../../src/sqlite/index.js";
import { tablesVersion } from "../../../src/store/writer/internal-tables.sql.js";
import { MetaRow } from "../../../src/store/writer/meta-row.js";
import { OwnKeys } from "../../../src/store/writer/own-keys.js";
import { replyKinds } from "../../../src/store/writer/replies-kept.js";
import { isRefusal, limitsWith } from "../../../src/terms/index.js";
import { makeTablesOlder } from "../../support/older-tables.js";
import { type TestLife, tempDir } from "../../support/temp-dir.js";
import { alice, bench, bob, codes } from "../writer-bench.js";

const insert = "insert into t (a) values (?)";

function keyed(a: number, key: string, more: object = {}) {
  return { params: { sql: insert, args: [a], key, ...more } };
}

test("the same request under one key is applied once, in whatever session, alone or in one group", (t) => {
  const w = bench(t);
  w.run("create table t (id integer primary key, a)");
  const first = w.run({ ...keyed(1, "order-7"), session: alice });
  const group = w.group([
    { ...keyed(1, "order-7"), session: bob },
    { ...keyed(2, "order-8"), session: bob },
    { ...keyed(2, "order-8"), session: alice, encoding: "msgpack" },
  ]);
  assert.deepEqual(group[0]?.result, first.result);
  assert.deepEqual(group[2]?.result, group[1]?.result);
  assert.deepEqual(w.rows("select a from t order by a"), [[1], [2]]);
});

test("another request under the same key is refused, and which lock it relies on makes it no other", (t) => {
  const w = bench(t);
  w.run("create table t (a)");
  const fence = (token: number) => ({ fence: [{ name: "a", token }] });
  const settled = w.group([
    keyed(1, "k", fence(1)),
    keyed(1, "k", fence(2)),
    keyed(2, "k"),
    { sql: insert, args: [3] },
  ]);
  assert.deepEqual(codes(settled), ["done", "done", "KEY_REUSED", "done"]);
  assert.deepEqual(w.rows("select a from t order by a"), [[1], [3]]);
});

test("a request that was refused has left its key unused", (t) => {
  const w = bench(t);
  w.run("create table t (a unique)");
  w.run({ sql: insert, args: [1] });
  assert.deepEqual(codes([w.run(keyed(1, "k"))]), ["SQLITE_CONSTRAINT"]);
  w.run("delete from t");
  assert.deepEqual(codes([w.run(keyed(1, "k"))]), ["done"]);
});

test("what is only looked up under a key is not run", (t) => {
  const w = bench(t);
  w.run("create table t (a)");
  assert.equal(w.run({ ...keyed(1, "k"), mode: "replay" }).kind, "absent");
  w.run(keyed(1, "k"));
  assert.equal(w.run({ ...keyed(1, "k"), mode: "replay" }).kind, "done");
  assert.deepEqual(w.rows("select a from t"), [[1]]);
});

// rule 3: the reply goes with the write
test("a key of a group that is undone is not kept", (t) => {
  const w = bench(t);
  w.run("create table t (a unique)");
  w.run({ sql: insert, args: [9] });
  const settled = w.group([keyed(1, "k"), "insert or rollback into t values (9)", keyed(1, "k")]);
  assert.deepEqual(codes(settled), ["done", "SQLITE_CONSTRAINT", "done"]);
  assert.deepEqual(w.rows("select a from t order by a"), [[1], [9]]);
  assert.deepEqual(w.rows("select key from _holdfast_keys"), [["k"]]);
});

/** The table by itself, under a clock that the test moves. */
function keys(t: TestLife, limits: { readonly [name: string]: number } = {}) {
  const database = openDatabase({ path: join(tempDir(t), "d"), role: "writer", durability: "full", busyMs: 100 });
  t.after(() => database.close());
  MetaRow.start(database, "boot-1");
  const clock = { now: 1_000_000 };
  const made = () => new OwnKeys(database, limitsWith(limits), () => clock.now);
  const keep = (kept: OwnKeys, key: string, keepMs: number, bytes = 10) => {
    kept.keep({ key, keepMs }, 1, { kind: replyKinds.json, result: Buffer.alloc(bytes, "x") });
    kept.write();
  };
  const names = () => database.prepare("select key from _holdfast_keys order by key").raw(true).all().flat();
  return { database, clock, made, keep, names };
}

test("a key is kept for as long as was asked for, over restarts of the writer, and may then be used anew", (t) => {
  const { clock, made, keep, names } = keys(t);
  keep(made(), "day", 1000);
  clock.now += 999;
  assert.equal(made().admit("day", 1)?.valueOf() !== undefined, true);
  const other = made().admit("day", 2);
  assert.ok(isRefusal(other) && other.refused === "KEY_REUSED");
  clock.now += 1;
  assert.equal(made().admit("day", 2), undefined);
  keep(made(), "next", 1000);
  assert.deepEqual(names(), ["next"], "what is over its time is removed with the next that is written");
});

test("when there are too many, the largest answers go first, and every key stays for its time", (t) => {
  const { made, keep, names } = keys(t, { ownKeysBytesMax: 64 * 1024 });
  const kept = made();
  keep(kept, "order", 1000, 300);
  for (let n = 0; n < 40; n++) keep(kept, `large-${n}`, 7000, 6000);
  assert.equal(names().length, 41);
  assert.deepEqual(kept.admit("order", 1), { kind: replyKinds.json, result: Buffer.alloc(300, "x") });
  assert.deepEqual(kept.admit("large-0", 1), { kind: replyKinds.notKept, result: null });
  const other = kept.admit("large-0", 2);
  assert.ok(isRefusal(other) && other.refused === "KEY_REUSED");
  const whole = names().filter((name) => (kept.admit(String(name), 1) as { kind: number }).kind === replyKinds.json);
  assert.ok(whole.length > 8, `as many answers stay as there is room for, and not only ${whole.join()}`);
});

test("when keys fill their part a new one is refused, and none is forgotten before its time", (t) => {
  const { clock, made, keep, names } = keys(t, { ownKeysBytesMax: 64 * 1024 });
  let kept = made();
  let stored = 0;
  while (kept.refusalOfNew(`key-${stored}`) === undefined) keep(kept, `key-${stored++}`, 1000 + stored);
  assert.ok(stored > 400, `${stored} are stored`);
  const refusal = kept.refusalOfNew("another");
  assert.equal(refusal?.refused, "DISK_FULL");
  assert.equal(refusal?.details?.["limit"], "ownKeysBytesMax");
  assert.equal(names().length, stored);
  assert.equal(made().refusalOfNew("another")?.refused, "DISK_FULL", "a writer that was started anew knows it too");
  clock.now += 1100;
  kept = made();
  assert.equal(kept.refusalOfNew("another"), undefined, "what is over its time makes room");
  keep(kept, "another", 1000);
  assert.equal(names().length, stored - 100 + 1);
});

test("a transaction that is undone takes the room of its keys back", (t) => {
  const { database, made, keep } = keys(t, { ownKeysBytesMax: 64 * 1024 });
  const kept = made();
  for (let n = 0; n < 20; n++) {
    database.exec("begin");
    for (let m = 0; m < 40; m++) keep(kept, `key-${n}-${m}`, 1000);
    database.exec("rollback");
    kept.rolledBack();
  }
  assert.equal(kept.refusalOfNew("another"), undefined);
});

test("a write under a new key for which there is no room is refused and not applied; one under a known key is answered", (t) => {
  const w = bench(t, { limits: { ownKeysBytesMax: 64 * 1024, replyBytesKeptMax: 1024 } });
  w.run("create table t (id integer primary key, a)");
  const first = w.run(keyed(0, "order-0"));
  const settled = w.group(Array.from({ length: 800 }, (_, n) => keyed(n, `order-${n}`)));
  const refused = codes(settled).filter((code) => code === "DISK_FULL").length;
  assert.ok(refused > 0 && codes(settled).every((code) => code === "done" || code === "DISK_FULL"));
  assert.equal(w.value("select count(*) from t"), 800 - refused);
  assert.deepEqual(w.run(keyed(0, "order-0")).result, first.result);
  assert.deepEqual(codes([w.run(keyed(1, "one more"))]), ["DISK_FULL"]);
  assert.deepEqual(
    codes([w.run({ sql: insert, args: [9], key: 1 })]),
    ["done"],
    "a key of the session has its own room",
  );
});

test("what they take is counted once, and not again because a transaction was undone", (t) => {
  const { database, made, keep, names } = keys(t, { ownKeysBytesMax: 64 * 1024 });
  let counted = 0;
  const prepare = database.prepare.bind(database);
  t.mock.method(database, "prepare", (sql: string) => {
    const statement = prepare(sql);
    if (!sql.startsWith("SELECT coalesce(sum")) return statement;
    const get = statement.get.bind(statement);
    return Object.assign(statement, {
      get: (...values: unknown[]) => {
        counted++;
        return get(...values);
      },
    });
  });
  const kept = made();
  for (let n = 0; n < 100; n++) {
    const key = `key-${String(n).padStart(3, "0")}`;
    database.exec("begin");
    keep(kept, key, 1000 + n, 6000);
    if (n % 2 === 0) {
      database.exec("commit");
      kept.committed();
    } else {
      database.exec("rollback");
      kept.rolledBack();
    }
  }
  assert.equal(counted, 1);
  assert.equal(names().length, 50);
});

test("an answer that is too large is not kept, and is not given again", (t) => {
  const { made, keep } = keys(t, { replyBytesKeptMax: 100 });
  const kept = made();
  keep(kept, "k", 1000, 101);
  assert.deepEqual(kept.admit("k", 1), { kind: replyKinds.notKept, result: null });
});

test("a database of the version before gets the table when a writer starts", (t) => {
  const { database, keep, made, names } = keys(t);
  makeTablesOlder(database, 1);
  MetaRow.start(database, "boot-1");
  keep(made(), "k", 1000);
  assert.deepEqual(names(), ["k"]);
  assert.equal(database.prepare("select version from _holdfast_meta").pluck().get(), tablesVersion);
});
