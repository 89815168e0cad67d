import assert from "node:assert/strict";
import { test } from "node:test";
import { readablePragmas } from "../../../src/store/gate/index.js";
import { letIn, refusalOf, refusedAt } from "./verdict.js";

// rule 16
test("the schema temp is refused in every statement and every writing", () => {
  const names = ["temp", "TEMP", '"temp"', "[Temp]", "`temp`", "'temp'"];
  const dots = [".", " . ", "/* a */./* b */", "--\n."];
  for (const name of names)
    for (const dot of dots)
      for (const sql of [
        `create table ${name}${dot}x (a)`,
        `create trigger ${name}${dot}x after insert on t begin select 1; end`,
        `create virtual table ${name}${dot}x using fts5(a)`,
        `select * from ${name}${dot}sqlite_schema`,
        `insert into ${name}${dot}x values (1)`,
        `drop table if exists ${name}${dot}x`,
        `explain select * from ${name}${dot}x`,
        `with x as (select * from ${name}${dot}y) delete from t`,
        `reindex ${name}${dot}x`,
      ])
        assert.equal(refusedAt(sql, "STATEMENT_REFUSED"), name, sql);
});

test("an alias called temp is refused before a dot, a column called temp is not", () => {
  assert.equal(refusedAt("select temp.a from weather as temp", "STATEMENT_REFUSED"), "temp");
  assert.match(refusalOf("select temp.a from weather as temp").message, /alias/);
  for (const sql of [
    "select temp from weather",
    "select w.temp, 'temp.a', \"temp.a\" from weather as w -- temp.a",
    "select a from weather as temp",
    "select mytemp.a, temp1.a, temp_.a, étemp.a from mytemp, temp1, temp_, étemp",
    "select temp .5 from weather",
  ])
    assert.equal(letIn(sql).verb, "SELECT", sql);
});

test("the broker's own word stands nowhere but in comments", () => {
  for (const sql of [
    "select * from _holdfast_meta",
    'select * from "_HoldFast_meta"',
    "select * from [x_holdfast_]",
    "select * from `_holdfast_meta`",
    "delete from '_holdfast_meta'",
    "insert into t values ('see _holdfast_meta')",
    "create table a_holdfast_b (a)",
    "select a as _holdfast_",
    "select :_holdfast_",
    "create trigger x after insert on t begin delete from _holdfast_meta; end",
    "create virtual table f using fts5(a, content=_holdfast_meta)",
    "pragma table_info(_holdfast_meta)",
    "pragma table_info = '_holdfast_meta'",
    "select * from pragma_table_info('_holdfast_meta')",
    "drop trigger _holdfast_watch",
    "é_holdfast_é".replace(/^/, "select "),
  ]) {
    assert.equal(refusedAt(sql, "STATEMENT_REFUSED").toLowerCase(), "_holdfast_", sql);
    assert.match(refusalOf(sql).message, /parameter values/);
  }
  assert.equal(refusedAt("savepoint _holdfast_1", "STATEMENT_REFUSED", { transactionControl: true }), "_holdfast_");
  for (const sql of [
    "select 1 -- _holdfast_meta",
    "/* _holdfast_meta */ select 1",
    "select /* _holdfast_ */ holdfast_meta, a_holdfast, _holdfasts, :_holdfast, 'a _holdfast', _hold/**/fast_ from t",
    "select '_holdfas' || 't_'",
  ])
    assert.equal(letIn(sql).verb, "SELECT", sql);
});

test("nothing is called as the broker's own tables begin: a virtual table would add the rest", () => {
  for (const sql of [
    "create virtual table _holdfast using fts5(x)",
    "create virtual table main._HOLDFAST using rtree(id, a, b)",
    'create virtual table "_holdfast" using fts5(x)',
    "create table [_Holdfast] (a)",
    "alter table t rename to `_holdfast`",
    "alter table t rename to '_holdfast'",
    "select a from _holdfast",
  ])
    assert.equal(refusedAt(sql, "STATEMENT_REFUSED").toLowerCase(), "_holdfast", sql);
});

test("a word that is looked for is found behind any number of others", () => {
  const many = "temp, returning, a_temp /* temp */, 'temp', ".repeat(50);
  assert.equal(refusedAt(`select ${many} temp.a from t`, "STATEMENT_REFUSED"), "temp");
  assert.equal(refusedAt(`select ${many} a from pragma_foo where temp`, "STATEMENT_REFUSED"), "pragma_foo");
  assert.equal(refusedAt(`select ${many} a from t -- temp\n, _holdfast_keys`, "STATEMENT_REFUSED"), "_holdfast_");
  const found = letIn(`insert or /* temp */ rollback into t select ${many} a, ?2 from temp /* temp */`);
  assert.deepEqual([found.mayRollback, found.parameters.count], [true, 2]);
});

test("of the pragma_ functions those of readable PRAGMAs are served, however they are written", () => {
  for (const name of readablePragmas) {
    assert.equal(letIn(`select * from pragma_${name}`).access, "read");
    assert.equal(letIn(`select * from "PRAGMA_${name.toUpperCase()}"('t')`).access, "read");
  }
  for (const written of [
    "pragma_journal_mode",
    "PRAGMA_Journal_Mode",
    '"pragma_journal_mode"',
    "[pragma_journal_mode]",
    "`pragma_journal_mode`",
    "'pragma_journal_mode'",
    "pragma_",
    "pragma_table_info2",
  ]) {
    assert.equal(refusedAt(`select * from ${written}`, "STATEMENT_REFUSED"), written);
    assert.equal(refusedAt(`select 1 from t, main . ${written} as x`, "STATEMENT_REFUSED"), written);
    assert.equal(refusedAt(`create view v as select * from ${written}`, "STATEMENT_REFUSED"), written);
  }
});

test("a text that only mentions a PRAGMA function is data", () => {
  assert.equal(letIn("insert into t values ('pragma_journal_mode is a function')").verb, "INSERT");
  assert.equal(letIn("select a_pragma_b, pragma from t").verb, "SELECT");
});

test("functions that load code or hand out addresses are refused as functions", () => {
  for (const call of [
    "load_extension('x')",
    "LOAD_EXTENSION ('x')",
    '"load_extension"/**/(1)',
    "[fts3_tokenizer]('a')",
  ])
    assert.equal(refusedAt(`select ${call}`, "STATEMENT_REFUSED"), call.replace(/(\/\*|\(| ).*$/, ""));
  assert.equal(refusedAt("create table u (a default (load_extension('x')))", "STATEMENT_REFUSED"), "load_extension");
  assert.equal(letIn("select load_extension, 'fts3_tokenizer(' from t").verb, "SELECT");
});
