/**
 * Requests for locks, from being asked to their one outcome: granted, cancelled, timed out or refused.
 */
import { type Instant, isRefusal, type Refusal, type RequestKey, refuse, type Token } from "../../terms/index.js";
import type { AcquireCommand, Asker, CancelAcquireCommand, Claim } from "../command.js";
import type { Draft } from "../draft.js";
import type { Finished } from "../sessions/finished-requests.js";
import type { Session } from "../sessions/session.js";
import { areCircleFree } from "./circle-free.js";
import { circleOf } from "./deadlock.js";
import { deadlockRefusal } from "./deadlock-refusal.js";
import type { DeferredUpgrade, DeferredUpgrades } from "./deferred-upgrades.js";
import { type Ends, lost } from "./ends.js";
import { type Asked, claimsOf, type Grant, isHeld, type Terms } from "./grant.js";
import type { Granting } from "./granting.js";
import type { Lock } from "./lock.js";
import type { LockLimits } from "./lock-limits.js";
import type { LockTable } from "./lock-table.js";
import { heldRefusal, nameOf } from "./lock-view.js";
import { admitsAll, merged, mostInTheWay, namesOf } from "./multi-lock.js";
import type { PlaceNews } from "./place-news.js";
import { claimsWanted, LockRequest, locksOf, type Waiting } from "./request.js";
import { printOf } from "./request-print.js";
import { besideAtFirst } from "./under.js";
import type { Waits } from "./waits.js";

export interface AcquiringParts {
  readonly limits: LockLimits;
  readonly draft: Draft;
  readonly table: LockTable;
  readonly waits: Waits;
  readonly granting: Granting;
  readonly ends: Ends;
  readonly news: PlaceNews;
  readonly deferred: DeferredUpgrades;
}

const plain: Terms = { ttlMs: undefined, guarded: false, tell: { place: false, contended: false } };

export class Acquiring {
  readonly #parts: AcquiringParts;

  constructor(parts: AcquiringParts) {
    this.#parts = parts;
  }

  acquire(session: Session, ask: AcquireCommand, now: Instant): void {
    if (this.#answeredBefore(session, ask, now)) return;
    const { granting, waits } = this.#parts;
    const asked = this.#possible(session, ask);
    if (isRefusal(asked)) return waits.refuse(session, ask, asked);
    this.#fixSlots(asked);
    if (ask.steal) return this.#steal(asked, ask, now);
    if (granting.open && admitsAll(asked)) return granting.tell(granting.grant(asked, now), asked.claims, ask, 0);
    if (ask.waitMs === 0) this.#refuseHeld(asked, ask, now);
    else this.#enqueue(asked, ask, now);
    this.#forget(asked.locks);
  }

  /** Ends a wait on the client's word. One request, one outcome: a grant that was made before stays a grant. */
  cancel(session: Session, ask: CancelAcquireCommand, now: Instant): void {
    if (this.finishedBefore(session, ask)) return;
    const waiting = session.waits.get(ask.of);
    if (waiting !== undefined) this.#cancel(waiting, now);
    const isCancelled = waiting !== undefined || this.#parts.deferred.cancel(session, ask.of, now);
    const other = this.#isGranted(session, ask.of) ? "granted" : "gone";
    const outcome = isCancelled ? "cancelled" : other;
    session.finished.add(ask.key, printOf(ask), { kind: "acquire-cancelled", outcome });
    this.#parts.draft.send.push({ kind: "acquire-cancelled", to: ask.connection, request: ask.request, outcome });
  }

  /** Whether the acquire or the upgrade with this key was granted, and what it brought is held. */
  #isGranted(session: Session, key: RequestKey): boolean {
    if (session.grants.has(key)) return true;
    const done = session.finished.get(key);
    if (done?.kind === "converted") return this.#parts.table.holdingUnder(done.fence)?.grant.session === session;
    // Done before a restart of the broker: then only the grant knows it.
    for (const { converted } of session.grants.values()) if (converted === key) return true;
    return false;
  }

  /** The same by the id of the JSON-RPC request. Returns whether there was such a wait. */
  cancelByAsker(session: Session, asker: Asker, now: Instant): boolean {
    const waiting = this.#parts.waits.askedBy(session, asker);
    if (waiting !== undefined) this.#cancel(waiting, now);
    return waiting !== undefined || this.#parts.deferred.cancelByAsker(session, asker, now);
  }

  timedOut(waiting: Waiting | DeferredUpgrade, now: Instant): void {
    if (waiting.kind === "deferred") return this.#parts.deferred.timedOut(waiting, now);
    const { lock } = waiting.kind === "conversion" ? waiting.holding : mostInTheWay(waiting);
    this.refuseWaiting(waiting, "timed-out", heldRefusal(lock, "LOCK_TIMEOUT", now, waiting), now);
  }

  /** A wait is over without a grant; who stood behind it may go. */
  refuseWaiting(
    waiting: Waiting,
    event: "cancelled" | "timed-out" | "refused-deadlock",
    refusal: Refusal,
    now: Instant,
  ): void {
    this.refuseAll([waiting], event, refusal, now);
  }

  /** All of these, and then whoever stood behind any of them may go. */
  refuseAll(
    waits: readonly Waiting[],
    event: "cancelled" | "timed-out" | "refused-deadlock",
    refusal: Refusal,
    now: Instant,
  ): void {
    for (const waiting of waits) {
      this.#noteWhy(waiting, event, refusal, now);
      this.#parts.waits.leave(waiting);
      this.#parts.waits.refuseWaiting(waiting, refusal);
    }
    this.#parts.granting.wakeAll(waits.flatMap(locksOf), now);
  }

  /** It is passed over: who stood behind it may go. */
  sessionAway(session: Session, now: Instant): void {
    this.#parts.waits.presence(session);
    this.#parts.granting.wakeAll([...session.waits.values()].flatMap(locksOf), now);
  }

  /** It speaks again: which of its waits were closed into a circle meanwhile, and which can go now. */
  sessionBack(session: Session, now: Instant): void {
    this.refuseStuck([...session.waits.values()], now);
    this.#parts.granting.wakeAll([...session.waits.values()].flatMap(locksOf), now);
  }

  /** They waited well until now; how things stand, some may not any more. */
  refuseStuck(waits: readonly Waiting[], now: Instant): void {
    if (!areCircleFree(waits)) for (const waiting of waits) this.#refuseIfStuck(waiting, now);
  }

  #refuseIfStuck(waiting: Waiting, now: Instant): void {
    // Another that was refused before it may have made way for it.
    if (waiting.session.waits.get(waiting.key) !== waiting) return;
    const circle = circleOf(waiting, true);
    if (circle !== undefined) this.refuseWaiting(waiting, "refused-deadlock", deadlockRefusal(circle), now);
  }

  answerFinished(asker: Asker, finished: Finished): void {
    this.#parts.draft.send.push({ ...finished, to: asker.connection, request: asker.request });
  }

  // ── sent again ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** A request that was sent again gets the outcome it had, or is attached to its wait. */
  #answeredBefore(session: Session, ask: AcquireCommand, now: Instant): boolean {
    const grant = session.grants.get(ask.key);
    if (grant !== undefined) {
      this.#parts.granting.tell(grant, claimsOf(grant), ask, 0);
      return true;
    }
    const waiting = session.waits.get(ask.key);
    if (waiting !== undefined) {
      this.attach(waiting, ask, now);
      return true;
    }
    return this.finishedBefore(session, ask);
  }

  /** Whether its outcome is known, or was acknowledged: then it is never decided again. */
  finishedBefore(session: Session, ask: Asker & { readonly key: RequestKey }): boolean {
    const finished = session.finished.get(ask.key);
    if (finished !== undefined) {
      this.answerFinished(ask, finished);
      return true;
    }
    if (ask.key >= session.finished.ackedBelow) return false;
    const old = refuse("RETRY_TOO_OLD", `request key ${ask.key} was acknowledged before`);
    this.#parts.waits.answerRefused(ask, old);
    return true;
  }

  /** The answer goes to whoever asked last, and the wait takes as long as was said last. */
  attach(waiting: Waiting, ask: Pick<AcquireCommand, "connection" | "request" | "waitMs">, now: Instant): void {
    const { connection, waitMs } = ask;
    const again = refuse("CANCELLED", "the same request was sent again, and the answer goes there");
    if (waiting.asker?.connection === connection) this.#parts.waits.answerRefused(waiting.asker, again);
    this.#parts.waits.asks(waiting, ask);
    this.#parts.waits.limit(waiting, waitMs, now);
    this.#parts.news.attached(waiting, now);
  }

  // ── asked for the first time ──────────────────────────────────────────────────────────────────────────────────────

  /** What is asked for, each name once, with its lock; or why that cannot be, however long one waits. */
  #possible(session: Session, ask: AcquireCommand): Asked | Refusal {
    const { limits, table } = this.#parts;
    const claims = merged(ask.claims);
    if (isRefusal(claims)) return claims;
    const tooMany = limits.refusal(session, claims);
    if (tooMany !== undefined) return tooMany;
    const locks: Lock[] = [];
    for (const claim of claims) {
      const lock = table.lockOf(claim.name);
      locks.push(lock);
      const refusal = this.#unfit(claim, lock);
      if (refusal === undefined) continue;
      this.#forget(locks);
      return refusal;
    }
    const { key, reason } = ask;
    return { session, key, reason, terms: termsOf(ask), claims, locks };
  }

  #unfit(claim: Claim, lock: Lock): Refusal | undefined {
    return this.#parts.limits.queueFull(lock) ?? this.#parts.table.capacities.unfit(claim, lock);
  }

  /** The first who says how many slots a name has, fixes it. */
  #fixSlots({ claims, locks }: Asked): void {
    let at = 0;
    for (const { mode, slots } of claims) {
      const lock = locks[at++];
      if (mode !== "semaphore" || slots === undefined || lock === undefined || lock.slots > 0) continue;
      this.#parts.draft.ledger.push({ kind: "capacity", row: this.#parts.table.capacities.set(lock, slots) });
    }
  }

  #enqueue(asked: Asked, ask: AcquireCommand, now: Instant): void {
    const { waits } = this.#parts;
    const request = this.#join(asked, ask, now);
    const circle = circleOf(request, false);
    if (circle === undefined) return waits.settle(request, ask.waitMs, now);
    const refusal = deadlockRefusal(circle);
    this.#noteWhy(request, "refused-deadlock", refusal, now);
    waits.withdraw(request);
    waits.refuse(asked.session, ask, refusal);
  }

  #join(asked: Asked, { connection, request: id, steal, under }: AcquireCommand, now: Instant): LockRequest {
    const { waits } = this.#parts;
    const request = new LockRequest(asked, steal ? waits.firstArrival() : waits.nextArrival(), now);
    request.asker = { connection, request: id };
    if (under === undefined) request.beside = besideAtFirst(request);
    else request.under = grantsOf(asked.session, under);
    waits.join(request);
    return request;
  }

  /** First its place at the head, then the end of those who hold the names: nobody else is let in between. */
  #steal(asked: Asked, ask: AcquireCommand, now: Instant): void {
    const { waits, granting, ends } = this.#parts;
    const { session } = asked;
    const request = this.#join(asked, ask, now);
    waits.settle(request, ask.waitMs, now);
    const reason = `taken by ${nameOf(session)}`;
    for (const lock of asked.locks)
      for (const { grant } of [...lock.holdings()]) if (isHeld(grant)) ends.end(grant, lost(reason), now);
    const isWaiting = session.waits.get(ask.key) === request && !granting.tryRequest(request, now);
    if (isWaiting && ask.waitMs === 0)
      this.refuseWaiting(request, "cancelled", heldRefusal(mostInTheWay(request).lock, "LOCK_HELD", now, request), now);
  }

  #refuseHeld({ session, claims, locks }: Asked, ask: AcquireCommand, now: Instant): void {
    let at = 0;
    let inTheWay = locks[0];
    for (const { mode, take = 1 } of claims) {
      const lock = locks[at++];
      if (lock === undefined || lock.admits(mode, take)) continue;
      inTheWay = lock;
      break;
    }
    if (inTheWay !== undefined) this.#parts.waits.refuse(session, ask, heldRefusal(inTheWay, "LOCK_HELD", now));
  }

  #cancel(waiting: Waiting, now: Instant): void {
    const refusal = refuse("CANCELLED", `the request for ${namesOf(claimsWanted(waiting))} was cancelled`);
    this.refuseWaiting(waiting, "cancelled", refusal, now);
  }

  /** Before it leaves: with the past of one of its names that of another can go, and then only its places keep that one. */
  #noteWhy(waiting: Waiting, kind: "cancelled" | "timed-out" | "refused-deadlock", why: Refusal, now: Instant): void {
    for (const lock of locksOf(waiting))
      this.#parts.table.history.noteWhy(lock, { kind, reason: why.message }, waiting, now);
  }

  #forget(locks: readonly Lock[]): void {
    for (const lock of locks) this.#parts.table.forgetIfIdle(lock);
  }
}

function termsOf({ ttlMs, guarded, tell }: AcquireCommand): Terms {
  const isPlain = ttlMs === undefined && !guarded && !tell.place && !tell.contended;
  return isPlain ? plain : { ttlMs, guarded, tell };
}

/** Of these tokens what the session holds, or those under whose commands it runs. */
export function grantsOf(session: Session, tokens: readonly Token[]): Grant[] {
  const found: Grant[] = [];
  if (tokens.length === 0) return found;
  const meant = new Set(tokens);
  for (let one: Session | undefined = session; one !== undefined; one = one.outer)
    for (const grant of one.grants.values()) if (isMeant(grant, meant)) found.push(grant);
  return found;
}

/** An upgrade may have been granted since it was said. */
function isMeant({ token, formerTokens }: Grant, meant: ReadonlySet<Token>): boolean {
  return meant.has(token) || formerTokens.some((former) => meant.has(former));
}
