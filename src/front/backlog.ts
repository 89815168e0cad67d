/**
 * What clients have not read yet. Who stays over `outputBytesMax` does not read, and is hung up on; a client that has
 * asked for much at once has so long to take it. When all together have too much, the largest goes first, at once.
 */
import { after, type Instant, type Limits } from "../terms/index.js";

/** How long a client may be over its limit (ms): a local one takes 16 MiB in a fraction of a second. */
const overMsMax = 5000;

/** A conversation, as far as it matters here. */
export interface Reader {
  readonly link: { readonly bufferedBytes: number };
}

interface Owed<One> {
  readonly one: One;
  readonly bytes: number;
}

export class Backlog<One extends Reader> {
  readonly #limits: Pick<Limits, "outputBytesMax" | "outputBytesAllMax">;
  /** Who has not read everything; since when it has been over its own limit. */
  readonly #behind = new Map<One, Instant | undefined>();

  constructor(limits: Pick<Limits, "outputBytesMax" | "outputBytesAllMax">) {
    this.#limits = limits;
  }

  /** Something was sent to it. */
  note(one: One): void {
    if (one.link.bufferedBytes > 0 && !this.#behind.has(one)) this.#behind.set(one, undefined);
  }

  gone(one: One): void {
    this.#behind.delete(one);
  }

  /** Once a turn: who is to be hung up on now. They are not told again. */
  takeSlow(now: Instant): One[] {
    if (this.#behind.size === 0) return [];
    const slow: One[] = [];
    const others: Owed<One>[] = [];
    for (const [one, since] of this.#behind) {
      const { bufferedBytes: bytes } = one.link;
      if (bytes === 0) this.#behind.delete(one);
      else if (this.#isSlow(one, bytes, since, now)) slow.push(one);
      else others.push({ one, bytes });
    }
    slow.push(...this.#tooMuch(others));
    for (const one of slow) this.#behind.delete(one);
    return slow;
  }

  #isSlow(one: One, bytes: number, since: Instant | undefined, now: Instant): boolean {
    const isOver = bytes > this.#limits.outputBytesMax;
    if (isOver && since !== undefined) return after(since, overMsMax) <= now;
    this.#behind.set(one, isOver ? now : undefined);
    return false;
  }

  /** The largest, so many that the others are within bounds. */
  #tooMuch(owed: Owed<One>[]): One[] {
    let all = 0;
    for (const { bytes } of owed) all += bytes;
    if (all <= this.#limits.outputBytesAllMax) return [];
    owed.sort((a, b) => b.bytes - a.bytes);
    const first = owed.findIndex(({ bytes }) => {
      all -= bytes;
      return all <= this.#limits.outputBytesAllMax;
    });
    return owed.slice(0, first + 1).map(({ one }) => one);
  }

  /** The broker itself stood still: nobody could have read. */
  paused(ms: number): void {
    for (const [one, since] of this.#behind) if (since !== undefined) this.#behind.set(one, after(since, ms));
  }

  /** Somebody is over his limit: it must be looked again though nothing happens. */
  get mustLook(): boolean {
    for (const since of this.#behind.values()) if (since !== undefined) return true;
    return false;
  }
}
