import assert from "node:assert/strict";
import { test } from "node:test";
import { FrameTracker } from "../../src/transport/frame-tracker.js";
import { frame, opcodes } from "./raw-client.js";

/** Whether a message is unfinished after each byte of the stream. */
function midMessage(bytes: Buffer): boolean[] {
  const tracker = new FrameTracker();
  return [...bytes].map((byte) => {
    tracker.push(Uint8Array.of(byte));
    return tracker.midMessage;
  });
}

/** The number of bytes after which no message is owed. */
function rests(bytes: Buffer): number[] {
  return midMessage(bytes).flatMap((mid, at) => (mid ? [] : [at + 1]));
}

test("a message is owed from its first byte to its last, whatever its length", () => {
  for (const length of [0, 1, 125, 126, 65_535, 65_536]) {
    const bytes = frame(Buffer.alloc(length, 0xff));
    assert.deepEqual(rests(bytes), [bytes.length], `length ${length}`);
  }
});

test("between fragments the message is owed, also while pings come in between", () => {
  const first = frame("a", { fin: false });
  const ping = frame("p", { opcode: opcodes.ping });
  const last = frame("b", { opcode: opcodes.continuation });
  const bytes = Buffer.concat([first, ping, last, ping]);
  assert.deepEqual(rests(bytes), [bytes.length - ping.length, bytes.length]);
});

test("however the bytes are cut into chunks, the answer is the same", () => {
  const bytes = Buffer.concat([
    frame("x".repeat(300)),
    frame("", { fin: false }),
    frame("y".repeat(130), { opcode: opcodes.continuation }),
    frame("z", { masked: false }),
  ]);
  const byByte = midMessage(bytes);
  for (let size = 2; size < 60; size++) {
    const tracker = new FrameTracker();
    for (let at = 0; at < bytes.length; at += size) {
      const end = Math.min(bytes.length, at + size);
      tracker.push(bytes.subarray(at, end));
      assert.equal(tracker.midMessage, byByte[end - 1], `chunks of ${size}, byte ${end}`);
    }
  }
});
