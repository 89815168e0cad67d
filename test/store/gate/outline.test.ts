import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Admitted, outlineOf, statementsOf } from "../../../src/store/gate/index.js";
import { isRefusal } from "../../../src/terms/index.js";
import { sqlLike } from "./sql-like.js";

function outline(sql: string): readonly Admitted[] {
  const found = outlineOf(sql);
  if (isRefusal(found)) assert.fail(found.message);
  return found;
}

test("all statements are named, with their places, whatever place they are meant for", () => {
  const sql = "-- one\nbegin; pragma foreign_keys = off;\n insert into t values (?, :a);; commit";
  const found = outline(sql);
  assert.deepEqual(
    found.map(({ verb, access, kind }) => [verb, access, kind]),
    [
      ["BEGIN", "read", "transaction-control"],
      ["PRAGMA", "read", "session-setting"],
      ["INSERT", "write", "statement"],
      ["COMMIT", "read", "transaction-control"],
    ],
  );
  for (const { start, end, text } of found) assert.equal(sql.slice(start, end), text);
});

test("a text without statements has none", () => {
  assert.deepEqual(outline(" ; -- nothing\n;"), []);
});

test("what nobody may send is refused, with its place in the text and the statement that it is", () => {
  const sql = "select 1; attach 'x' as y";
  const found = outlineOf(sql);
  assert.ok(isRefusal(found));
  assert.deepEqual([found.refused, found.details], ["STATEMENT_REFUSED", { position: 10, length: 6, statement: 1 }]);
  assert.ok(isRefusal(outlineOf("select 1", 4)), "a text that is too long");
});

test("whatever a script may say is in its outline, word for word the same", () => {
  fc.assert(
    fc.property(sqlLike, (sql) => {
      const script = statementsOf(sql, { inTransaction: true, transactionControl: true });
      if (!isRefusal(script)) assert.deepEqual(outlineOf(sql), script.statements);
    }),
  );
});
