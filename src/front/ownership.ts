/**
 * Whether the database is still this broker's. A broker with another run directory may take the writer's lock in the moment
 * in which this one has no writer: then it gives locks and tokens of its own, and what is known here of both is over.
 */
import type { StoreEvent } from "../core/index.js";
import type { WriterReady } from "./rebirth.js";

export class Ownership {
  #epoch: number;
  #incarnation: string;

  /** `ready`: what the first writer of this front has said. */
  constructor({ epoch, incarnation }: WriterReady) {
    this.#epoch = epoch;
    this.#incarnation = incarnation;
  }

  /**
   * Why it is another's, or was meanwhile.
   *
   * `served`: clients could come before. Until then a writer may have died with its word that the database was made this
   *   broker's.
   */
  hear(event: StoreEvent, served: boolean): string | undefined {
    switch (event.kind) {
      case "tokens-reserved":
        this.#incarnation = event.incarnation;
        return undefined;
      case "writer-unavailable":
        // Every writer of this front is gone when the next one is started.
        return event.lockHeld === true ? event.reason : undefined;
      case "writer-ready":
        return this.#ready(event, served);
      default:
        return undefined;
    }
  }

  #ready({ epoch, starts, incarnation, movedFrom }: WriterReady, served: boolean): string | undefined {
    const last = this.#epoch;
    this.#epoch = epoch;
    if (served && movedFrom !== null) return `the broker of ${movedFrom} has had the database`;
    if (epoch <= last || epoch > last + starts) return "another broker has had the database";
    if (served && incarnation !== this.#incarnation) return "the database was put back, or is another";
    this.#incarnation = incarnation;
    return undefined;
  }
}
