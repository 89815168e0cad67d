import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { openDatabase } from "../../../src/sqlite/index.js";
import { checkDatabase } from "../../../src/store/index.js";
import { tempDir } from "../../support/temp-dir.js";

test("a foreign key that does not fit its parent is a problem of its table, and the others are looked at", (t) => {
  const database = join(tempDir(t), "data.db");
  const connection = openDatabase({ path: database, role: "writer", durability: "full", busyMs: 1000 });
  connection.pragma("foreign_keys = off");
  connection.exec(`create table p (a); create table c (b references p (a)); create table q (a integer primary key);
    create table d (b references q); insert into d values (1), (7); insert into q values (1)`);
  connection.close();
  assert.deepEqual(checkDatabase({ database, quick: false }).problems, [
    'the foreign keys of c cannot be checked: foreign key mismatch - "c" referencing "p"',
    "row 2 of d refers to a row of q that is not there",
  ]);
});

test("a row that breaks a CHECK or a NOT NULL is a problem, also to a quick look, which changes nothing", (t) => {
  const dir = tempDir(t);
  const database = join(dir, "data.db");
  const connection = openDatabase({ path: database, role: "writer", durability: "full", busyMs: 1000 });
  connection.pragma("ignore_check_constraints = on");
  connection.exec("create table c (n check (n > 0)); insert into c values (1), (-1)");
  connection.exec("create table d (n, m); insert into d values (null, 1)");
  connection.unsafeMode(true);
  connection.pragma("writable_schema = on");
  connection.exec("update sqlite_schema set sql = replace(sql, 'n,', 'n not null,') where name = 'd'");
  // A log that nobody has folded: who ends last with leave to write would fold it.
  const keeper = openDatabase({ path: database, role: "reader", durability: "full", busyMs: 1000 });
  keeper.exec("begin");
  keeper.prepare("select count(*) from c").get();
  connection.close();
  keeper.close();
  const before = bytesIn(dir);
  assert.ok(Object.keys(before).includes("data.db-wal"));
  for (const quick of [true, false])
    assert.deepEqual(checkDatabase({ database, quick }).problems, [
      "NULL value in d.n",
      "CHECK constraint failed in c",
    ]);
  assert.deepEqual(bytesIn(dir), before);
});

test("a CHECK by a function that only its program knows is told, and the rest is looked at", (t) => {
  const database = join(tempDir(t), "data.db");
  const connection = openDatabase({ path: database, role: "writer", durability: "full", busyMs: 1000 });
  connection.pragma("trusted_schema = on");
  connection.function("ours", { deterministic: true }, (n) => n);
  connection.exec("create table c (n check (ours(n))); create table d (n not null)");
  connection.close();
  assert.deepEqual(checkDatabase({ database, quick: false }).problems, [
    "the CHECK constraints cannot be checked: unknown function: ours()",
  ]);
});

/** Of the database and its log. */
function bytesIn(dir: string): { [name: string]: string } {
  const names = readdirSync(dir).filter((name) => !name.endsWith("-shm"));
  return Object.fromEntries(names.map((name) => [name, readFileSync(join(dir, name), "hex")]));
}
