/** The transactions that are not over: of each session by their numbers, and which of them rely on which lock. */
import type { SessionId, Token, TransactionNumber } from "../../terms/index.js";
import type { Fence } from "../command.js";
import type { Session } from "../sessions/session.js";
import type { Transaction } from "./transaction.js";

export class TransactionList {
  readonly #all = new Set<Transaction>();
  /** Those that rely on a lock, by the token under which it is held. */
  readonly #fenced = new Map<Token, Set<Transaction>>();

  get size(): number {
    return this.#all.size;
  }

  /** May be changed meanwhile. */
  get all(): readonly Transaction[] {
    return [...this.#all];
  }

  get({ transactions }: Session, number: TransactionNumber): Transaction | undefined {
    return transactions?.get(number);
  }

  /** May be changed meanwhile. */
  of({ transactions }: Session): readonly Transaction[] {
    return transactions === undefined ? [] : [...transactions.values()];
  }

  /** Those that rely on the lock that is held under this token, each with its fence. */
  relyingOn(token: Token): readonly { readonly transaction: Transaction; readonly fence: Fence }[] {
    const relying = this.#fenced.get(token);
    if (relying === undefined) return none;
    return [...relying].flatMap((transaction) => {
      const fence = transaction.fences.find((one) => one.token === token);
      return fence === undefined ? [] : [{ transaction, fence }];
    });
  }

  add(transaction: Transaction): void {
    const { session, number, fences } = transaction;
    session.transactions ??= new Map();
    session.transactions.set(number, transaction);
    session.transactionHigh = Math.max(session.transactionHigh, number);
    this.#all.add(transaction);
    for (const { token } of fences) {
      const relying = this.#fenced.get(token);
      if (relying === undefined) this.#fenced.set(token, new Set([transaction]));
      else relying.add(transaction);
    }
  }

  delete(transaction: Transaction): void {
    this.#all.delete(transaction);
    for (const { token } of transaction.fences) {
      const relying = this.#fenced.get(token);
      if (relying?.delete(transaction) === true && relying.size === 0) this.#fenced.delete(token);
    }
    transaction.session.transactions?.delete(transaction.number);
  }

  /** `owner`: who owns the writer. */
  check(owner: Transaction | undefined): void {
    if (owner !== undefined && !this.#all.has(owner)) throw new Error("transactions: one that is over owns the writer");
    const counted = new Map<SessionId, number>();
    for (const transaction of this.#all) {
      transaction.check(owner);
      counted.set(transaction.session.id, (counted.get(transaction.session.id) ?? 0) + 1);
      if (transaction.fences.some(({ token }) => this.#fenced.get(token)?.has(transaction) !== true))
        throw new Error("transactions: one is not listed under a lock that it relies on");
    }
    for (const relying of this.#fenced.values())
      if (relying.size === 0 || [...relying].some((transaction) => !this.#all.has(transaction)))
        throw new Error("transactions: one that is over is listed as fenced");
    for (const { session } of this.#all)
      if (counted.get(session.id) !== session.transactions?.size)
        throw new Error(`transactions: session ${session.id} knows one that is over`);
  }
}

const none: readonly never[] = [];
