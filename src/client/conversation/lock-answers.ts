/**
 * What the broker's answers to lock requests mean for the grants, and what must be taken back because the program did
 * not want it any more. A request that was cancelled has its outcome only when that is done.
 */
import { after, type Instant, later, outcomeOf, type Refusal, refuse } from "../../terms/index.js";
import { type Fence, readGranted, type WelcomeGrant } from "./answers.js";
import { Call, type CallParams } from "./call.js";
import { isDue } from "./deadlines.js";
import type { Draft } from "./draft.js";
import { Grant } from "./grant.js";
import type { Grants } from "./grants.js";

export const wasCancelled = refuse("CANCELLED", "the request was cancelled");
export const closedInLine = refuse("CLOSED", "the broker handle was closed while it waited for its turn");

/** Of `lock.release`. `lost`: what runs under it has not ended. */
type ReleaseParams = CallParams & Fence & { readonly lost?: true };

/** What came back, and when. */
export interface Answer {
  readonly result: unknown;
  readonly now: Instant;
}

export class LockAnswers {
  readonly #draft: Draft;
  readonly #grants: Grants;
  /** Sends a request of the conversation's own. */
  readonly #ask: (call: Call, now: Instant) => void;
  /** What the program does not have any more, and the broker may have since it was last told what we hold. */
  readonly #rest: Grant[] = [];

  constructor(draft: Draft, grants: Grants, ask: (call: Call, now: Instant) => void) {
    this.#draft = draft;
    this.#grants = grants;
    this.#ask = ask;
  }

  granted(call: Call, key: number, { result, now }: Answer): void {
    const granted = readGranted(result);
    if (granted === undefined)
      return this.#draft.refuse(call, refuse("INTERNAL", "the broker granted a lock and did not say which"));
    const { names, token, waitedMs, waiting } = granted;
    const grant = new Grant(names, token, key, call.params.ttlMs);
    // Not granted before the broker had let it wait so long; and when it was sent last, the broker heard of us.
    grant.leaseFrom = later(call.sentAt, after(call.since, Math.min(waitedMs, now - call.since) - 1));
    if (call.cancelled) return this.giveBack(grant, call.own ? undefined : call, now);
    this.#grants.add(grant);
    this.#draft.push({ kind: "granted", call, grant, waitedMs, waiting });
  }

  upgraded(call: Call, key: number, { result, now }: Answer): void {
    const upgraded = readGranted(result);
    const { grant } = call;
    if (upgraded === undefined || grant === undefined)
      return this.#draft.refuse(call, refuse("INTERNAL", "the broker upgraded a lock and did not say which"));
    const { name, token, waitedMs } = upgraded;
    if (grant.isOver || grant.gone !== undefined) {
      this.giveBack(new Grant([name], token, key), undefined, now);
      return this.#draft.refuse(call, lostMeanwhile(grant));
    }
    this.#grants.renumber(grant, token);
    if (!call.cancelled) return this.#draft.answer(call, { token, waitedMs });
    if (grant.state === "releasing") return this.#draft.refuse(call, wasCancelled);
    // The upgrade won the race against the cancel: the lock becomes shared again before the program hears of the end.
    const params: CallParams & Fence = { name, token };
    this.#ask(new Call("change", "lock.downgrade", params, { grant, about: call, own: true }), now);
  }

  /** What the broker has and the program does not want. `about`: an acquire whose grant won the race against its cancel. */
  giveBack(grant: Grant, about: Call | undefined, now: Instant): void {
    const { name, token } = grant;
    this.#release(grant, { name, token }, about, now);
  }

  /** What the broker has and the program does not know of, or not any more: then what it started may still run. */
  giveBackStrangers(strangers: readonly WelcomeGrant[], now: Instant): void {
    for (const { name, token, key } of strangers)
      this.#release(new Grant([name], token, key), { name, token, lost: true }, undefined, now);
  }

  /** Grants whose deadline has passed by our own clock are lost. Should the broker have them still, others need not wait. */
  lookAtLeases(now: Instant, connected: boolean): void {
    if (!isDue(this.#grants.leases.due, now)) return;
    for (const grant of this.#grants.leases.look(now)) {
      this.#grants.expired(grant);
      // Without a connection it is not listed at the next hello, which gives it back as well.
      if (connected) this.giveUp(grant, now);
    }
  }

  /** What the program has lost and the broker may still have; what runs under it may not have ended yet. */
  giveUp({ name, token }: Grant, now: Instant): void {
    const params: ReleaseParams = { name, token, lost: true };
    this.#ask(new Call("release", "lock.release", params, { own: true }), now);
  }

  #release(grant: Grant, params: ReleaseParams, about: Call | undefined, now: Instant): void {
    grant.state = "releasing";
    this.#grants.add(grant);
    this.#ask(new Call("release", "lock.release", params, { grant, about, own: true }), now);
  }

  /** It was handed in: with it locks are given back, once it is on disk. */
  begun({ gives }: Call): void {
    for (const { grant } of gives) this.#grants.leaves(grant);
  }

  /** It is on disk. Where an upgrade was quicker it has named an old token: the broker has that for all that. */
  applied({ gives }: Call): void {
    for (const { grant, token } of gives) {
      if (!grant.isOver && grant.token !== token) this.#rest.push(grant);
      this.#grants.left(grant);
    }
  }

  /** It was refused. Of what may be applied, what it was to give back may be given back: the broker does not know, or is at it. */
  notApplied({ gives }: Call, refusal: Refusal): void {
    const mayBeApplied = outcomeOf(refusal) === "unknown";
    for (const { grant } of gives)
      if (mayBeApplied ? this.#grants.mayHaveLeft(grant) : this.#grants.stays(grant)) this.#rest.push(grant);
  }

  /** The broker has heard in hello what we hold, and gives back all else. */
  welcomed(): void {
    this.#rest.length = 0;
  }

  giveUpRest(now: Instant): void {
    if (this.#rest.length === 0) return; // As after nearly every answer.
    for (const grant of this.#rest.splice(0)) this.giveUp(grant, now);
  }

  released(call: Call): void {
    if (call.grant !== undefined) this.#grants.released(call.grant);
    if (call.about !== undefined) this.#draft.refuse(call.about, wasCancelled);
    else if (!call.own) this.#draft.answer(call, {});
  }
}

export function lostMeanwhile(grant: Grant | undefined): Refusal {
  const { name = "", token = 0, reason = "" } = grant ?? {};
  return refuse("LOCK_LOST", `the lock ${JSON.stringify(name)} was lost meanwhile: ${reason}`, { name, token, reason });
}
