import assert from "node:assert/strict";
import { test } from "node:test";
import { FrameWriter } from "../../src/transport/frame-writer.js";
import { opcodes, parseFrames } from "./raw-client.js";

const lengths = [0, 1, 125, 126, 127, 16_383, 16_384, 16_385, 65_535, 65_536, 200_000];

function message(length: number, index = 0): Buffer {
  return Buffer.alloc(length, 65 + (index % 26));
}

function bytesOf(kind: "text" | "binary", messages: readonly (string | Buffer)[]): Buffer {
  const writer = new FrameWriter(kind);
  for (const one of messages) writer.add(one);
  const claimed = writer.bytes;
  const bytes = Buffer.concat(writer.take().map((piece) => Buffer.from(piece as string, "latin1")));
  assert.equal(bytes.length, claimed);
  assert.equal(writer.bytes, 0);
  return bytes;
}

test("a message of any length becomes one final frame of its kind, as bytes and as text of bytes", () => {
  for (const length of lengths) {
    for (const kind of ["text", "binary"] as const) {
      for (const form of [message(length), message(length).toString("latin1")]) {
        const bytes = bytesOf(kind, [form]);
        const { frames, rest } = parseFrames(bytes);
        assert.equal(rest.length, 0);
        assert.deepEqual(frames, [{ opcode: opcodes[kind], payload: message(length) }]);
        assert.equal(bytes[0], 0x80 | opcodes[kind]);
      }
    }
  }
});

test("bytes of every value arrive as they are", () => {
  const every = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
  const { frames } = parseFrames(bytesOf("binary", [every, every.toString("latin1")]));
  assert.deepEqual(
    frames.map(({ payload }) => payload),
    [every, every],
  );
});

test("many messages keep their order, however small and large ones are mixed", () => {
  for (let turn = 0; turn < lengths.length; turn++) {
    const messages = [...lengths.slice(turn), ...lengths.slice(0, turn), 16_384, 16_384].map(message);
    const { frames, rest } = parseFrames(bytesOf("text", messages));
    assert.equal(rest.length, 0);
    assert.deepEqual(
      frames.map(({ payload }) => payload),
      messages,
    );
  }
});

test("of large messages those are taken that come to so many bytes, whole and in order, and then the rest", () => {
  const writer = new FrameWriter("binary");
  const messages = [5, 20_000, 20_000, 7, 20_000, 9].map(message);
  for (const one of messages) writer.add(one);
  const taken: Buffer[] = [];
  const left: number[] = [];
  while (writer.bytes > 0) {
    for (const piece of writer.take(30_000)) taken.push(Buffer.from(piece as string, "latin1"));
    left.push(writer.bytes);
  }
  const { frames, rest } = parseFrames(Buffer.concat(taken));
  assert.equal(rest.length, 0);
  assert.deepEqual(
    frames.map(({ payload }) => payload),
    messages,
  );
  assert.deepEqual(left, [9 + 20_004 + 11, 0]);
});

test("small messages leave in one piece, and a large one is not copied", () => {
  const writer = new FrameWriter("binary");
  for (let i = 0; i < 100; i++) writer.add(message(100));
  assert.equal(writer.take().length, 1);
  const large = message(20_000);
  for (const one of [message(5), large, message(5)]) writer.add(one);
  const pieces = writer.take();
  assert.deepEqual(
    pieces.map(({ length }) => length),
    [7 + 4, 20_000, 7],
  );
  assert.equal(pieces[1], large);
  assert.deepEqual(writer.take(), []);
});
