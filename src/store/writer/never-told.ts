/**
 * Sessions that have a row only because somebody was told "never" of their keys (rule 6). Anybody can ask about as many
 * sessions as he likes that never were, so there are at most `neverToldMax` such rows of one writer's life; what a former
 * writer has left goes by its age. A client that was told "never" says no more under those keys, but for a fault of its own.
 */
import type { RepliesSql } from "./replies.sql.js";

export const neverToldMax = 100_000;

export class NeverTold {
  readonly #sql: Pick<RepliesSql, "dropNeverTold">;
  /** Committed, oldest first. */
  readonly #stored: Buffer[] = [];
  /** What the open transaction adds to them, and how many of the oldest it has deleted. */
  #added: Buffer[] = [];
  #dropped = 0;

  constructor(sql: Pick<RepliesSql, "dropNeverTold">) {
    this.#sql = sql;
  }

  add(session: Buffer): void {
    this.#added.push(session);
  }

  /** In the transaction: deletes the oldest that are too many, and gives them. */
  bound(): readonly Buffer[] {
    const surplus = this.#stored.length + this.#added.length - neverToldMax;
    this.#dropped = Math.min(Math.max(0, surplus), this.#stored.length);
    const oldest = this.#stored.slice(0, this.#dropped);
    for (const session of oldest) this.#sql.dropNeverTold.run(session);
    return oldest;
  }

  committed(): void {
    if (this.#dropped > 0) this.#stored.splice(0, this.#dropped);
    for (const session of this.#added) this.#stored.push(session);
    this.rolledBack();
  }

  rolledBack(): void {
    this.#added = [];
    this.#dropped = 0;
  }
}
