/**
 * Reads MessagePack that a stranger wrote. Promises that what is claimed is checked against the bytes that are there
 * before anything is made for it, and that only plain data comes out: no extension types, no keys but text, none
 * twice, no text that is not UTF-8, nothing after the end. Integers beyond 2^53 are bigints, bytes are copies.
 */
import { Buffer, isUtf8 } from "node:buffer";
import { type Content, depthMax, nodesMax, type Sender, tooDeep, tooMany, unreadable } from "./bounds.js";

export function parseMsgpack(data: Buffer, sender: Sender): Content {
  const reader = new Reader(data, sender === "client" ? nodesMax : Number.POSITIVE_INFINITY);
  try {
    const value = reader.value(0);
    return reader.ended ? { value } : unreadable("something follows the end of the message", { position: reader.at });
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    if (error.message === "deep") return tooDeep(reader.id);
    if (error.message === "many") return tooMany(reader.id);
    return unreadable(`the frame is not MessagePack as this protocol takes it: ${error.message} at byte ${reader.at}`, {
      position: reader.at,
    });
  }
}

/** Never leaves this file. */
class Malformed extends Error {}

class Reader {
  readonly #data: Buffer;
  readonly #nodesMax: number;
  #nodes = 0;
  at = 0;
  /** The field `id` of the outermost map, as soon as it was read: for the refusal of a frame that is given up. */
  id: unknown;

  constructor(data: Buffer, nodesLimit: number) {
    this.#data = data;
    this.#nodesMax = nodesLimit;
  }

  get ended(): boolean {
    return this.at === this.#data.length;
  }

  value(depth: number): unknown {
    if (this.at >= this.#data.length) throw new Malformed("it ends too early");
    const type = this.#data[this.at++] as number;
    if (type < 0x80) return type;
    if (type >= 0xe0) return type - 0x100;
    if (type >= 0xa0 && type < 0xc0) return this.#text(type & 0x1f);
    if (type < 0x90) return this.#map(type & 0x0f, depth);
    if (type < 0xa0) return this.#list(type & 0x0f, depth);
    return this.#long(type, depth);
  }

  #long(type: number, depth: number): unknown {
    switch (type) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return this.#bytes(this.#unsigned(type - 0xc4));
      case 0xca:
        return this.#data.readFloatBE(this.#pass(4));
      case 0xcb:
        return this.#data.readDoubleBE(this.#pass(8));
      case 0xcc:
      case 0xcd:
      case 0xce:
        return this.#unsigned(type - 0xcc);
      case 0xcf:
        return this.#whole(this.#word(this.#pass(8)));
      case 0xd0:
        return this.#data.readInt8(this.#pass(1));
      case 0xd1:
        return this.#data.readInt16BE(this.#pass(2));
      case 0xd2:
        return this.#data.readInt32BE(this.#pass(4));
      case 0xd3:
        return this.#whole(this.#word(this.#pass(8)) | 0);
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.#text(this.#unsigned(type - 0xd9));
      case 0xdc:
      case 0xdd:
        return this.#list(this.#unsigned(type - 0xdb), depth);
      case 0xde:
      case 0xdf:
        return this.#map(this.#unsigned(type - 0xdd), depth);
    }
    throw new Malformed(
      type === 0xc1 ? "the byte c1 has no meaning" : "extension types (timestamps too) are not taken",
    );
  }

  /** 8, 16 or 32 bits, for `size` 0, 1, 2. */
  #unsigned(size: number): number {
    if (size === 0) return this.#data[this.#pass(1)] as number;
    return size === 1 ? this.#data.readUInt16BE(this.#pass(2)) : this.#word(this.#pass(4));
  }

  #word(at: number): number {
    const data = this.#data as unknown as readonly number[];
    return (
      (((data[at] as number) << 24) |
        ((data[at + 1] as number) << 16) |
        ((data[at + 2] as number) << 8) |
        (data[at + 3] as number)) >>>
      0
    );
  }

  /** The rest of 64 bits, just passed: a number where it is exact. */
  #whole(high: number): number | bigint {
    const low = this.#word(this.at - 4);
    const near = high * 0x1_0000_0000 + low;
    return Number.isSafeInteger(near) ? near : (BigInt(high) << 32n) | BigInt(low);
  }

  #pass(count: number): number {
    const start = this.at;
    if (start + count > this.#data.length) throw new Malformed("it ends too early");
    this.at = start + count;
    return start;
  }

  /** Each element takes a byte at least: a count beyond what is left is a lie, told to make memory. */
  #count(count: number, depth: number): void {
    if (depth >= depthMax) throw new Malformed("deep");
    if (count > this.#data.length - this.at) throw new Malformed("it ends too early");
    this.#nodes += count;
    if (this.#nodes > this.#nodesMax) throw new Malformed("many");
  }

  #list(count: number, depth: number): unknown[] {
    this.#count(count, depth);
    const list = new Array<unknown>(count);
    for (let index = 0; index < count; index++) list[index] = this.value(depth + 1);
    return list;
  }

  #map(count: number, depth: number): { [name: string]: unknown } {
    this.#count(count * 2, depth);
    const map: { [name: string]: unknown } = {};
    for (let index = 0; index < count; index++) {
      const name = this.#name();
      if (Object.hasOwn(map, name)) throw new Malformed("a map has one key twice");
      const value = this.value(depth + 1);
      if (name === "__proto__")
        Object.defineProperty(map, name, { value, enumerable: true, configurable: true, writable: true });
      else map[name] = value;
      if (depth === 0 && name === "id") this.id = value;
    }
    return map;
  }

  #name(): string {
    const type = this.#data[this.at++];
    if (type === undefined) throw new Malformed("it ends too early");
    if ((type & 0xe0) === 0xa0) return this.#knownName(type & 0x1f) ?? this.#text(type & 0x1f);
    if (type >= 0xd9 && type <= 0xdb) return this.#text(this.#unsigned(type - 0xd9));
    throw new Malformed("a map has a key that is not text");
  }

  /** The names of the protocol come again and again: to compare is cheaper than to make. */
  #knownName(length: number): string | undefined {
    const data = this.#data;
    const known = names.get(length * 256 + (data[this.at] ?? 0));
    if (known === undefined || this.at + length > data.length) return undefined;
    for (let index = 1; index < length; index++)
      if (data[this.at + index] !== known.charCodeAt(index)) return undefined;
    this.at += length;
    return known;
  }

  /** For a few letters a loop is faster than a call into the engine. */
  #text(length: number): string {
    const start = this.#pass(length);
    const data = this.#data;
    if (length <= 6) {
      let text = "";
      let at = start;
      for (; at < this.at; at++) {
        const byte = data[at] as number;
        if (byte > 0x7f) break;
        text += String.fromCharCode(byte);
      }
      if (at === this.at) return text;
    }
    const text = data.toString("utf8", start, this.at);
    // What is not UTF-8 was replaced by this character; only then is it worth to look again.
    if (text.includes("\ufffd") && !isUtf8(data.subarray(start, this.at))) throw new Malformed("a text is not UTF-8");
    return text;
  }

  /** A copy: a view would keep the whole frame alive. */
  #bytes(length: number): Buffer {
    const start = this.#pass(length);
    return Buffer.from(this.#data.subarray(start, this.at));
  }
}

/** By length and first letter; where two share both, the more frequent one. */
const names = new Map<number, string>();
for (const name of [
  ...["lastInsertRowid", "rowsAffected", "position", "results", "columns", "rows", "$int", "$real", "$blob"],
  ...["statements", "timeoutMs", "waitMs", "reason", "rowsMax", "token", "name", "named", "fence", "ack", "key"],
  ...["jsonrpc", "id", "method", "params", "result", "error", "code", "message", "data", "sql", "args"],
])
  names.set(name.length * 256 + name.charCodeAt(0), name);
