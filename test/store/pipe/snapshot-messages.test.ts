/** Each message comes out as it went in, and is told from those to every child. */
import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { type Frame, FrameCutter, FrameQueue } from "../../../src/store/pipe/frames.js";
import { sendFromReader, sendToReader } from "../../../src/store/pipe/messages.js";
import * as messages from "../../../src/store/pipe/snapshot-messages.js";
import { limitsWith, refuse } from "../../../src/terms/index.js";

const raw = Buffer.from('{"jsonrpc":"2.0"}');
const large = Number.MAX_SAFE_INTEGER;

function through(send: (queue: FrameQueue) => void): Frame {
  const queue = new FrameQueue();
  send(queue);
  const stream = new PassThrough();
  queue.flush(stream as unknown as Socket);
  const frames: Frame[] = [];
  new FrameCutter().push(stream.read() as Buffer, (frame) => frames.push(frame));
  assert.equal(frames.length, 1);
  return frames[0] as Frame;
}

const toSnapshot: readonly messages.ToSnapshot[] = [
  { kind: "begin", run: 1 },
  { kind: "stream", run: large, credit: large, encoding: "json", raw },
  { kind: "run", run: large, method: "tx.batch", encoding: "msgpack", raw },
  { kind: "stream", run: 1, credit: 1, encoding: "msgpack", raw: Buffer.alloc(0) },
  { kind: "credit", run: 1, bytes: large },
  { kind: "close", run: 1 },
  { kind: "end" },
];

const fromSnapshot: readonly messages.FromSnapshot[] = [
  { kind: "begun", run: 1, seq: large, commits: large },
  { kind: "answered", answer: { id: 7, kind: "done", encoding: "msgpack", bytes: raw } },
  { kind: "answered", answer: { id: 7, kind: "refused", refusal: refuse("SQLITE_ERROR", "no such table") } },
  { kind: "rows", run: large, rows: large, message: raw },
  { kind: "waits", run: 1, credit: large },
  { kind: "streamed", run: 1 },
  { kind: "streamed", run: 1, refusal: refuse("SQLITE_ERROR", "integer overflow") },
  { kind: "cleared" },
];

test("what is told to a snapshot comes out as it went in", () => {
  for (const message of toSnapshot)
    assert.deepEqual(messages.readToSnapshot(through((queue) => messages.sendToSnapshot(queue, message))), message);
});

test("what a snapshot tells comes out as it went in", () => {
  for (const message of fromSnapshot)
    assert.deepEqual(messages.readFromSnapshot(through((queue) => messages.sendFromSnapshot(queue, message))), message);
});

test("what is said to every child is no message of a snapshot", () => {
  const orders = { database: "data.db", limits: limitsWith(), withoutWriter: false };
  assert.equal(messages.readToSnapshot(through((queue) => sendToReader(queue, { kind: "go", orders }))), undefined);
  assert.equal(messages.readFromSnapshot(through((queue) => sendFromReader(queue, { kind: "ready" }))), undefined);
});
