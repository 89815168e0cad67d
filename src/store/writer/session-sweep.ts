/**
 * Sessions of which nobody has heard for a long time, with or without a known end (that of a session which the front
 * lost is never told). Their answers go first, their tombstones as much later. All of them are looked through once an
 * hour, some at a time, so that no write waits for it.
 */
import type { RepliesSql } from "./replies.sql.js";

export const hourMs = 3_600_000;
const tombstoneMs = 30 * 24 * hourMs;
/** So many at a time: some 2 ms. */
const sessionsSweptMax = 2000;
const beforeAll = Buffer.alloc(0);
/** Longer than an id, and so behind all of them. */
const behindAll = Buffer.alloc(17, 0xff);

export class SessionSweep {
  readonly #sql: RepliesSql;
  /** Its answers go; whether a tombstone is left. */
  readonly #prune: (id: Buffer) => boolean;
  #nextAt = 0;
  /** While a sweep goes on: the last session that it has looked at. */
  #at: Buffer | undefined;

  constructor(sql: RepliesSql, prune: (id: Buffer) => boolean) {
    this.#sql = sql;
    this.#prune = prune;
  }

  get goesOn(): boolean {
    return this.#at !== undefined;
  }

  /** The next of them, if it is time (ms since 1970). Returns whether any was looked at. */
  step(now: number): boolean {
    if (now < this.#nextAt) return false;
    const before = BigInt(now - tombstoneMs);
    const from = this.#at ?? beforeAll;
    const [next] = (this.#sql.sweptTo.get(from, BigInt(sessionsSweptMax)) ?? []) as [Buffer?];
    const to = next ?? behindAll;
    for (const [id] of this.#sql.silent.all(from, to, before) as [Buffer][]) {
      if (!this.#prune(id)) continue;
      this.#sql.touch.run(id, BigInt(now));
      this.#sql.pruned.run(id);
    }
    this.#sql.dropTombstones.run(from, to, before, before);
    this.#at = next;
    if (next === undefined) this.#nextAt = now + hourMs;
    return true;
  }
}
