/**
 * Rows as JSON lines from which every value can be had again as it was: with the marks that the protocol uses, where JSON
 * has no word of its own.
 *
 *   12         an INTEGER                      {"$int":"9007199254740993"}   one beyond 2^53
 *   2.5        a REAL with a fraction          {"$real":"1"}                 any other REAL; "-0", "Infinity"
 *   "…", null                                  {"$blob":"AP8="}              a blob, in base64
 *
 * What others write is read too: a number is a REAL when a point or an exponent is in it, else an INTEGER, however many
 * digits it has; true and false are 1 and 0; an array or another object is its JSON text.
 */
import { Real, type Value } from "../../client/index.js";
import type { Cell } from "../cells.js";

const safe = BigInt(Number.MAX_SAFE_INTEGER);

export function exactJson(cell: Cell): string {
  if (cell === null) return "null";
  if (typeof cell === "string") return JSON.stringify(cell);
  if (typeof cell === "bigint") return cell <= safe && cell >= -safe ? String(cell) : `{"$int":"${cell}"}`;
  if (typeof cell === "number") {
    if (Number.isFinite(cell) && !Number.isInteger(cell)) return String(cell);
    return `{"$real":"${Object.is(cell, -0) ? "-0" : String(cell)}"}`;
  }
  return `{"$blob":"${Buffer.from(cell.buffer, cell.byteOffset, cell.byteLength).toString("base64")}"}`;
}

/** The members of one line, in order; of two with one name the last counts. Throws a RangeError that says what is wrong. */
export function jsonMembers(line: string): Map<string, Value> {
  let whole: unknown;
  try {
    whole = JSON.parse(line);
  } catch (error) {
    throw new RangeError(`this is not JSON: ${(error as Error).message}`, { cause: error });
  }
  if (typeof whole !== "object" || whole === null || Array.isArray(whole))
    throw new RangeError("a JSON object is wanted: {column: value, …}");
  const members = new Map<string, Value>();
  for (const [name, text] of membersOf(line)) members.set(name, memberOf(name, text));
  return members;
}

/** The beginning of a text in quotes, or anything that is no quote, bracket, comma or space. Only for text that is known to be JSON. */
const piece = /\s*(["{}[\],:]|[^\s"{}[\],:]+)/y;

/** Names, and the values as they are written. */
function* membersOf(line: string): Generator<[name: string, text: string]> {
  piece.lastIndex = line.indexOf("{") + 1;
  const next = () => {
    const part = piece.exec(line)?.[1] ?? "}";
    if (part !== '"') return part;
    const from = piece.lastIndex - 1;
    piece.lastIndex = endOfText(line, from + 1);
    return line.slice(from, piece.lastIndex);
  };
  for (let name = next(); name !== "}"; name = next()) {
    if (name === ",") continue;
    next();
    const from = piece.lastIndex;
    for (let depth = 0, part = next(); ; part = next()) {
      if (part === "{" || part === "[") depth++;
      if (part === "}" || part === "]") depth--;
      if (depth <= 0) break;
    }
    const to = piece.lastIndex;
    yield [JSON.parse(name) as string, line.slice(from, to).trim()];
    piece.lastIndex = to;
  }
}

/**
 * Behind the quote that ends a text. Not by a pattern that tries sign for sign: of a text of some megabytes it has more to
 * remember than it may.
 */
function endOfText(line: string, from: number): number {
  for (let quote = line.indexOf('"', from); quote >= 0; quote = line.indexOf('"', quote + 1)) {
    let escapes = 0;
    while (line[quote - 1 - escapes] === "\\") escapes++;
    if (escapes % 2 === 0) return quote + 1;
  }
  return line.length;
}

function memberOf(name: string, text: string): Value {
  switch (text[0]) {
    case '"':
      return JSON.parse(text) as string;
    case "n":
      return null;
    case "t":
      return 1n;
    case "f":
      return 0n;
    case "[":
      return text;
    case "{":
      return markedValue(name, text);
    default:
      return numberOf(name, text);
  }
}

function numberOf(name: string, text: string): Value {
  if (/[.eE]/.test(text)) {
    const value = Number(text);
    if (!Number.isFinite(value)) throw wrong(name, text, "is too large for a REAL");
    return new Real(value);
  }
  return integerOf(name, text);
}

function integerOf(name: string, text: string): bigint {
  const value = BigInt(text);
  if (BigInt.asIntN(64, value) !== value) throw wrong(name, text, "does not fit the 64 bits of an INTEGER");
  return value;
}

function markedValue(name: string, text: string): Value {
  const object = JSON.parse(text) as { readonly [mark: string]: unknown };
  const [mark, ...more] = Object.keys(object);
  const content = mark === undefined ? undefined : object[mark];
  if (more.length > 0 || typeof content !== "string") return text;
  switch (mark) {
    case "$int":
      if (!/^-?\d{1,19}$/.test(content)) throw wrong(name, text, "holds no whole number");
      return integerOf(name, content);
    case "$real":
      return realOf(name, content, text);
    case "$blob":
      return blobOf(name, content, text);
    default:
      return text;
  }
}

function realOf(name: string, content: string, text: string): Real {
  if (/^-?Infinity$/.test(content)) return new Real(content === "Infinity" ? Infinity : -Infinity);
  const value = Number(content);
  if (!/^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(content) || !Number.isFinite(value))
    throw wrong(name, text, "holds no number");
  return new Real(value);
}

function blobOf(name: string, content: string, text: string): Uint8Array {
  const digits = content.replace(/={1,2}$/, "");
  const over = digits.length % 4;
  if (/[^A-Za-z0-9+/]/.test(digits) || over === 1 || (over === 0 && digits !== content))
    throw wrong(name, text, "holds no base64");
  return Uint8Array.from(Buffer.from(content, "base64"));
}

function wrong(name: string, text: string, what: string): RangeError {
  const shown = text.length > 40 ? `${text.slice(0, 40)}…` : text;
  return new RangeError(`${JSON.stringify(name)}: ${shown} ${what}`);
}
