/**
 * What clients have not read yet. While somebody is over `outputBytesMax` nothing is read for him (`takes`); who does not
 * get less then for a while does not read, and is hung up on. When all together have too much, the largest goes first,
 * at once.
 */
import type { Takes } from "../core/index.js";
import { after, type Instant, type Limits } from "../terms/index.js";

/** How long a client may be over its limit and take nothing (ms): a local one takes 16 MiB in a fraction of a second. */
const overMsMax = 5000;

/** A conversation, as far as it matters here. */
export interface Reader {
  readonly link: { readonly bufferedBytes: number };
}

/** Of one that has not read everything. */
interface Behind {
  /** It has been over its limit, and has not read everything since. */
  wasOver: boolean;
  /** It is over its limit, with never less than so much since then. */
  over: { least: number; since: Instant } | undefined;
}

interface Owed<One> {
  readonly one: One;
  readonly bytes: number;
}

export class Backlog<One extends Reader> {
  readonly #limits: Pick<Limits, "outputBytesMax" | "outputBytesAllMax">;
  readonly #takes: (one: One, takes: Takes) => void;
  readonly #behind = new Map<One, Behind>();

  /** `takes`: how somebody takes what is sent to him has changed. */
  constructor(
    limits: Pick<Limits, "outputBytesMax" | "outputBytesAllMax">,
    takes: (one: One, takes: Takes) => void = () => undefined,
  ) {
    this.#limits = limits;
    this.#takes = takes;
  }

  /** Something was sent to it. */
  note(one: One): void {
    if (one.link.bufferedBytes > 0 && !this.#behind.has(one))
      this.#behind.set(one, { wasOver: false, over: undefined });
  }

  gone(one: One): void {
    this.#behind.delete(one);
  }

  /** Once a turn: who is to be hung up on now. They are not told again. */
  takeSlow(now: Instant): One[] {
    if (this.#behind.size === 0) return [];
    const slow: One[] = [];
    const others: Owed<One>[] = [];
    for (const [one, behind] of this.#behind) {
      const { bufferedBytes: bytes } = one.link;
      if (bytes === 0) this.#hasAll(one, behind);
      else if (this.#isSlow(one, bytes, behind, now)) slow.push(one);
      else others.push({ one, bytes });
    }
    slow.push(...this.#tooMuch(others));
    for (const one of slow) this.#behind.delete(one);
    return slow;
  }

  #hasAll(one: One, { wasOver }: Behind): void {
    this.#behind.delete(one);
    if (wasOver) this.#takes(one, "all");
  }

  #isSlow(one: One, bytes: number, behind: Behind, now: Instant): boolean {
    const { over } = behind;
    if (bytes <= this.#limits.outputBytesMax) {
      behind.over = undefined;
      if (over !== undefined) this.#takes(one, "slowly");
      return false;
    }
    if (over !== undefined && bytes >= over.least) return after(over.since, overMsMax) <= now;
    behind.over = { least: bytes, since: now };
    behind.wasOver = true;
    if (over === undefined) this.#takes(one, "nothing");
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
    for (const { over } of this.#behind.values()) if (over !== undefined) over.since = after(over.since, ms);
  }

  /** Somebody is over his limit: it must be looked again though nothing happens. */
  get mustLook(): boolean {
    for (const { over } of this.#behind.values()) if (over !== undefined) return true;
    return false;
  }
}
