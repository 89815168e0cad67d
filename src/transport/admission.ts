/**
 * How many may be connected, and how many may be connected without having said hello. Counts only; the deadline of
 * the hello is the front's.
 *
 * Three purposes with an allowance each, so that a crowd of one kind does not shut out another: newcomers, clients
 * that come back to a session after a crash (all at once), and the command line, for which the last places are kept.
 * A purpose is a claim: it buys nothing but a place to say hello from. Where an allowance is used up, who has been silent
 * longest is hung up on rather than who comes refused: a client of ours says hello in its first breath.
 */
import type { Limits } from "../terms/index.js";
import type { Purpose } from "./link.js";
import { type HttpRefusal, httpRefusal } from "./upgrade.js";

export interface AdmissionCounts {
  /** All open connections. */
  readonly open: number;
  /** Of these, by purpose, the ones that have not said hello. */
  readonly waiting: { readonly [Kind in Purpose]: number };
}

type AdmissionLimits = Pick<Limits, "connectionsMax" | "connectionsKept" | "unauthenticatedMax" | "resumingMax">;

/** One open connection in the counts; each method counts once however often it is called. */
export interface Place {
  admitted(): void;
  left(): void;
}

/** Who has a place and is not yet admitted. */
interface Waiting {
  /** When it came (ms, of `now`). */
  readonly since: number;
  /** Gives its place back, and ends the connection at once. */
  readonly sendAway: () => void;
}

/** Who came so lately may have its hello on the way (ms). */
export const silentMsMin = 50;
const purposes = ["newcomer", "resuming", "operator"] as const satisfies readonly Purpose[];

export class Admission {
  readonly #limits: AdmissionLimits;
  readonly #now: () => number;
  /** In the order in which they came. */
  readonly #waiting = { newcomer: new Set<Waiting>(), resuming: new Set<Waiting>(), operator: new Set<Waiting>() };
  #open = 0;

  /** `now`: milliseconds on any clock that does not go back. */
  constructor(limits: AdmissionLimits, now: () => number) {
    this.#limits = limits;
    this.#now = now;
  }

  get counts(): AdmissionCounts {
    const { newcomer, resuming, operator } = this.#waiting;
    const waiting = { newcomer: newcomer.size, resuming: resuming.size, operator: operator.size };
    return { open: this.#open, waiting };
  }

  /** Makes room for one more of this purpose, if somebody has been silent for long; else why there is no place for it. */
  makeRoom(purpose: Purpose): HttpRefusal | undefined {
    // Of its own allowance first; where all connections are taken, of any.
    for (const among of [[purpose], purposes]) {
      if (this.judge(purpose) === undefined) return undefined;
      this.#hangUpOnOldest(among);
    }
    return this.judge(purpose);
  }

  /** Why there is no place for one more of this purpose. */
  judge(purpose: Purpose): HttpRefusal | undefined {
    const { connectionsMax, connectionsKept, unauthenticatedMax, resumingMax } = this.#limits;
    const kept = purpose === "operator" ? 0 : Math.min(connectionsKept, connectionsMax - 1);
    if (this.#open >= connectionsMax - kept)
      return full(`${this.#open} connections are open, connectionsMax is ${connectionsMax}, ${kept} of them are kept`);
    const waitingMax = purpose === "resuming" ? resumingMax : unauthenticatedMax;
    const { size } = this.#waiting[purpose];
    if (size >= waitingMax) return full(`${size} connections (${purpose}) have not said hello, ${waitingMax} may`);
    return undefined;
  }

  /** `hangUp` ends the connection at once; it is called at most once, and not after `admitted` or `left`. */
  enter(purpose: Purpose, hangUp: () => void): Place {
    const sendAway = () => {
      left();
      hangUp();
    };
    const waiting: Waiting = { since: this.#now(), sendAway };
    this.#open += 1;
    this.#waiting[purpose].add(waiting);
    let state: "waiting" | "admitted" | "left" = "waiting";
    const admitted = () => {
      if (state !== "waiting") return;
      state = "admitted";
      this.#waiting[purpose].delete(waiting);
    };
    const left = () => {
      if (state === "left") return;
      admitted();
      state = "left";
      this.#open -= 1;
    };
    return { admitted, left };
  }

  /** Of the longest silent of each of these purposes. */
  #hangUpOnOldest(among: readonly Purpose[]): void {
    let oldest: Waiting | undefined;
    for (const purpose of among) {
      const [first] = this.#waiting[purpose];
      if (first !== undefined && (oldest === undefined || first.since < oldest.since)) oldest = first;
    }
    if (oldest !== undefined && this.#now() - oldest.since >= silentMsMin) oldest.sendAway();
  }
}

function full(message: string): HttpRefusal {
  return httpRefusal(503, "CONNECTIONS_FULL", message);
}
