/** Each message comes out as it went in. */
import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { type Frame, FrameCutter, FrameQueue } from "../../../src/store/pipe/frames.js";
import * as messages from "../../../src/store/pipe/messages.js";
import { limitsWith, refuse, requestKey, seq, sessionId } from "../../../src/terms/index.js";

const session = sessionId("0123456789abcdef".repeat(2));
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

const toWriter: readonly messages.ToWriter[] = [
  {
    kind: "write",
    seq: seq(large),
    mode: "run",
    session,
    key: requestKey(large),
    ackedBelow: large - 1,
    alone: false,
    method: "db.execute",
    encoding: "json",
    raw,
  },
  {
    kind: "write",
    seq: seq(1),
    mode: "replay",
    session,
    key: undefined,
    ackedBelow: 0,
    alone: true,
    method: "db.script",
    encoding: "msgpack",
    raw: Buffer.alloc(0),
  },
  {
    kind: "step",
    step: "commit",
    commits: undefined,
    seq: seq(large),
    transaction: seq(large - 1),
    session,
    key: requestKey(large),
    request: { method: "tx.commit", encoding: "msgpack", raw },
  },
  {
    kind: "step",
    step: "run",
    commits: undefined,
    seq: seq(3),
    transaction: seq(2),
    session,
    key: undefined,
    request: { method: "tx.execute", encoding: "json", raw },
  },
  {
    kind: "step",
    step: "begin",
    commits: 0,
    seq: seq(5),
    transaction: seq(5),
    session,
    key: undefined,
    request: undefined,
  },
  {
    kind: "step",
    step: "rollback",
    commits: undefined,
    seq: seq(4),
    transaction: seq(2),
    session,
    key: undefined,
    request: undefined,
  },
  { kind: "settle", seq: seq(7), session, keys: [requestKey(1), requestKey(large)], encoding: "msgpack" },
  { kind: "settle", seq: seq(7), session, keys: [], encoding: "json" },
  { kind: "forget", session, below: requestKey(12) },
  { kind: "end-session", session },
  { kind: "reserve", above: large - 1, newIncarnation: true },
  { kind: "checkpoint" },
  {
    kind: "go",
    orders: {
      database: "/d",
      writerLock: "/l",
      progress: "/p",
      limits: limitsWith(),
      bootId: "b",
      place: "/r",
      repair: true,
      first: false,
    },
  },
];

for (const message of toWriter)
  test(`a writer is told ${message.kind}${message.kind === "write" ? ` (${message.mode})` : ""}`, () => {
    assert.deepEqual(messages.readToWriter(through((queue) => messages.sendToWriter(queue, message))), message);
  });

const answers: readonly messages.Answer[] = [
  { id: large, kind: "done", encoding: "json", bytes: raw },
  { id: 2, kind: "done", encoding: "msgpack", bytes: Buffer.alloc(0) },
  { id: 3, kind: "refused", refusal: refuse("SQLITE_ERROR", "near ü", { position: 3 }) },
  { id: 4, kind: "absent" },
  { id: 5, kind: "refused", refusal: refuse("SQLITE_CONSTRAINT", "or rollback"), ended: true },
];

test("a writer's and a reader's answers come back", () => {
  const settled: messages.FromWriter = {
    kind: "settled",
    walBytes: 2 ** 40,
    housekept: 3,
    storedSeq: 2 ** 41,
    ranMs: 1.25,
    committedMs: 0.5,
    answers,
  };
  assert.deepEqual(messages.readFromWriter(through((queue) => messages.sendFromWriter(queue, settled))), settled);
  const read: messages.FromReader = { kind: "answers", answers };
  assert.deepEqual(messages.readFromReader(through((queue) => messages.sendFromReader(queue, read))), read);
  const begins: messages.FromReader = { kind: "begins", read: 7 };
  assert.deepEqual(messages.readFromReader(through((queue) => messages.sendFromReader(queue, begins))), begins);
});

test("a reader is told what to read", () => {
  const message: messages.ToReader = { kind: "read", read: 12, method: "db.batch", encoding: "msgpack", raw };
  assert.deepEqual(messages.readToReader(through((queue) => messages.sendToReader(queue, message))), message);
});

test("what a child says about itself comes back", () => {
  const ready: messages.FromWriter = {
    kind: "ready",
    epoch: 1,
    storedSeq: 2,
    previousBootId: null,
    heldBefore: false,
    movedFrom: null,
    incarnation: "i",
    tokensFrom: 1,
    tokensTo: 9,
    sqlite: "3",
  };
  assert.deepEqual(messages.readFromWriter(through((queue) => messages.sendFromWriter(queue, ready))), ready);
});

test("a frame that belongs elsewhere is not taken for something else", () => {
  const write = through((queue) => messages.sendToWriter(queue, toWriter[0] as messages.ToWriter));
  assert.throws(() => messages.readFromWriter(write), /unexpected frame of kind 2/);
  assert.throws(() => messages.readToReader(write), /unexpected frame of kind 2/);
});

test("an answer that is cut off is noticed", () => {
  const frame = through((queue) => messages.sendFromReader(queue, { kind: "answers", answers }));
  assert.throws(() => messages.readFromReader({ ...frame, payload: frame.payload.subarray(0, 20) }), /cut off/);
});
