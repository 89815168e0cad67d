/**
 * Values for the parameters of a statement, as they are typed at a shell. What reads exactly as SQLite would print a
 * number is a number, all else is text: `12`, `-3`, `2.5` are numbers; `007`, `1e5` (it could be a hash), `+1`, `0x10`
 * and the empty word are text. `--text` makes everything text, and `--arg name:type=value` says the type.
 */
import { readFileSync } from "node:fs";

/** A REAL is kept apart: `2.0` must not become the integer 2. */
export type TypedValue = null | bigint | string | Uint8Array | { readonly real: number };

const integerText = /^(?:0|-?[1-9]\d*)$/;
const realText = /^-?(?:0|[1-9]\d*)\.\d+(?:[eE][+-]?\d+)?$/;
const int64Least = -(2n ** 63n);
const int64Most = 2n ** 63n - 1n;

export function valueOfWord(word: string, asText: boolean): TypedValue {
  if (asText) return word;
  if (integerText.test(word)) {
    const value = BigInt(word);
    return value >= int64Least && value <= int64Most ? value : word;
  }
  if (realText.test(word)) {
    const value = Number(word);
    return Number.isFinite(value) ? { real: value } : word;
  }
  return word;
}

const argumentTypes = ["int", "real", "text", "null", "blob"] as const;
type ArgumentType = (typeof argumentTypes)[number];

export interface NamedValue {
  /** Without prefix. */
  readonly name: string;
  readonly value: TypedValue;
}

/**
 * `name=value`, `name:type=value`, `name:null`. A blob is hexadecimal digits, or `@path` of a file that holds it.
 * Throws a RangeError that says what is wrong with the word.
 */
export function namedValue(
  word: string,
  { asText, readFile = readFileSync }: { asText: boolean; readFile?: (path: string) => Uint8Array },
): NamedValue {
  const found = /^[:@$]?([\p{L}_][\p{L}\p{N}_$]*)(?::([^=]*))?(?:=([\s\S]*))?$/u.exec(word);
  const [, name, type, text] = found ?? [];
  if (name === undefined) throw new RangeError(`"${word}" is not NAME=VALUE or NAME:TYPE=VALUE`);
  if (type === undefined) {
    if (text === undefined) throw new RangeError(`"${word}" gives no value: ${name}=VALUE, or ${name}:null`);
    return { name, value: valueOfWord(text, asText) };
  }
  if (!isType(type))
    throw new RangeError(`"${type}" is not a type of a value; the types are ${argumentTypes.join(", ")}`);
  if (type === "null") {
    if (text !== undefined) throw new RangeError(`"${word}": a null has no value; write ${name}:null`);
    return { name, value: null };
  }
  if (text === undefined) throw new RangeError(`"${word}" gives no value: ${name}:${type}=VALUE`);
  return { name, value: typed(type, text, readFile) };
}

function isType(word: string): word is ArgumentType {
  return (argumentTypes as readonly string[]).includes(word);
}

function typed(type: Exclude<ArgumentType, "null">, text: string, readFile: (path: string) => Uint8Array): TypedValue {
  switch (type) {
    case "text":
      return text;
    case "int":
      return integerOf(text);
    case "real":
      return realOf(text);
    case "blob":
      return blobOf(text, readFile);
  }
}

function integerOf(text: string): bigint {
  if (!/^[+-]?\d+$/.test(text)) throw new RangeError(`"${text}" is not a whole number`);
  const value = BigInt(text.replace(/^\+/, ""));
  if (value < int64Least || value > int64Most) throw new RangeError(`${text} does not fit the 64 bits of an INTEGER`);
  return value;
}

function realOf(text: string): TypedValue {
  const infinity = /^([+-]?)inf(?:inity)?$/i.exec(text);
  if (infinity !== null) return { real: infinity[1] === "-" ? -Infinity : Infinity };
  if (!/^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(text)) throw new RangeError(`"${text}" is not a number`);
  return { real: Number(text) };
}

function blobOf(text: string, readFile: (path: string) => Uint8Array): Uint8Array {
  if (text.startsWith("@")) return readFile(text.slice(1));
  if (!/^(?:[0-9a-f]{2})*$/i.test(text))
    throw new RangeError(`"${text}" is not a blob: pairs of hexadecimal digits, or @FILE`);
  return Uint8Array.from(Buffer.from(text, "hex"));
}

/** `NAME:TOKEN`; a name may have colons itself. */
export function fenceOf(word: string): { name: string; token: number } {
  const at = word.lastIndexOf(":");
  const token = Number(word.slice(at + 1));
  if (at <= 0 || !/^\d+$/.test(word.slice(at + 1)) || !Number.isSafeInteger(token) || token < 1)
    throw new RangeError(`"${word}" is not NAME:TOKEN`);
  return { name: word.slice(0, at), token };
}
