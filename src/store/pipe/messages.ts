/**
 * Everything the front and its children say to each other: a closed union in each direction, and its bytes. What comes
 * with every request has a small binary head; what is said once in a while is JSON.
 *
 *   write    f64 seq · f64 key (0: none) · f64 acked below · u8 flags · u8 method · 32 digits session · the request as it came
 *   step     see step-message.ts
 *   settle   f64 seq · u8 encoding · 16 bytes session · f64 key …
 *   settled  f64 bytes of the log · f64 ended sessions stored · f64 seq on disk · f64 ms run · f64 ms in COMMIT · answer …, an answer being f64 seq · u8 kind · u32 length · bytes
 *   read     f64 read · u8 encoding · u8 method · the request as it came
 *   answers  answer …
 */
import type { ChangedTable } from "../../core/index.js";
import type { Encoding } from "../../protocol/index.js";
import {
  impossible,
  type Limits,
  type Refusal,
  type RefusalCode,
  type RequestKey,
  requestKey,
  type Seq,
  type SessionId,
  seq,
  sessionId,
} from "../../terms/index.js";
import { type Frame, type FrameQueue, frameHead, payloadAt } from "./frames.js";
import { readStep, type StepMessage, stepHead } from "./step-message.js";
import { type StoreMethod, storeMethods } from "./store-methods.js";

export { type StoreMethod, storeMethods };

export interface WriteMessage {
  readonly kind: "write";
  readonly seq: Seq;
  readonly mode: "run" | "replay";
  readonly session: SessionId;
  readonly key: RequestKey | undefined;
  /** Answers under keys of this session below it may go. */
  readonly ackedBelow: number;
  readonly alone: boolean;
  readonly method: StoreMethod;
  readonly encoding: Encoding;
  readonly raw: Buffer;
}

export interface SettleMessage {
  readonly kind: "settle";
  readonly seq: Seq;
  readonly session: SessionId;
  readonly keys: readonly RequestKey[];
  readonly encoding: Encoding;
}

/** What a writer must know before it takes the lock. */
export interface WriterOrders {
  readonly database: string;
  readonly writerLock: string;
  readonly progress: string;
  readonly limits: Limits;
  readonly bootId: string;
  /** The run directory, without symbolic links. */
  readonly place: string;
  /** Rule 9: fold the log with success before anything else. */
  readonly repair: boolean;
  /** No writer of this front has been ready: what an earlier front knew of the log is not known. */
  readonly first: boolean;
}

export interface ReaderOrders {
  readonly database: string;
  readonly limits: Limits;
  /** No writer has settled what was in doubt: what is found must be brought to the disk before it is shown (rule 1). */
  readonly withoutWriter: boolean;
}

export type ToWriter =
  | { readonly kind: "go"; readonly orders: WriterOrders }
  | WriteMessage
  | StepMessage
  | SettleMessage
  | { readonly kind: "forget"; readonly session: SessionId; readonly below: RequestKey }
  | { readonly kind: "end-session"; readonly session: SessionId }
  | { readonly kind: "reserve"; readonly above: number; readonly newIncarnation: boolean }
  | { readonly kind: "nothing-held" }
  | { readonly kind: "checkpoint" }
  | WatchMessage;

/** Watch these tables as well, or otherwise than before, and those no more; answered by `watched`. */
export interface WatchMessage {
  readonly kind: "watch";
  readonly set: number;
  readonly tables: readonly WatchedTable[];
  readonly dropped: readonly string[];
}

export interface WatchedTable {
  /** In small letters. */
  readonly table: string;
  readonly keys: boolean;
}

export interface ReadMessage {
  readonly kind: "read";
  readonly read: number;
  readonly method: StoreMethod;
  readonly encoding: Encoding;
  readonly raw: Buffer;
}

export type ToReader = { readonly kind: "go"; readonly orders: ReaderOrders } | ReadMessage;

/** `id` is the seq of a write, the number of a read. */
export type Answer =
  | { readonly id: number; readonly kind: "done"; readonly encoding: Encoding; readonly bytes: Buffer }
  /** `ended`: and the transaction that it is a step of is rolled back. */
  | { readonly id: number; readonly kind: "refused"; readonly refusal: Refusal; readonly ended?: boolean }
  | { readonly id: number; readonly kind: "absent" };

export interface WriterReady {
  readonly epoch: number;
  readonly storedSeq: number;
  readonly previousBootId: string | null;
  readonly heldBefore: boolean;
  readonly movedFrom: string | null;
  readonly incarnation: string;
  readonly tokensFrom: number;
  readonly tokensTo: number;
  readonly sqlite: string;
}

export type FromWriter =
  /** Code and native module are loaded; nothing is opened. */
  | { readonly kind: "loaded" }
  | ({ readonly kind: "ready" } & WriterReady)
  | {
      readonly kind: "settled";
      readonly walBytes: number;
      readonly housekept: number;
      /** The highest sequence that this writer has on disk, 0 for none. A group that changed nothing has left none there. */
      readonly storedSeq: number;
      /** Of the group, 0 for what was none: until COMMIT, and in it. */
      readonly ranMs: number;
      readonly committedMs: number;
      readonly answers: readonly Answer[];
    }
  | { readonly kind: "reserved"; readonly tokensFrom: number; readonly tokensTo: number; readonly incarnation: string }
  | { readonly kind: "checkpointed"; readonly walBytes: number; readonly complete: boolean }
  /** What is committed with a higher number than `upTo` is told. */
  | {
      readonly kind: "watched";
      readonly set: number;
      readonly upTo: number;
      readonly absent: readonly string[];
      readonly wrong: readonly { readonly table: string; readonly what: string }[];
    }
  /** Sent before the answers of the same commit. Values of keys are as in JSON on the wire. */
  | {
      readonly kind: "changed";
      readonly seq: number;
      readonly outside: boolean;
      readonly tables: readonly ChangedTable[];
    }
  /**
   * `lockHeld`: because another process has the writer's lock. `ioFailed`: because the disk failed. `refused`: what it is
   * refused with, where that has a word.
   */
  | {
      readonly kind: "unavailable";
      readonly reason: string;
      readonly lockHeld: boolean;
      readonly ioFailed: boolean;
      readonly refused?: RefusalCode;
    };

export type FromReader =
  | { readonly kind: "loaded" }
  | { readonly kind: "ready" }
  | { readonly kind: "answers"; readonly answers: readonly Answer[] }
  /** A read that may be slow is begun, and all before it are answered. */
  | { readonly kind: "begins"; readonly read: number }
  | { readonly kind: "unavailable"; readonly reason: string };

const kinds = {
  go: 1,
  write: 2,
  settle: 3,
  forget: 4,
  "end-session": 5,
  reserve: 6,
  checkpoint: 7,
  read: 8,
  "nothing-held": 9,
  step: 16,
  loaded: 32,
  ready: 33,
  settled: 34,
  reserved: 35,
  checkpointed: 36,
  unavailable: 37,
  answers: 38,
  watch: 39,
  watched: 40,
  changed: 41,
  begins: 42,
} as const;

const fromWriter = ["loaded", "ready", "reserved", "checkpointed", "watched", "changed", "unavailable"] as const;
const toWriter = ["go", "forget", "end-session", "reserve", "nothing-held", "checkpoint", "watch"] as const;
const replayFlag = 1;
const aloneFlag = 2;
const msgpackFlag = 4;
const sessionBytes = 16;
const sessionDigits = 2 * sessionBytes;
const writeHeadBytes = 8 + 8 + 8 + 1 + 1 + sessionDigits;
const readHeadBytes = 8 + 1 + 1;
const settledHeadBytes = 40;
const settleHeadBytes = 8 + 1 + sessionBytes;
const answerHeadBytes = 8 + 1 + 4;
const answerKinds = { "done-json": 0, "done-msgpack": 1, refused: 2, absent: 3, ended: 4 } as const;
const nothing = Buffer.alloc(0);

export function sendToWriter(queue: FrameQueue, message: ToWriter): void {
  switch (message.kind) {
    case "write":
      return sendWrite(queue, message);
    case "step":
      return queue.add(kinds.step, stepHead(message), message.request?.raw);
    case "settle":
      return sendSettle(queue, message);
    case "go":
    case "forget":
    case "end-session":
    case "reserve":
    case "nothing-held":
    case "checkpoint":
    case "watch":
      return sendJson(queue, kinds[message.kind], message);
    default:
      return impossible(message, "message to the writer");
  }
}

/** Filled anew for each write: the queue copies it. */
const writeHead = frameHead(writeHeadBytes);
const writeView = new DataView(writeHead.buffer, writeHead.byteOffset);

function sendWrite(queue: FrameQueue, message: WriteMessage): void {
  const head = writeHead;
  writeView.setFloat64(payloadAt, message.seq, true);
  writeView.setFloat64(payloadAt + 8, message.key ?? 0, true);
  writeView.setFloat64(payloadAt + 16, message.ackedBelow, true);
  head[payloadAt + 24] =
    (message.mode === "replay" ? replayFlag : 0) | (message.alone ? aloneFlag : 0) | flagsOf(message.encoding);
  head[payloadAt + 25] = storeMethods.indexOf(message.method);
  head.write(message.session, payloadAt + 26, sessionDigits, "latin1");
  queue.add(kinds.write, head, message.raw);
}

function sendSettle(queue: FrameQueue, message: SettleMessage): void {
  const head = frameHead(settleHeadBytes + 8 * message.keys.length);
  head.writeDoubleLE(message.seq, payloadAt);
  head[payloadAt + 8] = flagsOf(message.encoding);
  head.write(message.session, payloadAt + 9, sessionBytes, "hex");
  let at = payloadAt + settleHeadBytes;
  for (const key of message.keys) at = head.writeDoubleLE(key, at);
  queue.add(kinds.settle, head);
}

export function sendToReader(queue: FrameQueue, message: ToReader): void {
  if (message.kind === "go") return sendJson(queue, kinds.go, message);
  const head = frameHead(readHeadBytes);
  head.writeDoubleLE(message.read, payloadAt);
  head[payloadAt + 8] = flagsOf(message.encoding);
  head[payloadAt + 9] = storeMethods.indexOf(message.method);
  queue.add(kinds.read, head, message.raw);
}

export function sendFromWriter(queue: FrameQueue, message: FromWriter): void {
  if (message.kind !== "settled") return sendJson(queue, kinds[message.kind], message);
  const head = frameHead(settledHeadBytes);
  head.writeDoubleLE(message.walBytes, payloadAt);
  head.writeDoubleLE(message.housekept, payloadAt + 8);
  head.writeDoubleLE(message.storedSeq, payloadAt + 16);
  head.writeDoubleLE(message.ranMs, payloadAt + 24);
  head.writeDoubleLE(message.committedMs, payloadAt + 32);
  queue.add(kinds.settled, head, packAnswers(message.answers));
}

export function sendFromReader(queue: FrameQueue, message: FromReader): void {
  if (message.kind !== "answers") return sendJson(queue, kinds[message.kind], message);
  queue.add(kinds.answers, frameHead(0), packAnswers(message.answers));
}

export function sendJson(queue: FrameQueue, kind: number, message: object): void {
  queue.add(kind, frameHead(0), Buffer.from(JSON.stringify(message)));
}

export function packAnswers(answers: readonly Answer[]): Buffer {
  const bodies = answers.map(bodyOf);
  let bytes = 0;
  for (const body of bodies) bytes += answerHeadBytes + body.length;
  const packed = Buffer.allocUnsafe(bytes);
  const view = new DataView(packed.buffer, packed.byteOffset, bytes);
  let at = 0;
  for (let place = 0; place < answers.length; place++) {
    const answer = answers[place] as Answer;
    const body = bodies[place] as Buffer;
    view.setFloat64(at, answer.id, true);
    packed[at + 8] = answerKinds[wordOf(answer)];
    view.setUint32(at + 9, body.length, true);
    packed.set(body, at + answerHeadBytes);
    at += answerHeadBytes + body.length;
  }
  return packed;
}

function wordOf(answer: Answer): keyof typeof answerKinds {
  if (answer.kind === "done") return `done-${answer.encoding}`;
  return answer.kind === "refused" && answer.ended === true ? "ended" : answer.kind;
}

function bodyOf(answer: Answer): Buffer {
  switch (answer.kind) {
    case "done":
      return answer.bytes;
    case "refused":
      return Buffer.from(JSON.stringify(answer.refusal));
    case "absent":
      return nothing;
  }
}

export function unpackAnswers(packed: Buffer, from: number): Answer[] {
  const answers: Answer[] = [];
  const view = new DataView(packed.buffer, packed.byteOffset, packed.length);
  for (let at = from; at < packed.length; ) {
    const id = view.getFloat64(at, true);
    const kind = packed[at + 8];
    const end = at + answerHeadBytes + view.getUint32(at + 9, true);
    if (end > packed.length) throw new Error("an answer on the pipe is cut off");
    const body = packed.subarray(at + answerHeadBytes, end);
    if (kind === answerKinds["done-json"]) answers.push({ id, kind: "done", encoding: "json", bytes: body });
    else if (kind === answerKinds["done-msgpack"]) answers.push({ id, kind: "done", encoding: "msgpack", bytes: body });
    else if (kind === answerKinds.refused) answers.push({ id, kind: "refused", refusal: parseJson<Refusal>(body) });
    else if (kind === answerKinds.absent) answers.push({ id, kind: "absent" });
    else if (kind === answerKinds.ended)
      answers.push({ id, kind: "refused", refusal: parseJson<Refusal>(body), ended: true });
    else throw new Error(`an answer on the pipe has the kind ${kind}`);
    at = end;
  }
  return answers;
}

export function readToWriter({ kind, payload }: Frame): ToWriter {
  if (kind === kinds.write) return readWrite(payload);
  if (kind === kinds.step) return readStep(payload);
  if (kind === kinds.settle) return readSettle(payload);
  return readJson<ToWriter>(payload, kind, toWriter);
}

function readWrite(payload: Buffer): WriteMessage {
  const flags = payload[24] as number;
  const key = payload.readDoubleLE(8);
  return {
    kind: "write",
    seq: seq(payload.readDoubleLE(0)),
    mode: (flags & replayFlag) === 0 ? "run" : "replay",
    session: sessionId(payload.toString("latin1", 26, writeHeadBytes)),
    key: key === 0 ? undefined : requestKey(key),
    ackedBelow: payload.readDoubleLE(16),
    alone: (flags & aloneFlag) !== 0,
    method: methodAt(payload[25]),
    encoding: encodingAt(flags),
    raw: payload.subarray(writeHeadBytes),
  };
}

function readSettle(payload: Buffer): SettleMessage {
  const keys: RequestKey[] = [];
  for (let at = settleHeadBytes; at < payload.length; at += 8) keys.push(requestKey(payload.readDoubleLE(at)));
  return {
    kind: "settle",
    seq: seq(payload.readDoubleLE(0)),
    encoding: encodingAt(payload[8] as number),
    session: sessionId(payload.toString("hex", 9, settleHeadBytes)),
    keys,
  };
}

export function readToReader({ kind, payload }: Frame): ToReader {
  if (kind !== kinds.read) return readJson<ToReader>(payload, kind, ["go"]);
  return {
    kind: "read",
    read: payload.readDoubleLE(0),
    encoding: encodingAt(payload[8] as number),
    method: methodAt(payload[9]),
    raw: payload.subarray(readHeadBytes),
  };
}

export function readFromWriter({ kind, payload }: Frame): FromWriter {
  if (kind === kinds.settled)
    return {
      kind: "settled",
      walBytes: payload.readDoubleLE(0),
      housekept: payload.readDoubleLE(8),
      storedSeq: payload.readDoubleLE(16),
      ranMs: payload.readDoubleLE(24),
      committedMs: payload.readDoubleLE(32),
      answers: unpackAnswers(payload, settledHeadBytes),
    };
  return readJson<FromWriter>(payload, kind, fromWriter);
}

export function readFromReader({ kind, payload }: Frame): FromReader {
  if (kind === kinds.answers) return { kind: "answers", answers: unpackAnswers(payload, 0) };
  return readJson<FromReader>(payload, kind, ["loaded", "ready", "begins", "unavailable"]);
}

/** Both ends are of one build and one machine: the kind is checked, the fields are taken at their word. */
function readJson<T>(payload: Buffer, kind: number, expected: readonly (keyof typeof kinds)[]): T {
  if (!expected.some((name) => kinds[name] === kind))
    throw new Error(`an unexpected frame of kind ${kind} on the pipe`);
  return parseJson<T>(payload);
}

export function parseJson<T>(bytes: Buffer): T {
  return JSON.parse(bytes.toString("utf8")) as T;
}

export function methodAt(place: number | undefined): StoreMethod {
  const method = place === undefined ? undefined : storeMethods[place];
  if (method === undefined) throw new Error(`a frame on the pipe names method ${place}`);
  return method;
}

export function flagsOf(encoding: Encoding): number {
  return encoding === "msgpack" ? msgpackFlag : 0;
}

export function encodingAt(flags: number): Encoding {
  return (flags & msgpackFlag) === 0 ? "json" : "msgpack";
}
