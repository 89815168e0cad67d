/**
 * JSON frames: bytes to a value, within bounds, and a value to bytes. Promises that nothing is parsed that is not
 * UTF-8 or lies beyond the bounds, and that what is written is valid JSON in valid UTF-8.
 */
import { Buffer, isUtf8 } from "node:buffer";
import { type Content, depthMax, nodesMax, type Sender, tooDeep, tooMany, unreadable } from "./bounds.js";
import { wireInteger } from "./numbers.js";

export function parseJson(data: Buffer, sender: Sender): Content {
  const text = data.toString();
  // What is not UTF-8 was replaced by this character; only then is it worth to look.
  if (text.includes("\ufffd") && !isUtf8(data)) return unreadable("the frame is not UTF-8");
  if (sender === "client" && (text.length > nodesMax || hasManyBrackets(text))) {
    const excess = excessOf(data);
    if (excess !== undefined) return excess === "deep" ? tooDeep(idBeforeParams(data)) : tooMany(idBeforeParams(data));
  }
  return parsed(text);
}

/** Whether there are more brackets than may lie within each other: where there are not, nothing need be counted. */
function hasManyBrackets(text: string): boolean {
  let count = 0;
  for (let at = text.indexOf("{"); at >= 0; at = text.indexOf("{", at + 1)) if (++count > depthMax) return true;
  for (let at = text.indexOf("["); at >= 0; at = text.indexOf("[", at + 1)) if (++count > depthMax) return true;
  return false;
}

/** What a broker has sent: its bounds are its own, and what is not UTF-8 is rare enough to be looked for afterwards. */
export function parseJsonAnswer(bytes: Buffer, from: number, to: number): Content {
  const text = bytes.toString("utf8", from, to);
  // What is not UTF-8 was replaced by this character.
  if (text.includes("\ufffd") && !isUtf8(bytes.subarray(from, to))) return unreadable("the frame is not UTF-8");
  return parsed(text);
}

function parsed(text: string): Content {
  try {
    return { value: JSON.parse(text) };
  } catch (error) {
    // The engine's own message quotes the frame, which may hold a secret.
    const position = /position (\d+)/.exec((error as Error).message)?.[1];
    const place = position === undefined ? "" : ` at position ${position}`;
    return unreadable(
      `the frame is not JSON${place}`,
      position === undefined ? undefined : { position: Number(position) },
    );
  }
}

/** A bigint that nobody looked for becomes a mark; to search for one before each message would cost more than to fail. */
export function jsonText(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch {
    return JSON.stringify(value, asMark);
  }
}

export function jsonBytes(value: unknown): Buffer {
  return Buffer.from(jsonText(value), "utf8");
}

function asMark(_name: string, value: unknown): unknown {
  if (typeof value !== "bigint") return value;
  return BigInt.asIntN(64, value) === value ? wireInteger(value, "json") : String(value);
}

const quote = 0x22;
const backslash = 0x5c;

/** Counts brackets and commas outside strings: about a nanosecond a byte, long strings faster. */
function excessOf(data: Buffer): "deep" | "many" | undefined {
  let depth = 0;
  let nodes = 0;
  for (let at = 0; at < data.length; at++) {
    const byte = data[at];
    if (byte === quote) {
      at = endOfString(data, at + 1);
      if (at < 0) return undefined;
    } else if (byte === 0x2c || byte === 0x3a) nodes++;
    else if (byte === 0x5b || byte === 0x7b) {
      nodes++;
      if (++depth > depthMax) return "deep";
    } else if (byte === 0x5d || byte === 0x7d) depth--;
  }
  return nodes > nodesMax ? "many" : undefined;
}

/** Where the closing quote stands, or -1. Beyond the first bytes the native search is faster than a loop. */
function endOfString(data: Buffer, start: number): number {
  let at = start;
  for (const end = start + 48; at < end; at++) {
    const byte = data[at];
    if (byte === quote) return at;
    if (byte === backslash) at++;
  }
  for (;;) {
    const end = data.indexOf(quote, at);
    if (end < 0) return -1;
    let escapes = 0;
    while (end - 1 - escapes >= at && data[end - 1 - escapes] === backslash) escapes++;
    if (escapes % 2 === 0) return end;
    at = end + 1;
  }
}

/**
 * For a frame that is refused unparsed. Its client gets its answer if it wrote `id` before `params`, as all do. What is
 * found looks like a number or a text, and need be neither: `048`.
 */
function idBeforeParams(data: Buffer): unknown {
  const head = data.toString("latin1", 0, 512).split('"params"', 1)[0] ?? "";
  const text = /"id"\s*:\s*(-?\d{1,16}|"[^"\\\u0080-\u00ff]{0,64}")/.exec(head)?.[1];
  const content = text === undefined ? undefined : parsed(text);
  return content !== undefined && "value" in content ? content.value : undefined;
}
