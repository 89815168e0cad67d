/** What SQLite can hold, for the property tests: drawn with a love for the edges. */
import fc from "fast-check";
import type { BoundValue } from "../../src/protocol/index.js";

export const int64Max = 2n ** 63n - 1n;
export const int64Min = -(2n ** 63n);

const edges = [
  0n,
  1n,
  -1n,
  2n ** 53n - 1n,
  2n ** 53n,
  2n ** 53n + 1n,
  -(2n ** 53n) + 1n,
  -(2n ** 53n),
  int64Max,
  int64Min,
];
const powers = Array.from({ length: 64 }, (_, bit) => 2n ** BigInt(bit) - 1n).flatMap((power) => [power, -power - 1n]);

const reals = [
  0,
  -0,
  1,
  -1,
  0.5,
  1e300,
  -1e300,
  2 ** 53,
  5e-324,
  2.2250738585072014e-308,
  Number.MAX_VALUE,
  Infinity,
  -Infinity,
];

export const integer: fc.Arbitrary<bigint> = fc.oneof(
  fc.constantFrom(...edges, ...powers),
  fc.bigInt({ min: int64Min, max: int64Max }),
);

/** SQLite has no NaN: it makes NULL of it. */
export const real: fc.Arbitrary<number> = fc.oneof(fc.constantFrom(...reals), fc.double({ noNaN: true }));

/** Any code points, NUL and those beyond the first plane too; never half of a pair. */
export const text: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom("", "\0", "\u2028", '"\\', "\u007f", "\ufffd", "\u{10ffff}", "ä".repeat(40), "a".repeat(300)),
  fc.string({ unit: "binary" }),
  fc.string({ unit: "grapheme", maxLength: 60 }),
);

export const blob: fc.Arbitrary<Uint8Array> = fc.oneof(
  fc.constant(new Uint8Array(0)),
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
);

/** As better-sqlite3 binds and returns it: a bigint is INTEGER, a number is REAL. */
export const bound: fc.Arbitrary<BoundValue> = fc.oneof(fc.constant(null), integer, real, text, blob);

/** The value with its type of SQLite spelled out, so that 1n, 1 and "1", and 0 and -0, differ. */
export function spelled(value: unknown): string {
  switch (typeof value) {
    case "bigint":
      return `INTEGER ${value}`;
    case "number":
      return `REAL ${Object.is(value, -0) ? "-0" : value}`;
    case "string":
      return `TEXT ${JSON.stringify(value)}`;
    default:
      return value === null ? "NULL" : `BLOB ${Buffer.from(value as Uint8Array).toString("hex")}`;
  }
}
