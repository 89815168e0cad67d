/**
 * Clients that read more slowly than they are answered: what is read for them is held back while more waits for them
 * than they may have, and then given out one by one, until they have taken all. So who asks for much at once and takes
 * it slowly fills nobody's memory with it, and is no slow consumer for it.
 *
 *   quick ──too much waits for it──► held ──less again──► one by one ──nothing waits──► quick
 *                                     ▲                       │
 *                                     └────too much again─────┘
 */
import type { Takes } from "../command.js";

export class SlowTakers {
  /** By session; who takes all that comes is not here. */
  readonly #takes = new Map<string, Exclude<Takes, "all">>();
  readonly #isReading: (session: string) => boolean;

  /** `isReading`: whether something is read for it now. */
  constructor(isReading: (session: string) => boolean) {
    this.#isReading = isReading;
  }

  takes(session: string, what: Takes): void {
    if (what === "all") this.#takes.delete(session);
    else this.#takes.set(session, what);
  }

  mayRead(session: string): boolean {
    const takes = this.#takes.get(session);
    return takes === undefined || (takes === "slowly" && !this.#isReading(session));
  }

  mayReadOneOf(sessions: Iterable<string>): boolean {
    return this.readable(sessions).size > 0;
  }

  /** Those of them for which something may be read. */
  readable(sessions: Iterable<string>): Set<string> {
    return new Set([...sessions].filter((session) => this.mayRead(session)));
  }
}
