/**
 * Looks at processes, a few milliseconds of them in one turn: each costs a file that is read, or a program that is
 * started, and thousands of sessions may be due at once. One that waits is not asked for again.
 */
import type { Job } from "../core/index.js";
import type { Instant, Millis, SessionId } from "../terms/index.js";

export type Probe = Extract<Job, { kind: "probe-process" }>;

/** In one turn; one probe reads /proc in 0.03 ms, and takes 5 ms where `ps` is asked (Node 20). */
const turnMs: Millis = 5;

export class Probes {
  readonly #look: (probe: Probe) => void;
  readonly #now: () => Instant;
  readonly #waiting = new Map<SessionId, Probe>();

  constructor(look: (probe: Probe) => void, now: () => Instant) {
    this.#look = look;
    this.#now = now;
  }

  add(probe: Probe): void {
    this.#waiting.set(probe.session, probe);
  }

  /** The oldest first. Answers whether some are left. */
  work(): boolean {
    const until = this.#now() + turnMs;
    for (const [session, probe] of this.#waiting) {
      this.#waiting.delete(session);
      this.#look(probe);
      if (this.#now() >= until) break;
    }
    return this.#waiting.size > 0;
  }
}
