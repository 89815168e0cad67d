import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Cell } from "../../../src/cli/cells.js";
import { exactJson, jsonMembers } from "../../../src/cli/rows/exact-json.js";
import { Real } from "../../../src/client/index.js";

const cells: fc.Arbitrary<Cell> = fc.oneof(
  fc.constant(null),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.double({ noNaN: true }),
  fc.string({ unit: "binary" }),
  fc.uint8Array({ maxLength: 20 }),
);

/** What is bound, as what would be read back. */
function cellOf(value: unknown): unknown {
  return value instanceof Real ? value.value : value;
}

test("a row that was written as a line is read as the same row", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), cells, { minKeys: 0, maxKeys: 6 }), (row) => {
      const line = `{${Object.entries(row)
        .map(([name, cell]) => `${JSON.stringify(name)}:${exactJson(cell)}`)
        .join(",")}}`;
      const read = jsonMembers(line);
      assert.deepEqual([...read.keys()], Object.keys(row));
      for (const [name, cell] of Object.entries(row)) {
        const value = read.get(name);
        assert.deepEqual(cellOf(value), cell);
        assert.equal(value instanceof Real, typeof cell === "number", `${name}: ${exactJson(cell)}`);
      }
    }),
    { numRuns: 500 },
  );
});

test("what JSON has no word for is marked as in the protocol", () => {
  assert.equal(exactJson(9007199254740991n), "9007199254740991");
  assert.equal(exactJson(9007199254740993n), '{"$int":"9007199254740993"}');
  assert.equal(exactJson(1), '{"$real":"1"}');
  assert.equal(exactJson(-0), '{"$real":"-0"}');
  assert.equal(exactJson(-Infinity), '{"$real":"-Infinity"}');
  assert.equal(exactJson(2.5), "2.5");
  assert.equal(exactJson(Uint8Array.of(0, 255)), '{"$blob":"AP8="}');
});

test("what others write is read without loss", () => {
  const members = jsonMembers(
    ' { "a" : 12345678901234567890123 , "b":1.0,"c":true,"d":[1, {"x":"]"}],"e":{"k":[1,2]},"f":{"$blob":1},"g":"\\u2028}","h":1e3}'.replace(
      "12345678901234567890123",
      "9223372036854775807",
    ),
  );
  assert.deepEqual(
    [...members].map(([name, value]) => [name, cellOf(value)]),
    [
      ["a", 9223372036854775807n],
      ["b", 1],
      ["c", 1n],
      ["d", '[1, {"x":"]"}]'],
      ["e", '{"k":[1,2]}'],
      ["f", '{"$blob":1}'],
      ["g", "\u2028}"],
      ["h", 1000],
    ],
  );
  assert.ok(members.get("b") instanceof Real && members.get("h") instanceof Real);
});

test("what cannot be stored as it is written is refused with its place", () => {
  for (const [line, words] of [
    ["[1]", /a JSON object is wanted/],
    ['{"a":1', /this is not JSON/],
    ['{"a":9223372036854775808}', /"a": 9223372036854775808 does not fit the 64 bits/],
    ['{"a":1e999}', /"a": 1e999 is too large for a REAL/],
    ['{"a":{"$int":"x"}}', /holds no whole number/],
    ['{"a":{"$real":"x"}}', /holds no number/],
    ['{"a":{"$blob":"*"}}', /holds no base64/],
  ] as const)
    assert.throws(() => jsonMembers(line), words, line);
});

test("texts and blobs of any size that a row may have are read", () => {
  const text = `${'"\\'.repeat(2 ** 20)}${"x".repeat(8 * 2 ** 20)}`;
  const blob = new Uint8Array(8 * 2 ** 20).fill(7);
  const line = `{"a":${exactJson(text)},"b":${exactJson(blob)},"c":1}`;
  const read = jsonMembers(line);
  assert.ok(read.get("a") === text);
  assert.ok(Buffer.compare(read.get("b") as Uint8Array, blob) === 0);
  assert.equal(read.get("c"), 1n);
});
