/** JSON frames from strangers: what is not JSON, what is too much, and what JSON.parse alone would let through. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { depthMax, nodesMax } from "../../src/protocol/index.js";
import { jsonBytes, parseJson } from "../../src/protocol/json.js";

function parse(text: string | Buffer): unknown {
  const content = parseJson(typeof text === "string" ? Buffer.from(text) : text, "client");
  return "value" in content ? content.value : content.refusal.refused;
}

test("what is not JSON in UTF-8 cannot be parsed, and the answer does not repeat it", () => {
  const secret = "hunter2-in-a-broken-frame";
  const frames: (string | Buffer)[] = [
    ...[
      "",
      " ",
      "{",
      "}",
      `{"secret":"${secret}"`,
      `${secret}`,
      "{'a':1}",
      "[1,]",
      "\u{feff}{}",
      '{"a":1}{}',
      '"\n"',
      "NaN",
      "01",
    ],
    Buffer.from([0x7b, 0xff, 0x7d]),
    Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]),
  ];
  for (const frame of frames) {
    const content = parseJson(Buffer.from(frame), "client");
    assert.ok("refusal" in content, String(frame));
    assert.equal(content.refusal.refused, "PARSE_ERROR");
    assert.ok(!JSON.stringify(content).includes(secret));
  }
});

test("nesting up to the bound is taken, beyond it refused, whatever stands in strings", () => {
  const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
  assert.ok(Array.isArray(parse(nested(depthMax))));
  assert.equal(parse(nested(depthMax + 1)), "INVALID_REQUEST");
  assert.equal(parse("[".repeat(5_000_000)), "INVALID_REQUEST");
  assert.equal(parse('{"a":'.repeat(17)), "INVALID_REQUEST");
  const brackets = "[{".repeat(100);
  assert.equal(parse(JSON.stringify(brackets)), brackets);
  assert.deepEqual(parse(JSON.stringify({ a: `"${brackets}\\`, [brackets]: '\\"' })), {
    a: `"${brackets}\\`,
    [brackets]: '\\"',
  });
  assert.deepEqual(parse(`[${"[],".repeat(1000)}[]]`), Array(1001).fill([]));
});

test("a frame that is refused unparsed is answered under its id, if what stands there is one", () => {
  const ids = {
    "7": 7,
    "-7": -7,
    '"seven"': "seven",
    "048": null,
    "-": null,
    '"a\n"': null,
    '"a\\n"': null,
    "{}": null,
  };
  for (const [text, id] of Object.entries(ids)) {
    const content = parseJson(Buffer.from(`{"id":${text},"params":${"[".repeat(depthMax + 1)}`), "client");
    assert.ok("refusal" in content, text);
    assert.deepEqual([content.refusal.refused, content.id], ["INVALID_REQUEST", id], text);
  }
});

test("long strings are passed over with their escapes", () => {
  for (const length of [40, 46, 47, 48, 49, 50, 100, 1000])
    for (const tail of ["", '"', "\\", '\\"', '"\\', '""""', '\\\\"[[[[[[[[[[[[[[[[[[']) {
      const value = ["x".repeat(length) + tail + "y".repeat(length) + tail, [tail]];
      assert.deepEqual(parse(JSON.stringify(value)), value);
    }
});

test("more values than the bound are refused before they are made, but only to clients", () => {
  const many = `[${"0,".repeat(nodesMax)}0]`;
  assert.equal(parse(many), "INVALID_REQUEST");
  assert.ok("value" in parseJson(Buffer.from(many), "broker"));
  assert.equal(parse(`{${Array.from({ length: nodesMax }, () => '"a":[]').join(",")}}`), "INVALID_REQUEST");
});

test("a frame that is given up is answered under its id, if that stands before its parameters", () => {
  const deep = "[".repeat(20);
  const ids: [frame: string, id: unknown][] = [
    [`{"jsonrpc":"2.0","id":7,"method":"x","params":${deep}`, 7],
    [`{"id" : "a-b" ,"params":${deep}`, "a-b"],
    [`{"id":-3,"params":${deep}`, -3],
    [`{"params":{"id":7,"a":${deep}`, null],
    [`{"id":"a\\"b","params":${deep}`, null],
    [`{"id":[1],"params":${deep}`, null],
    [deep, null],
  ];
  for (const [frame, id] of ids) {
    const content = parseJson(Buffer.from(frame), "client");
    assert.ok("refusal" in content);
    assert.equal(content.id, id, frame);
  }
});

test("names like __proto__ are data, and of two fields with one name the last counts", () => {
  const value = parse('{"__proto__":{"admin":true},"a":1,"a":2}') as { admin?: unknown; a?: unknown };
  assert.equal(value.admin, undefined);
  assert.equal(value.a, 2);
  assert.equal(({} as { admin?: unknown }).admin, undefined);
});

test("a bigint that nobody looked for becomes a mark", () => {
  assert.equal(
    jsonBytes({ a: 5n, b: [2n ** 60n], c: 2n ** 70n }).toString(),
    `{"a":5,"b":[{"$int":"${2n ** 60n}"}],"c":"${2n ** 70n}"}`,
  );
});

test("any text survives", () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 10 }), (text) => {
      assert.deepEqual(parse(text), JSON.parse(text));
    }),
    { numRuns: 500 },
  );
});
