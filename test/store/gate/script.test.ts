import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  inspectStatement,
  outlineOf,
  type Script,
  type ScriptOptions,
  statementsOf,
} from "../../../src/store/gate/index.js";
import { isRefusal } from "../../../src/terms/index.js";
import { sqlLike } from "./sql-like.js";

function script(sql: string, options?: ScriptOptions): Script {
  const found = statementsOf(sql, options);
  if (isRefusal(found)) assert.fail(found.message);
  return found;
}

function refusedAt(sql: string, options?: ScriptOptions): [code: string, text: string, position: number] {
  const found = statementsOf(sql, options);
  if (!isRefusal(found)) assert.fail(`${sql} was let in`);
  const { position, length } = found.details;
  return [found.refused, sql.slice(position, position + length), position];
}

test("a script has so many statements at most, and the first that is too many is named", () => {
  const sql = "select 1;; select 2; create trigger x after insert on t begin select 1; select 2; end; drop table t";
  assert.equal(script(sql, { statementsMax: 4 }).statements.length, 4);
  assert.deepEqual(refusedAt(sql, { statementsMax: 3 }), ["SQL_TOO_LONG", "drop", sql.indexOf("drop")]);
  const outline = outlineOf(sql, undefined, 3);
  assert.ok(isRefusal(outline) && outline.refused === "SQL_TOO_LONG");
});

test("a script is the list of its statements, with their places in the whole text", () => {
  const sql = "-- setup\ncreate table t (a);\n insert into t values (1);; select * from t";
  const { statements, access, schemaChange, transactionControl, mayRollback } = script(sql);
  assert.deepEqual(
    statements.map(({ verb, text }) => [verb, text]),
    [
      ["CREATE", "create table t (a)"],
      ["INSERT", "insert into t values (1)"],
      ["SELECT", "select * from t"],
    ],
  );
  for (const { start, end, text } of statements) assert.equal(sql.slice(start, end), text);
  assert.deepEqual(
    { access, schemaChange, transactionControl, mayRollback },
    {
      access: "write",
      schemaChange: true,
      transactionControl: false,
      mayRollback: false,
    },
  );
});

test("a script is as its most demanding statement", () => {
  assert.equal(script("select 1; select 2").access, "read");
  assert.equal(script("select 1; delete from t").access, "write");
  assert.equal(script("select 1; delete from t").schemaChange, false);
  assert.equal(script("insert or rollback into t values (1); select 1").mayRollback, true);
  assert.deepEqual(script(" -- nothing").statements, []);
});

test("the first refusal counts, and names its place in the whole text", () => {
  assert.deepEqual(refusedAt("select 1; select 2; attach 'x' as y; vacuum"), ["STATEMENT_REFUSED", "attach", 20]);
  assert.deepEqual(refusedAt("select 1; select * from temp.x; vacuum"), ["STATEMENT_REFUSED", "temp", 24]);
  assert.deepEqual(refusedAt("select 1; select 'x"), ["SQL_INVALID_TEXT", "'x", 17]);
  assert.deepEqual(refusedAt("select 1", { sqlBytesMax: 7 })[0], "SQL_TOO_LONG");
});

test("a script takes no values, so its parameters are refused and not NULL", () => {
  assert.deepEqual(refusedAt("select 1; insert into t values (1, :a)"), ["PARAMETER_MISSING", ":a", 35]);
});

test("a script that is to be atomic has no transaction control of its own", () => {
  const sql = "begin; insert into t values (1); commit";
  assert.deepEqual(refusedAt(sql), ["TRANSACTION_CONTROL", "begin", 0]);
  assert.deepEqual(refusedAt("select 1; commit", { inTransaction: true }), ["TRANSACTION_CONTROL", "commit", 10]);
  assert.equal(script(sql, { transactionControl: true }).transactionControl, true);
});

test("what a script says of its own transactions counts for the PRAGMAs in it", () => {
  const options = { transactionControl: true, allowForeignKeysSetting: true };
  const dump = "PRAGMA foreign_keys=OFF; BEGIN TRANSACTION; CREATE TABLE t (a); COMMIT; PRAGMA foreign_keys=ON;";
  assert.equal(script(dump, options).statements.length, 5);
  assert.equal(script("begin; pragma defer_foreign_keys = on; commit", options).statements.length, 3);
  assert.equal(refusedAt("begin; pragma foreign_keys = on; commit", options)[1], "pragma foreign_keys = on");
  assert.equal(
    refusedAt("begin; commit; pragma defer_foreign_keys = on", options)[1],
    "pragma defer_foreign_keys = on",
  );
  assert.equal(script("pragma defer_foreign_keys = on", { inTransaction: true }).statements.length, 1);
});

test("a trigger in a script is one statement", () => {
  const { statements } = script("create trigger x after insert on t begin delete from t; select 1; end; select 2");
  assert.deepEqual(
    statements.map(({ verb }) => verb),
    ["CREATE", "SELECT"],
  );
});

test("a script of one statement is judged as the statement alone, and no text makes either throw", () => {
  fc.assert(
    fc.property(sqlLike, (sql) => {
      const alone = inspectStatement(sql);
      const all = statementsOf(sql);
      if (isRefusal(alone)) {
        if (alone.refused === "SQL_EMPTY") assert.ok(!isRefusal(all) && all.statements.length === 0);
        else if (alone.refused !== "SQL_MANY") assert.deepEqual(all, alone);
      } else if (alone.parameters.count === 0) assert.deepEqual(isRefusal(all) ? all : all.statements, [alone]);
      else assert.ok(isRefusal(all) && all.refused === "PARAMETER_MISSING");
    }),
    { numRuns: 2000 },
  );
});
