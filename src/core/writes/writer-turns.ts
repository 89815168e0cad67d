/**
 * Whose turn it is at the writer: plain writes, many together, or one transaction alone. Transactions take their turns
 * in the order in which they came to wait; before each of them every session that waits with plain writes has a turn.
 * So neither keeps the other away for ever: who waits, waits for one transaction and one turn of each session, and a
 * transaction for those before it.
 *
 *            join                      the turns before it are over           over
 *   nobody ───────► somebody waits ─────────────────────────────────► owned ─────────► nobody, or somebody waits
 */
import type { FairShare } from "../fair-share.js";

interface Plain {
  readonly parcel: { readonly size: number };
}

/** What a session may send in its turn before a transaction (bytes): a few writes, since the transaction waits. */
const turnBytes = 4096;
const sizeMin = 256;

export class WriterTurns<Turn> {
  readonly #waiting: Turn[] = [];
  #owner: Turn | undefined;
  /** What is left of the turns before the first that waits, by session; made when it is first asked for. */
  #before: Map<string, number> | undefined;

  /** Nobody waits and nobody owns the writer: plain writes need not look here. */
  get nobody(): boolean {
    return this.#owner === undefined && this.#waiting.length === 0;
  }

  get owner(): Turn | undefined {
    return this.#owner;
  }

  /** How many wait for a turn. */
  get waiting(): number {
    return this.#waiting.length;
  }

  join(turn: Turn): void {
    this.#waiting.push(turn);
  }

  /** It does not want its turn any more, or has had it. */
  leave(turn: Turn): void {
    if (this.#owner === turn) this.#owner = undefined;
    else {
      const place = this.#waiting.indexOf(turn);
      if (place >= 0) this.#waiting.splice(place, 1);
    }
  }

  /** The next plain write whose turn comes before the first transaction that waits, if there is one. */
  takeBefore<Item extends Plain>(line: FairShare<Item>, may: (owner: string) => boolean): Item | undefined {
    this.#before ??= new Map([...line.waiting()].map((owner) => [owner, turnBytes]));
    const left = this.#before;
    if (left.size === 0) return undefined;
    // The last that is asked about, if any is served.
    let served = "";
    const item = line.take((owner) => {
      served = owner;
      return left.has(owner) && may(owner);
    });
    if (item === undefined) {
      left.clear();
      return undefined;
    }
    const rest = (left.get(served) ?? 0) - Math.max(item.parcel.size, sizeMin);
    if (rest > 0 && line.lengthOf(served) > 0) left.set(served, rest);
    else left.delete(served);
    return item;
  }

  /** The first that waits owns the writer now. */
  own(): Turn | undefined {
    if (this.#owner !== undefined) throw new Error("writer turns: two at once");
    this.#owner = this.#waiting.shift();
    this.#before = undefined;
    return this.#owner;
  }

  /** Takes out all: who has it, and who waits. */
  takeAll(): Turn[] {
    const all = this.#owner === undefined ? [] : [this.#owner];
    this.#owner = undefined;
    this.#before = undefined;
    return [...all, ...this.#waiting.splice(0)];
  }

  check(): void {
    if (new Set(this.#waiting).size !== this.#waiting.length) throw new Error("writer turns: somebody waits twice");
    if (this.#owner !== undefined && this.#waiting.includes(this.#owner))
      throw new Error("writer turns: who has the writer waits for it");
  }
}
