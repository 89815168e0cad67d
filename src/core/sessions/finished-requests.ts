/**
 * What became of a session's lock requests and of its refused writes, by key, until the client has acknowledged them: a
 * request that is sent again after a lost answer gets the same answer, and another one under its key is known by its
 * print. Grants are not here (they are in the session), nor are results of writes (the store keeps them); a restart
 * forgets these: a refused request may be decided afresh, and a release that is gone is gone. Only a break or a transfer
 * without a token would be done a second time, to who holds the lock by then: its client does not send it again.
 */
import {
  type Millis,
  outcomeOf,
  type Refusal,
  type RequestKey,
  refusals,
  refuse,
  type SessionId,
  type Token,
} from "../../terms/index.js";
import type { Fence } from "../command.js";
import { reused } from "./request-keys.js";

export type Finished =
  | { readonly kind: "refused"; readonly refusal: Refusal }
  | { readonly kind: "released" }
  | { readonly kind: "acquire-cancelled"; readonly outcome: "cancelled" | "granted" | "gone" }
  | { readonly kind: "converted"; readonly fence: Fence; readonly waitedMs: Millis }
  | {
      readonly kind: "broken";
      readonly ended: readonly { readonly token: Token; readonly outcome: "released" | "broken" }[];
    }
  | { readonly kind: "transferred"; readonly from: Token; readonly heir: SessionId }
  | { readonly kind: "resized"; readonly slots: number };

declare const print: unique symbol;
/** What was asked under a key, in short: as good as surely another for another request. */
export type RequestPrint = number & { readonly [print]: never };
/** Of all writes: the core does not know what is in them. */
const ofWrite = -1 as RequestPrint;

interface Kept {
  readonly print: RequestPrint;
  readonly outcome: Finished;
}

/** Clients that never acknowledge must not grow the broker. */
const keptMax = 1024;
/** So many of the last refusals are kept with their words. */
const wordyMax = 64;
/** Characters that are kept of a refusal's message, and of each text in its details. */
const messageMax = 200;
const detailMax = 64;

export class FinishedRequests {
  readonly #byKey = new Map<RequestKey, Kept>();
  /** The keys of refusals that are kept with their words, the oldest first; absent while there was none. */
  #wordy: Set<RequestKey> | undefined;
  #ackedBelow = 0;

  /** All keys below this are acknowledged: nothing of them is known, and they are never executed. */
  get ackedBelow(): number {
    return this.#ackedBelow;
  }

  get size(): number {
    return this.#byKey.size;
  }

  get(key: RequestKey): Finished | undefined {
    return this.#byKey.get(key)?.outcome;
  }

  printUnder(key: RequestKey): RequestPrint | undefined {
    return this.#byKey.get(key)?.print;
  }

  add(key: RequestKey, print: RequestPrint, finished: Finished): void {
    if (key < this.#ackedBelow) return;
    const outcome = finished.kind === "refused" ? this.#briefly(key, finished.refusal) : finished;
    this.#byKey.set(key, { print, outcome });
    if (this.#byKey.size <= keptMax) return;
    for (const oldest of this.#byKey.keys()) {
      this.#forget(oldest);
      return;
    }
  }

  #briefly(key: RequestKey, refusal: Refusal): Finished {
    this.#wordy ??= new Set();
    this.#wordy.add(key);
    for (const oldest of this.#wordy) {
      if (this.#wordy.size <= wordyMax) break;
      this.#wordy.delete(oldest);
      const kept = this.#byKey.get(oldest);
      if (kept?.outcome.kind === "refused")
        this.#byKey.set(oldest, { print: kept.print, outcome: wordless(kept.outcome.refusal) });
    }
    return { kind: "refused", refusal: inShort(refusal) };
  }

  #forget(key: RequestKey): void {
    this.#byKey.delete(key);
    this.#wordy?.delete(key);
  }

  /**
   * A write was refused. What may succeed later, or may have been applied, is looked at again when it is sent again; and
   * that a key was misused says nothing of the request that it belongs to.
   */
  writeRefused(key: RequestKey, refusal: Refusal): void {
    const { retryable } = refusals[refusal.refused];
    const final = !retryable && outcomeOf(refusal) === "none" && refusal.refused !== "KEY_REUSED";
    if (final) this.add(key, ofWrite, { kind: "refused", refusal });
  }

  /** Why no write can be run under this key: one was refused, or it is that of a lock request. */
  refusalOfWrite(key: RequestKey): Refusal | undefined {
    const kept = this.#byKey.get(key);
    if (kept === undefined) return undefined;
    return kept.print === ofWrite && kept.outcome.kind === "refused" ? kept.outcome.refusal : reused(key);
  }

  acknowledge(below: number): void {
    if (below <= this.#ackedBelow) return;
    this.#ackedBelow = below;
    for (const key of this.#byKey.keys()) if (key < below) this.#forget(key);
  }
}

/** What it says, without lists and long texts. */
function inShort(refusal: Refusal): Refusal {
  const { message, details } = refusal;
  const kept = Object.entries(details ?? {}).filter(([, value]) => isShort(value));
  return {
    ...refusal,
    message: beginningOf(message),
    ...(details === undefined ? {} : { details: Object.fromEntries(kept) }),
  };
}

function isShort(value: unknown): boolean {
  return typeof value === "string" ? value.length <= detailMax : typeof value !== "object" || value === null;
}

/** A text of its own: one that is only cut keeps the whole of the other in memory. */
function beginningOf(message: string): string {
  if (message.length <= messageMax) return message;
  return [...message.slice(0, messageMax - 1), "…"].join("");
}

const without = new Map<string, Finished>();

/** One for all that were refused so. */
function wordless({ refused, outcome }: Refusal): Finished {
  const id = `${refused} ${outcome}`;
  let known = without.get(id);
  if (known === undefined) {
    const message = `${refusals[refused].meaning} when this was asked first`;
    known = {
      kind: "refused",
      refusal: { ...refuse(refused, message), ...(outcome === undefined ? {} : { outcome }) },
    };
    without.set(id, known);
  }
  return known;
}
