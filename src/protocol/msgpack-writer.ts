/**
 * Writes MessagePack (https://github.com/msgpack/msgpack/blob/master/spec.md): nil, booleans, integers of 64 bits,
 * float 64, text, bytes, arrays, maps with text keys. Always the shortest form. No extension types.
 */
import { Buffer } from "node:buffer";

export class MsgpackWriter {
  #bytes: Buffer;
  #length = 0;

  constructor(capacity = 1024) {
    this.#bytes = Buffer.allocUnsafe(capacity);
  }

  get length(): number {
    return this.#length;
  }

  /** A view of what was written, good until more is written. */
  get written(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Forgets what was written. */
  clear(): void {
    this.#length = 0;
  }

  /** What was written, as bytes of its own; the writer is empty again. */
  take(): Buffer {
    const taken = Buffer.allocUnsafe(this.#length);
    this.#bytes.copy(taken, 0, 0, this.#length);
    this.#length = 0;
    return taken;
  }

  /** Takes out again what was written from `start` on, as bytes of its own. */
  cut(start: number): Buffer {
    const taken = Buffer.from(this.#bytes.subarray(start, this.#length));
    this.#length = start;
    return taken;
  }

  /** Puts already written MessagePack in. */
  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  nil(): void {
    this.#byte(0xc0);
  }

  flag(value: boolean): void {
    this.#byte(value ? 0xc3 : 0xc2);
  }

  /** Takes a safe integer. */
  integer(value: number): void {
    this.#reserve(9);
    if (value >= 0) {
      if (value < 0x80) this.#bytes[this.#length++] = value;
      else if (value <= 0xff) this.#store(0xcc, 1, value);
      else if (value <= 0xffff) this.#store(0xcd, 2, value);
      else if (value <= 0xffff_ffff) this.#store(0xce, 4, value);
      else this.#wide(0xcf, value);
    } else if (value >= -0x20) this.#bytes[this.#length++] = value & 0xff;
    else if (value >= -0x80) this.#store(0xd0, 1, value);
    else if (value >= -0x8000) this.#store(0xd1, 2, value);
    else if (value >= -0x8000_0000) this.#store(0xd2, 4, value);
    else this.#wide(0xd3, value);
  }

  /** A type and the low bytes of a number behind it. The room is there. */
  #store(type: number, size: 1 | 2 | 4, value: number): void {
    const bytes = this.#bytes;
    let at = this.#length;
    bytes[at++] = type;
    if (size === 4) {
      bytes[at++] = value >>> 24;
      bytes[at++] = value >>> 16;
    }
    if (size !== 1) bytes[at++] = value >>> 8;
    bytes[at++] = value;
    this.#length = at;
  }

  /** 64 bits in two halves, without a bigint: the high one keeps the sign. */
  #wide(type: number, value: number): void {
    const high = Math.floor(value / 0x1_0000_0000);
    this.#store(type, 4, high);
    this.#length = this.#bytes.writeUInt32BE(value - high * 0x1_0000_0000, this.#length);
  }

  /** Values of SQL have 64 bits with sign; an integer that MessagePack cannot hold becomes text, as in JSON. */
  bigint(value: bigint): void {
    const near = Number(value);
    this.#reserve(9);
    if (Number.isSafeInteger(near)) this.integer(near);
    else if (BigInt.asIntN(64, value) === value && value < 0n) {
      this.#bytes[this.#length] = 0xd3;
      this.#length = this.#bytes.writeBigInt64BE(value, this.#length + 1);
    } else if (BigInt.asUintN(64, value) === value) {
      this.#bytes[this.#length] = 0xcf;
      this.#length = this.#bytes.writeBigUInt64BE(value, this.#length + 1);
    } else this.text(String(value));
  }

  float(value: number): void {
    this.#reserve(9);
    this.#bytes[this.#length] = 0xcb;
    this.#length = this.#bytes.writeDoubleBE(value, this.#length + 1);
  }

  /** A surrogate without its partner becomes U+FFFD. */
  text(value: string): void {
    if (value.length <= 31 && this.#shortAscii(value)) return;
    const length = Buffer.byteLength(value, "utf8");
    this.#reserve(length + 5);
    if (length <= 31) this.#byte(0xa0 | length);
    else this.#head(0xd9, 0xda, length);
    this.#length += this.#bytes.write(value, this.#length, "utf8");
  }

  /** A call into the engine costs more than a loop over a few characters. */
  #shortAscii(value: string): boolean {
    this.#reserve(32);
    const start = this.#length + 1;
    for (let at = 0; at < value.length; at++) {
      const unit = value.charCodeAt(at);
      if (unit > 0x7f) return false;
      this.#bytes[start + at] = unit;
    }
    this.#bytes[this.#length] = 0xa0 | value.length;
    this.#length = start + value.length;
    return true;
  }

  bytes(value: Uint8Array): void {
    this.#reserve(value.length + 5);
    this.#head(0xc4, 0xc5, value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
  }

  list(count: number): void {
    this.#reserve(5);
    if (count <= 15) this.#byte(0x90 | count);
    else this.#head(undefined, 0xdc, count);
  }

  map(count: number): void {
    this.#reserve(5);
    if (count <= 15) this.#byte(0x80 | count);
    else this.#head(undefined, 0xde, count);
  }

  /** A value in wire form, at any depth. As in JSON, a field that is undefined is left out. */
  value(value: unknown): void {
    switch (typeof value) {
      case "string":
        this.text(value);
        break;
      case "number":
        if (Number.isSafeInteger(value)) this.integer(value);
        else this.float(value);
        break;
      case "bigint":
        this.bigint(value);
        break;
      case "boolean":
        this.flag(value);
        break;
      case "object":
        this.#object(value);
        break;
      default:
        this.nil();
    }
  }

  #object(value: object | null): void {
    if (value === null) this.nil();
    else if (value instanceof Uint8Array) this.bytes(value);
    else if (Array.isArray(value)) this.#values(value);
    else this.#fields(value as { readonly [name: string]: unknown });
  }

  #values(values: readonly unknown[]): void {
    this.list(values.length);
    for (const value of values) this.value(value);
  }

  #fields(object: { readonly [name: string]: unknown }): void {
    const names = Object.keys(object);
    let count = 0;
    for (const name of names) if (object[name] !== undefined) count++;
    this.map(count);
    for (const name of names) {
      if (object[name] === undefined) continue;
      this.text(name);
      this.value(object[name]);
    }
  }

  /** A length, behind the type byte for its size. The room is there. */
  #head(of8: number | undefined, of16: number, length: number): void {
    if (of8 !== undefined && length <= 0xff) this.#store(of8, 1, length);
    else if (length <= 0xffff) this.#store(of16, 2, length);
    else this.#store(of16 + 1, 4, length);
  }

  #byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  #reserve(count: number): void {
    const needed = this.#length + count;
    if (needed <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2));
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
  }
}
