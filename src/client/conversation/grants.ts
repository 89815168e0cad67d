/**
 * The locks that this client believes it holds. What it believes is said at every hello, so that the broker gives back
 * the rest; what the broker does not have is lost, and told.
 */
import type { Fence, WelcomeGrant } from "./answers.js";
import type { Draft } from "./draft.js";
import type { Grant } from "./grant.js";

export class Grants {
  readonly #byToken = new Map<number, Grant>();
  readonly #draft: Draft;

  constructor(draft: Draft) {
    this.#draft = draft;
  }

  /** Held, or with their release under way. */
  get size(): number {
    return this.#byToken.size;
  }

  *[Symbol.iterator](): Iterator<Grant> {
    yield* this.#byToken.values();
  }

  add(grant: Grant): void {
    this.#byToken.set(grant.token, grant);
  }

  released(grant: Grant): void {
    grant.state = "released";
    this.#byToken.delete(grant.token);
  }

  /** The broker says that it is gone. One that is being released is left to its release. */
  lost(token: number, reason: string): void {
    const grant = this.#byToken.get(token);
    if (grant?.state === "held") this.#lose(grant, reason);
  }

  /** Only what is held: releases go on. */
  loseHeld(reason: string): void {
    for (const grant of [...this.#byToken.values()]) if (grant.state === "held") this.#lose(grant, reason);
  }

  get anyHeld(): boolean {
    for (const grant of this.#byToken.values()) if (grant.state === "held") return true;
    return false;
  }

  /** For hello. A release that is under way is listed too: writes that were sent before it must find the lock held. */
  believed(): Fence[] {
    return [...this.#byToken.values()].map(({ name, token }) => ({ name, token }));
  }

  /** The broker's word after a resume. Returns what it has and we do not want. */
  reconcile(present: readonly WelcomeGrant[], isPending: (key: number) => boolean): readonly WelcomeGrant[] {
    const tokens = new Set(present.map((grant) => grant.token));
    for (const grant of [...this.#byToken.values()])
      if (grant.state === "held" && !tokens.has(grant.token)) this.#lose(grant, "the broker does not have it any more");
    return present.filter((grant) => !this.#byToken.has(grant.token) && !isPending(grant.key));
  }

  check(): void {
    for (const [token, grant] of this.#byToken) {
      if (grant.token !== token) throw new Error(`grants: ${grant.name} is kept under another token`);
      if (grant.state !== "held" && grant.state !== "releasing")
        throw new Error(`grants: ${grant.name} is kept though it is ${grant.state}`);
    }
  }

  #lose(grant: Grant, reason: string): void {
    grant.state = "lost";
    grant.reason = reason;
    this.#byToken.delete(grant.token);
    this.#draft.push({ kind: "lost", grant, reason });
  }
}
