/**
 * SQLite's five types on their way over the wire. Promises that a value comes back as the type and the bits that it
 * left with: 64-bit integers are not rounded, 1.0 stays REAL, -0.0 and the infinities survive, blobs are bytes.
 *
 *   SqlValue    what a program gives and gets (the library's side)
 *   WireValue   what stands in a frame: marks `{"$int"}`, `{"$real"}`, `{"$blob"}` where JSON has no word of its own
 *   BoundValue  what better-sqlite3 binds, and what it returns raw with safe integers: a bigint is INTEGER and a number
 *               is REAL, always, because it binds every JavaScript number as REAL, also 1
 *
 * The rule of the wire: a bare number without a fraction is INTEGER, one with a fraction is REAL. All else is marked.
 */
import { types } from "node:util";
import { HoldfastError, isRefusal, type Refusal, refuse } from "../terms/index.js";
import type { Encoding } from "./encoding.js";

const mark: unique symbol = Symbol.for("holdfast.real") as never;

/** A number that is to be stored as REAL even if it has no fraction. Known by a symbol: two copies of the package agree. */
export class Real {
  readonly value: number;
  readonly [mark] = true;

  constructor(value: number) {
    this.value = value;
  }
}

export function isReal(value: unknown): value is Real {
  return typeof value === "object" && value !== null && mark in value;
}

export type SqlValue = null | number | bigint | string | Uint8Array | Real;
/** A row's cell as the library returns it: REAL is always a plain number there. */
export type ResultValue = null | number | bigint | string | Uint8Array;
export type BoundValue = null | number | bigint | string | Uint8Array;
/** How integers are returned: beyond 2^53 as bigint (`auto`), never (`number`, then such a value is an error), always. */
export type Integers = "auto" | "number" | "bigint";

export interface IntMark {
  readonly $int: string;
}
export interface RealMark {
  readonly $real: string;
}
export interface BlobMark {
  readonly $blob: string;
}
/** Only MessagePack has bigint (int 64) and bytes (bin) of its own; it takes the marks as well. */
export type WireValue = null | number | bigint | string | Uint8Array | IntMark | RealMark | BlobMark;
export type WireInteger = number | bigint | IntMark;

const safe = Number.MAX_SAFE_INTEGER;

/** Native since Node 20, newer than the library of ES2023; constant time for most strings. */
const wellFormed = (String.prototype as unknown as { isWellFormed(): boolean }).isWellFormed;

// The library's way out: a program's value becomes a wire value.

export function wireValue(value: SqlValue, encoding: Encoding): WireValue | Refusal {
  switch (typeof value) {
    case "number":
      return wireNumber(value);
    case "string":
      return wellFormed.call(value) ? value : invalid(loneSurrogate);
    case "bigint":
      if (BigInt.asIntN(64, value) !== value) return invalid(beyondInt64);
      return wireInteger(value, encoding);
    case "object":
      if (value === null) return null;
      if (isBytes(value)) return encoding === "msgpack" ? value : { $blob: base64(value) };
      if (isReal(value)) return wireReal(value.value);
  }
  return invalid(notAValue(value));
}

function wireNumber(value: number): WireValue | Refusal {
  if (!Number.isInteger(value)) return wireReal(value);
  if (value > safe || value < -safe)
    return invalid(`is the number ${value}, not exact as an integer: give a bigint, or real(${value})`);
  return value === 0 ? 0 : value;
}

function wireReal(value: number): WireValue | Refusal {
  if (Number.isNaN(value)) return invalid("is NaN, which SQLite cannot hold: give null");
  return isBareReal(value) ? value : { $real: realText(value) };
}

/** Takes an integer of 64 bits, as SQLite returns it. */
export function wireInteger(value: bigint, encoding: Encoding): WireInteger {
  const near = Number(value);
  if (near <= safe && near >= -safe) return near;
  return encoding === "msgpack" ? value : { $int: String(value) };
}

export function wireArgs(values: readonly SqlValue[], encoding: Encoding): WireValue[] | Refusal {
  const wired = new Array<WireValue>(values.length);
  for (let at = 0; at < values.length; at++) {
    const given = values[at] as SqlValue;
    // Most values stand for themselves.
    if (given === null || Number.isSafeInteger(given) || (typeof given === "string" && wellFormed.call(given))) {
      wired[at] = given as WireValue;
      continue;
    }
    const value = wireValue(given, encoding);
    if (isRefusal(value)) return named(value, at + 1);
    wired[at] = value;
  }
  return wired;
}

export function wireNamed(
  values: { readonly [name: string]: SqlValue },
  encoding: Encoding,
): { [name: string]: WireValue } | Refusal {
  const wired: [string, WireValue][] = [];
  for (const [name, given] of Object.entries(values)) {
    const value = wireValue(given, encoding);
    if (isRefusal(value)) return named(value, name);
    wired.push([name, value]);
  }
  return Object.fromEntries(wired);
}

// The broker's way in: what stands in a frame becomes what SQLite binds.

/** `valueBytesMax` bounds text (as UTF-8) and blobs. */
export function boundValue(value: unknown, valueBytesMax: number): BoundValue | Refusal {
  switch (typeof value) {
    case "number":
      if (Number.isInteger(value))
        return value <= safe && value >= -safe
          ? BigInt(value)
          : invalid(`is a bare number beyond 2^53: send {"$int":"…"} for an INTEGER or {"$real":"…"} for a REAL`);
      if (Number.isFinite(value)) return value;
      return invalid(`is not a finite number: send {"$real":"Infinity"} or {"$real":"-Infinity"}; there is no NaN`);
    case "string":
      return boundText(value, valueBytesMax);
    case "bigint":
      return BigInt.asIntN(64, value) === value ? value : invalid(beyondInt64);
    case "object":
      if (value === null) return null;
      if (isBytes(value)) return boundBytes(value, valueBytesMax);
      return boundMark(value as { readonly [word: string]: unknown }, valueBytesMax);
  }
  return invalid(notAValue(value));
}

function boundText(text: string, valueBytesMax: number): string | Refusal {
  if (!wellFormed.call(text)) return invalid(loneSurrogate);
  if (text.length * 3 <= valueBytesMax) return text;
  const bytes = Buffer.byteLength(text, "utf8");
  return bytes <= valueBytesMax ? text : tooLarge(bytes, valueBytesMax);
}

function boundBytes(bytes: Uint8Array, valueBytesMax: number): Uint8Array | Refusal {
  return bytes.length <= valueBytesMax ? bytes : tooLarge(bytes.length, valueBytesMax);
}

function boundMark(object: { readonly [word: string]: unknown }, valueBytesMax: number): BoundValue | Refusal {
  const word = soleWordOf(object);
  const content = word === undefined ? undefined : object[word];
  if (typeof content === "string") {
    if (word === "$int")
      return integerOf(content) ?? invalid(`has {"$int"} with something else than a decimal integer of 64 bits`);
    if (word === "$real")
      return (
        realOf(content) ?? invalid(`has {"$real"} with something else than a decimal number, "Infinity" or "-Infinity"`)
      );
    if (word === "$blob") {
      const bytes = bytesOf(content);
      return bytes === undefined
        ? invalid(`has {"$blob"} with something else than base64`)
        : boundBytes(bytes, valueBytesMax);
    }
  }
  return invalid(`is an array or an object; the marks are {"$int":"…"}, {"$real":"…"} and {"$blob":"…"}`);
}

/**
 * The name of its only field, where it is an object with one field. Bytes and lists are not looked into: each of their
 * elements would become a name, which takes half a minute for those that fit into one frame.
 */
export function soleWordOf(given: unknown): string | undefined {
  if (typeof given !== "object" || given === null || Array.isArray(given) || isBytes(given)) return undefined;
  let sole: string | undefined;
  for (const word in given) {
    if (sole !== undefined) return undefined;
    sole = word;
  }
  return sole;
}

export function boundArgs(values: readonly unknown[], valueBytesMax: number): BoundValue[] | Refusal {
  const bound = new Array<BoundValue>(values.length);
  for (let at = 0; at < values.length; at++) {
    const value = boundValue(values[at], valueBytesMax);
    if (isRefusal(value)) return named(value, at + 1);
    bound[at] = value;
  }
  return bound;
}

/** A map, so that a parameter may have any name, `__proto__` too. */
export function boundNamed(
  values: { readonly [name: string]: unknown },
  valueBytesMax: number,
): Map<string, BoundValue> | Refusal {
  const bound = new Map<string, BoundValue>();
  for (const name of Object.keys(values)) {
    const value = boundValue(values[name], valueBytesMax);
    if (isRefusal(value)) return named(value, name);
    bound.set(name, value);
  }
  return bound;
}

// The broker's way out, cell by cell; rows have a faster way of their own in rows.ts.

/** Takes what SQLite returned (raw, safe integers). */
export function wireOfBound(value: BoundValue, encoding: Encoding): WireValue {
  switch (typeof value) {
    case "number":
      return isBareReal(value) ? value : { $real: realText(value) };
    case "string":
      return value;
    case "bigint":
      return wireInteger(value, encoding);
    default:
      if (value === null || encoding === "msgpack") return value;
      return { $blob: base64(value) };
  }
}

// The library's way in.

/** Takes a cell of a result. Throws when the peer breaks the protocol, and for a large integer under `number`. */
export function resultValue(wire: unknown, integers: Integers): ResultValue {
  if (typeof wire === "string" || wire === null) return wire;
  if (typeof wire === "number") return integers === "bigint" && Number.isSafeInteger(wire) ? BigInt(wire) : wire;
  const value = boundValue(wire, Number.MAX_SAFE_INTEGER);
  if (isRefusal(value)) throw new HoldfastError("INTERNAL", `the broker sent a value that ${value.message}`);
  return typeof value === "bigint" ? resultInteger(value, integers) : value;
}

export function resultInteger(value: bigint, integers: Integers): number | bigint {
  if (integers === "bigint") return value;
  const near = Number(value);
  if (Number.isSafeInteger(near)) return near;
  if (integers === "auto") return value;
  throw new HoldfastError(
    "MISUSE",
    `the integer ${value} is beyond 2^53 and would be rounded: use integers "auto" or "bigint"`,
  );
}

// The words of the marks.

/** The second look is for bytes made in another realm, as test runners do. */
function isBytes(value: object): value is Uint8Array {
  return value instanceof Uint8Array || types.isUint8Array(value);
}

/** Whether a REAL can stand in a frame as a bare number: only with a fraction, else it would be read as INTEGER. */
export function isBareReal(value: number): boolean {
  return Number.isFinite(value) && !Number.isInteger(value);
}

/** JavaScript's shortest text that gives the same 64 bits again; `-0` needs a word of its own. */
export function realText(value: number): string {
  return Object.is(value, -0) ? "-0" : String(value);
}

export function base64(bytes: Uint8Array): string {
  const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return buffer.toString("base64");
}

const decimalInteger = /^-?[0-9]{1,19}$/;
const decimalNumber = /^-?[0-9]{1,400}(\.[0-9]{1,1100})?([eE][+-]?[0-9]{1,4})?$/;

function integerOf(text: string): bigint | undefined {
  if (!decimalInteger.test(text)) return undefined;
  const value = BigInt(text);
  return BigInt.asIntN(64, value) === value ? value : undefined;
}

/** A decimal number too large for 64 bits is not silently an infinity. */
function realOf(text: string): number | undefined {
  if (text === "Infinity") return Infinity;
  if (text === "-Infinity") return -Infinity;
  if (!decimalNumber.test(text)) return undefined;
  const value = Number(text);
  return Number.isFinite(value) ? value : undefined;
}

/**
 * Node's decoder passes over what is not base64 and takes the URL's alphabet too. A passed-over character always
 * shortens the result, so that the length alone proves the text clean; the two foreign letters are looked for.
 */
function bytesOf(text: string): Uint8Array | undefined {
  let digits = text.length;
  if (digits % 4 === 0 && text.endsWith("==")) digits -= 2;
  else if (digits % 4 === 0 && text.endsWith("=")) digits -= 1;
  if (digits % 4 === 1 || text.includes("-") || text.includes("_")) return undefined;
  const bytes = Buffer.from(text, "base64");
  return bytes.length === Math.floor((digits * 3) / 4) ? bytes : undefined;
}

// Refusals. The message is a predicate until `named` has put the parameter before it.

const loneSurrogate = "has a surrogate without its partner, so it is not text that UTF-8 can hold";

const beyondInt64 = "is an integer beyond the 64 bits (with sign) of an INTEGER";

function invalid(predicate: string): Refusal {
  return refuse("PARAMETER_INVALID", predicate);
}

function tooLarge(bytes: number, bytesMax: number): Refusal {
  return refuse("VALUE_TOO_LARGE", `has ${bytes} bytes, at most ${bytesMax} are allowed`, { bytes, bytesMax });
}

function named(refusal: Refusal, parameter: number | string): Refusal {
  const name = typeof parameter === "number" ? parameter : parameter.slice(0, 100);
  const subject = typeof name === "number" ? `value ${name}` : `the value of ${JSON.stringify(name)}`;
  return refuse(refusal.refused, `${subject} ${refusal.message}`, { ...refusal.details, parameter: name });
}

function notAValue(value: unknown): string {
  if (typeof value === "boolean") return "is a boolean, which SQLite does not have: give 1 or 0";
  if (value === undefined) return "is undefined: give null";
  return `is of type ${typeof value}; SQLite holds numbers, bigints, text, bytes (Uint8Array) and null`;
}
