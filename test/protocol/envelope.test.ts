/** The frame around a message, in both encodings: what is taken, what is refused and under which id. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  decodeBody,
  decodeFrame,
  type Encoding,
  encodeBody,
  encodeNotification,
  encodeRefusal,
  encodeRequest,
  encodeResult,
} from "../../src/protocol/index.js";
import { limitTable, type RequestId, refusalCodes, refuse } from "../../src/terms/index.js";

const encodings: Encoding[] = ["json", "msgpack"];
const ids: RequestId[] = [
  0,
  1,
  -1,
  Number.MAX_SAFE_INTEGER,
  Number.MIN_SAFE_INTEGER,
  "",
  "a",
  'ü\u0000"\\',
  "x".repeat(64),
];

for (const encoding of encodings) {
  const decode = (value: unknown) => decodeFrame(encodeBody(value, encoding), encoding);

  test(`a hello can name as many locks as a session may have under any configuration (${encoding})`, () => {
    const grants = Array.from({ length: limitTable.locksPerSessionMax.most }, (_, n) => ({
      name: `lock/${n}`,
      token: n,
    }));
    const hello = {
      ...{ versions: ["1"], client: { program: "test" }, secret: "x".repeat(43), mode: "resume" },
      grants,
    };
    const frame = decodeFrame(encodeRequest(1, "session.hello", hello, encoding), encoding);
    assert.deepEqual(frame, { kind: "request", id: 1, method: "session.hello", params: hello });
  });

  test(`a request is taken with its id, method and params (${encoding})`, () => {
    for (const id of ids) {
      const params = { a: [1, "ü", null], __proto__: null };
      const frame = decodeFrame(encodeRequest(id, "db.query", params, encoding), encoding);
      assert.deepEqual(frame, { kind: "request", id, method: "db.query", params: { a: [1, "ü", null] } });
    }
    const bare = decode({ jsonrpc: "2.0", id: 1, method: "session.ping" });
    assert.deepEqual(bare, { kind: "request", id: 1, method: "session.ping", params: {} });
    const more = decode({ jsonrpc: "2.0", id: 1, method: "x", params: null, later: { version: 2 } });
    assert.deepEqual(more, { kind: "request", id: 1, method: "x", params: null });
  });

  test(`a request without an id is a notification (${encoding})`, () => {
    const frame = decodeFrame(encodeRequest(undefined, "session.ack", { below: 3 }, encoding), encoding);
    assert.deepEqual(frame, { kind: "notification", method: "session.ack", params: { below: 3 } });
    assert.deepEqual(decodeFrame(encodeNotification("session.taken", {}, encoding), encoding, "broker"), {
      kind: "notification",
      method: "session.taken",
      params: {},
    });
  });

  test(`a result is put into its message without being opened (${encoding})`, () => {
    for (const id of ids) {
      const frame = decodeFrame(
        encodeResult(id, encodeBody({ rows: [[1, "ü"]] }, encoding), encoding),
        encoding,
        "broker",
      );
      assert.deepEqual(frame, { kind: "result", id, result: { rows: [[1, "ü"]] } });
    }
  });

  test(`every refusal comes back with its code, outcome and details (${encoding})`, () => {
    for (const id of [...ids, null])
      for (const code of refusalCodes) {
        const refusal = refuse(code, `no: ${code} ü`, { holder: { pid: 4711 }, list: [1, "a", null] });
        assert.deepEqual(decodeFrame(encodeRefusal(id, refusal, encoding), encoding, "broker"), {
          kind: "refused",
          id,
          refusal,
        });
        const other = refusal.refused === "INTERNAL" ? "none" : "unknown";
        const turned = { ...refusal, outcome: other } as const;
        const frame = decodeFrame(encodeRefusal(id, turned, encoding), encoding, "broker");
        assert.equal(frame.kind, "refused");
      }
  });

  test(`what is no request is refused, under its id where it has one (${encoding})`, () => {
    const frames: [frame: unknown, code: string, id: RequestId | null][] = [
      [[], "ARRAY_REFUSED", null],
      [[{ jsonrpc: "2.0", id: 1, method: "session.ping" }], "ARRAY_REFUSED", null],
      [null, "INVALID_REQUEST", null],
      ["x", "INVALID_REQUEST", null],
      [5, "INVALID_REQUEST", null],
      [{}, "INVALID_REQUEST", null],
      [{ id: 5, method: "x" }, "INVALID_REQUEST", 5],
      [{ jsonrpc: "1.0", id: "a", method: "x" }, "INVALID_REQUEST", "a"],
      [{ jsonrpc: 2, id: 5, method: "x" }, "INVALID_REQUEST", 5],
      [{ jsonrpc: "2.0", id: 5 }, "INVALID_REQUEST", 5],
      [{ jsonrpc: "2.0", id: 5, method: 7 }, "INVALID_REQUEST", 5],
      [{ jsonrpc: "2.0", id: null, method: "x" }, "INVALID_REQUEST", null],
      [{ jsonrpc: "2.0", id: 1.5, method: "x" }, "INVALID_REQUEST", null],
      [{ jsonrpc: "2.0", id: true, method: "x" }, "INVALID_REQUEST", null],
      [{ jsonrpc: "2.0", id: {}, method: "x" }, "INVALID_REQUEST", null],
      [{ jsonrpc: "2.0", id: "x".repeat(65), method: "x" }, "INVALID_REQUEST", null],
    ];
    for (const [value, code, id] of frames) {
      const frame = decode(value);
      assert.equal(frame.kind, "frame-error", JSON.stringify(value));
      assert.ok("refusal" in frame);
      assert.equal(frame.refusal.refused, code);
      assert.equal(frame.id, id);
    }
  });

  test(`an id that was rounded or is beyond 2^53 is not taken (${encoding})`, () => {
    const bytes =
      encoding === "json"
        ? Buffer.from('{"jsonrpc":"2.0","id":9007199254740993,"method":"x"}')
        : encodeBody({ jsonrpc: "2.0", id: 9007199254740993n, method: "x" }, "msgpack");
    const frame = decodeFrame(bytes, encoding);
    assert.ok(frame.kind === "frame-error");
    assert.equal(frame.id, null);
  });

  test(`whatever the bytes, decoding does not throw (${encoding})`, () => {
    const request = encodeRequest(
      "id",
      "db.execute",
      { sql: "select ?", args: [1, "ü", { $int: "1" }], key: 4 },
      encoding,
    );
    const change = fc.record({ at: fc.nat(request.length), cut: fc.nat(4), put: fc.uint8Array({ maxLength: 4 }) });
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 3 }), (changes) => {
        let bytes = request;
        for (const { at, cut, put } of changes)
          bytes = Buffer.concat([bytes.subarray(0, at), put, bytes.subarray(at + cut)]);
        const frame = decodeFrame(bytes, encoding);
        assert.ok(["request", "notification", "result", "refused", "frame-error"].includes(frame.kind));
      }),
      { numRuns: 5000 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        decodeFrame(Buffer.from(bytes), encoding);
        decodeFrame(Buffer.from(bytes), encoding, "broker");
      }),
      { numRuns: 5000 },
    );
  });

  test(`bodies of any size are their own bytes (${encoding})`, () => {
    const bodies = [0, 10, 100_000, 5].map((length) => encodeBody({ text: "x".repeat(length) }, encoding));
    const messages = bodies.map((body, index) => encodeResult(index, body, encoding));
    for (const [index, message] of messages.entries()) {
      const frame = decodeFrame(message, encoding, "broker");
      assert.ok(frame.kind === "result");
      assert.deepEqual(frame.result, decodeBody(bodies[index] as Buffer, encoding));
    }
  });
}

test("a message that could not be written leaves nothing in the next one", () => {
  const circle: { self?: unknown } = {};
  circle.self = circle;
  for (const encoding of encodings) {
    assert.throws(() => encodeBody({ a: "b", circle }, encoding));
    assert.deepEqual(decodeBody(encodeBody({ c: 1 }, encoding), encoding), { c: 1 });
    assert.deepEqual(decodeBody(encodeBody({ c: 2n ** 70n, d: -(2n ** 70n) }, encoding), encoding), {
      c: "1180591620717411303424",
      d: "-1180591620717411303424",
    });
  }
});

test("a body that this program did not make is a fault, not a refusal", () => {
  assert.throws(() => decodeBody(Buffer.from("{"), "json"), /impossible body/);
  assert.throws(() => decodeBody(Buffer.from([0xc1]), "msgpack"), /impossible body/);
});
