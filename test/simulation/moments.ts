/**
 * Of which moment of the database is what was read: each answer says how many writes were there for it. Nobody is shown
 * less than what was acknowledged to anybody before he asked, nor less than what was sent before on his connection; and
 * what is read in a transaction is of one moment, which its commit follows at once.
 */
import type { Call } from "../../src/client/conversation/index.js";
import type { Applied } from "../core/support/fake-writer.js";
import { Ask } from "./ask.js";
import type { Transaction } from "./transaction.js";

export class Moments {
  readonly #applied: () => readonly Applied[];
  readonly #places = new Map<string, number>();
  /** So many of the writes must be there for whoever asks now. */
  acknowledged = 0;

  constructor(applied: () => readonly Applied[]) {
    this.#applied = applied;
  }

  sent(ask: Ask): void {
    ask.mustShow = this.acknowledged;
  }

  /** `transactions`: of its program. */
  answered(call: Call, result: unknown, transactions: readonly Transaction[]): void {
    if (!(call instanceof Ask)) return;
    const { kind, tie } = call;
    if (call.changes) return this.#isAcknowledged(call);
    const { seq, rows } = (result ?? {}) as { readonly seq?: number; readonly rows?: readonly unknown[][] };
    const shows = seq ?? rows?.[0]?.[1];
    if (typeof shows !== "number") return;
    const transaction = tie && transactions.find((one) => one.tie === tie);
    if (transaction === undefined || kind === "begin") this.#isNew(call, shows, transactions);
    if (transaction === undefined) return;
    this.#isOfOneMoment(transaction, call, shows);
    const own = rows?.[0]?.[2];
    if (own !== undefined) hasItsOwn(transaction, call, own);
  }

  /** A row of a stream that was just told. */
  row(call: Ask, shows: number, transactions: readonly Transaction[]): void {
    const transaction = call.tie && transactions.find(({ tie }) => tie === call.tie);
    if (transaction !== undefined) return this.#isOfOneMoment(transaction, call, shows);
    if (call.shows === undefined) this.#isNew(call, shows, transactions);
    call.shows ??= shows;
    if (call.shows !== shows) throw new Error(`${call.what} shows ${shows} writes, and showed ${call.shows} before`);
  }

  /** Nothing came between what it had read and what it has written. */
  commitFollows({ what: commit, steps, shows }: Transaction): void {
    const place = this.#placeOf(commit);
    if (place === undefined || shows === undefined) return;
    const first = Math.min(place, ...steps.map(({ what }) => this.#placeOf(what) ?? place));
    if (first !== shows) throw new Error(`${commit} has read when ${shows} writes were there, and is behind ${first}`);
  }

  #isAcknowledged({ what }: Ask): void {
    const place = this.#placeOf(what);
    if (place !== undefined) this.acknowledged = Math.max(this.acknowledged, place + 1);
  }

  #isOfOneMoment(transaction: Transaction, { what }: Ask, shows: number): void {
    if (shows < transaction.begin.mustShow)
      throw new Error(`${what} shows ${shows} writes, and ${transaction.begin.mustShow} were acknowledged`);
    transaction.shows ??= shows;
    if (transaction.shows !== shows)
      throw new Error(`${what} shows ${shows} writes, and what was read with it ${transaction.shows}`);
  }

  /** It, or the begin of its transaction, shows what had to be seen. */
  #isNew(ask: Ask, shows: number, transactions: readonly Transaction[]): void {
    const { what, method, mustShow, behind, sentOn } = ask;
    if (shows < mustShow) throw new Error(`${method} ${what} shows ${shows} writes, and ${mustShow} were acknowledged`);
    const cable = sentOn.at(-1);
    const isEmpty = (write: Ask) => transactions.some(({ commit, mayBeEmpty }) => commit === write && mayBeEmpty);
    for (const write of behind) {
      if (cable === undefined || !write.sentOn.includes(cable) || isEmpty(write)) continue;
      // Were it turned away, what is read would have been with it, and asked again of the next broker.
      const counts = write.outcome === "done" || write.outcome === "open";
      if (counts && (this.#placeOf(write.what) ?? shows) >= shows)
        throw new Error(`${method} ${what} shows ${shows} writes, and not ${write.what}, which was sent before it`);
    }
  }

  #placeOf(what: string): number | undefined {
    const applied = this.#applied();
    for (let place = this.#places.size; place < applied.length; place++)
      this.#places.set((applied[place] as Applied).what, place);
    return this.#places.get(what);
  }
}

/** What it has written itself it sees. */
function hasItsOwn({ steps }: Transaction, { what, id }: Ask, own: unknown): void {
  const before = steps.filter((step) => step.outcome === "done" && step.id < id).length;
  if (own !== before) throw new Error(`${what} sees ${String(own)} of the ${before} that its transaction had written`);
}
