/** MessagePack against the package @msgpack/msgpack as the second opinion, and against strangers' bytes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { Decoder, Encoder } from "@msgpack/msgpack";
import fc from "fast-check";
import { depthMax, nodesMax } from "../../src/protocol/index.js";
import { parseMsgpack } from "../../src/protocol/msgpack-reader.js";
import { MsgpackWriter } from "../../src/protocol/msgpack-writer.js";
import { blob, integer, text } from "./values.js";

const encoder = new Encoder({ useBigInt64: true, sortKeys: false });
const decoder = new Decoder({ useBigInt64: true });

const safe = fc.integer({ min: -(2 ** 33), max: 2 ** 33 }).map((value) => value + 0);
const leaf = fc.oneof(fc.constant(null), fc.boolean(), safe, fc.maxSafeInteger(), fc.double(), integer, text, blob);
const name = fc.oneof(text, fc.constantFrom("__proto__", "constructor", "id", "args", "$int"));
const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4 },
    leaf,
    fc.array(tie("tree"), { maxLength: 6 }),
    fc.dictionary(name, tie("tree"), { maxKeys: 6 }),
  ),
}));

function written(value: unknown): Buffer {
  const writer = new MsgpackWriter(16);
  writer.value(value);
  return writer.take();
}

function read(bytes: Uint8Array): unknown {
  const content = parseMsgpack(Buffer.from(bytes), "client");
  assert.ok("value" in content, inspect(content));
  return content.value;
}

/** The package gives a bigint for every integer of 64 bits, and numbers and Uint8Arrays where we give Buffers. */
function plain(value: unknown): unknown {
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "number") return Number.isInteger(value) ? `${value + 0}n` : value;
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === "object" && value !== null)
    return Object.entries(value).map(([field, inner]) => [field, plain(inner)]);
  return value;
}

test("what is written is read again", () => {
  fc.assert(
    fc.property(tree, (value) => {
      assert.deepEqual(plain(read(written(value))), plain(value));
    }),
    { numRuns: 1000 },
  );
});

test("another implementation reads what is written", () => {
  fc.assert(
    fc.property(tree, (value) => {
      fc.pre(!JSON.stringify(value, (_, inner) => (typeof inner === "bigint" ? "" : inner)).includes('"__proto__":'));
      assert.deepEqual(plain(decoder.decode(written(value))), plain(value));
    }),
    { numRuns: 1000 },
  );
});

test("what another implementation writes is read", () => {
  fc.assert(
    fc.property(tree, (value) => {
      assert.deepEqual(plain(read(encoder.encode(value))), plain(value));
    }),
    { numRuns: 1000 },
  );
});

/** The length of a text, bytes or list, the number of a map's keys. */
function sizes(values: readonly unknown[]): number[] {
  return values.map((value) => (value as { length?: number }).length ?? Object.keys(value as object).length);
}

test("every length of text, bytes, list and map has its head", () => {
  for (const count of [0, 1, 15, 16, 31, 32, 255, 256, 65_535, 65_536]) {
    const values = [
      "a".repeat(count),
      "ü".repeat(Math.floor(count / 2)),
      Buffer.alloc(count, 7),
      Array(count).fill(0),
      Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, index])),
    ];
    for (const bytes of values.map(written)) assert.ok(written(read(bytes)).equals(bytes));
    assert.deepEqual(sizes(values.map((value) => decoder.decode(written(value)))), sizes(values));
  }
});

/** The bytes after a map of one field `id: 7`, so that it is seen whether the request is known. */
function broken(hex: string): [message: string, code: string | undefined, id: unknown] {
  const content = parseMsgpack(Buffer.from(hex.replaceAll(" ", ""), "hex"), "client");
  return "refusal" in content
    ? [content.refusal.message, content.refusal.refused, content.id]
    : ["taken", undefined, undefined];
}

test("frames that are cut short, go on after their end or are not plain data cannot be parsed", () => {
  const frames: [hex: string, words: RegExp][] = [
    ["", /ends too early/],
    ["82 a1 61 01", /ends too early/],
    ["c4 05 00", /ends too early/],
    ["d9", /ends too early/],
    ["d9 05 61", /ends too early/],
    ["cf 00 00", /ends too early/],
    ["92 01", /ends too early/],
    ["dd ff ff ff ff", /ends too early/],
    ["df ff ff ff ff 00", /ends too early/],
    ["db ff ff ff ff 00", /ends too early/],
    ["01 01", /follows the end/],
    ["c1", /no meaning/],
    ["d6 ff 00 00 00 00", /extension types/],
    ["c7 00 01", /extension types/],
    ["d7 ff 00 00 00 00 00 00 00 00", /extension types/],
    ["81 01 02", /key that is not text/],
    ["81 c0 02", /key that is not text/],
    ["81 c4 01 61 02", /key that is not text/],
    ["82 a1 61 01 a1 61 02", /one key twice/],
    ["82 a2 69 64 01 a2 69 64 02", /one key twice/],
    ["82 a9 5f 5f 70 72 6f 74 6f 5f 5f 01 a9 5f 5f 70 72 6f 74 6f 5f 5f 01", /one key twice/],
    ["a1 ff", /not UTF-8/],
    ["a3 ed a0 80", /not UTF-8/],
    ["a8 61 62 63 64 65 66 67 c3", /not UTF-8/],
    ["81 a1 c3 01", /not UTF-8/],
  ];
  for (const [hex, words] of frames) {
    const [message, code] = broken(hex);
    assert.match(message, words, hex);
    assert.equal(code, "PARSE_ERROR", hex);
  }
});

test("a text that holds the replacement character is not mistaken for a broken one", () => {
  assert.equal(read(written("a replaced \ufffd character")), "a replaced \ufffd character");
  assert.equal(read(written("\ufffd")), "\ufffd");
});

test("a map's key __proto__ is data", () => {
  const value = read(Buffer.from("81a95f5f70726f746f5f5f81a178c3", "hex")) as { x?: unknown };
  assert.deepEqual(Object.keys(value), ["__proto__"]);
  assert.equal(value.x, undefined);
  assert.equal(Object.getPrototypeOf(value), Object.prototype);
});

test("nesting beyond the bound is refused under the id that was read", () => {
  const deep = (depth: number) => `82 a2 69 64 07 a1 70 ${"91".repeat(depth)} 01`;
  assert.deepEqual(broken(deep(depthMax - 1)), ["taken", undefined, undefined]);
  assert.deepEqual(broken(deep(depthMax)).slice(1), ["INVALID_REQUEST", 7]);
  assert.deepEqual(broken(deep(1_000_000)).slice(1), ["INVALID_REQUEST", 7]);
  assert.deepEqual(broken("91".repeat(1_000_000)).slice(1), ["INVALID_REQUEST", null]);
});

test("more values than the bound are refused before room is made for them, but only to clients", () => {
  const many = Buffer.concat([Buffer.from("82a2696407a170dd", "hex"), Buffer.alloc(4), Buffer.alloc(nodesMax + 1, 1)]);
  many.writeUInt32BE(nodesMax + 1, 8);
  const refused = parseMsgpack(many, "client");
  assert.ok("refusal" in refused);
  assert.equal(refused.refusal.refused, "INVALID_REQUEST");
  assert.equal(refused.id, 7);
  assert.ok("value" in parseMsgpack(many, "broker"));
});

test("whatever the bytes, the answer is a value or a refusal", () => {
  const byte = fc.oneof(
    fc.integer({ min: 0, max: 255 }),
    fc.constantFrom(0x81, 0x92, 0xc4, 0xcf, 0xd3, 0xd9, 0xdc, 0xde),
  );
  fc.assert(
    fc.property(fc.array(byte, { maxLength: 60 }), (bytes) => {
      const content = parseMsgpack(Buffer.from(bytes), "client");
      if ("value" in content) assert.ok(written(content.value).length <= 9 * bytes.length);
    }),
    { numRuns: 10_000 },
  );
});

test("a valid frame with one byte changed, taken out or put in does not throw", () => {
  const frame = written({
    jsonrpc: "2.0",
    id: 1,
    method: "db.execute",
    params: { sql: "select ?", args: [1, "ü", 2n ** 60n, null] },
  });
  for (let at = 0; at < frame.length; at++) {
    parseMsgpack(Buffer.concat([frame.subarray(0, at), frame.subarray(at + 1)]), "client");
    parseMsgpack(frame.subarray(0, at), "client");
    for (let byte = 0; byte < 256; byte += 5) {
      const changed = Buffer.from(frame);
      changed[at] = byte;
      parseMsgpack(changed, "client");
    }
  }
});
