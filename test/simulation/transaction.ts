/**
 * A transaction of a program: what it asks for in it, one request after the other or several in one breath, and how it
 * ends it. What became of it decides what became of its statements: all of them, or none.
 */
import { type Grant, Tie } from "../../src/client/conversation/index.js";
import { Ask, type Fence } from "./ask.js";
import type { Surroundings } from "./surroundings.js";

export interface TransactionWords {
  readonly fences: readonly Fence[];
  /** The lock that it relies on, and that its commit gives back. */
  readonly gives: Grant | undefined;
}

const insertSql = "insert into happened values (?)";

export class Transaction {
  /** No two transactions have the same number, of whatever session. */
  readonly tie: Tie;
  readonly steps: Ask[] = [];
  /** Its commit, once it was asked for. */
  commit: Ask | undefined;
  /** Its program has ended it, and asks nothing more of it. */
  over = false;
  /** Until it writes it only reads. */
  readonly deferred: boolean;
  readonly #words: TransactionWords;

  constructor(number: number, deferred: boolean, words: TransactionWords) {
    this.deferred = deferred;
    this.tie = new Tie(number);
    this.#words = words;
  }

  /** What its commit does, as it is written in the store. */
  get what(): string {
    return committing(this.tie.number);
  }

  /** It may have been committed without anything to write. */
  get mayBeEmpty(): boolean {
    return this.deferred && this.steps.every(({ outcome }) => outcome !== "done");
  }

  /** There is nothing that its commit could write. */
  get isEmpty(): boolean {
    return this.deferred && this.steps.every(({ outcome }) => outcome === "none");
  }

  begin(): Ask {
    const { fences } = this.#words;
    const mode = this.deferred ? "deferred" : "write";
    const params = { tx: this.tie.number, mode, ...(fences.length === 0 ? {} : { fence: fences }) };
    return new Ask("begin", "tx.begin", params, { tie: this.tie });
  }

  step({ weather: { random, rates }, nextWhat }: Surroundings): Ask {
    const what = `t${nextWhat()}`;
    const marks = [
      ...(random.chance(0.08) ? ["fails"] : []),
      ...(random.chance(0.03) ? ["ends"] : []),
      ...(random.chance(rates().endless) ? ["endless"] : []),
    ];
    const params = { tx: this.tie.number, sql: insertSql, args: [what, ...marks] };
    const step = new Ask("step", "tx.execute", params, { what, tie: this.tie });
    this.steps.push(step);
    return step;
  }

  /** `mayGiveBack`: the program does not need the lock any more. */
  end({ weather: { random } }: Surroundings, mayGiveBack: boolean): Ask {
    const { tie, what } = this;
    const { fences, gives } = this.#words;
    this.over = true;
    if (random.chance(0.2)) return new Ask("rollback", "tx.rollback", { tx: tie.number }, { tie });
    const isHeld = gives?.state === "held" && fences.some(({ token }) => token === gives.token);
    const release = mayGiveBack && isHeld;
    const params = { tx: tie.number, ...(release ? { release: fences } : {}) };
    this.commit = new Ask("write", "tx.commit", params, { what, tie, fences, gives: release ? [gives] : [] });
    return this.commit;
  }
}

export function committing(number: number): string {
  return `c${number}`;
}

export function isCommit(what: string): boolean {
  return what.startsWith("c");
}
