/**
 * All named locks: who holds, who waits, who is next. Grants in order of arrival; nobody overtakes a waiter that is
 * there to take it; a name whose grant has ended is granted again only when the writer has settled all that was sent
 * under it.
 */
import {
  after,
  between,
  type Instant,
  type Limits,
  type LockName,
  type Millis,
  type Refusal,
  type RequestKey,
  refuse,
  type Seq,
} from "../../terms/index.js";
import type { AcquireCommand as Acquire, Asker, Command, Fence, ListCommand } from "../command.js";
import type { Deadlines } from "../deadlines.js";
import type { Draft } from "../draft.js";
import type { Finished } from "../sessions/finished-requests.js";
import { connectionOf, type Session } from "../sessions/session.js";
import type { GrantRow, LockView, WaiterRow } from "../turn.js";
import { checkLock, firstPresent, type Grant, Lock, latest, type Waiter } from "./lock.js";
import { grantRow, nameOf, waiterRow } from "./lock-rows.js";
import { grantView, heldRefusal, listLocks, quote, reused } from "./lock-view.js";
import type { TokenBlock } from "./token-block.js";

export interface LockTableParts {
  readonly limits: Limits;
  readonly draft: Draft;
  readonly deadlines: Deadlines;
  /** Nothing is granted while it is empty. */
  readonly tokens: TokenBlock;
  /** Every write up to and including this one is settled. */
  readonly settledThrough: () => Seq;
}

type Release = Extract<Command, { kind: "release" }>;
type CancelAcquire = Extract<Command, { kind: "cancel-acquire" }>;

export class LockTable {
  readonly #locks = new Map<LockName, Lock>();
  readonly #draining = new Set<Lock>();
  /** Names somebody waits for. */
  readonly #contended = new Set<Lock>();
  readonly #parts: LockTableParts;
  #arrivals = 0;
  #held = 0;
  #waiting = 0;
  /** Nothing is granted: what was held before may still be believed in by its holders (rule 13). */
  #frozen = false;

  constructor(parts: LockTableParts) {
    this.#parts = parts;
  }

  get held(): number {
    return this.#held;
  }

  get waiting(): number {
    return this.#waiting;
  }

  get contended(): boolean {
    return this.#contended.size > 0;
  }

  // ── asking ────────────────────────────────────────────────────────────────────────────────────────────────────────

  acquire(session: Session, ask: Acquire, now: Instant): void {
    if (this.#answeredBefore(session, ask, now)) return;
    const refusal = this.#tooMany(session, ask);
    if (refusal !== undefined) return this.#refuse(session, ask.key, ask, refusal);
    const lock = this.#lockOf(nameOf(ask));
    if (this.#canGrant && lock.state.kind === "free" && firstPresent(lock) === undefined) {
      const { key, reason } = ask;
      return this.#tell(this.#grant(lock, { session, key, reason }, now), ask, 0);
    }
    if (ask.waitMs !== 0) return this.#enqueue(lock, session, ask, now);
    this.#refuse(session, ask.key, ask, heldRefusal(lock, "LOCK_HELD", now));
    this.#forgetIfIdle(lock);
  }

  /** Ends a wait on the client's word. One request, one outcome: a grant that was made before stays a grant. */
  cancelAcquire(session: Session, ask: CancelAcquire): void {
    const before = session.finished.get(ask.key);
    if (before !== undefined) return this.#answerFinished(ask, before);
    const waiter = session.waits.get(ask.of);
    if (waiter !== undefined) this.#cancelWaiter(waiter);
    const other = session.grants.has(ask.of) ? "granted" : "gone";
    const outcome = waiter === undefined ? other : "cancelled";
    session.finished.add(ask.key, { kind: "acquire-cancelled", outcome });
    this.#parts.draft.send.push({ kind: "acquire-cancelled", to: ask.connection, request: ask.request, outcome });
  }

  /** The same by the id of the JSON-RPC request. Returns whether there was such a wait. */
  cancelByAsker(session: Session, asker: Asker): boolean {
    for (const waiter of session.waits.values()) {
      if (waiter.asker?.connection !== asker.connection || waiter.asker.request !== asker.request) continue;
      this.#cancelWaiter(waiter);
      return true;
    }
    return false;
  }

  waitTimedOut(waiter: Waiter, now: Instant): void {
    this.#refuseWaiter(waiter, heldRefusal(waiter.lock, "LOCK_TIMEOUT", now, waiter));
  }

  // ── giving back ───────────────────────────────────────────────────────────────────────────────────────────────────

  release(session: Session, ask: Release, now: Instant): void {
    const before = session.finished.get(ask.key);
    if (before !== undefined) return this.#answerFinished(ask, before);
    const grant = this.fenceHeld(ask);
    if (grant === undefined || grant.session !== session) {
      const message = `session ${session.id} does not hold ${quote(ask.name)} under token ${ask.token}`;
      return this.#refuse(
        session,
        ask.key,
        ask,
        refuse("LOCK_NOT_HELD", message, { name: ask.name, token: ask.token }),
      );
    }
    this.endGrant(grant, now, "given back");
    session.finished.add(ask.key, { kind: "released" });
    this.#parts.draft.send.push({ kind: "released", to: ask.connection, request: ask.request });
  }

  /** The grant is over; the name drains if writes are still under way under it (rule 5), and is granted again after. */
  endGrant(grant: Grant, now: Instant, how: "given back" | "taken" = "taken"): void {
    const { lock, session } = grant;
    session.grants.delete(grant.key);
    this.#held--;
    this.#parts.draft.ledger.push({ kind: "grant-ended", token: grant.token });
    const until = latest(grant.lastSeq, session.lastSeq);
    if (until !== undefined && until > this.#parts.settledThrough()) {
      lock.state = { kind: "draining", until, givenBack: how === "given back" ? grant : undefined };
      this.#draining.add(lock);
    } else {
      lock.state = { kind: "free" };
      this.#grantNext(lock, now);
    }
  }

  /** The writer has settled more: what drained may be free. */
  writesSettled(now: Instant): void {
    if (this.#draining.size === 0) return;
    const through = this.#parts.settledThrough();
    for (const lock of this.#draining) {
      if (lock.state.kind !== "draining" || lock.state.until > through) continue;
      this.#draining.delete(lock);
      lock.state = { kind: "free" };
      this.#grantNext(lock, now);
    }
  }

  // ── sessions come and go ──────────────────────────────────────────────────────────────────────────────────────────

  /** A session speaks again: what it waits for and nobody holds can be its own now. */
  sessionBack(session: Session, now: Instant): void {
    for (const waiter of [...session.waits.values()]) this.#grantNext(waiter.lock, now);
  }

  /** What the client does not believe in is given back (rule 13); what it believes and is not so, is told as lost. */
  reconcile(
    session: Session,
    believed: readonly Fence[],
    pending: readonly RequestKey[],
    now: Instant,
  ): readonly Fence[] {
    const tokens = new Set(believed.map((fence) => fence.token));
    const keys = new Set(pending);
    // Places first: what is given back must not be granted to a request that nobody will answer for.
    for (const waiter of [...session.waits.values()]) if (!keys.has(waiter.key)) this.#leave(waiter);
    for (const grant of [...session.grants.values()])
      if (!tokens.has(grant.token) && !keys.has(grant.key)) this.endGrant(grant, now);
    return believed.filter((fence) => this.fenceHeld(fence)?.session !== session);
  }

  /** Its grants end and its places go. */
  sessionEnds(session: Session, over: Refusal, how: "given back" | "taken", now: Instant): void {
    for (const waiter of [...session.waits.values()]) this.#refuseWaiter(waiter, over);
    for (const grant of [...session.grants.values()]) this.endGrant(grant, now, how);
  }

  // ── looking ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The grant under which this fence holds, if it does. */
  fenceHeld(fence: Fence): Grant | undefined {
    const grant = this.#locks.get(fence.name)?.holder;
    return grant?.token === fence.token ? grant : undefined;
  }

  /**
   * The same for a write that was sent under it before and goes once more because its writer died. A release takes effect
   * after the writes that were sent before it: until they are settled nobody else can have the lock, so a grant that
   * was given back still counts for them. One that was taken away does not: its holder may have been told.
   */
  fenceHeldBefore(fence: Fence): Grant | undefined {
    const state = this.#locks.get(fence.name)?.state;
    const grant = state?.kind === "draining" ? state.givenBack : undefined;
    return grant?.token === fence.token ? grant : this.fenceHeld(fence);
  }

  /** Sessions that hold what others wait for. */
  *holdersInTheWay(): Iterable<Session> {
    for (const lock of this.#contended) if (lock.holder !== undefined) yield lock.holder.session;
  }

  list(ask: ListCommand): LockView[] {
    return listLocks(this.#locks, ask);
  }

  // ── after a restart ───────────────────────────────────────────────────────────────────────────────────────────────

  /** Grants nothing until `thaw`: the memory of who holds what was lost while the holders lived on. */
  freeze(): void {
    this.#frozen = true;
  }

  thaw(now: Instant): void {
    this.#frozen = false;
    this.grantAll(now);
  }

  /** It may be granted again: all that are next and there. */
  grantAll(now: Instant): void {
    for (const lock of [...this.#contended]) this.#grantNext(lock, now);
  }

  restoreGrant(row: GrantRow, session: Session): void {
    const name = nameOf(row);
    const lock = this.#lockOf(name);
    if (lock.state.kind !== "free") throw new Error(`two grants of ${name} in the ledger`);
    const { token, key, since, reason } = row;
    const grant: Grant = { lock, session, token, key, since, reason, lastSeq: undefined };
    lock.state = { kind: "held", grant };
    session.grants.set(key, grant);
    this.#held++;
  }

  restoreWaiter(row: WaiterRow, session: Session): void {
    const lock = this.#lockOf(nameOf(row));
    this.#arrivals = Math.max(this.#arrivals, row.arrival);
    const { key, arrival, since, reason } = row;
    this.#join({
      lock,
      session,
      key,
      arrival,
      since,
      reason,
      asker: undefined,
      timeout: undefined,
      ahead: undefined,
      behind: undefined,
    });
  }

  check(): void {
    let held = 0;
    let waiting = 0;
    for (const [name, lock] of this.#locks) {
      if (lock.name !== name) throw new Error("lock table: a lock under another name");
      checkLock(lock, this.#canGrant);
      waiting += lock.queue.length;
      if ((lock.state.kind === "draining") !== this.#draining.has(lock))
        throw new Error(`lock table: ${name} is wrongly listed as draining`);
      if (lock.holder !== undefined) held++;
      if (lock.queue.length > 0 !== this.#contended.has(lock))
        throw new Error(`lock table: ${name} is wrongly listed as contended`);
    }
    if (held !== this.#held || waiting !== this.#waiting) throw new Error("lock table: the counts are wrong");
  }

  // ── the machine ───────────────────────────────────────────────────────────────────────────────────────────────────

  /** A request that was sent again gets the outcome it had, or is attached to its wait. */
  #answeredBefore(session: Session, ask: Acquire, now: Instant): boolean {
    const grant = session.grants.get(ask.key);
    if (grant !== undefined) {
      if (grant.lock.name !== nameOf(ask)) this.#refuse(session, undefined, ask, reused(ask.key));
      else this.#tell(grant, ask, 0);
      return true;
    }
    const waiter = session.waits.get(ask.key);
    if (waiter !== undefined) {
      if (waiter.lock.name !== nameOf(ask)) this.#refuse(session, undefined, ask, reused(ask.key));
      else this.#attach(waiter, ask, now);
      return true;
    }
    const finished = session.finished.get(ask.key);
    if (finished !== undefined) {
      this.#answerFinished(ask, finished);
      return true;
    }
    if (ask.key >= session.finished.ackedBelow) return false;
    this.#refuse(session, undefined, ask, refuse("RETRY_TOO_OLD", `request key ${ask.key} was acknowledged before`));
    return true;
  }

  #attach(waiter: Waiter, ask: Acquire, now: Instant): void {
    const again = refuse("CANCELLED", "the same request was sent again, and the answer goes there");
    if (waiter.asker?.connection === ask.connection) this.#refuse(waiter.session, undefined, waiter.asker, again);
    waiter.asker = { connection: ask.connection, request: ask.request };
    this.#parts.deadlines.cancel(waiter.timeout);
    waiter.timeout =
      ask.waitMs === undefined ? undefined : this.#parts.deadlines.arm("wait-timeout", waiter, after(now, ask.waitMs));
  }

  #answerFinished(asker: Asker, finished: Finished): void {
    this.#parts.draft.send.push({ ...finished, to: asker.connection, request: asker.request });
  }

  #tooMany(session: Session, ask: Acquire): Refusal | undefined {
    const { locksPerSessionMax, waitersMax } = this.#parts.limits;
    if (!this.#parts.tokens.ready)
      return refuse("WRITER_UNAVAILABLE", "fencing tokens are used up and no writer can reserve more");
    if (session.grants.size + session.waits.size >= locksPerSessionMax)
      return refuse("LOCKS_FULL", `the session holds or waits for ${locksPerSessionMax} locks already`, {
        limit: "locksPerSessionMax",
      });
    const name = nameOf(ask);
    const lock = this.#locks.get(name);
    if (lock !== undefined && lock.queue.length >= waitersMax)
      return refuse("QUEUE_FULL", `${waitersMax} wait for ${quote(name)} already`, { limit: "waitersMax", name });
    return undefined;
  }

  #enqueue(lock: Lock, session: Session, ask: Acquire, now: Instant): void {
    const asker = { connection: ask.connection, request: ask.request };
    const { key, reason } = ask;
    const arrival = this.#arrivals + 1;
    this.#arrivals = arrival;
    const waiter: Waiter = {
      lock,
      session,
      key,
      arrival,
      since: now,
      reason,
      asker,
      timeout: undefined,
      ahead: undefined,
      behind: undefined,
    };
    if (ask.waitMs !== undefined)
      waiter.timeout = this.#parts.deadlines.arm("wait-timeout", waiter, after(now, ask.waitMs));
    this.#join(waiter);
    this.#parts.draft.ledger.push({
      kind: "queued",
      row: waiterRow(waiter),
    });
  }

  #join(waiter: Waiter): void {
    waiter.lock.queue.push(waiter);
    waiter.session.waits.set(waiter.key, waiter);
    this.#contended.add(waiter.lock);
    this.#waiting++;
  }

  #leave(waiter: Waiter): void {
    const { lock, session } = waiter;
    lock.queue.remove(waiter);
    session.waits.delete(waiter.key);
    this.#waiting--;
    this.#parts.deadlines.cancel(waiter.timeout);
    this.#parts.draft.ledger.push({ kind: "unqueued", arrival: waiter.arrival });
    if (lock.queue.length === 0) this.#contended.delete(lock);
    this.#forgetIfIdle(lock);
  }

  #cancelWaiter(waiter: Waiter): void {
    this.#refuseWaiter(waiter, refuse("CANCELLED", `the request for ${quote(waiter.lock.name)} was cancelled`));
  }

  #refuseWaiter(waiter: Waiter, refusal: Refusal): void {
    this.#leave(waiter);
    this.#refuse(waiter.session, waiter.key, waiter.asker, refusal);
  }

  #refuse(session: Session, key: RequestKey | undefined, asker: Asker | undefined, refusal: Refusal): void {
    if (key !== undefined) session.finished.add(key, { kind: "refused", refusal });
    if (asker !== undefined)
      this.#parts.draft.send.push({ kind: "refused", to: asker.connection, request: asker.request, refusal });
  }

  /** Nobody holds it: the first that is there takes it. */
  #grantNext(lock: Lock, now: Instant): void {
    if (lock.state.kind !== "free") return;
    const waiter = this.#canGrant ? firstPresent(lock) : undefined;
    if (waiter === undefined) return this.#forgetIfIdle(lock);
    this.#leave(waiter);
    const grant = this.#grant(lock, waiter, now);
    const { asker } = waiter;
    if (asker === undefined || asker.connection !== connectionOf(waiter.session)) return;
    this.#tell(grant, asker, between(waiter.since, now));
  }

  get #canGrant(): boolean {
    return !this.#frozen && this.#parts.tokens.ready;
  }

  #grant(lock: Lock, asked: Pick<Waiter, "session" | "key" | "reason">, now: Instant): Grant {
    const { session, key, reason } = asked;
    const { draft, tokens } = this.#parts;
    const grant: Grant = { lock, session, token: tokens.take(), key, since: now, reason, lastSeq: undefined };
    lock.state = { kind: "held", grant };
    // A lock that was forgotten a moment ago because its queue ran empty is remembered again.
    this.#locks.set(lock.name, lock);
    session.grants.set(key, grant);
    this.#held++;
    draft.ledger.push({
      kind: "granted",
      row: grantRow(grant),
    });
    return grant;
  }

  #tell(grant: Grant, { connection: to, request }: Asker, waitedMs: Millis): void {
    this.#parts.draft.send.push({
      kind: "granted",
      to,
      request,
      grant: grantView(grant),
      waitedMs,
      waiting: grant.lock.queue.length,
    });
  }

  #lockOf(name: LockName): Lock {
    let lock = this.#locks.get(name);
    if (lock === undefined) {
      lock = new Lock(name);
      this.#locks.set(name, lock);
    }
    return lock;
  }

  #forgetIfIdle(lock: Lock): void {
    if (lock.idle) this.#locks.delete(lock.name);
  }
}
