/** Frames are cut as they were sent, whatever the socket makes of them. */
import assert from "node:assert/strict";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import {
  type Frame,
  FrameCutter,
  FrameQueue,
  frameBytesMax,
  frameHead,
  payloadAt,
} from "../../../src/store/pipe/frames.js";
import { tempDir } from "../../support/temp-dir.js";

function framed(payloads: readonly Uint8Array[]): Buffer {
  return Buffer.concat(
    payloads.map((payload, at) => {
      const head = Buffer.alloc(5);
      head.writeUInt32LE(payload.length + 1);
      head[4] = at % 256;
      return Buffer.concat([head, payload]);
    }),
  );
}

function cut(chunks: readonly Buffer[]): { frames: Frame[]; between: boolean } {
  const cutter = new FrameCutter();
  const frames: Frame[] = [];
  for (const chunk of chunks) cutter.push(chunk, (frame) => frames.push(frame));
  return { frames, between: cutter.between };
}

test("frames come out as they went in, wherever the chunks are cut", () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 40 })),
      fc.array(fc.integer({ min: 1, max: 30 })),
      (payloads, lengths) => {
        const stream = framed(payloads);
        const chunks: Buffer[] = [];
        for (let at = 0, turn = 0; at < stream.length; turn++) {
          const length = lengths[turn % Math.max(lengths.length, 1)] ?? stream.length;
          chunks.push(stream.subarray(at, at + length));
          at += length;
        }
        const { frames, between } = cut(chunks);
        assert.deepEqual(
          frames.map(({ kind, payload }) => [kind, [...payload]]),
          payloads.map((payload, at) => [at % 256, [...payload]]),
        );
        assert.ok(between);
      },
    ),
  );
});

test("a stream that stops inside of a frame is not between two", () => {
  const stream = framed([Buffer.from("abc")]);
  for (let length = 1; length < stream.length; length++) assert.equal(cut([stream.subarray(0, length)]).between, false);
});

test("a frame of many chunks is put together once", () => {
  const payload = Buffer.alloc(300_000, 7);
  const stream = framed([payload, Buffer.from("x")]);
  const chunks = Array.from({ length: Math.ceil(stream.length / 1000) }, (_, at) =>
    stream.subarray(at * 1000, at * 1000 + 1000),
  );
  const { frames } = cut(chunks);
  assert.equal(frames.length, 2);
  assert.ok(frames[0]?.payload.equals(payload));
});

test("a length that cannot be ends the stream", () => {
  const zero = Buffer.alloc(8);
  assert.throws(() => cut([zero]), /claims 0 bytes/);
  const huge = Buffer.alloc(8);
  huge.writeUInt32LE(frameBytesMax + 1);
  assert.throws(() => cut([huge]), /claims \d+ bytes/);
});

test("what was gathered leaves in order, small and large pieces alike", async (t) => {
  const path = join(tempDir(t), "s");
  const received: Frame[] = [];
  const queue = new FrameQueue();
  const sizes = [0, 10, 100_000, 20, 2_000_000, 1];
  for (const [at, size] of sizes.entries()) {
    const head = frameHead(2);
    head.writeUInt16LE(at, payloadAt);
    queue.add(at + 1, head, Buffer.alloc(size, at));
  }
  assert.equal(
    queue.bytes,
    sizes.reduce((sum, size) => sum + size + 7, 0),
  );
  await new Promise<void>((done) => {
    const server = createServer((socket: Socket) => {
      const cutter = new FrameCutter();
      socket.on("data", (chunk: Buffer) => cutter.push(chunk, (frame) => received.push(frame)));
      socket.on("end", () => server.close(() => done()));
    });
    server.listen(path, () => {
      const socket = connect(path, () => {
        queue.flush(socket);
        queue.flush(socket);
        socket.end();
      });
    });
  });
  assert.deepEqual(
    received.map(({ kind, payload }) => [
      kind,
      payload.readUInt16LE(0),
      payload.length - 2,
      payload.subarray(2).every((byte) => byte === kind - 1),
    ]),
    sizes.map((size, at) => [at + 1, at, size, true]),
  );
});
