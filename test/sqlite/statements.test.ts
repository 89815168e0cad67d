/** Prepared statements by text. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { loadSqlite, StatementCache } from "../../src/sqlite/index.js";

function memory() {
  return new (loadSqlite())(":memory:");
}

test("a text is prepared once, and again when it has not been used for long", () => {
  const cache = new StatementCache(memory(), 2);
  const [one, two] = [cache.get("select 1"), cache.get("select 2")];
  assert.equal(cache.get("select 1"), one);
  cache.get("select 3");
  assert.equal(cache.get("select 1"), one);
  assert.notEqual(cache.get("select 2"), two);
});

test("a long text is not kept", () => {
  const cache = new StatementCache(memory(), 2, 10);
  const text = "select 1234567890";
  assert.notEqual(cache.get(text), cache.get(text));
});

test("rows are arrays and integers are exact", () => {
  assert.deepEqual(new StatementCache(memory()).get("select 9007199254740993 as a, 1.0 as a, null").get(), [
    9007199254740993n,
    1,
    null,
  ]);
});

test("a statement without columns is taken as well", () => {
  const database = memory();
  const cache = new StatementCache(database);
  cache.get("create table t (a)").run();
  assert.equal(cache.get("insert into t values (?)").run([1n]).lastInsertRowid, 1n);
});
