/**
 * Results that were kept: put from one encoding into the other, because a client may ask again on a connection of
 * the other kind, and joined into the answer of session.settle without being opened.
 */
import type { Buffer } from "node:buffer";
import type { RequestKey } from "../terms/index.js";
import type { Encoding } from "./encoding.js";
import { decodeBody, encodeBody } from "./envelope.js";
import type { SettledError } from "./methods/session.js";
import { type BoundValue, boundValue, wireOfBound } from "./numbers.js";

/** Cells are written as the new encoding writes them; all else is the same in both. */
export function transcode(body: Buffer, from: Encoding, to: Encoding): Buffer {
  return from === to ? body : encodeBody(respelled(decodeBody(body, from), to), to);
}

function respelled(value: unknown, to: Encoding): unknown {
  if (typeof value === "bigint" || value instanceof Uint8Array) return wireOfBound(value, to);
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((element) => respelled(element, to));
  const words = Object.keys(value);
  if (words.length === 1 && (words[0] as string).startsWith("$"))
    return wireOfBound(boundValue(value, Number.MAX_SAFE_INTEGER) as BoundValue, to);
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, respelled(inner, to)]));
}

/** One line of the answer of session.settle, with the stored result as bytes. */
export interface Settled {
  readonly key: RequestKey;
  readonly outcome: "applied" | "never" | "unknown";
  readonly result?: Buffer;
  readonly error?: SettledError;
  readonly resultKept: boolean;
}

/** The results must be in the same encoding. */
export function encodeSettled(settled: readonly Settled[], encoding: Encoding): Buffer {
  const outcomes = settled.map(({ result, ...rest }) => ({
    ...rest,
    ...(result === undefined ? {} : { result: decodeBody(result, encoding) }),
  }));
  return encodeBody({ outcomes }, encoding);
}
