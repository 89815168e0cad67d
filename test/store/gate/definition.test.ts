import assert from "node:assert/strict";
import { test } from "node:test";
import { letIn, refusalOf, refusedAt } from "./verdict.js";

test("tables, indexes, views and triggers are created, dropped and altered", () => {
  for (const sql of [
    "create table t (a, temp real)",
    "create table if not exists main.t (a) without rowid, strict",
    "create table t as select 1",
    "create index i on t (a)",
    "create unique/**/index if not exists i on t (a)",
    "create view v as select 1",
    "create trigger x after insert on t begin select 1; end",
    "drop table if exists t",
    "drop index i",
    "drop view v",
    "drop trigger x",
    "alter table t rename column a to temp",
  ])
    assert.equal(letIn(sql).schemaChange, true, sql);
});

// rule 16
test("nothing TEMP is created, in whatever writing", () => {
  for (const word of ["temp", "TEMPORARY"])
    for (const thing of ["table t (a)", "view v as select 1", "trigger x after insert on t begin select 1; end"]) {
      assert.equal(refusedAt(`create ${word} ${thing}`, "STATEMENT_REFUSED"), word);
      assert.equal(refusedAt(`create/**/${word}--\n${thing}`, "STATEMENT_REFUSED"), word);
    }
  for (const word of ["temp", "temporary"])
    assert.match(refusalOf(`create ${word} table t (a)`).message, /shares the connection/);
});

test("virtual tables are made with fts5 and rtree only", () => {
  for (const sql of [
    "create virtual table f using fts5(a, b)",
    'CREATE VIRTUAL TABLE IF NOT EXISTS main.f USING "FTS5"(a)',
    "create virtual table using using rtree(id, x0, x1)",
    "create virtual/**/table [a b] using 'rtree'(id, x0, x1)",
  ])
    assert.equal(letIn(sql).verb, "CREATE", sql);
  assert.equal(refusedAt("create virtual table f using fts4(a)", "STATEMENT_REFUSED"), "fts4");
  assert.equal(refusedAt("create virtual table f using /* fts5 */ csv(fts5)", "STATEMENT_REFUSED"), "csv");
  assert.equal(refusedAt("create virtual table fts5 using dbstat", "STATEMENT_REFUSED"), "dbstat");
  assert.equal(refusedAt("create virtual table f", "STATEMENT_REFUSED"), "");
  assert.equal(refusedAt("create virtual view f using fts5(a)", "STATEMENT_REFUSED"), "virtual");
});

test("nothing else is created, dropped or altered", () => {
  assert.equal(refusedAt("create database d", "STATEMENT_REFUSED"), "database");
  assert.equal(refusedAt("create unique table t (a)", "STATEMENT_REFUSED"), "unique");
  assert.equal(refusedAt('create "table" t (a)', "STATEMENT_REFUSED"), '"table"');
  assert.equal(refusedAt("create", "STATEMENT_REFUSED"), "");
  assert.equal(refusedAt("drop database d", "STATEMENT_REFUSED"), "database");
  assert.equal(refusedAt("alter index i rename to j", "STATEMENT_REFUSED"), "index");
});
