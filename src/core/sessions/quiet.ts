/**
 * When something that seems over may be taken for over (rule 11): not at once, but after some time and some turns in
 * which nobody knocked, so that a client which is on its way in, or a renewal that lies unread, is heard first; and not
 * much later than that, so that a flood of connections keeps nothing alive.
 */
import { after, between, type Instant, type Millis } from "../../terms/index.js";

/** Seems over since then. */
export interface Due {
  readonly at: Instant;
  readonly turn: number;
}

const quietMs: Millis = 50;
const lateMsMax: Millis = 5000;

export class Quiet {
  #acceptedAt = 0 as Instant;
  #silent = 0;
  #turns = 0;

  /** Connections that were accepted and have not said hello. */
  get silent(): number {
    return this.#silent;
  }

  accepted(now: Instant): void {
    this.#acceptedAt = now;
    this.#silent++;
  }

  /** One of those that were accepted has said hello, or is gone. */
  heard(): void {
    this.#silent--;
  }

  turnEnded(): void {
    this.#turns++;
  }

  due(now: Instant): Due {
    return { at: now, turn: this.#turns };
  }

  confirms({ at, turn }: Due, now: Instant): boolean {
    const ms = between(at, now);
    if (ms >= lateMsMax) return true;
    const quiet = between(this.#acceptedAt, now) >= quietMs && this.#silent === 0;
    return quiet && ms >= quietMs && this.#turns >= turn + 2;
  }

  /** The broker stood still for so long. */
  shifted({ at }: Due, ms: Millis): Due {
    return { at: after(at, ms), turn: this.#turns };
  }

  /** When to look again at what is due. */
  nextLook(now: Instant): Instant {
    return after(now, quietMs / 2);
  }
}
