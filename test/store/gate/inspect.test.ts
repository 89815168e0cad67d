import assert from "node:assert/strict";
import { test } from "node:test";
import { letIn, refusalOf, refusedAt } from "./verdict.js";

test("what SQLite is to prepare is the statement without what surrounds it", () => {
  const found = letIn(" /* a */ ; select 'é' -- b\n ;\ufeff");
  assert.deepEqual([found.start, found.end, found.text], [11, 21, "select 'é'"]);
  const plain = "select 1";
  assert.equal(letIn(plain).text, plain);
});

test("a text without a statement and a text with two are refused", () => {
  for (const sql of ["", " \n", ";;", "-- select 1", "/* select 1 */;\ufeff"])
    assert.equal(refusedAt(sql, "SQL_EMPTY"), sql);
  assert.equal(refusedAt("select 1; ; drop table t", "SQL_MANY"), "drop");
  assert.equal(refusedAt("select 1;--\n'a'", "SQL_MANY"), "'a'");
});

test("a text over the limit is refused, counted in bytes", () => {
  const options = { sqlBytesMax: 12 };
  assert.equal(letIn("select 'abc'", options).verb, "SELECT");
  assert.equal(refusalOf("select 'abcd'", options).refused, "SQL_TOO_LONG");
  // Two units, five bytes.
  assert.equal(letIn("select 'é€'", { sqlBytesMax: 14 }).verb, "SELECT");
  assert.equal(refusalOf("select 'é€'", { sqlBytesMax: 13 }).refused, "SQL_TOO_LONG");
});
