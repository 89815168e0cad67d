/** The promise of the wire: a value comes back as the type and the bits that it left with, in both encodings. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import fc from "fast-check";
import {
  type BoundValue,
  boundArgs,
  boundNamed,
  boundValue,
  decodeBody,
  type Encoding,
  encodeBody,
  Real,
  resultValue,
  type SqlValue,
  wireArgs,
  wireNamed,
  wireOfBound,
  wireValue,
} from "../../src/protocol/index.js";
import { HoldfastError, isRefusal } from "../../src/terms/index.js";
import { bound, int64Max, int64Min, spelled } from "./values.js";

const encodings: Encoding[] = ["json", "msgpack"];
const large = Number.MAX_SAFE_INTEGER;

/** What the library gives to say exactly this value. */
function given(value: BoundValue): SqlValue {
  return typeof value === "number" ? new Real(value) : value;
}

function there(value: SqlValue, encoding: Encoding): unknown {
  const wire = wireValue(value, encoding);
  assert.ok(!isRefusal(wire), inspect(wire));
  return decodeBody(encodeBody(wire, encoding), encoding);
}

for (const encoding of encodings) {
  test(`a value that a program gives is bound with its type and bits (${encoding})`, () => {
    fc.assert(
      fc.property(bound, (value) => {
        const arrived = boundValue(there(given(value), encoding), large);
        assert.equal(spelled(arrived), spelled(value));
      }),
      { numRuns: 2000 },
    );
  });

  test(`a value that SQLite returns arrives with its type and bits (${encoding})`, () => {
    fc.assert(
      fc.property(bound, (value) => {
        const wire = decodeBody(encodeBody(wireOfBound(value, encoding), encoding), encoding);
        assert.equal(spelled(boundValue(wire, large)), spelled(value));
        const result = resultValue(wire, "bigint");
        assert.equal(spelled(result), spelled(value));
      }),
      { numRuns: 2000 },
    );
  });
}

test("a number without a fraction is an INTEGER, one with a fraction is a REAL", () => {
  const types: [SqlValue, string][] = [
    [1, "INTEGER 1"],
    [-0, "INTEGER 0"],
    [2 ** 53 - 1, "INTEGER 9007199254740991"],
    [1.5, "REAL 1.5"],
    [Infinity, "REAL Infinity"],
    [-Infinity, "REAL -Infinity"],
    [new Real(1), "REAL 1"],
    [new Real(-0), "REAL -0"],
    [new Real(1e300), "REAL 1e+300"],
    [1n, "INTEGER 1"],
    [int64Min, "INTEGER -9223372036854775808"],
  ];
  for (const encoding of encodings)
    for (const [value, type] of types) assert.equal(spelled(boundValue(there(value, encoding), large)), type);
});

test("a mark is read in both encodings, whoever sends it", () => {
  const marks: [unknown, string][] = [
    [{ $int: "5" }, "INTEGER 5"],
    [{ $int: "-9223372036854775808" }, "INTEGER -9223372036854775808"],
    [{ $real: "1" }, "REAL 1"],
    [{ $real: "1e300" }, "REAL 1e+300"],
    [{ $real: "-0" }, "REAL -0"],
    [{ $real: "0.1" }, "REAL 0.1"],
    [{ $blob: "" }, "BLOB "],
    [{ $blob: "AP8" }, "BLOB 00ff"],
    [{ $blob: "AP8=" }, "BLOB 00ff"],
  ];
  for (const encoding of encodings)
    for (const [mark, type] of marks)
      assert.equal(spelled(boundValue(decodeBody(encodeBody(mark, encoding), encoding), large)), type);
});

test("what SQLite cannot hold is refused, and the refusal says which value it is", () => {
  const wrong: unknown[] = [
    ...[true, false, [], {}, [1], { $int: 5 }, { $int: "1", more: 1 }, { $date: "x" }, { refused: "x" }],
    ...[2 ** 53, -(2 ** 53), 1e300, Infinity, -Infinity, Number.NaN],
    ...[
      { $int: "" },
      { $int: "1.0" },
      { $int: "+1" },
      { $int: "9223372036854775808" },
      { $int: " 1" },
      { $int: "0x1" },
    ],
    ...[{ $real: "NaN" }, { $real: "" }, { $real: "1e400" }, { $real: ".5" }, { $real: "Inf" }, { $real: "1n" }],
    ...[
      { $blob: "A" },
      { $blob: "A===" },
      { $blob: "AA-_" },
      { $blob: "AA AA" },
      { $blob: "AAAA=AAA" },
      { $blob: "ä" },
    ],
    ...["\ud800", "a\udc00b", 2n ** 63n, -(2n ** 63n) - 1n, undefined, Symbol("s"), () => 1],
  ];
  for (const value of wrong) {
    const refusal = boundArgs(["fine", value], large);
    assert.ok(isRefusal(refusal), inspect(value));
    assert.equal(refusal.refused, "PARAMETER_INVALID");
    assert.match(refusal.message, /^value 2 (?:is|has) /);
    assert.equal(refusal.details?.["parameter"], 2);
  }
});

test("a refusal of a named value names it", () => {
  const refusal = boundNamed(JSON.parse('{"a": 1, "__proto__": true}'), large);
  assert.ok(isRefusal(refusal));
  assert.match(refusal.message, /^the value of "__proto__" is a boolean/);
});

test("a named parameter may have any name and touches no prototype", () => {
  const named = boundNamed(JSON.parse('{"__proto__": 1, "constructor": "x", "toString": null}'), large);
  assert.ok(!isRefusal(named));
  assert.deepEqual(
    [...named],
    [
      ["__proto__", 1n],
      ["constructor", "x"],
      ["toString", null],
    ],
  );
  const wired = wireNamed(JSON.parse('{"__proto__": 1}'), "json");
  assert.equal(JSON.stringify(wired), '{"__proto__":1}');
});

test("a text is measured in UTF-8, and a value over the limit is refused", () => {
  assert.equal(boundValue("ä".repeat(50), 100), "ä".repeat(50));
  for (const value of ["ä".repeat(51), "a".repeat(101), new Uint8Array(101), { $blob: "A".repeat(136) }]) {
    const refusal = boundValue(value, 100);
    assert.ok(isRefusal(refusal));
    assert.equal(refusal.refused, "VALUE_TOO_LARGE");
    assert.equal(refusal.details?.["bytesMax"], 100);
  }
});

test("the library refuses before it sends, in the words of the program", () => {
  const wrong: [unknown, RegExp][] = [
    [true, /boolean.*1 or 0/],
    [undefined, /undefined.*null/],
    [Number.NaN, /NaN.*null/],
    [2 ** 53, /bigint, or real/],
    [2n ** 63n, /64 bits/],
    ["\ud800", /surrogate/],
    [new Date(0), /type object/],
    [{ $int: "1" }, /type object/],
  ];
  for (const [value, words] of wrong) {
    const refusal = wireArgs([value as SqlValue], "json");
    assert.ok(isRefusal(refusal), String(value));
    assert.equal(refusal.refused, "PARAMETER_INVALID");
    assert.match(refusal.message, words);
    assert.match(refusal.message, /^value 1 /);
  }
});

test("integers are returned as the program wants them", () => {
  const wide = { $int: "9007199254740993" };
  assert.equal(resultValue(5, "auto"), 5);
  assert.equal(resultValue(5, "bigint"), 5n);
  assert.equal(resultValue(5, "number"), 5);
  assert.equal(resultValue(1.5, "bigint"), 1.5);
  assert.equal(resultValue({ $real: "1" }, "bigint"), 1);
  assert.equal(resultValue(wide, "auto"), 9007199254740993n);
  assert.equal(resultValue(wide, "bigint"), 9007199254740993n);
  assert.equal(resultValue(int64Max, "auto"), int64Max);
  assert.throws(
    () => resultValue(wide, "number"),
    (error) => error instanceof HoldfastError && error.code === "MISUSE" && error.message.includes("9007199254740993"),
  );
});

test("a value that no broker sends is noticed by the library", () => {
  for (const wire of [true, [1], { $int: "x" }, {}, undefined])
    assert.throws(() => resultValue(wire, "auto"), { code: "INTERNAL" });
});

test("a list that stands for a value, as large as a frame may be, is not gone through", () => {
  const watched = new Proxy([1, 2, 3], { ownKeys: () => assert.fail("its elements were counted") });
  assert.ok(isRefusal(boundValue(watched, large)));
});
