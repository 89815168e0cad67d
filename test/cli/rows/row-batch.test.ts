import assert from "node:assert/strict";
import { test } from "node:test";
import { batchesOf, insertsOf, insertsOneByOne, tableFor } from "../../../src/cli/rows/row-batch.js";
import type { SourceRow } from "../../../src/cli/rows/row-source.js";

async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const found: Item[] = [];
  for await (const item of items) found.push(item);
  return found;
}

const ab = ["a", "b c"];
const row = (columns: readonly string[], ...values: SourceRow["values"]): SourceRow => ({ columns, values, line: 1 });

async function* rowsOf(count: number, value: string): AsyncGenerator<SourceRow> {
  for (let i = 0; i < count; i++) yield row(["a"], value);
}

test("a batch is 500 rows, or fewer when they are large, and a row that is too large alone is alone", async () => {
  const sizes = async (count: number, value: string) =>
    (await all(batchesOf(rowsOf(count, value)))).map((batch) => batch.length);
  assert.deepEqual(await sizes(1201, "x"), [500, 500, 201]);
  assert.deepEqual(await sizes(5, "x".repeat(200_000)), [2, 2, 1]);
  assert.deepEqual(await sizes(2, "x".repeat(2_000_000)), [1, 1]);
  assert.deepEqual(await sizes(0, "x"), []);
});

test("neighbours with the same columns share a statement, of no more values than SQLite takes", () => {
  const b = ["b c"];
  assert.deepEqual(insertsOf("order", [row(ab, 1, 2), row(ab, 3, 4), row(b, 5), row(ab, 6, 7)]), [
    { sql: 'insert into "order"(a,"b c") values (?,?),(?,?)', args: [1, 2, 3, 4] },
    { sql: 'insert into "order"("b c") values (?)', args: [5] },
    { sql: 'insert into "order"(a,"b c") values (?,?)', args: [6, 7] },
  ]);
  const wide = Array.from({ length: 200 }, (_, i) => `c${i}`);
  const many = insertsOf(
    "t",
    Array.from({ length: 400 }, () => row(wide, ...wide)),
  );
  assert.deepEqual(
    many.map(({ args }) => args.length),
    [163 * 200, 163 * 200, 74 * 200],
  );
});

test("rows without any member take what is usual in every column", () => {
  const none: string[] = [];
  assert.deepEqual(insertsOf("t", [row(none), row(none)]), [
    { sql: "insert into t default values", args: [] },
    { sql: "insert into t default values", args: [] },
  ]);
});

test("one by one each row has a statement, and a new table has columns without types", () => {
  assert.equal(insertsOneByOne("t", [row(ab, 1, 2), row(ab, 3, 4)]).length, 2);
  assert.equal(tableFor("t", ["a", "b c", "select"]).sql, 'create table t(a, "b c", "select")');
});
