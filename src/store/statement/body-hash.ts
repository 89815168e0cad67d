/**
 * A number for what a request asks, so that a key that comes again with another request is noticed. Taken of the decoded
 * request, after the values were made what SQLite binds: the same request in JSON and in MessagePack has one hash.
 *
 * Counts: the method, the SQL, the values with their types, the fences, the locks that are given back with it, whether a
 * script or a batch is atomic, under which conditions a statement runs; of a commit, which transaction it ends. Does not
 * count: the request's id, key, ack, timeoutMs, the encoding. 53 bits that mix well; it guards against mistakes of the
 * sender, who can only hurt itself, and not against malice.
 */
import { createHash } from "node:crypto";
import type { WriteParams } from "../../protocol/index.js";
import type { RequestPlan } from "./plan.js";

/** A longer text or blob is taken in by its SHA-256, which is made outside of JavaScript. */
const directUnitsMax = 1024;

/** `params`: absent under a key of the caller's own, which outlives its sessions, and so their locks and transactions. */
export function bodyHash(method: string, plan: RequestPlan, params: WriteParams | undefined): number {
  const mix = new Mix();
  mix.text(method);
  for (const { statement, values } of plan.statements) {
    mix.text(statement.text);
    for (const group of values) mix.group(group);
  }
  if (plan.kind === "script") mix.word(plan.atomic ? 1 : 2);
  if (plan.kind === "batch") {
    if (!plan.atomic) mix.word(2);
    for (const [index, condition] of plan.conditions.entries())
      if (condition !== undefined) mix.text(`${index}${JSON.stringify(condition)}`);
  }
  if (params === undefined) return mix.value();
  if (plan.kind === "commit") mix.number(plan.transaction);
  for (const fence of params.fence ?? []) mix.lock(fence);
  if (params.release === undefined || params.release.length === 0) return mix.value();
  mix.word(3);
  for (const lock of params.release) mix.lock(lock);
  return mix.value();
}

const scratch = new DataView(new ArrayBuffer(8));

/** Two lanes of 32 bits with the multipliers and the last step of MurmurHash3. */
class Mix {
  #a = 0x9e3779b9;
  #b = 0x85ebca6b;

  word(value: number): void {
    this.#a = Math.imul(this.#a ^ value, 0xcc9e2d51);
    this.#a = (this.#a << 15) | (this.#a >>> 17);
    this.#b = Math.imul(this.#b ^ value, 0x1b873593);
    this.#b = (this.#b << 13) | (this.#b >>> 19);
  }

  text(text: string): void {
    this.word(text.length);
    if (text.length > directUnitsMax) return this.#digest(Buffer.from(text, "utf8"));
    // As `word`, on local variables: this is most of the work.
    let a = this.#a;
    let b = this.#b;
    for (let at = 0; at < text.length; at++) {
      const unit = text.charCodeAt(at);
      a = Math.imul(a ^ unit, 0xcc9e2d51);
      a = (a << 15) | (a >>> 17);
      b = Math.imul(b ^ unit, 0x1b873593);
      b = (b << 13) | (b >>> 19);
    }
    this.#a = a;
    this.#b = b;
  }

  number(value: number): void {
    scratch.setFloat64(0, value);
    this.word(scratch.getInt32(0));
    this.word(scratch.getInt32(4));
  }

  lock({ name, token }: { readonly name: string; readonly token: number }): void {
    this.text(name);
    this.number(token);
  }

  /** The anonymous values, or the named ones in an order that does not depend on the sender's. */
  group(group: unknown): void {
    if (Array.isArray(group)) {
      this.word(group.length);
      for (const value of group) this.#bound(value);
      return;
    }
    const named = group as { readonly [name: string]: unknown };
    for (const name of Object.keys(named).sort()) {
      this.text(name);
      this.#bound(named[name]);
    }
  }

  #bound(value: unknown): void {
    if (typeof value === "string") {
      this.word(3);
      this.text(value);
    } else if (typeof value === "bigint") {
      this.word(1);
      scratch.setBigInt64(0, value);
      this.word(scratch.getInt32(0));
      this.word(scratch.getInt32(4));
    } else if (typeof value === "number") {
      this.word(2);
      this.number(value);
    } else if (value instanceof Uint8Array) {
      this.word(4);
      this.word(value.length);
      if (value.length > directUnitsMax) this.#digest(value);
      else for (const byte of value) this.word(byte);
    } else this.word(5);
  }

  #digest(bytes: Uint8Array): void {
    const digest = createHash("sha256").update(bytes).digest();
    for (let at = 0; at < digest.length; at += 4) this.word(digest.readInt32LE(at));
  }

  value(): number {
    const low = finish(this.#a ^ (this.#b >>> 7));
    const high = finish(this.#b ^ (this.#a << 3));
    return (high & 0x1fffff) * 0x1_0000_0000 + (low >>> 0);
  }
}

function finish(lane: number): number {
  let mixed = Math.imul(lane ^ (lane >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
