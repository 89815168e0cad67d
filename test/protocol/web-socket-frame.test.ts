import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { clientFrameHead, serverFrameHead } from "../../src/protocol/web-socket-frame.js";

describe("the head of a frame", () => {
  for (const [length, expected] of [
    [0, [0]],
    [125, [125]],
    [126, [126, 0, 126]],
    [65_535, [126, 255, 255]],
    [65_536, [127, 0, 0, 0, 0, 0, 1, 0, 0]],
    [2 ** 32 + 5, [127, 0, 0, 0, 1, 0, 0, 0, 5]],
  ] as const)
    it(`says ${length} bytes, and from a client a mask of zeros`, () => {
      const [short, ...long] = expected;
      const bytes = (head: string) => [...Buffer.from(head, "latin1")];
      assert.deepEqual(bytes(serverFrameHead("text", length)), [0x81, ...expected]);
      assert.deepEqual(bytes(clientFrameHead("text", length)), [0x81, short | 0x80, ...long, 0, 0, 0, 0]);
    });

  it("says what kind of message it is", () => {
    assert.equal(clientFrameHead("binary", 1).charCodeAt(0), 0x82);
    assert.equal(serverFrameHead("binary", 1).charCodeAt(0), 0x82);
  });
});
