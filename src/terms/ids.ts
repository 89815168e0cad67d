/**
 * The names by which things are known, each branded so that one cannot be taken for another, and the one way to
 * make each. A value that has such a type has passed its check.
 */

import type { WallTime } from "./time.js";

declare const brand: unique symbol;
type Branded<T, Name extends string> = T & { readonly [brand]: Name };

/** 128 bits as 32 lower-case hex digits: the front half of SHA-256 of the session's secret, so that whoever knows the
 * secret has proved the id, also to a broker that has forgotten the session. */
export type SessionId = Branded<string, "SessionId">;
/** A lock's name: 1 to 512 bytes of UTF-8, well-formed, no control characters; compared byte by byte. */
export type LockName = Branded<string, "LockName">;
/** A fencing token: a positive integer below 2^53 that never repeats and never goes back. */
export type Token = Branded<number, "Token">;
/** The number under which a session sends a state-changing request; rises from 1, never reused in a session. */
export type RequestKey = Branded<number, "RequestKey">;
/** The number that a client gives its transaction; rises in a session, never reused there. */
export type TransactionNumber = Branded<number, "TransactionNumber">;
/** The place of a write in the one order in which writes reach the writer; rises for ever, also over restarts. */
export type Seq = Branded<number, "Seq">;
/** One connection of one life of the front; never reused in that life. */
export type ConnectionId = Branded<number, "ConnectionId">;
/** One reader process of one life of the front. */
export type ReaderId = Branded<number, "ReaderId">;
/** The `id` of a JSON-RPC request as the client chose it: unique among its requests in flight on that connection. */
export type RequestId = string | number;

const hex32 = /^[0-9a-f]{32}$/;

export function isSessionId(text: string): text is SessionId {
  return hex32.test(text);
}

/** Takes text that is already known to be 32 hex digits (a hash, a stored row). Throws on anything else. */
export function sessionId(text: string): SessionId {
  if (!isSessionId(text)) throw new RangeError(`not a session id: ${JSON.stringify(text)}`);
  return text;
}

/** UTF-8 length of a well-formed string, without making the bytes. */
export function utf8Length(text: string): number {
  let bytes = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) bytes += 1;
    else if (unit < 0x800) bytes += 2;
    else if (unit >= 0xd800 && unit <= 0xdbff) {
      bytes += 4;
      i++;
    } else bytes += 3;
  }
  return bytes;
}

/** Whether every surrogate stands in a pair. (`isWellFormed` of the language is newer than ES2023's library.) */
export function isWellFormed(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0xd800 || unit > 0xdfff) continue;
    const next = text.charCodeAt(i + 1);
    if (unit > 0xdbff || !(next >= 0xdc00 && next <= 0xdfff)) return false;
    i++;
  }
  return true;
}

function hasControl(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x20 || (unit >= 0x7f && unit <= 0x9f)) return true;
  }
  return false;
}

/** Says what is wrong with a lock name, or gives it back as one. `bytesMax` is the limit `nameBytesMax`. */
export function lockName(text: string, bytesMax: number): LockName | { wrong: string } {
  if (text.length === 0) return { wrong: "is empty" };
  if (!isWellFormed(text)) return { wrong: "has a surrogate without its partner" };
  if (hasControl(text)) return { wrong: "has a control character" };
  const bytes = utf8Length(text);
  if (bytes > bytesMax) return { wrong: `has ${bytes} bytes, at most ${bytesMax} are allowed` };
  return text as LockName;
}

function positiveInteger(value: number, what: string): number {
  if (!Number.isSafeInteger(value) || value < 1) throw new RangeError(`not a ${what}: ${value}`);
  return value;
}

export function token(value: number): Token {
  return positiveInteger(value, "token") as Token;
}

const secondsAt2100 = 4_102_444_800;

/**
 * No token was given above this one, whatever became of the files: what is left when they cannot tell (rule 14). A
 * start takes 2^26 tokens, and a second has 2^20. A clock that is beyond the year 2100 is wrong, and believing it once
 * would use the numbers up.
 */
export function tokensByClock(now: WallTime): number {
  const seconds = Math.floor(now / 1000);
  return seconds > 0 && seconds < secondsAt2100 ? seconds * 2 ** 20 : 1;
}

export function requestKey(value: number): RequestKey {
  return positiveInteger(value, "request key") as RequestKey;
}

export function transactionNumber(value: number): TransactionNumber {
  return positiveInteger(value, "transaction number") as TransactionNumber;
}

export function seq(value: number): Seq {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`not a sequence number: ${value}`);
  return value as Seq;
}

export function connectionId(value: number): ConnectionId {
  return positiveInteger(value, "connection id") as ConnectionId;
}

export function readerId(value: number): ReaderId {
  return positiveInteger(value, "reader id") as ReaderId;
}
