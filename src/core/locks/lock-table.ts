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
  type Refusal,
  type RequestKey,
  refuse,
  type Seq,
  type SessionId,
} from "../../terms/index.js";
import type { Asker, Command, Fence } from "../command.js";
import type { Deadlines } from "../deadlines.js";
import type { Draft } from "../draft.js";
import type { Finished } from "../sessions/finished-requests.js";
import { connectionOf, isPresent, type Session } from "../sessions/session.js";
import type { GrantRow, GrantView, LockView, WaiterRow } from "../turn.js";
import { type Grant, Lock, type Waiter } from "./lock.js";
import type { TokenBlock } from "./token-block.js";

export interface LockTableParts {
  readonly limits: Limits;
  readonly draft: Draft;
  readonly deadlines: Deadlines;
  readonly tokens: TokenBlock;
  /** Every write up to and including this one is settled. */
  readonly settledThrough: () => Seq;
}

type Acquire = Extract<Command, { kind: "acquire" }>;
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
    const lock = this.#lockOf(ask.name);
    const free = !this.#frozen && lock.state.kind === "free" && lock.queue.first((waiter) => isPresent(waiter.session)) === undefined;
    if (free) {
      const grant = this.#grant(lock, session, ask.key, ask.reason, now);
      this.#parts.draft.send.push({ kind: "granted", to: ask.connection, request: ask.request, grant: viewOf(grant), waitedMs: 0 });
      return;
    }
    if (ask.waitMs === 0) return this.#refuse(session, ask.key, ask, heldRefusal(lock, "LOCK_HELD", now));
    this.#enqueue(lock, session, ask, now);
  }

  /** Ends a wait on the client's word. One request, one outcome: a grant that was made before stays a grant. */
  cancelAcquire(session: Session, ask: CancelAcquire): void {
    const waiter = session.waits.get(ask.of);
    const outcome = waiter !== undefined ? "cancelled" : session.grants.has(ask.of) ? "granted" : "gone";
    if (waiter !== undefined) this.#refuseWaiter(waiter, refuse("CANCELLED", `the request for ${quote(waiter.lock.name)} was cancelled`));
    session.finished.add(ask.key, { kind: "acquire-cancelled", outcome });
    this.#parts.draft.send.push({ kind: "acquire-cancelled", to: ask.connection, request: ask.request, outcome });
  }

  /** The same by the id of the JSON-RPC request. Returns whether there was such a wait. */
  cancelByAsker(session: Session, asker: Asker): boolean {
    for (const waiter of session.waits.values()) {
      if (waiter.asker?.connection !== asker.connection || waiter.asker.request !== asker.request) continue;
      this.#refuseWaiter(waiter, refuse("CANCELLED", `the request for ${quote(waiter.lock.name)} was cancelled`));
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
      return this.#refuse(session, ask.key, ask, refuse("LOCK_NOT_HELD", message, { name: ask.name, token: ask.token }));
    }
    this.endGrant(grant, now);
    session.finished.add(ask.key, { kind: "released" });
    this.#parts.draft.send.push({ kind: "released", to: ask.connection, request: ask.request });
  }

  /** The grant is over; the name drains if writes are still under way under it (rule 5), and is granted again after. */
  endGrant(grant: Grant, now: Instant): void {
    const { lock, session } = grant;
    session.grants.delete(grant.key);
    this.#held--;
    this.#parts.draft.ledger.push({ kind: "grant-ended", token: grant.token });
    const until = latest(grant.lastSeq, session.lastSeq);
    if (until !== undefined && until > this.#parts.settledThrough()) {
      lock.state = { kind: "draining", until };
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
  reconcile(session: Session, believed: readonly Fence[], pending: readonly RequestKey[], now: Instant): readonly Fence[] {
    const tokens = new Set(believed.map((fence) => fence.token));
    const keys = new Set(pending);
    for (const grant of [...session.grants.values()]) if (!tokens.has(grant.token) && !keys.has(grant.key)) this.endGrant(grant, now);
    for (const waiter of [...session.waits.values()]) if (!keys.has(waiter.key)) this.#leave(waiter);
    return believed.filter((fence) => this.fenceHeld(fence)?.session !== session);
  }

  /** Its grants end and its places go. */
  sessionEnds(session: Session, now: Instant): void {
    for (const waiter of [...session.waits.values()]) this.#leave(waiter);
    for (const grant of [...session.grants.values()]) this.endGrant(grant, now);
  }

  // ── looking ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The grant under which this fence holds, if it does. */
  fenceHeld(fence: Fence): Grant | undefined {
    const grant = this.#locks.get(fence.name)?.holder;
    return grant?.token === fence.token ? grant : undefined;
  }

  /** Sessions that hold what others wait for. */
  *holdersInTheWay(): Iterable<Session> {
    for (const lock of this.#contended) if (lock.holder !== undefined) yield lock.holder.session;
  }

  list(ask: { readonly name: LockName | undefined; readonly prefix: string; readonly waitersMax: number }): LockView[] {
    const named = ask.name === undefined ? undefined : this.#locks.get(ask.name);
    if (ask.name !== undefined) return named === undefined ? [] : [lockView(named, ask.waitersMax)];
    const views: LockView[] = [];
    for (const lock of this.#locks.values()) if (lock.name.startsWith(ask.prefix)) views.push(lockView(lock, ask.waitersMax));
    return views.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  }

  // ── after a restart ───────────────────────────────────────────────────────────────────────────────────────────────

  /** Grants nothing until `thaw`: the memory of who holds what was lost while the holders lived on. */
  freeze(): void {
    this.#frozen = true;
  }

  thaw(now: Instant): void {
    this.#frozen = false;
    for (const lock of [...this.#contended]) this.#grantNext(lock, now);
  }

  restoreGrant(row: GrantRow, session: Session): void {
    const lock = this.#lockOf(row.name);
    if (lock.state.kind !== "free") throw new Error(`two grants of ${row.name} in the ledger`);
    const { token, key, since, reason } = row;
    const grant: Grant = { lock, session, token, key, since, reason, lastSeq: undefined };
    lock.state = { kind: "held", grant };
    session.grants.set(key, grant);
    this.#held++;
  }

  restoreWaiter(row: WaiterRow, session: Session): void {
    const lock = this.#lockOf(row.name);
    this.#arrivals = Math.max(this.#arrivals, row.arrival);
    const { key, arrival, since, reason } = row;
    this.#join({ lock, session, key, arrival, since, reason, asker: undefined, timeout: undefined, ahead: undefined, behind: undefined });
  }

  check(): void {
    let held = 0;
    let waiting = 0;
    for (const [name, lock] of this.#locks) {
      if (lock.name !== name) throw new Error("lock table: a lock under another name");
      if (lock.idle) throw new Error(`lock table: ${name} is kept for nothing`);
      lock.queue.check();
      waiting += lock.queue.length;
      this.#checkState(lock);
      if (lock.holder !== undefined) held++;
      if (lock.queue.length > 0 !== this.#contended.has(lock)) throw new Error(`lock table: ${name} is wrongly listed as contended`);
    }
    if (held !== this.#held || waiting !== this.#waiting) throw new Error("lock table: the counts are wrong");
  }

  #checkState(lock: Lock): void {
    const { state, name } = lock;
    if ((state.kind === "draining") !== this.#draining.has(lock)) throw new Error(`lock table: ${name} is wrongly listed as draining`);
    if (state.kind === "free" && !this.#frozen && lock.queue.first((waiter) => isPresent(waiter.session)) !== undefined)
      throw new Error(`lock table: ${name} is free and somebody is there to take it`);
    if (state.kind !== "held") return;
    const { grant } = state;
    if (grant.session.state.kind === "ending") throw new Error(`lock table: ${name} is held by a session that has ended`);
    if (grant.session.grants.get(grant.key) !== grant) throw new Error(`lock table: the holder of ${name} does not know it`);
  }

  // ── the machine ───────────────────────────────────────────────────────────────────────────────────────────────────

  /** A request that was sent again gets the outcome it had, or is attached to its wait. */
  #answeredBefore(session: Session, ask: Acquire, now: Instant): boolean {
    const { send } = this.#parts.draft;
    const grant = session.grants.get(ask.key);
    if (grant !== undefined) {
      const waitedMs = 0;
      if (grant.lock.name !== ask.name) this.#refuse(session, undefined, ask, reused(ask.key));
      else send.push({ kind: "granted", to: ask.connection, request: ask.request, grant: viewOf(grant), waitedMs });
      return true;
    }
    const waiter = session.waits.get(ask.key);
    if (waiter !== undefined) {
      if (waiter.lock.name !== ask.name) this.#refuse(session, undefined, ask, reused(ask.key));
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
    waiter.asker = { connection: ask.connection, request: ask.request };
    this.#parts.deadlines.cancel(waiter.timeout);
    waiter.timeout = ask.waitMs === undefined ? undefined : this.#parts.deadlines.arm("wait-timeout", waiter, after(now, ask.waitMs));
  }

  #answerFinished(asker: Asker, finished: Finished): void {
    this.#parts.draft.send.push({ ...finished, to: asker.connection, request: asker.request });
  }

  #tooMany(session: Session, ask: Acquire): Refusal | undefined {
    const { locksPerSessionMax, waitersMax } = this.#parts.limits;
    if (!this.#parts.tokens.ready) return refuse("WRITER_UNAVAILABLE", "fencing tokens are used up and no writer can reserve more");
    if (session.grants.size + session.waits.size >= locksPerSessionMax)
      return refuse("LOCKS_FULL", `the session holds or waits for ${locksPerSessionMax} locks already`, { limit: "locksPerSessionMax" });
    const lock = this.#locks.get(ask.name);
    if (lock !== undefined && lock.queue.length >= waitersMax)
      return refuse("QUEUE_FULL", `${waitersMax} wait for ${quote(ask.name)} already`, { limit: "waitersMax", name: ask.name });
    return undefined;
  }

  #enqueue(lock: Lock, session: Session, ask: Acquire, now: Instant): void {
    const asker = { connection: ask.connection, request: ask.request };
    const { key, reason } = ask;
    const arrival = this.#arrivals + 1;
    this.#arrivals = arrival;
    const waiter: Waiter = { lock, session, key, arrival, since: now, reason, asker, timeout: undefined, ahead: undefined, behind: undefined };
    if (ask.waitMs !== undefined) waiter.timeout = this.#parts.deadlines.arm("wait-timeout", waiter, after(now, ask.waitMs));
    this.#join(waiter);
    this.#parts.draft.ledger.push({ kind: "queued", row: { arrival, name: lock.name, session: session.id, key, since: now, reason } });
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

  #refuseWaiter(waiter: Waiter, refusal: Refusal): void {
    this.#leave(waiter);
    this.#refuse(waiter.session, waiter.key, waiter.asker, refusal);
  }

  #refuse(session: Session, key: RequestKey | undefined, asker: Asker | undefined, refusal: Refusal): void {
    if (key !== undefined) session.finished.add(key, { kind: "refused", refusal });
    if (asker !== undefined) this.#parts.draft.send.push({ kind: "refused", to: asker.connection, request: asker.request, refusal });
  }

  /** Nobody holds it: the first that is there takes it. */
  #grantNext(lock: Lock, now: Instant): void {
    if (lock.state.kind !== "free" || this.#frozen) return;
    const waiter = lock.queue.first((candidate) => isPresent(candidate.session));
    if (waiter === undefined) return this.#forgetIfIdle(lock);
    this.#leave(waiter);
    const grant = this.#grant(lock, waiter.session, waiter.key, waiter.reason, now);
    const { asker } = waiter;
    if (asker === undefined || asker.connection !== connectionOf(waiter.session)) return;
    const waitedMs = between(waiter.since, now);
    this.#parts.draft.send.push({ kind: "granted", to: asker.connection, request: asker.request, grant: viewOf(grant), waitedMs });
  }

  #grant(lock: Lock, session: Session, key: RequestKey, reason: string, now: Instant): Grant {
    const { draft, tokens } = this.#parts;
    const grant: Grant = { lock, session, token: tokens.take(), key, since: now, reason, lastSeq: undefined };
    lock.state = { kind: "held", grant };
    // A lock that was forgotten a moment ago because its queue ran empty is remembered again.
    this.#locks.set(lock.name, lock);
    session.grants.set(key, grant);
    this.#held++;
    draft.ledger.push({ kind: "granted", row: { token: grant.token, name: lock.name, session: session.id, key, since: now, reason } });
    return grant;
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

function viewOf(grant: Grant): GrantView {
  return { name: grant.lock.name, token: grant.token, key: grant.key };
}

function quote(name: string): string {
  return JSON.stringify(name);
}

function reused(key: RequestKey): Refusal {
  return refuse("KEY_REUSED", `request key ${key} was used for another lock`, { key });
}

function latest(a: Seq | undefined, b: Seq | undefined): Seq | undefined {
  if (a === undefined) return b;
  if (b === undefined) return a;
  return a > b ? a : b;
}

/** Who is in the way, in words and as fields. */
function heldRefusal(lock: Lock, code: "LOCK_HELD" | "LOCK_TIMEOUT", now: Instant, waiter?: Waiter): Refusal {
  const waiting = lock.queue.length - (waiter === undefined ? 0 : 1);
  const name = quote(lock.name);
  const grant = lock.holder;
  if (grant === undefined) {
    const why = lock.state.kind === "draining" ? "the last holder's writes are being settled" : "others are before this request";
    return refuse(code, `${name} is not free: ${why}`, { name: lock.name, holder: null, waiting });
  }
  const { identity } = grant.session;
  const pid = identity.process?.pid;
  const heldMs = Math.round(between(grant.since, now));
  const who = `${identity.program}${pid === undefined ? "" : ` (pid ${pid})`}`;
  const holder = { session: grant.session.id as SessionId, program: identity.program, pid: pid ?? null, reason: grant.reason, heldMs, token: grant.token };
  return refuse(code, `${name} is held by ${who} for ${heldMs} ms, ${waiting} waiting`, { name: lock.name, holder, waiting });
}

function lockView(lock: Lock, waitersMax: number): LockView {
  const waiters: LockView["waiters"][number][] = [];
  for (const { session, reason, since } of lock.queue) {
    if (waiters.length >= waitersMax) break;
    waiters.push({ session: session.id, identity: session.identity, reason, place: waiters.length + 1, since, connected: isPresent(session) });
  }
  const grant = lock.holder;
  const holders =
    grant === undefined
      ? []
      : [
          {
            session: grant.session.id,
            token: grant.token,
            identity: grant.session.identity,
            reason: grant.reason,
            since: grant.since,
            connected: isPresent(grant.session),
          },
        ];
  return { name: lock.name, draining: lock.state.kind === "draining", holders, waiters, waitersTotal: lock.queue.length };
}
