/**
 * The frame around every message: JSON-RPC 2.0, in both encodings. Decoding never throws, whatever the bytes: what
 * is wrong comes back as a value with the id to answer under, if there is one. What is inside `params` and `result`
 * is not looked at here.
 */
import { Buffer } from "node:buffer";
import { type Refusal, type RequestId, refuse } from "../terms/index.js";
import { isRequestId, type Sender } from "./bounds.js";
import type { Encoding } from "./encoding.js";
import { jsonBytes, jsonText, parseJson, parseJsonAnswer } from "./json.js";
import { parseMsgpack } from "./msgpack-reader.js";
import { MsgpackWriter } from "./msgpack-writer.js";
import { errorOf, refusalOf } from "./refusal-wire.js";
import { unpairedIn } from "./unpaired.js";

export interface Request {
  readonly kind: "request";
  readonly id: RequestId;
  readonly method: string;
  /** An empty object if the frame had none. */
  readonly params: unknown;
}

export interface Notification {
  readonly kind: "notification";
  readonly method: string;
  readonly params: unknown;
}

export type Response =
  | { readonly kind: "result"; readonly id: RequestId; readonly result: unknown }
  /** `id` is null when the broker could not read it. */
  | { readonly kind: "refused"; readonly id: RequestId | null; readonly refusal: Refusal };

/** The frame cannot be taken. A broker answers the refusal under this id. */
export interface FrameError {
  readonly kind: "frame-error";
  readonly id: RequestId | null;
  readonly refusal: Refusal;
}

export type Frame = Request | Notification | Response | FrameError;

/** `sender` says who wrote the frame: what clients send is held to the bounds of bounds.ts. */
export function decodeFrame(data: Buffer, encoding: Encoding, sender: Sender = "client"): Frame {
  const content = encoding === "json" ? parseJson(data, sender) : parseMsgpack(data, sender);
  if ("refusal" in content) return { kind: "frame-error", id: content.id, refusal: content.refusal };
  return frameOf(content.value);
}

/** The same for what a broker has sent, which lies between two places of what was read. */
export function decodeAnswer(bytes: Buffer, from: number, to: number, encoding: Encoding): Frame {
  const content =
    encoding === "json" ? parseJsonAnswer(bytes, from, to) : parseMsgpack(bytes.subarray(from, to), "broker");
  if ("refusal" in content) return { kind: "frame-error", id: content.id, refusal: content.refusal };
  return frameOf(content.value);
}

function frameOf(value: unknown): Frame {
  if (Array.isArray(value))
    return wrong(
      null,
      refuse("ARRAY_REFUSED", "arrays of requests are not taken: send them one by one, or use db.batch"),
    );
  if (typeof value !== "object" || value === null || value instanceof Uint8Array)
    return wrong(null, refuse("INVALID_REQUEST", "the frame is not an object"));
  const { jsonrpc, id, method, params, result, error } = value as { readonly [name: string]: unknown };
  const known = isRequestId(id) ? id : null;
  if (jsonrpc !== "2.0") return wrong(known, refuse("INVALID_REQUEST", 'the field jsonrpc must be "2.0"'));
  if (typeof method !== "string") {
    if (error !== undefined) return { kind: "refused", id: known, refusal: refusalOf(error) };
    if (result !== undefined && known !== null) return { kind: "result", id: known, result };
    return wrong(known, refuse("INVALID_REQUEST", "the field method must be a string"));
  }
  if (id === undefined) return { kind: "notification", method, params: params ?? {} };
  if (known === null)
    return wrong(
      null,
      refuse("INVALID_REQUEST", "the field id must be a string of at most 64 characters or an integer within 2^53"),
    );
  return { kind: "request", id: known, method, params: params === undefined ? {} : params };
}

function wrong(id: RequestId | null, refusal: Refusal): FrameError {
  return { kind: "frame-error", id, refusal };
}

// Bodies: a value in wire form (see numbers.ts) and its bytes.

const scratchKept = 64 * 1024;
let scratch = new MsgpackWriter();

/** The shared writer, so that small messages make no garbage; empty, also when a message before it was given up. */
function writer(): MsgpackWriter {
  scratch.clear();
  return scratch;
}

/** What was written. A writer that has grown large is not kept. */
function taken(): Buffer {
  const large = scratch.length > scratchKept;
  const bytes = scratch.take();
  if (large) scratch = new MsgpackWriter();
  return bytes;
}

/** Takes plain data; in MessagePack with bigints and bytes, which have marks in JSON. */
export function encodeBody(value: unknown, encoding: Encoding): Buffer {
  if (encoding === "json") return jsonBytes(value);
  writer().value(value);
  return taken();
}

/** Takes what `encodeBody` and the encoders of rows.ts made: the bytes of this program, not of a stranger. Throws on others. */
export function decodeBody(bytes: Buffer, encoding: Encoding): unknown {
  const content = encoding === "json" ? parseJson(bytes, "broker") : parseMsgpack(bytes, "broker");
  if ("refusal" in content) throw new Error(`impossible body: ${content.refusal.message}`);
  return content.value;
}

// Messages.

/** The finished message around a result that is already encoded. */
export function encodeResult(id: RequestId, body: Uint8Array, encoding: Encoding): Buffer {
  return encoding === "json" ? jsonAround(id, "result", body) : msgpackAround(id, "result", body);
}

export function encodeRefusal(id: RequestId | null, refusal: Refusal, encoding: Encoding): Buffer {
  const error = errorOf(refusal);
  if (encoding === "json") return jsonAround(id, "error", jsonBytes(error));
  return encodeBody({ jsonrpc: "2.0", id, error }, encoding);
}

export function encodeNotification(method: string, params: unknown, encoding: Encoding): Buffer {
  return encodeBody({ jsonrpc: "2.0", method, params }, encoding);
}

/** Without an id it is a notification. */
export function encodeRequest(id: RequestId | undefined, method: string, params: unknown, encoding: Encoding): Buffer {
  if (id === undefined) return encodeNotification(method, params, encoding);
  return encodeBody({ jsonrpc: "2.0", id, method, params }, encoding);
}

// The same messages for who can write text as well. A small one costs less as text than the buffer that it would need.

/** Bytes, or text with a byte in each character. */
export type Message = string | Buffer;

/** Beyond it text would only be copied once more. */
const textBytesMax = 16 * 1024;

/** As `encodeRequest`; a text that MessagePack cannot carry is refused. */
export function requestMessage(
  id: RequestId | undefined,
  method: string,
  params: unknown,
  encoding: Encoding,
): Message | Refusal {
  const message = plainMessage({ jsonrpc: "2.0", id, method, params }, encoding);
  // What it cannot carry was replaced by this character; only then is it worth to look.
  if (encoding === "json" || !message.includes("\ufffd")) return message;
  return unpairedIn(params, "params") ?? message;
}

/** The answer to a request, from plain data. */
export function answerMessage(id: RequestId, result: unknown, encoding: Encoding): Message {
  return plainMessage({ jsonrpc: "2.0", id, result }, encoding);
}

function plainMessage(value: object, encoding: Encoding): Message {
  if (encoding === "msgpack") return encodeBody(value, encoding);
  const text = jsonText(value);
  return Buffer.byteLength(text) === text.length ? text : Buffer.from(text, "utf8");
}

/** As `encodeResult`. */
export function resultMessage(id: RequestId, body: Buffer, encoding: Encoding): Message {
  if (body.length > textBytesMax) return encodeResult(id, body, encoding);
  if (encoding === "msgpack") return `${msgpackResultHead}${msgpackId(id)}${msgpackResult}${body.toString("latin1")}`;
  return `{"jsonrpc":"2.0","id":${jsonId(id)},"result":${body.toString("latin1")}}`;
}

/** A map of three: jsonrpc, id, result. */
const msgpackResultHead = "\x83\xa7jsonrpc\xa32.0\xa2id";
const msgpackResult = "\xa6result";

function msgpackId(id: RequestId): string {
  if (typeof id === "number" && id >= 0 && id < 0x80) return String.fromCharCode(id);
  return encodeBody(id, "msgpack").toString("latin1");
}

function jsonId(id: RequestId): string | number {
  return typeof id === "number" ? id : encodeBody(id, "json").toString("latin1");
}

function jsonAround(id: RequestId | null, field: "result" | "error", body: Uint8Array): Buffer {
  const head = `{"jsonrpc":"2.0","id":${typeof id === "string" ? JSON.stringify(id) : id},"${field}":`;
  const length = typeof id === "string" ? Buffer.byteLength(head, "utf8") : head.length;
  const bytes = Buffer.allocUnsafe(length + body.length + 1);
  bytes.write(head, 0, "utf8");
  bytes.set(body, length);
  bytes[length + body.length] = 0x7d;
  return bytes;
}

function msgpackAround(id: RequestId, field: "result", body: Uint8Array): Buffer {
  const out = writer();
  out.map(3);
  out.text("jsonrpc");
  out.text("2.0");
  out.text("id");
  out.value(id);
  out.text(field);
  out.raw(body);
  return taken();
}
