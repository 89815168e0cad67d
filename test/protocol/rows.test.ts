/** Rows have an encoder of their own because it is fast: here it must say the same as the slow way. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  type BoundValue,
  type Changes,
  decodeBody,
  type Encoding,
  encodeBody,
  encodeResults,
  encodeRows,
  noChanges,
  RowsEncoder,
  wireInteger,
  wireOfBound,
} from "../../src/protocol/index.js";
import { bound, integer, text } from "./values.js";

const encodings: Encoding[] = ["json", "msgpack"];

/** The same result, put together as plain data and encoded as that. */
function slowly(
  columns: readonly string[],
  rows: readonly BoundValue[][],
  changes: Changes,
  encoding: Encoding,
): Buffer {
  const { position, rowsAffected, lastInsertRowid } = changes;
  const result = {
    ...(position === undefined ? {} : { position }),
    columns,
    rows: rows.map((row) => row.map((cell) => wireOfBound(cell, encoding))),
    rowsAffected,
    lastInsertRowid: lastInsertRowid === null ? null : wireInteger(BigInt(lastInsertRowid), encoding),
  };
  return encodeBody(result, encoding);
}

const changes: fc.Arbitrary<Changes> = fc.oneof(
  fc.constant(noChanges),
  fc.record({ rowsAffected: fc.nat(), lastInsertRowid: fc.oneof(fc.constant(null), integer) }),
  fc.record({ rowsAffected: fc.nat(), lastInsertRowid: fc.constant(null), position: fc.nat() }),
);

for (const encoding of encodings) {
  test(`rows are encoded byte for byte as their values are (${encoding})`, () => {
    const table = fc.array(fc.array(bound, { minLength: 2, maxLength: 5 }), { maxLength: 20 });
    fc.assert(
      fc.property(fc.array(text, { maxLength: 5 }), table, changes, (columns, rows, changed) => {
        const fast = encodeRows(columns, rows, changed, encoding);
        assert.equal(fast.toString("latin1"), slowly(columns, rows, changed, encoding).toString("latin1"));
      }),
      { numRuns: 500 },
    );
  });

  test(`a result larger than one piece is put together in order (${encoding})`, () => {
    const rows = Array.from({ length: 5000 }, (_, index): BoundValue[] => [
      BigInt(index),
      `row ${index} ü`,
      index + 0.5,
    ]);
    const fast = encodeRows(["a", "b", "c"], rows, noChanges, encoding);
    assert.ok(fast.equals(slowly(["a", "b", "c"], rows, noChanges, encoding)));
  });

  test(`the count of bytes is near the truth and never beyond it (${encoding})`, () => {
    const encoder = new RowsEncoder(encoding);
    const frame = encodeRows([], [], noChanges, encoding).length;
    let counted = 0;
    for (let row = 0; row < 3000; row++) counted = encoder.add([BigInt(row), "é".repeat(20), null]);
    const truth = encoder.finish([]).length - frame;
    assert.ok(counted <= truth + 4, `${counted} counted, ${truth} true`);
    assert.ok(counted >= truth - 32 * 1024, `${counted} counted, ${truth} true`);
  });

  test(`results of several statements are one result (${encoding})`, () => {
    for (const count of [0, 1, 3, 20]) {
      const one = encodeRows(["a"], [[1n]], noChanges, encoding);
      const several = decodeBody(encodeResults(Array<Buffer>(count).fill(one), encoding), encoding);
      assert.deepEqual(several, { results: Array(count).fill(decodeBody(one, encoding)) });
    }
  });
}

test("what SQLite returns of a broken text is valid JSON in valid UTF-8", () => {
  // better-sqlite3 gives U+FFFD for bytes that are not UTF-8; half a pair could only come from elsewhere.
  const json = encodeRows(["\ud800"], [["\ud800", "\udfff\ud800", "\u0000\u001f\u2028"]], noChanges, "json");
  assert.deepEqual(JSON.parse(json.toString("utf8")).rows, [["\ud800", "\udfff\ud800", "\u0000\u001f\u2028"]]);
  assert.ok(!json.includes("\ufffd"));
});
