/**
 * What the front and a process for snapshots say to each other, beside what is said to every child. What comes with
 * every message of a stream has a small binary head; the rest is JSON.
 *
 *   run       f64 run · u8 encoding · u8 method · the request as it came
 *   stream    f64 run · f64 credit · u8 encoding · the request as it came
 *   answered  an answer, whose number is the run
 *   rows      f64 run · f64 rows sent in all · a finished message
 */
import type { Encoding } from "../../protocol/index.js";
import { impossible, type Refusal } from "../../terms/index.js";
import { type Frame, type FrameQueue, frameHead, payloadAt } from "./frames.js";
import {
  type Answer,
  encodingAt,
  flagsOf,
  methodAt,
  packAnswers,
  parseJson,
  sendJson,
  unpackAnswers,
} from "./messages.js";
import { type StoreMethod, storeMethods } from "./store-methods.js";

export interface RunMessage {
  readonly kind: "run";
  readonly run: number;
  readonly method: StoreMethod;
  readonly encoding: Encoding;
  readonly raw: Buffer;
}

export interface StreamMessage {
  readonly kind: "stream";
  readonly run: number;
  /** All that has been given so far; the first of it, the window, is in the request. */
  readonly credit: number;
  readonly encoding: Encoding;
  readonly raw: Buffer;
}

export type ToSnapshot =
  | { readonly kind: "begin"; readonly run: number }
  | RunMessage
  | StreamMessage
  | { readonly kind: "credit"; readonly run: number; readonly bytes: number }
  | { readonly kind: "close"; readonly run: number }
  | { readonly kind: "end" };

export type FromSnapshot =
  | { readonly kind: "begun"; readonly run: number; readonly seq: number; readonly commits: number }
  | { readonly kind: "answered"; readonly answer: Answer }
  | { readonly kind: "rows"; readonly run: number; readonly rows: number; readonly message: Buffer }
  | { readonly kind: "waits"; readonly run: number; readonly credit: number }
  | { readonly kind: "streamed"; readonly run: number; readonly refusal?: Refusal | undefined }
  | { readonly kind: "cleared" };

const kinds = {
  begin: 17,
  stream: 18,
  credit: 19,
  close: 20,
  end: 21,
  run: 22,
  begun: 48,
  answered: 49,
  rows: 50,
  waits: 51,
  streamed: 52,
  cleared: 53,
} as const;

const runHeadBytes = 8 + 1 + 1;
const streamHeadBytes = 8 + 8 + 1;
const rowsHeadBytes = 8 + 8;

export function sendToSnapshot(queue: FrameQueue, message: ToSnapshot): void {
  switch (message.kind) {
    case "run": {
      const head = frameHead(runHeadBytes);
      head.writeDoubleLE(message.run, payloadAt);
      head[payloadAt + 8] = flagsOf(message.encoding);
      head[payloadAt + 9] = storeMethods.indexOf(message.method);
      return queue.add(kinds.run, head, message.raw);
    }
    case "stream": {
      const head = frameHead(streamHeadBytes);
      head.writeDoubleLE(message.run, payloadAt);
      head.writeDoubleLE(message.credit, payloadAt + 8);
      head[payloadAt + 16] = flagsOf(message.encoding);
      return queue.add(kinds.stream, head, message.raw);
    }
    default:
      return sendJson(queue, kinds[message.kind], message);
  }
}

export function sendFromSnapshot(queue: FrameQueue, message: FromSnapshot): void {
  switch (message.kind) {
    case "rows": {
      const head = frameHead(rowsHeadBytes);
      head.writeDoubleLE(message.run, payloadAt);
      head.writeDoubleLE(message.rows, payloadAt + 8);
      return queue.add(kinds.rows, head, message.message);
    }
    case "answered":
      return queue.add(kinds.answered, frameHead(0), packAnswers([message.answer]));
    case "begun":
    case "waits":
    case "streamed":
    case "cleared":
      return sendJson(queue, kinds[message.kind], message);
    default:
      return impossible(message, "message from a snapshot");
  }
}

/** Undefined when it is no message of this kind: then it is one to every child. */
export function readToSnapshot({ kind, payload }: Frame): ToSnapshot | undefined {
  if (kind < kinds.begin || kind > kinds.run) return undefined;
  if (kind === kinds.run)
    return {
      kind: "run",
      run: payload.readDoubleLE(0),
      encoding: encodingAt(payload[8] as number),
      method: methodAt(payload[9]),
      raw: payload.subarray(runHeadBytes),
    };
  if (kind !== kinds.stream) return parseJson<ToSnapshot>(payload);
  return {
    kind: "stream",
    run: payload.readDoubleLE(0),
    credit: payload.readDoubleLE(8),
    encoding: encodingAt(payload[16] as number),
    raw: payload.subarray(streamHeadBytes),
  };
}

export function readFromSnapshot({ kind, payload }: Frame): FromSnapshot | undefined {
  if (kind < kinds.begun || kind > kinds.cleared) return undefined;
  if (kind === kinds.rows)
    return {
      kind: "rows",
      run: payload.readDoubleLE(0),
      rows: payload.readDoubleLE(8),
      message: payload.subarray(rowsHeadBytes),
    };
  if (kind !== kinds.answered) return parseJson<FromSnapshot>(payload);
  const [answer] = unpackAnswers(payload, 0);
  if (answer === undefined) throw new Error("an answer on the pipe is missing");
  return { kind: "answered", answer };
}
