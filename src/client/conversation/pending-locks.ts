/** What is in flight and may change which locks we hold: what hello says of it, and what a welcome means for it. */
import type { WelcomeGrant } from "./answers.js";
import type { Call } from "./call.js";
import type { Grant } from "./grant.js";
import type { Grants } from "./grants.js";

export class PendingLocks {
  readonly #calls: ReadonlyMap<number, Call>;
  readonly #grants: Grants;

  constructor(calls: ReadonlyMap<number, Call>, grants: Grants) {
    this.#calls = calls;
    this.#grants = grants;
  }

  /** Keys of the acquires and upgrades that were sent and will be sent again. */
  keys(): number[] {
    const keys: number[] = [];
    for (const call of this.#calls.values()) if (call.waits && call.key !== 0) keys.push(call.key);
    return keys;
  }

  /** The broker may have a lock for us, were it one of whose grant nobody has heard. */
  get mayHold(): boolean {
    if (this.#grants.size > 0) return true;
    for (const { kind, state } of this.#calls.values()) if (kind === "acquire" && state === "sent") return true;
    return false;
  }

  /** What was to give a grant back may have done so, and the answer is lost. */
  disconnected(): void {
    for (const { grant, givesUp, state } of this.#calls.values())
      if (grant !== undefined && givesUp && state === "sent") grant.offered = true;
  }

  /** The broker's word of what we hold. Returns what it has and nobody wants. */
  reconcile(present: readonly WelcomeGrant[]): readonly WelcomeGrant[] {
    const pending = new Set(this.keys());
    const upgraded = new Set<Grant>();
    for (const { kind, grant, key } of this.#calls.values())
      if (kind === "upgrade" && grant !== undefined && key !== 0) upgraded.add(grant);
    return this.#grants.reconcile(present, {
      isPending: (key) => pending.has(key),
      isUpgraded: (grant) => upgraded.has(grant),
    });
  }
}
