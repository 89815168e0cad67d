import assert from "node:assert/strict";
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
