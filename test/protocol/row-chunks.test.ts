/** The messages of a stream: they say what the slow encoder says, keep to their bound, and lose no row on the way. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  type BoundValue,
  decodeFrame,
  type Encoding,
  encodeNotification,
  RowChunks,
  wireOfBound,
} from "../../src/protocol/index.js";
import { bound } from "./values.js";

const encodings: Encoding[] = ["json", "msgpack"];
const stream = 4711;

/** All messages of these rows, as a stream would send them. */
function messages(rows: readonly (readonly BoundValue[])[], bytesMax: number, encoding: Encoding): Buffer[] {
  const chunks = new RowChunks(encoding, stream);
  const all: Buffer[] = [];
  const take = () => {
    const { bytes } = chunks;
    const message = chunks.take();
    assert.ok(message.length <= bytes, `${message.length} bytes, and ${bytes} were announced`);
    all.push(message);
  };
  for (const row of rows) if (!chunks.add(row, bytesMax)) take();
  while (chunks.count > 0) take();
  return all;
}

function rowsIn(message: Buffer, encoding: Encoding): unknown[][] {
  const frame = decodeFrame(message, encoding, "broker");
  assert.ok(frame.kind === "notification" && frame.method === "db.rows");
  const params = frame.params as { stream: number; rows: unknown[][] };
  assert.equal(params.stream, stream);
  return params.rows;
}

for (const encoding of encodings) {
  const table = fc.array(fc.array(bound, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 30 });

  test(`a message is byte for byte what its rows are as plain data (${encoding})`, () => {
    fc.assert(
      fc.property(table, (rows) => {
        const [only, ...others] = messages(rows, Number.MAX_SAFE_INTEGER, encoding);
        const wire = rows.map((row) => row.map((cell) => wireOfBound(cell, encoding)));
        assert.deepEqual(only, encodeNotification("db.rows", { stream, rows: wire }, encoding));
        assert.deepEqual(others, []);
      }),
    );
  });

  test(`every row is in one message, in order, and only a row that is too large passes the bound (${encoding})`, () => {
    fc.assert(
      fc.property(table, fc.integer({ min: 90, max: 600 }), (rows, bytesMax) => {
        const all = messages(rows, bytesMax, encoding);
        for (const message of all)
          assert.ok(message.length <= bytesMax || rowsIn(message, encoding).length === 1, `${message.length} bytes`);
        const [whole] = messages(rows, Number.MAX_SAFE_INTEGER, encoding);
        assert.deepEqual(
          all.flatMap((message) => rowsIn(message, encoding)),
          rowsIn(whole as Buffer, encoding),
        );
      }),
    );
  });

  test(`a message is as full as the bound allows (${encoding})`, () => {
    const rows = Array.from({ length: 1000 }, (_, at): BoundValue[] => [BigInt(at), "x".repeat(20)]);
    const all = messages(rows, 4096, encoding);
    for (const message of all.slice(0, -1)) assert.ok(message.length > 3900, `${message.length} bytes of 4096`);
  });
}

test("while a row waits for the next message no other is taken", () => {
  const chunks = new RowChunks("json", stream);
  chunks.add(["x".repeat(100)], 200);
  assert.equal(chunks.add(["y".repeat(100)], 200), false);
  assert.throws(() => chunks.add(["z"], 200), /one waits/);
});
