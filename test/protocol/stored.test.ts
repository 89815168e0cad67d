/** Stored results, asked for on a connection of the other kind. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  decodeBody,
  type Encoding,
  encodeBody,
  encodeResults,
  encodeRows,
  encodeSettled,
  errorOf,
  noChanges,
  transcode,
} from "../../src/protocol/index.js";
import { refuse, requestKey } from "../../src/terms/index.js";
import { bound } from "./values.js";

const pairs: [Encoding, Encoding][] = [
  ["json", "msgpack"],
  ["msgpack", "json"],
  ["json", "json"],
  ["msgpack", "msgpack"],
];

for (const [from, to] of pairs)
  test(`a result kept as ${from} is the same as if it had been made as ${to}`, () => {
    fc.assert(
      fc.property(fc.array(fc.array(bound, { minLength: 1, maxLength: 4 }), { maxLength: 5 }), (rows) => {
        const made = (encoding: Encoding) =>
          encodeResults([encodeRows(["a", "$int"], rows, noChanges, encoding)], encoding);
        assert.equal(transcode(made(from), from, to).toString("latin1"), made(to).toString("latin1"));
      }),
      { numRuns: 500 },
    );
  });

test("settled keys are answered with their results as the method would have answered them", () => {
  for (const encoding of ["json", "msgpack"] as const) {
    const result = encodeRows(["a"], [[1n, 2.5, "ü"]], noChanges, encoding);
    const { message, data } = errorOf(refuse("RETRY_TOO_OLD", "key 3 is forgotten"));
    const body = encodeSettled(
      [
        { key: requestKey(1), outcome: "applied", result, resultKept: true },
        { key: requestKey(2), outcome: "never", resultKept: false },
        { key: requestKey(3), outcome: "unknown", error: { message, data }, resultKept: false },
      ],
      encoding,
    );
    assert.deepEqual(decodeBody(body, encoding), {
      outcomes: [
        { key: 1, outcome: "applied", resultKept: true, result: decodeBody(result, encoding) },
        { key: 2, outcome: "never", resultKept: false },
        { key: 3, outcome: "unknown", error: { message, data }, resultKept: false },
      ],
    });
    assert.deepEqual(decodeBody(encodeBody({ outcomes: [] }, encoding), encoding), { outcomes: [] });
  }
});
