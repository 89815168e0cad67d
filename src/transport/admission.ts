/**
 * How many may be connected, and how many may be connected without having said hello. The deadline of the hello is the
 * front's.
 *
 * Three purposes with an allowance each, so that a crowd of one kind does not shut out another: newcomers, clients
 * that come back to a session after a crash (all at once), and the command line, for which the last places are kept.
 * A purpose is a claim: it buys nothing but a place to say hello from. Where no place is left, the longest silent is
 * ended for the one that comes, once it has let all of its chances to say hello pass.
 */
import type { Limits } from "../terms/index.js";
import type { Chances } from "./chances.js";
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

/** Who has a place and has not said hello. */
interface Waiting {
  /** How many chances had been given when it came. */
  readonly since: number;
  /** Gives its place back, and ends the connection at once. */
  readonly end: () => void;
}

const purposes = ["newcomer", "resuming", "operator"] as const satisfies readonly Purpose[];

export class Admission {
  readonly #limits: AdmissionLimits;
  readonly #chances: Chances;
  /** In the order in which they came. */
  readonly #waiting = { newcomer: new Set<Waiting>(), resuming: new Set<Waiting>(), operator: new Set<Waiting>() };
  #open = 0;

  constructor(limits: AdmissionLimits, chances: Chances) {
    this.#limits = limits;
    this.#chances = chances;
  }

  get counts(): AdmissionCounts {
    const { newcomer, resuming, operator } = this.#waiting;
    const waiting = { newcomer: newcomer.size, resuming: resuming.size, operator: operator.size };
    return { open: this.#open, waiting };
  }

  /** Makes room for one more of this purpose, where somebody has proven to be silent; else why there is no place for it. */
  makeRoom(purpose: Purpose): HttpRefusal | undefined {
    for (;;) {
      const refusal = this.judge(purpose);
      // With those of its own purpose it shares an allowance, with all others the connections.
      const among = this.#waiting[purpose].size >= this.#waitingMax(purpose) ? [purpose] : purposes;
      if (refusal === undefined || !this.#endLongestSilent(among)) return refusal;
    }
  }

  /** Why there is no place for one more of this purpose. */
  judge(purpose: Purpose): HttpRefusal | undefined {
    const { connectionsMax, connectionsKept } = this.#limits;
    const kept = purpose === "operator" ? 0 : Math.min(connectionsKept, connectionsMax - 1);
    if (this.#open >= connectionsMax - kept)
      return full(`${this.#open} connections are open, connectionsMax is ${connectionsMax}, ${kept} of them are kept`);
    const { size } = this.#waiting[purpose];
    const waitingMax = this.#waitingMax(purpose);
    if (size >= waitingMax) return full(`${size} connections (${purpose}) have not said hello, ${waitingMax} may`);
    return undefined;
  }

  /** `end` ends the connection at once; it is called at most once, and not after `admitted` or `left`. */
  enter(purpose: Purpose, end: () => void): Place {
    const waiting: Waiting = {
      since: this.#chances.given,
      end: () => {
        left();
        end();
      },
    };
    this.#open += 1;
    this.#waiting[purpose].add(waiting);
    if (this.judge(purpose) !== undefined) this.#chances.give();
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

  #waitingMax(purpose: Purpose): number {
    const { unauthenticatedMax, resumingMax } = this.#limits;
    return purpose === "resuming" ? resumingMax : unauthenticatedMax;
  }

  /** Of these purposes; false: nobody has proven it. */
  #endLongestSilent(among: readonly Purpose[]): boolean {
    let longest: Waiting | undefined;
    for (const purpose of among) {
      const [first] = this.#waiting[purpose];
      if (first !== undefined && (longest === undefined || first.since < longest.since)) longest = first;
    }
    if (longest === undefined || !this.#chances.allPassed(longest.since)) return false;
    longest.end();
    return true;
  }
}

function full(message: string): HttpRefusal {
  return httpRefusal(503, "CONNECTIONS_FULL", message);
}
