/**
 * How many may be connected, and how many may be connected without having said hello. Counts only; the deadline of
 * the hello is the front's.
 *
 * Three purposes with an allowance each, so that a crowd of one kind does not shut out another: newcomers, clients
 * that come back to a session after a crash (all at once), and the command line, for which the last places are kept.
 * A purpose is a claim: it buys nothing but a place to say hello from.
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

export class Admission {
  readonly #limits: AdmissionLimits;
  readonly #waiting = { newcomer: 0, resuming: 0, operator: 0 };
  #open = 0;

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
  }

  get counts(): AdmissionCounts {
    return { open: this.#open, waiting: { ...this.#waiting } };
  }

  /** Why there is no place for one more of this purpose. */
  judge(purpose: Purpose): HttpRefusal | undefined {
    const { connectionsMax, connectionsKept, unauthenticatedMax, resumingMax } = this.#limits;
    const kept = purpose === "operator" ? 0 : Math.min(connectionsKept, connectionsMax - 1);
    if (this.#open >= connectionsMax - kept)
      return full(`${this.#open} connections are open, connectionsMax is ${connectionsMax}, ${kept} of them are kept`);
    const waitingMax = purpose === "resuming" ? resumingMax : unauthenticatedMax;
    if (this.#waiting[purpose] >= waitingMax)
      return full(`${this.#waiting[purpose]} connections (${purpose}) have not said hello, ${waitingMax} may`);
    return undefined;
  }

  enter(purpose: Purpose): Place {
    this.#open += 1;
    this.#waiting[purpose] += 1;
    let state: "waiting" | "admitted" | "left" = "waiting";
    const admitted = () => {
      if (state !== "waiting") return;
      state = "admitted";
      this.#waiting[purpose] -= 1;
    };
    const left = () => {
      if (state === "left") return;
      admitted();
      state = "left";
      this.#open -= 1;
    };
    return { admitted, left };
  }
}

function full(message: string): HttpRefusal {
  return httpRefusal(503, "CONNECTIONS_FULL", message);
}
