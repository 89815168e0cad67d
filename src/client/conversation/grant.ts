/**
 * One grant of the broker, over one name or several, as the client may rely on it.
 *
 *   held ──release──────────────────► releasing ──answered──────────► released
 *    ││                                ▲                              ▲
 *    │└──transfer──► handing ──release─┘                              │
 *    │                  └──answered───────────────────────────────────┘
 *    └──lost──► lost
 *
 * Refused because it is not held, a release or a transfer is over as well; for another reason, the grant is held again, or
 * its loss is told late.
 * What is being handed over the program may have for as long as before: nobody may be there to take it. What is being
 * released it is rid of.
 *
 * A grant that is being given up is never lost: whatever took it away, it is gone as the program wished. The same holds
 * while a write is under way that gives it back when it is on disk (`leaving`); but then it is held until it is known
 * that the write is, and if the write is refused, it is held on, or its loss is told late; it is lost as well when nobody
 * hears what became of the write. An upgrade gives it a new token; it stays the same grant. How its lease stands is drawn in leases.ts.
 */
import { type Instant, instant, type Millis } from "../../terms/index.js";

export type GrantState = "held" | "handing" | "releasing" | "released" | "lost";
/** `none`: it lives as long as the session does. */
export type LeaseState = "none" | "safe" | "jeopardy" | "lost";

export interface Loss {
  readonly reason: string;
  /** Only we think so: the broker may have it still, and must be told. */
  readonly untold: boolean;
  /** Surely taken away: nothing of this program's can have given it back before. */
  readonly taken: boolean;
}

export class Grant {
  readonly name: string;
  /** All its names, each once; the first is `name`. */
  readonly names: readonly string[];
  token: number;
  /** The request key under which it was granted; 0: another program's. */
  readonly key: number;
  state: GrantState = "held";
  /** How many writes are under way that give it back. */
  leaving = 0;
  /** That it was lost meanwhile; valid while it is leaving, or being given up. */
  gone: Loss | undefined;
  /** A release or a transfer of it may have come to a broker that could not say so any more. */
  offered = false;
  /** Why it was lost; valid in that state. */
  reason = "";
  readonly ttlMs: Millis | undefined;
  lease: LeaseState;
  /** The lease runs from here at the earliest, if nothing that was sent later is answered; meaningful with a lease. */
  leaseFrom: Instant = instant(0);

  constructor(names: readonly [string, ...string[]], token: number, key: number, ttlMs?: Millis) {
    this.name = names[0];
    this.names = names;
    this.token = token;
    this.key = key;
    this.ttlMs = ttlMs;
    this.lease = ttlMs === undefined ? "none" : "safe";
  }

  /** The program has it, or will have it again should nobody take it. */
  get mayStay(): boolean {
    return this.state === "held" || this.state === "handing";
  }

  get isOver(): boolean {
    return this.state === "released" || this.state === "lost";
  }
}
