/**
 * What happened in one life: a hash of all of it, and when somebody wants to read it, a line for each thing.
 */
import type { LedgerEntry } from "../../src/core/index.js";

export class Trace {
  #a = 0x9e3779b9;
  #b = 0x85ebca6b;
  /** Present when it is to be read. */
  readonly lines: string[] | undefined;
  readonly #now: () => number;

  constructor(now: () => number, wanted: boolean) {
    this.#now = now;
    this.lines = wanted ? [] : undefined;
  }

  /** 52 bits as hex digits. */
  get hash(): string {
    return ((this.#a >>> 6) * 2 ** 26 + (this.#b >>> 6)).toString(16).padStart(13, "0");
  }

  number(value: number): void {
    this.#mix(Math.floor(value * 1000) % 0x7fffffff);
  }

  bytes(bytes: Uint8Array): void {
    let a = 0;
    for (const byte of bytes) a = (Math.imul(a, 31) + byte) | 0;
    this.#mix(a);
  }

  text(text: string): void {
    let a = 0;
    for (let at = 0; at < text.length; at++) a = (Math.imul(a, 31) + text.charCodeAt(at)) | 0;
    this.#mix(a);
  }

  /** What was committed, by its kinds and numbers. */
  entries(entries: readonly LedgerEntry[]): void {
    for (const entry of entries) {
      this.#mix(entry.kind.length);
      if ("token" in entry) this.#mix(entry.token);
      else if ("arrival" in entry) this.#mix(entry.arrival);
      else if (entry.kind === "granted") this.#mix(entry.row.token);
      else if (entry.kind === "queued") this.#mix(entry.row.arrival);
    }
  }

  /** For people; what it says is in the hash by other ways. */
  say(who: string, words: () => string): void {
    this.lines?.push(`${this.#now().toFixed(2).padStart(10)}  ${who.padEnd(8)} ${words()}`);
  }

  #mix(value: number): void {
    this.#a = Math.imul(this.#a ^ value, 0x01000193);
    this.#b = (Math.imul(this.#b + value, 0x5bd1e995) ^ (this.#a >>> 13)) | 0;
  }
}

/** The hashes of many lives as one, in whatever order they were lived. */
export class TraceSum {
  #sum = 0n;

  add(seed: number, hash: string): void {
    const mixed = (BigInt(`0x${hash}`) * 0x9e3779b97f4a7c15n) ^ (BigInt(seed) * 0xff51afd7ed558ccdn);
    this.#sum = BigInt.asUintN(64, this.#sum + BigInt.asUintN(64, mixed * 0xc4ceb9fe1a85ec53n));
  }

  merge(hash: string): void {
    this.#sum = BigInt.asUintN(64, this.#sum + BigInt(`0x${hash}`));
  }

  get hash(): string {
    return this.#sum.toString(16).padStart(16, "0");
  }
}
