/**
 * The locks that this client believes it holds. What it believes is said at every hello, so that the broker gives back
 * the rest; what the broker does not have is lost, and told.
 */
import type { Fence, WelcomeGrant } from "./answers.js";
import type { Draft } from "./draft.js";
import { Grant, type Loss } from "./grant.js";
import { Leases } from "./leases.js";

export class Grants {
  readonly leases: Leases;
  readonly #byToken = new Map<number, Grant>();
  readonly #draft: Draft;
  /** What a program had when it closed: it is the broker's again with the goodbye, and what is in flight relies on it. */
  #untilGoodbye: readonly Fence[] = [];

  constructor(draft: Draft, nextRequest: () => number) {
    this.#draft = draft;
    this.leases = new Leases(draft, nextRequest);
  }

  /** Held, or with their release or transfer under way. */
  get size(): number {
    return this.#byToken.size;
  }

  *[Symbol.iterator](): Iterator<Grant> {
    yield* this.#byToken.values();
  }

  get(token: number): Grant | undefined {
    return this.#byToken.get(token);
  }

  add(grant: Grant): void {
    this.#byToken.set(grant.token, grant);
    this.leases.add(grant);
  }

  /** Locks that another program acquired for the session; several of one token are one grant. */
  takeUp(held: readonly Fence[]): void {
    for (const token of new Set(held.map((one) => one.token))) {
      const [first, ...more] = held.filter((one) => one.token === token).map(({ name }) => name);
      if (first !== undefined) this.add(new Grant([first, ...more], token, 0));
    }
  }

  /** An upgrade: the same grant, under another token. */
  renumber(grant: Grant, token: number): void {
    this.#byToken.delete(grant.token);
    grant.token = token;
    this.#byToken.set(token, grant);
  }

  /** Its release or transfer was refused: it is held again, unless it was lost meanwhile. */
  heldAgain(grant: Grant): void {
    const { gone } = grant;
    grant.state = "held";
    if (gone !== undefined) return this.#lose(grant, gone);
    this.leases.add(grant);
  }

  released(grant: Grant): void {
    grant.state = "released";
    this.#forget(grant);
  }

  /** A write is under way that gives it back when it is on disk. */
  leaves(grant: Grant): void {
    grant.leaving++;
  }

  /** The write is on disk. */
  left(grant: Grant): void {
    grant.leaving--;
    if (grant.isOver) return;
    grant.gone = undefined;
    this.released(grant);
    this.#draft.push({ kind: "given-back", grant });
  }

  /** The write was refused: it is held on, unless it was lost meanwhile. Whether that must be told to the broker. */
  stays(grant: Grant): boolean {
    grant.leaving--;
    const { gone } = grant;
    if (grant.leaving > 0 || grant.state !== "held" || gone === undefined) return false;
    this.#lose(grant, gone);
    return gone.untold;
  }

  /** Nobody knows whether the write is on disk, or will be. Whether that must be told to the broker. */
  mayHaveLeft(grant: Grant): boolean {
    grant.leaving--;
    if (grant.state !== "held") return false;
    this.#lose(grant, {
      reason: "it is not known whether the write was applied that was to give it back",
      untold: true,
      taken: false,
    });
    return grant.leaving === 0;
  }

  /** The broker says that it is gone. One that is being given up is left to that; should it be refused, it is lost. */
  lost(token: number, reason: string): void {
    const grant = this.#byToken.get(token);
    if (grant !== undefined) this.#isGone(grant, reason, true);
  }

  /** It was being released when its session ended. */
  releasedLate(grant: Grant): void {
    if (mayBeGivenBack(grant)) return;
    grant.gone ??= { reason: "the session is over", untold: false, taken: true };
  }

  /** Its deadline has passed by our own clock. */
  expired(grant: Grant): void {
    const reason = `the broker did not answer within its lease of ${grant.ttlMs ?? 0} ms`;
    this.#lose(grant, { reason, untold: true, taken: false });
  }

  /** By our own clock the broker keeps the session no longer. */
  outOfReach(): void {
    this.#loseAll({
      reason: "there was no connection to the broker for longer than it keeps a session",
      untold: true,
      taken: false,
    });
  }

  loseHeld(reason: string): void {
    this.#untilGoodbye = [];
    this.#loseAll({ reason, untold: false, taken: false });
  }

  /** The program closes. */
  loseUntilGoodbye(reason: string): void {
    const before = this.believed();
    this.loseHeld(reason);
    this.#untilGoodbye = before.filter(({ token }) => !this.#byToken.has(token));
  }

  /** Only what is held: releases go on. */
  #loseAll(loss: Loss): void {
    for (const grant of [...this.#byToken.values()]) if (grant.state === "held") this.#lose(grant, loss);
  }

  get anyHeld(): boolean {
    for (const { state, gone } of this.#byToken.values()) if (state === "held" && gone === undefined) return true;
    return false;
  }

  /** For hello. A release that is under way is listed too: writes that were sent before it must find the lock held. */
  believed(): Fence[] {
    const has = [...this.#byToken.values()].flatMap(({ names, token }) => names.map((name) => ({ name, token })));
    return [...has, ...this.#untilGoodbye];
  }

  /**
   * The broker's word after a resume. One whose upgrade is to be sent again may have a new token by now; the broker knows
   * it by the key of its acquire, whatever became of it since. Returns what the broker has and we do not want.
   */
  reconcile(
    present: readonly WelcomeGrant[],
    { isPending, isUpgraded }: { isPending: (key: number) => boolean; isUpgraded: (grant: Grant) => boolean },
  ): readonly WelcomeGrant[] {
    const tokens = new Set(present.map((grant) => grant.token));
    const tokenOf = new Map(present.map((grant) => [grant.key, grant.token]));
    const ours = new Set(this.#byToken.keys());
    for (const grant of [...this.#byToken.values()]) {
      if (tokens.has(grant.token)) continue;
      const upgraded = isUpgraded(grant) ? tokenOf.get(grant.key) : undefined;
      if (upgraded === undefined) this.#isGone(grant, "the broker does not have it any more", !mayBeGivenBack(grant));
      else ours.add(upgraded);
    }
    const strangers = present.filter((grant) => !ours.has(grant.token) && !isPending(grant.key));
    return [...new Map(strangers.map((grant) => [grant.token, grant])).values()];
  }

  check(): void {
    for (const [token, grant] of this.#byToken) {
      if (grant.token !== token) throw new Error(`grants: ${grant.name} is kept under another token`);
      if (grant.isOver) throw new Error(`grants: ${grant.name} is kept though it is ${grant.state}`);
    }
    this.leases.check();
  }

  #isGone(grant: Grant, reason: string, taken: boolean): void {
    const loss = { reason, untold: false, taken };
    if (grant.state === "held") this.#lose(grant, loss);
    else grant.gone = loss;
  }

  #lose(grant: Grant, loss: Loss): void {
    const { reason, untold, taken } = loss;
    if (grant.leaving > 0) {
      const before = grant.gone ?? loss;
      grant.gone = { reason: before.reason, untold: before.untold && untold, taken: before.taken || taken };
      return this.leases.remove(grant);
    }
    grant.state = "lost";
    grant.reason = reason;
    this.#forget(grant);
    if (grant.lease !== "none") grant.lease = "lost";
    this.#draft.push({ kind: "lost", grant, reason });
  }

  #forget(grant: Grant): void {
    this.#byToken.delete(grant.token);
    this.leases.remove(grant);
  }
}

/** By what the program has asked for. */
function mayBeGivenBack({ offered, leaving }: Grant): boolean {
  return offered || leaving > 0;
}
