import assert from "node:assert/strict";
import { test } from "node:test";
import { letIn, refusalOf, refusedAt } from "./verdict.js";

test("the verb says whether a statement reads or writes", () => {
  const verbs: [sql: string, verb: string, access: string][] = [
    ["select 1", "SELECT", "read"],
    ["values (1), (2)", "VALUES", "read"],
    ["insert into t values (1)", "INSERT", "write"],
    ["replace into t values (1)", "REPLACE", "write"],
    ["update t set a = 1", "UPDATE", "write"],
    ["delete from t", "DELETE", "write"],
    ["create table t (a)", "CREATE", "write"],
    ["drop table t", "DROP", "write"],
    ["alter table t rename to u", "ALTER", "write"],
    ["analyze", "ANALYZE", "write"],
    ["analyze main.t", "ANALYZE", "write"],
    ["reindex t", "REINDEX", "write"],
    ["pragma user_version", "PRAGMA", "read"],
    ["pragma user_version = 3", "PRAGMA", "write"],
  ];
  for (const [sql, verb, access] of verbs)
    for (const written of [sql, sql.toUpperCase(), `/* a */ -- b\n\ufeff;${sql};`]) {
      const found = letIn(written);
      assert.deepEqual([found.kind, found.verb, found.access], ["statement", verb, access], written);
    }
});

test("everything that is not served is refused at its first word, and the message says what is served", () => {
  for (const word of ["ATTACH", "detach", "Vacuum", "selct", "grant", "LOAD", "ſelect", "\u212aill", "if"]) {
    const sql = `-- first\n ${word} 'file' AS x`;
    assert.equal(refusedAt(sql, "STATEMENT_REFUSED"), word);
    assert.match(refusalOf(sql).message, /SELECT.*PRAGMA/);
  }
  assert.equal(refusedAt("VACUUM INTO '/tmp/copy'", "STATEMENT_REFUSED"), "VACUUM");
  assert.equal(refusedAt("(select 1)", "STATEMENT_REFUSED"), "(");
  assert.equal(refusedAt('"select" 1', "STATEMENT_REFUSED"), '"select"');
  assert.equal(refusedAt("?", "STATEMENT_REFUSED"), "?");
});

test("EXPLAIN reads, whatever it explains", () => {
  for (const prefix of ["explain", "EXPLAIN QUERY PLAN", "explain /* a */ query -- b\n plan"])
    for (const inner of [
      "select 1",
      "values (1)",
      "insert into t values (1) returning a",
      "replace into t values (1)",
      "update or rollback t set a = 1",
      "delete from t",
      "with x as (select 1) delete from t",
    ]) {
      const { verb, access, alone, returnsRows, mayRollback } = letIn(`${prefix} ${inner}`);
      assert.deepEqual([verb, access, alone, returnsRows, mayRollback], ["EXPLAIN", "read", false, true, false]);
    }
});

test("EXPLAIN of anything else is refused: a PRAGMA would act while it is prepared", () => {
  assert.equal(refusedAt("EXPLAIN PRAGMA cache_size=7", "STATEMENT_REFUSED"), "PRAGMA");
  assert.equal(refusedAt("explain query plan pragma user_version", "STATEMENT_REFUSED"), "pragma");
  assert.equal(refusedAt("explain/**/attach 'x' as y", "STATEMENT_REFUSED"), "attach");
  assert.equal(refusedAt("explain explain select 1", "STATEMENT_REFUSED"), "explain");
  assert.equal(refusedAt("explain create table t (a)", "STATEMENT_REFUSED"), "create");
  assert.equal(refusedAt("explain vacuum", "STATEMENT_REFUSED"), "vacuum");
  assert.equal(refusedAt("explain begin", "STATEMENT_REFUSED"), "begin");
  assert.equal(refusedAt("explain query select 1", "STATEMENT_REFUSED"), "query");
  assert.equal(refusedAt("explain ", "STATEMENT_REFUSED"), "");
  assert.equal(refusedAt("explain 'select' 1", "STATEMENT_REFUSED"), "'select'");
});

test("RETURNING makes a change answer with rows", () => {
  assert.equal(letIn("insert into t values (1) returning a").returnsRows, true);
  assert.equal(letIn("update t set a = 'returning'").returnsRows, false);
  assert.equal(letIn('update t set "returning" = 1').returnsRows, false);
  assert.equal(letIn("select 1").returnsRows, true);
});

// rule 3
test("a text that may roll the transaction back says so", () => {
  for (const sql of [
    "insert or rollback into t values (1)",
    "UPDATE OR/**/ROLLBACK t SET a = 1",
    "create table u (a unique on conflict rollback)",
    "create trigger x before insert on t begin select raise(rollback, 'no'); end",
    "create trigger x before insert on t begin select raise -- a\n ( rollback, 'no'); end",
  ])
    assert.equal(letIn(sql).mayRollback, true, sql);
  for (const sql of [
    "select 'or rollback'",
    "insert or fail into t values (1)",
    'select "rollback" from t -- or rollback',
  ])
    assert.equal(letIn(sql).mayRollback, false, sql);
});

// rule 7
test("what changes the schema or sets a PRAGMA has a transaction of its own", () => {
  const traits = (sql: string) => {
    const { alone, schemaChange } = letIn(sql);
    return { alone, schemaChange };
  };
  for (const sql of ["create table u (a)", "drop view v", "alter table t add b", "analyze t"])
    assert.deepEqual(traits(sql), { alone: true, schemaChange: true }, sql);
  assert.deepEqual(traits("pragma user_version = 1"), { alone: true, schemaChange: false });
  for (const sql of ["insert into t values (1)", "reindex", "select 1", "pragma table_info(t)"])
    assert.deepEqual(traits(sql), { alone: false, schemaChange: false }, sql);
});

test("ANALYZE temp would make tables in the schema temp and is refused", () => {
  for (const name of ["temp", "TEMP", '"temp"', "[Temp]", "'temp'"])
    assert.equal(refusedAt(`analyze ${name}`, "STATEMENT_REFUSED"), name);
  assert.equal(refusedAt("analyze temp.t", "STATEMENT_REFUSED"), "temp");
  assert.equal(letIn("analyze temperature").verb, "ANALYZE");
});
