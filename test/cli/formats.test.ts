import assert from "node:assert/strict";
import { test } from "node:test";
import type { Cell } from "../../src/cli/cells.js";
import { csvLines, jsonLines, jsonObjects, jsonValue, rawBytes, tabLines, tableLines } from "../../src/cli/formats.js";

const plain = (text: string) => text;
const one = (...cells: Cell[]) => ({ columns: cells.map((_, i) => `c${i}`), rows: [cells] });

test("a table has a header, numbers stand right, text stands left", () => {
  const lines = tableLines(
    {
      columns: ["id", "name", "size"],
      rows: [
        [1n, "a", 2.5],
        [12n, "long name", null],
      ],
    },
    { header: true, widthMax: 0, paint: plain },
  );
  assert.deepEqual(lines, ["id  name       size", "──  ─────────  ────", " 1  a           2.5", "12  long name  NULL"]);
});

test("a table that is too wide is cut where it is widest, and shows the cut", () => {
  const wide = { columns: ["id", "text"], rows: [[1n, "x".repeat(100)]] };
  const lines = tableLines(wide, { header: true, widthMax: 30, paint: plain });
  assert.equal(lines[2], ` 1  ${"x".repeat(25)}…`);
  assert.ok(lines.every((line) => line.length <= 30));
});

test("a table shows control characters and does not obey them", () => {
  const lines = tableLines(one("a\nb\u001b[31m\u202e"), { header: false, widthMax: 0, paint: plain });
  assert.deepEqual(lines, ["a\\nb\\x1b[31m\\u202e"]);
});

test("columns stand below each other also with signs that are wide or have no width", () => {
  const lines = tableLines(
    {
      columns: ["a", "b"],
      rows: [
        ["日本", 1n],
        ["é", 2n],
        ["abcd", 3n],
      ],
    },
    { header: false, widthMax: 0, paint: plain },
  );
  assert.deepEqual(lines, ["日本  1", "é     2", "abcd  3"]);
});

test("between tabs a row stays a line whatever is in it", () => {
  assert.deepEqual(tabLines(one("a\tb", "c\nd", "e\\f", null, "", 1n, 2), false), ["a\\tb\tc\\nd\te\\\\f\t\t\t1\t2.0"]);
  assert.deepEqual(tabLines(one(1n), true), ["c0", "1"]);
});

test("CSV quotes what needs it, and tells the empty text from NULL", () => {
  assert.deepEqual(csvLines(one('say "hi"', "a,b", "x\ny", null, "", "plain"), false), [
    '"say ""hi""","a,b","x\ny",,"",plain',
  ]);
  assert.deepEqual(csvLines({ columns: ["a,b"], rows: [] }, true), ['"a,b"']);
});

test("JSON has integers as bare digits, never rounded, and REAL apart from them", () => {
  const rows = {
    columns: ["i", "r", "t", "n", "b", "inf"],
    rows: [[9223372036854775807n, 1, 'q"', null, new Uint8Array([1, 2]), -Infinity]],
  };
  const [line] = jsonObjects(rows);
  assert.equal(line, '{"i":9223372036854775807,"r":1.0,"t":"q\\"","n":null,"b":{"$blob":"AQI="},"inf":-9.0e+999}');
  assert.deepEqual(jsonLines(rows), [`[${line}]`]);
  assert.equal(JSON.parse(`[${line}]`).length, 1);
});

test("JSON of no rows is an empty array, of several a line each", () => {
  assert.deepEqual(jsonLines({ columns: ["a"], rows: [] }), ["[]"]);
  assert.deepEqual(jsonLines({ columns: ["a"], rows: [[1n], [2n], [3n]] }), ['[{"a":1},', ' {"a":2},', ' {"a":3}]']);
});

test("a second column of the same name is not lost in JSON", () => {
  assert.deepEqual(jsonObjects({ columns: ["a", "a", "a:1"], rows: [[1n, 2n, 3n]] }), ['{"a":1,"a:1":2,"a:1:1":3}']);
});

test("raw output is the bytes and nothing else", () => {
  assert.deepEqual(rawBytes({ columns: ["b"], rows: [[new Uint8Array([0, 10, 255])]] }), Buffer.from([0, 10, 255]));
  assert.equal(
    rawBytes({
      columns: ["a", "b"],
      rows: [
        ["x\ty", 1n],
        ["z", null],
      ],
    }).toString(),
    "x\ty\t1\nz\t",
  );
});

test("a REAL keeps its point and its digits", () => {
  const texts = [0.1, 1, -0, 1e21, 1.5e-7, Infinity].map((value) => tabLines(one(value), false)[0]);
  assert.deepEqual(texts, ["0.1", "1.0", "-0.0", "1.0e+21", "1.5e-7", "Inf"]);
});

test("objects of the command line have bigints as digits too", () => {
  assert.equal(jsonValue({ token: 9007199254740993n, text: "int0" }), '{"token":9007199254740993,"text":"int0"}');
});
