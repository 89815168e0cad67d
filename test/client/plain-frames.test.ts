import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { PlainFrames } from "../../src/client/plain-frames.js";

/** A frame of a broker, with the head that the RFC has for the length. */
function frame(first: number, payload: Buffer): Buffer {
  const { length } = payload;
  if (length < 126) return Buffer.concat([Buffer.from([first, length]), payload]);
  const head = Buffer.alloc(length < 0x1_0000 ? 4 : 10);
  head[0] = first;
  head[1] = length < 0x1_0000 ? 126 : 127;
  if (length < 0x1_0000) head.writeUInt16BE(length, 2);
  else head.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([head, payload]);
}

function reader(): { taken: string[]; frames: PlainFrames } {
  const taken: string[] = [];
  return { taken, frames: new PlainFrames("text", (bytes, from, to) => taken.push(bytes.toString("utf8", from, to))) };
}

const push = (frames: PlainFrames, bytes: Buffer) => frames.push(bytes, bytes.length);
const text = (length: number) => Buffer.alloc(length, "abcdefghij");

describe("plain frames", () => {
  const messages = [0, 1, 125, 126, 127, 65_535, 65_536, 200_000].map(text);

  it("become messages, however many come at once", () => {
    const { taken, frames } = reader();
    assert.equal(push(frames, Buffer.concat(messages.map((message) => frame(0x81, message)))), undefined);
    assert.deepEqual(taken, messages.map(String));
  });

  it("become the same messages in pieces of any size", () => {
    const bytes = Buffer.concat(messages.slice(0, 5).map((message) => frame(0x81, message)));
    for (let size = 1; size < 300; size++) {
      const { taken, frames } = reader();
      for (let at = 0; at < bytes.length; at += size)
        assert.equal(push(frames, bytes.subarray(at, at + size)), undefined);
      assert.deepEqual(taken, messages.slice(0, 5).map(String));
    }
  });

  it("become the same messages when large ones come in pieces that end within a head", () => {
    const bytes = Buffer.concat(messages.map((message) => frame(0x81, message)));
    for (const size of [65_535, 65_540, 65_545, 100_003]) {
      const { taken, frames } = reader();
      // One buffer for every piece, as the socket has it: nothing of it may be kept.
      const piece = Buffer.alloc(size);
      for (let at = 0; at < bytes.length; at += size) {
        const length = bytes.copy(piece, 0, at, at + size);
        assert.equal(frames.push(piece, length), undefined);
      }
      assert.deepEqual(taken, messages.map(String));
    }
  });

  for (const [what, bytes] of [
    ["a ping", Buffer.from([0x89, 0])],
    ["a close frame", Buffer.from([0x88, 2, 3, 232])],
    ["the first fragment of a message", Buffer.from([0x01, 1, 97])],
    ["a reserved bit", Buffer.from([0xc1, 1, 97])],
    ["the other kind of message", Buffer.from([0x82, 1, 97])],
    ["a mask", Buffer.from([0x81, 0x81, 1, 2, 3, 4, 5])],
    ["a mask and a long length", Buffer.from([0x81, 0xfe, 0, 200])],
    ["more bytes than are taken", Buffer.from([0x81, 127, 0, 0, 0, 0, 1, 0, 0, 1])],
    ["more bytes than a number can say", Buffer.alloc(10, 0xff).fill(0x81, 0, 1).fill(127, 1, 2)],
  ] as const)
    it(`${what} is given back, with all that follows it`, () => {
      const { taken, frames } = reader();
      const after = frame(0x81, text(3));
      const rest = push(frames, Buffer.concat([frame(0x81, text(5)), bytes, after]));
      assert.deepEqual(taken, ["abcde"]);
      assert.deepEqual(rest, Buffer.concat([bytes, after]));
    });
});
