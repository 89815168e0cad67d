/**
 * What was asked, how things stood, and what came of it; and how grants ended. Counted over all lives: a simulation that
 * never asks for a lock that drains proves nothing about it (combinations.ts names all that can happen).
 */
import type { Command, Letter } from "../../src/core/index.js";
import type { Held } from "./shadow.js";
import { isAsked, outcome, type Standing, situations } from "./situations.js";

export type Counts = Record<string, number>;

export function addCounts(to: Counts, from: Counts): void {
  for (const [what, count] of Object.entries(from)) to[what] = (to[what] ?? 0) + count;
}

export class Coverage {
  readonly counts: Counts = {};
  readonly #asked = new Map<string, readonly string[]>();
  readonly #standing: Standing;

  constructor(standing: Standing) {
    this.#standing = standing;
  }

  asked(command: Command): void {
    if (isAsked(command))
      this.#asked.set(`${command.connection}/${command.request}`, situations(command, this.#standing));
  }

  answered(letter: Letter): void {
    if (!("request" in letter)) return;
    const id = `${letter.to}/${letter.request}`;
    const asked = this.#asked.get(id);
    if (asked === undefined) return;
    this.#asked.delete(id);
    for (const situation of asked) this.#count(`${situation} ${outcome(letter)}`);
  }

  /** `why`: in a word. */
  ended({ ttlMs, guarded, claims }: Held, why: string): void {
    const leased = ttlMs === undefined ? undefined : "leased";
    const kind = (guarded ? "guarded" : leased) ?? (claims.length > 1 ? "several" : claims[0]?.mode);
    this.#count(`end ${kind} ${why}`);
  }

  /** To one who watches tables. `what`: in a word. */
  told(what: string): void {
    this.#count(`told tables ${what}`);
  }

  /** Another life of the broker. */
  forget(): void {
    this.#asked.clear();
  }

  #count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
  }
}
