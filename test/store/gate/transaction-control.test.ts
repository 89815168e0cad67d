import assert from "node:assert/strict";
import { test } from "node:test";
import type { Control } from "../../../src/store/gate/index.js";
import { letIn, refusalOf, refusedAt } from "./verdict.js";

function controlOf(sql: string): Control {
  const found = letIn(sql, { transactionControl: true });
  if (found.kind !== "transaction-control") assert.fail(`${sql} is ${found.kind}`);
  return found.control;
}

const begin = { action: "begin", mode: "deferred", readonly: false };

test("transaction control is read word by word", () => {
  const cases: [sql: string, control: unknown][] = [
    ["begin", begin],
    ["BEGIN/**/DEFERRED transaction", begin],
    ["begin immediate", { ...begin, mode: "immediate" }],
    ["begin exclusive transaction x", { ...begin, mode: "exclusive" }],
    ["begin transaction readonly", { ...begin, readonly: true }],
    // IMMEDIATE is the transaction's name here, as SQLite reads it.
    ["begin transaction immediate", begin],
    ["commit", { action: "commit" }],
    ["end transaction", { action: "commit" }],
    ["rollback", { action: "rollback" }],
    ["rollback transaction x", { action: "rollback" }],
    ["rollback to a", { action: "rollback-to", savepoint: "a" }],
    ["rollback transaction to savepoint 'a''b'", { action: "rollback-to", savepoint: "a'b" }],
    ["rollback transaction x to y", { action: "rollback-to", savepoint: "y" }],
    ['savepoint "a b"', { action: "savepoint", savepoint: "a b" }],
    ["savepoint [a[[b``]", { action: "savepoint", savepoint: "a[[b``" }],
    ["release a", { action: "release", savepoint: "a" }],
    ["release savepoint savepoint", { action: "release", savepoint: "savepoint" }],
  ];
  for (const [sql, control] of cases) assert.deepEqual(controlOf(sql), control, sql);
});

// rule 16
test("transaction control is refused where it was not allowed, by a code of its own", () => {
  for (const sql of ["begin", "commit", "end", "rollback", "savepoint a", "release a", "rollback to a"]) {
    assert.equal(refusedAt(`; ${sql} -- x`, "TRANSACTION_CONTROL"), sql);
    assert.match(refusalOf(sql).message, /only in a transaction that was begun; a batch and a script are one/);
  }
});

test("BEGIN asks for the writer unless it is deferred", () => {
  const access = (sql: string) => letIn(sql, { transactionControl: true }).access;
  assert.equal(access("begin"), "read");
  assert.equal(access("begin transaction readonly"), "read");
  assert.equal(access("begin immediate"), "write");
  assert.equal(access("begin exclusive"), "write");
});

test("transaction control with more words than it takes is refused", () => {
  const options = { transactionControl: true };
  assert.equal(refusedAt("begin concurrent", "STATEMENT_REFUSED", options), "concurrent");
  assert.equal(refusedAt("begin immediate deferred", "STATEMENT_REFUSED", options), "deferred");
  assert.equal(refusedAt("commit x", "STATEMENT_REFUSED", options), "x");
  assert.equal(refusedAt("release savepoint", "STATEMENT_REFUSED", options), "");
  assert.equal(refusedAt("savepoint 1", "STATEMENT_REFUSED", options), "1");
  assert.equal(refusedAt("rollback to savepoint", "STATEMENT_REFUSED", options), "");
});
