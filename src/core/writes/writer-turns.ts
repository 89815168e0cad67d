/**
 * Whose turn it is at the writer: plain writes, many together, or one transaction alone. Sessions whose transactions
 * wait take their turns one after the other, one transaction each; within a session they go in the order in which they
 * came to wait, and so do those of sessions that have one each. Before each of them every session that waits with plain
 * writes has a turn. So nobody is kept away for ever, or longer because another wants much: who waits, waits for one
 * transaction and one turn of each session, and a transaction for one of each other session that waits.
 *
 *            join                      the turns before it are over           over
 *   nobody ───────► somebody waits ─────────────────────────────────► owned ─────────► nobody, or somebody waits
 */
import type { FairShare } from "../fair-share.js";

interface Owned {
  readonly session: object;
}

interface Plain {
  readonly parcel: { readonly size: number };
}

/** What a session may send in its turn before a transaction (bytes): a few writes, since the transaction waits. */
const turnBytes = 4096;
const sizeMin = 256;

export class WriterTurns<Turn extends Owned> {
  /** What waits, by session; the first session is the next. */
  readonly #round = new Map<object, Turn[]>();
  #waiting = 0;
  #owner: Turn | undefined;
  /** What is left of the turns before the first that waits, by session; made when it is first asked for. */
  #before: Map<string, number> | undefined;

  /** Nobody waits and nobody owns the writer: plain writes need not look here. */
  get nobody(): boolean {
    return this.#owner === undefined && this.#waiting === 0;
  }

  get owner(): Turn | undefined {
    return this.#owner;
  }

  /** How many wait for a turn. */
  get waiting(): number {
    return this.#waiting;
  }

  join(turn: Turn): void {
    const line = this.#round.get(turn.session);
    if (line === undefined) this.#round.set(turn.session, [turn]);
    else line.push(turn);
    this.#waiting++;
  }

  /** It does not want its turn any more, or has had it. */
  leave(turn: Turn): void {
    if (this.#owner === turn) {
      this.#owner = undefined;
      return;
    }
    const line = this.#round.get(turn.session) ?? [];
    const place = line.indexOf(turn);
    if (place < 0) return;
    line.splice(place, 1);
    this.#waiting--;
    if (line.length === 0) this.#round.delete(turn.session);
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

  /** The first that waits owns the writer now; what else its session waits with comes behind the other sessions. */
  own(): Turn | undefined {
    if (this.#owner !== undefined) throw new Error("writer turns: two at once");
    this.#before = undefined;
    for (const [session, line] of this.#round) {
      this.#owner = line.shift();
      this.#waiting--;
      this.#round.delete(session);
      if (line.length > 0) this.#round.set(session, line);
      break;
    }
    return this.#owner;
  }

  /** Takes out all: who has it, and who waits. */
  takeAll(): Turn[] {
    const all = this.#owner === undefined ? [] : [this.#owner];
    for (const line of this.#round.values()) all.push(...line);
    this.#owner = undefined;
    this.#before = undefined;
    this.#round.clear();
    this.#waiting = 0;
    return all;
  }

  check(): void {
    let waiting = 0;
    for (const [session, line] of this.#round) {
      if (line.length === 0) throw new Error("writer turns: a session waits with nothing");
      if (new Set(line).size !== line.length) throw new Error("writer turns: somebody waits twice");
      if (line.some((turn) => turn.session !== session)) throw new Error("writer turns: in another session's line");
      if (this.#owner !== undefined && line.includes(this.#owner))
        throw new Error("writer turns: who has the writer waits for it");
      waiting += line.length;
    }
    if (waiting !== this.#waiting) throw new Error("writer turns: the count is wrong");
  }
}
