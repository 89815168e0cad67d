/**
 * What became of a session's lock requests and of its refused writes, by key, until the client has acknowledged them: a
 * request that is sent again after a lost answer gets the same answer. Grants are not here (they are in the session),
 * nor are results of writes (the store keeps them); a restart forgets these, which is safe: a refused request may be
 * decided afresh, and a release that is gone is gone.
 */
import { type Millis, type Refusal, type RequestKey, refusals, type SessionId, type Token } from "../../terms/index.js";
import type { Fence } from "../command.js";

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

/** Clients that never acknowledge must not grow the broker. */
const keptMax = 1024;

export class FinishedRequests {
  readonly #byKey = new Map<RequestKey, Finished>();
  #ackedBelow = 0;

  /** All keys below this are acknowledged: nothing of them is known, and they are never executed. */
  get ackedBelow(): number {
    return this.#ackedBelow;
  }

  get size(): number {
    return this.#byKey.size;
  }

  get(key: RequestKey): Finished | undefined {
    return this.#byKey.get(key);
  }

  add(key: RequestKey, outcome: Finished): void {
    if (key < this.#ackedBelow) return;
    this.#byKey.set(key, outcome);
    if (this.#byKey.size <= keptMax) return;
    for (const oldest of this.#byKey.keys()) {
      this.#byKey.delete(oldest);
      return;
    }
  }

  /**
   * A write was refused. What may succeed later, or may have been applied, is looked at again when it is sent again; and
   * that a key was misused says nothing of the request that it belongs to.
   */
  writeRefused(key: RequestKey, refusal: Refusal): void {
    const { retryable, outcome } = refusals[refusal.refused];
    const final = !retryable && (refusal.outcome ?? outcome) === "none" && refusal.refused !== "KEY_REUSED";
    if (final) this.add(key, { kind: "refused", refusal });
  }

  acknowledge(below: number): void {
    if (below <= this.#ackedBelow) return;
    this.#ackedBelow = below;
    for (const key of this.#byKey.keys()) if (key < below) this.#byKey.delete(key);
  }
}
