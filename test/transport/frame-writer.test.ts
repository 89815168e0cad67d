import assert from "node:assert/strict";
import { test } from "node:test";
import { framePieces } from "../../src/transport/frame-writer.js";
import { opcodes, parseFrames } from "./raw-client.js";

const lengths = [0, 1, 125, 126, 127, 16_383, 16_384, 16_385, 65_535, 65_536, 200_000];

function message(length: number, index = 0): Buffer {
  return Buffer.alloc(length, 65 + (index % 26));
}

test("a message of any length becomes one final frame of its kind", () => {
  for (const length of lengths) {
    for (const isBinary of [true, false]) {
      const bytes = Buffer.concat(framePieces([message(length)], isBinary));
      const { frames, rest } = parseFrames(bytes);
      assert.equal(rest.length, 0);
      assert.deepEqual(frames, [{ opcode: isBinary ? opcodes.binary : opcodes.text, payload: message(length) }]);
      assert.equal(bytes[0], 0x80 | (isBinary ? 2 : 1));
    }
  }
});

test("many messages keep their order, however small and large ones are mixed", () => {
  for (let turn = 0; turn < lengths.length; turn++) {
    const messages = [...lengths.slice(turn), ...lengths.slice(0, turn), 16_384, 16_384].map(message);
    const { frames, rest } = parseFrames(Buffer.concat(framePieces(messages, false)));
    assert.equal(rest.length, 0);
    assert.deepEqual(
      frames.map(({ payload }) => payload),
      messages,
    );
  }
});

test("small messages leave in one piece, and a large one is not copied", () => {
  assert.equal(
    framePieces(
      Array.from({ length: 100 }, () => message(100)),
      true,
    ).length,
    1,
  );
  const large = message(20_000);
  const pieces = framePieces([message(5), large, message(5)], true);
  assert.deepEqual(
    pieces.map(({ length }) => length),
    [7 + 4, 20_000, 7],
  );
  assert.equal(pieces[1], large);
  assert.deepEqual(framePieces([], true), []);
});
