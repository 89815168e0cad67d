/**
 * How long a transaction may have the writer: `txMs` at all; `txContendedMs` while others wait for it, of which
 * `txIdleMs` without anything happening in it. The end is a matter of two steps (rule 11): due, and confirmed when the
 * turns after it have brought nothing from its client, so that what lies unread in a socket is heard first.
 */
import {
  after,
  between,
  type Instant,
  type Limits,
  later,
  type Millis,
  type Refusal,
  refuse,
} from "../../terms/index.js";
import type { Deadlines } from "../deadlines.js";
import type { Transaction } from "./transaction.js";

export interface TransactionLimitsParts {
  readonly limits: Limits;
  readonly deadlines: Deadlines;
  /** How many writes and transactions wait for the writer. */
  readonly waiting: () => number;
}

/** An end is confirmed after so long and two turns in which its client said nothing; at most `lateMsMax` late (ms). */
const quietMs = 50;
const lateMsMax = 5000;
/** While the broker ends, a transaction in which nothing happens is waited for so long (ms). */
const hurryIdleMs = 1000;

type LimitName = "txMs" | "txContendedMs" | "txIdleMs";

export class TransactionLimits {
  readonly #parts: TransactionLimitsParts;
  #turns = 0;
  #hurries = false;

  constructor(parts: TransactionLimitsParts) {
    this.#parts = parts;
  }

  turnEnded(): void {
    this.#turns++;
  }

  /** The broker waits for all of them, to end. */
  hurry(): void {
    this.#hurries = true;
  }

  /** Somebody has begun to wait; whoever is alone in that is the first to wait since nobody did. */
  othersWait(transaction: Transaction, now: Instant): void {
    if (this.#parts.waiting() === 1) transaction.crowdedAt = now;
    this.look(transaction, now);
  }

  /** Its end may be nearer than it was when this was last asked: it began, or goes on, or somebody waits. */
  look(transaction: Transaction, now: Instant): void {
    const { limit, state, begun } = transaction;
    if (state.kind !== "open" || !begun) return;
    const { at } = this.#end(transaction, now);
    if (limit?.armed && limit.at <= at) return;
    this.#arm(transaction, at < now ? now : at);
  }

  stop(transaction: Transaction): void {
    this.#parts.deadlines.cancel(transaction.limit);
    transaction.limit = undefined;
    transaction.due = undefined;
  }

  /** Its time may be up: says so when that is sure. */
  due(transaction: Transaction, now: Instant): Refusal | undefined {
    const end = this.#end(transaction, now);
    if (end.at > now) {
      transaction.due = undefined;
      this.#arm(transaction, end.at);
      return undefined;
    }
    transaction.due ??= { at: now, turn: this.#turns };
    const lateMs = between(transaction.due.at, now);
    const quiet = lateMs >= quietMs && this.#turns >= transaction.due.turn + 2;
    if (quiet || lateMs >= lateMsMax) return this.#expired(transaction, end.limit, now);
    this.#arm(transaction, after(now, quietMs / 2));
    return undefined;
  }

  /** The broker stood still: that was nobody's time. */
  shift(transaction: Transaction, ms: Millis): void {
    transaction.since = after(transaction.since, ms);
    transaction.usedAt = after(transaction.usedAt, ms);
    if (transaction.crowdedAt !== undefined) transaction.crowdedAt = after(transaction.crowdedAt, ms);
    if (transaction.due !== undefined) transaction.due = { at: after(transaction.due.at, ms), turn: this.#turns };
  }

  #arm(transaction: Transaction, at: Instant): void {
    this.#parts.deadlines.cancel(transaction.limit);
    transaction.limit = this.#parts.deadlines.arm("transaction-limit", transaction, at);
  }

  /** As things are; what changes them is looked at when it happens, or when this is over. */
  #end(transaction: Transaction, now: Instant): { at: Instant; limit: LimitName } {
    const { txContendedMs, txIdleMs } = this.#parts.limits;
    const { since, usedAt, limitMs, given } = transaction;
    const ends: { at: Instant; limit: LimitName }[] = [{ at: after(since, limitMs), limit: "txMs" }];
    if (this.#hurries) ends.push({ at: after(usedAt, hurryIdleMs), limit: "txIdleMs" });
    if (this.#parts.waiting() > 0) {
      transaction.crowdedAt ??= now;
      const { crowdedAt } = transaction;
      ends.push({ at: after(crowdedAt, txContendedMs), limit: "txContendedMs" });
      if (given.size === 0) ends.push({ at: after(later(usedAt, crowdedAt), txIdleMs), limit: "txIdleMs" });
    } else transaction.crowdedAt = undefined;
    return ends.reduce((first, end) => (end.at < first.at ? end : first));
  }

  #expired(transaction: Transaction, limit: LimitName, now: Instant): Refusal {
    const { number, since, usedAt, crowdedAt = now, limitMs } = transaction;
    const [openMs, idleMs, waitedMs] = [since, usedAt, crowdedAt].map((from) => Math.round(between(from, now)));
    const limitNow = limit === "txMs" ? limitMs : this.#parts.limits[limit];
    const why = {
      txMs: `was open for ${openMs} ms, and ${limitNow} were allowed`,
      txContendedMs: `let others wait to write for ${waitedMs} ms, and ${limitNow} were allowed`,
      txIdleMs: `did nothing for ${idleMs} ms while others waited to write, and ${limitNow} were allowed`,
    };
    const details = { tx: number, limit, openMs, idleMs, waitedMs };
    return refuse("TX_EXPIRED", `transaction ${number} ${why[limit]}; it is rolled back`, details);
  }
}
