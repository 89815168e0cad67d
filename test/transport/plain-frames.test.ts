import assert from "node:assert/strict";
import { test } from "node:test";
import { PlainFrames } from "../../src/transport/plain-frames.js";
import { frame, opcodes } from "./raw-client.js";

function read(chunk: Buffer, kind: "text" | "binary" = "text", bytesMax = 1 << 20): [messages: string[], at: number] {
  const frames = new PlainFrames(kind, bytesMax);
  const messages: string[] = [];
  let at = 0;
  for (let one = frames.read(chunk, at); one !== undefined; one = frames.read(chunk, at)) {
    messages.push(one.toString());
    at = frames.end;
  }
  return [messages, at];
}

const texts = ["", "a", "ä€😀", "b".repeat(125), "c".repeat(126), "d".repeat(65_535)];

test("whole frames are read one after the other, with any mask", () => {
  const masked = Buffer.concat(texts.map((text) => frame(text)));
  assert.deepEqual(read(masked), [texts, masked.length]);
  // A mask of zeros, as our own clients send.
  const zeros = Buffer.concat(
    texts.map((text) => {
      const payload = Buffer.from(text);
      const bytes = frame(payload);
      bytes.fill(0, bytes.length - payload.length - 4, bytes.length - payload.length);
      payload.copy(bytes, bytes.length - payload.length);
      return bytes;
    }),
  );
  assert.deepEqual(read(zeros), [texts, zeros.length]);
});

test("a frame that is not whole is left where it begins, as it was", () => {
  const chunk = Buffer.concat([frame("first"), frame("x".repeat(300))]);
  const whole = Buffer.from(chunk);
  const first = frame("first").length;
  for (let length = first; length < chunk.length; length++) {
    const piece = Buffer.from(chunk.subarray(0, length));
    assert.deepEqual(read(piece), [["first"], first]);
    // What was read is unmasked in its place; the rest is not touched.
    assert.deepEqual(piece.subarray(first), whole.subarray(first, length));
  }
});

for (const [what, bytes] of [
  ["a ping", frame("?", { opcode: opcodes.ping })],
  ["a close frame", frame(Buffer.from([3, 232]), { opcode: opcodes.close })],
  ["the beginning of a message", frame("x", { fin: false })],
  ["a continuation", frame("x", { opcode: opcodes.continuation })],
  ["the other kind of message", frame("x", { opcode: opcodes.binary })],
  ["a reserved bit", frame("x", { rsv: 4 })],
  ["a frame without mask", frame("x", { masked: false })],
  ["more bytes than are taken", frame("x".repeat(1001))],
  ["a length of 64 bits", frame("x".repeat(70_000))],
  ["text that is not UTF-8", frame(Buffer.from([0xc3, 0x28]))],
] as const)
  test(`${what} is left to the library, as it came`, () => {
    const chunk = Buffer.concat([frame("first"), bytes, frame("last")]);
    assert.deepEqual(read(chunk, "text", 1000), [["first"], frame("first").length]);
    assert.deepEqual(chunk.subarray(frame("first").length), Buffer.concat([bytes, frame("last")]));
  });

test("binary messages need not be text", () => {
  const bytes = Buffer.from([0xc3, 0x28, 0, 255]);
  const chunk = frame(bytes, { opcode: opcodes.binary });
  assert.deepEqual(new PlainFrames("binary", 10).read(chunk, 0), bytes);
});
