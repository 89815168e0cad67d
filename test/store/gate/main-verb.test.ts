import assert from "node:assert/strict";
import { test } from "node:test";
import { letIn, refusedAt } from "./verdict.js";

test("WITH is what its main statement is", () => {
  const tables = [
    "x as (select 1)",
    "x(a, b) as (select 1, (2)), y as (values (1))",
    "recursive x as (select 1 union all select a + 1 from x)",
    "x as materialized (select 1)",
    "x as not materialized (select 1), \"y\" as (select ')' from t)",
    "replace as (select 1), 'delete' as (select 1), [insert] as (select 1), `update` as (select 1)",
    "x as (with delete_ as (select 1) select * from delete_)",
    "x as (select 1 /* ) delete */ ) -- , update\n",
    "materialized as (select 1)",
  ];
  const mains: [sql: string, verb: string, access: string][] = [
    ["select 1", "SELECT", "read"],
    ["values (1)", "VALUES", "read"],
    ["insert into t select * from x", "INSERT", "write"],
    ["replace into t select * from x", "REPLACE", "write"],
    ["update t set a = (select 1)", "UPDATE", "write"],
    ["delete from t where a in (select 1)", "DELETE", "write"],
  ];
  for (const table of tables)
    for (const [main, verb, access] of mains) {
      const found = letIn(`with ${table} ${main}`);
      assert.deepEqual([found.verb, found.access], [verb, access], `${table} ${main}`);
      assert.equal(letIn(`explain with ${table} ${main}`).access, "read");
    }
});

test("RECURSIVE is a keyword behind WITH, and a name that comes second may be anything", () => {
  assert.equal(refusedAt("with recursive as (select 1) delete from t", "STATEMENT_REFUSED"), "as");
  assert.equal(letIn("with recursive recursive as (select 1) delete from t").verb, "DELETE");
  assert.equal(letIn("with x as (select 1), recursive as (select 1) delete from t").verb, "DELETE");
});

test("WITH that is not written as SQLite reads it is refused where it goes wrong", () => {
  assert.equal(refusedAt("with", "STATEMENT_REFUSED"), "");
  assert.equal(refusedAt("with x", "STATEMENT_REFUSED"), "");
  assert.equal(refusedAt("with x as select 1", "STATEMENT_REFUSED"), "select");
  assert.equal(refusedAt("with x as (select 1", "STATEMENT_REFUSED"), "(");
  assert.equal(refusedAt("with (a) as (select 1) select 1", "STATEMENT_REFUSED"), "(");
  assert.equal(refusedAt("with x as (select 1), select 1", "STATEMENT_REFUSED"), "1");
  assert.equal(refusedAt("with x as (select 1)", "STATEMENT_REFUSED"), "");
  assert.equal(refusedAt("with x as (select 1) 'select' 1", "STATEMENT_REFUSED"), "'select'");
});

test("WITH leads to no other statement", () => {
  for (const main of [
    "pragma user_version",
    "attach 'x' as y",
    "create table u (a)",
    "vacuum",
    "begin",
    "with y as (select 1) select 1",
  ])
    assert.equal(refusedAt(`with x as (select 1) ${main}`, "STATEMENT_REFUSED"), main.split(" ")[0]);
});
