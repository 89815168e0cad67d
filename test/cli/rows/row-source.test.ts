import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Cell, plainText } from "../../../src/cli/cells.js";
import { csvLines } from "../../../src/cli/formats.js";
import { csvRows, jsonRows, numberOrText, type SourceRow } from "../../../src/cli/rows/row-source.js";
import { Real, type Value } from "../../../src/client/index.js";

async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const found: Item[] = [];
  for await (const item of items) found.push(item);
  return found;
}

/** In parts of so many characters. */
async function* parts(text: string, size = 3): AsyncGenerator<string> {
  for (let at = 0; at < text.length; at += size) yield text.slice(at, at + size);
}

async function csv(text: string, size?: number): Promise<SourceRow[]> {
  return all(csvRows(parts(text, size), numberOrText, () => {}));
}

test("CSV is read with quotes, line breaks in them, and either end of a line", async () => {
  for (const end of ["\n", "\r\n"]) {
    const text = ["a,b", '1,"x ""y"", z"', `2,"over`, `two"`, ",", '3,""', ""].join(end);
    const rows = await csv(text);
    assert.deepEqual(
      rows.map(({ values, line }) => [line, ...values]),
      [
        [2, 1n, 'x "y", z'],
        [3, 2n, `over${end}two`],
        [5, null, null],
        [6, 3n, ""],
      ],
    );
    assert.deepEqual(rows[0]?.columns, ["a", "b"]);
  }
});

test("an empty line is no row, unless there is one column, which then is NULL", async () => {
  assert.equal((await csv("a,b\n1,2\n\n3,4\n")).length, 2);
  assert.deepEqual(
    (await csv('a\n1\n\n""\n')).map(({ values }) => values[0]),
    [1n, null, ""],
  );
});

test("a field is a number only when SQLite would print the number in these very signs", () => {
  for (const [field, value] of [
    ["12", 12n],
    ["-9223372036854775808", -(2n ** 63n)],
    ["0", 0n],
    ["2.5", 2.5],
    ["-0.0", -0],
    ["1.0e+21", 1e21],
  ] as const) {
    const read = numberOrText(field);
    assert.deepEqual(read instanceof Real ? read.value : read, value, field);
  }
  for (const text of ["007", "+1", "1e5", "2.50", ".5", "1.", "9223372036854775808", "-0", "0x10", "", " 1", "Inf"])
    assert.equal(numberOrText(text), text);
  assert.equal(numberOrText(null), null);
});

test("what csv writes is what csv reads, signs and NULLs and all", async () => {
  const cell: fc.Arbitrary<Cell> = fc.oneof(
    fc.constant(null),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.string({ unit: fc.constantFrom("a", '"', ",", "\n", "\r", " ", "é", "\u2028", "1", ".") }),
  );
  const table = fc
    .integer({ min: 1, max: 4 })
    .chain((width) => fc.array(fc.array(cell, { minLength: width, maxLength: width }), { minLength: 1, maxLength: 6 }));
  await fc.assert(
    fc.asyncProperty(table, fc.integer({ min: 1, max: 7 }), async (rows, size) => {
      const columns = (rows[0] ?? []).map((_, i) => `c ${i}`);
      const text = csvLines({ columns, rows }, true)
        .map((line) => `${line}\n`)
        .join("");
      const read = await csv(text, size);
      const shown = (value: Value | undefined) =>
        value === null ? null : plainText(value instanceof Real ? value.value : (value as Cell));
      assert.deepEqual(
        read.map(({ values }) => values.map(shown)),
        rows.map((row) => row.map((one) => (one === null ? null : plainText(one)))),
      );
    }),
    { numRuns: 300 },
  );
});

test("what is wrong with CSV is told with its line", async () => {
  for (const [text, line, words] of [
    ["", 1, /it is empty/],
    ["a,b\n1,2\n\n1,2,3\n", 4, /3 fields where the first line names 2 columns/],
    ['a,b\n1,"x\ny"\n3,x"y\n', 4, /Quote/],
    ['a\n"never\nends\n', 2, /Quote/],
    ["a,A\n", 1, /two columns are named "A"/],
    ["a,,c\n", 1, /a column has no name/],
  ] as const)
    await assert.rejects(csv(text), (error: Error & { line: number }) => {
      assert.match(error.message, words);
      assert.equal(error.line, line, text);
      return true;
    });
});

test("lines of JSON are objects of one line each, which only a line feed ends", async () => {
  const text = '{"a":1,"b":"x\u2028y"}\r\n\n{"b":2}\n{"a":3,"b":4}';
  const rows = await all(jsonRows(parts(text)));
  assert.deepEqual(
    rows.map(({ columns, values, line }) => [line, columns, values]),
    [
      [1, ["a", "b"], [1n, "x\u2028y"]],
      [3, ["b"], [2n]],
      [4, ["a", "b"], [3n, 4n]],
    ],
  );
  assert.equal(rows[0]?.columns, rows[2]?.columns, "the same columns are one object");
  await assert.rejects(all(jsonRows(parts('{"a":1}\n\n[2]\n'))), { line: 3 });
});
