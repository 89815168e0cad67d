/**
 * The calls that have no outcome yet, in the order in which the program asked: what is sent when, and what each answer,
 * loss or farewell means for each of them. One call, one outcome.
 *
 * The map's order of insertion is the first order; after a reconnect everything is sent again in it, before anything
 * new (rule 6).
 */
import { after, type Instant, later, type Millis, type Refusal } from "../../terms/index.js";
import type { Verdict } from "./answers.js";
import { Call, type CallParams } from "./call.js";
import type { Draft } from "./draft.js";
import type { Grant } from "./grant.js";
import type { Grants } from "./grants.js";
import { type Answer, closedInLine, LockAnswers, lostMeanwhile, wasCancelled } from "./lock-answers.js";
import { noConnection, notSentAnew, outcomeUnknown, type Patience, tooOften, tooOld } from "./no-answer.js";
import { PendingLocks } from "./pending-locks.js";
import type { RequestKeys } from "./request-keys.js";
import type { Unanswered } from "./settlement.js";
import type { State } from "./state.js";
import { Streams } from "./streams.js";
import { TransactionCalls } from "./transaction-calls.js";

/** A read or write that was sent so often and broke the connection each time is not sent again: it may be the cause. */
const triesMax = 10;

export class InFlight {
  readonly streams: Streams;
  readonly transactions: TransactionCalls;
  readonly pending: PendingLocks;
  readonly locks: LockAnswers;
  readonly #calls = new Map<number, Call>();
  readonly #draft: Draft;
  readonly #grants: Grants;
  /** Of the present session. */
  #keys: RequestKeys;
  #lastId = 0;
  /** Of the broker that all was sent to last. */
  #life: string | undefined;

  constructor(draft: Draft, grants: Grants, keys: RequestKeys) {
    this.streams = new Streams(draft);
    this.#draft = draft;
    this.#grants = grants;
    this.#keys = keys;
    this.pending = new PendingLocks(this.#calls, grants);
    this.transactions = new TransactionCalls(draft, this.#calls, () => this.nextId());
    this.locks = new LockAnswers(draft, grants, (call, now) => {
      this.keep(call, now);
      this.send(call, now);
    });
  }

  get size(): number {
    return this.#calls.size;
  }

  get(id: number): Call | undefined {
    return this.#calls.get(id);
  }

  /** A number for a message of the conversation's own; never used twice. */
  nextId(): number {
    return ++this.#lastId;
  }

  // ── on the way out ────────────────────────────────────────────────────────────────────────────────────────────────

  keep(call: Call, now: Instant): void {
    call.id = ++this.#lastId;
    call.since = now;
    call.state = "kept";
    if (call.kind === "stream") call.params.stream = this.streams.nextNumber();
    this.#calls.set(call.id, call);
    this.locks.begun(call);
  }

  send(call: Call, now: Instant): void {
    if (call.tries >= triesMax && call.isSentFreely) return this.#abandon(call, tooOften(call.tries));
    const gone = this.transactions.sending(call);
    if (gone !== undefined) return this.#goneWithConnection(call, gone);
    if (call.key === 0) this.#giveKey(call);
    if (call.waitMs !== undefined && call.waitMs > 0) {
      const left = call.waitMs - (now - call.since);
      call.params.waitMs = Math.max(1, Math.ceil(left));
    }
    call.leaves(now);
    this.#draft.send(call);
  }

  /** Everything, in the first order. Another life of the broker does not know what one before it has answered. */
  sendAll(now: Instant, life: string | undefined): void {
    this.locks.welcomed();
    const forgets = life !== this.#life;
    this.#life = life;
    for (const call of [...this.#calls.values()]) {
      if (call.state === "settled") continue;
      if (forgets && call.state === "sent" && call.takesFromAnybody) {
        this.#refuse(call, outcomeUnknown);
        continue;
      }
      this.send(call, now);
      if (call.cancelled) this.#sendCancel(call, now);
    }
    this.locks.giveUpRest(now);
  }

  /** The program does not want it. What was not sent is gone at once; for the rest the broker's verdict is awaited. */
  cancel(call: Call, now: Instant, at: State["at"]): void {
    if (call.state === "new" || call.state === "settled" || call.cancelled) return;
    if (call.givesUp) return; // What is being given back is not taken again.
    call.cancelled = true;
    if (call.state === "kept") return this.#refuse(call, wasCancelled);
    if (at === "open" || at === "leaving") this.#sendCancel(call, now);
    // A hello without this key takes the request back; one that is under way has named it already.
    else if (call.kind === "acquire" && at !== "greeting") return this.#refuse(call, wasCancelled);
    // Nothing depends on how a read ends.
    if (call.reads) this.#refuse(call, wasCancelled);
  }

  // ── on the way back ───────────────────────────────────────────────────────────────────────────────────────────────

  /** Returns whether it was asked here. A read that was cancelled, or is kept to be asked anew, is not waited for. */
  answered(id: number, result: unknown, now: Instant): boolean {
    const call = this.#calls.get(id);
    if (call === undefined || call.state === "kept") return call !== undefined;
    const { key } = call;
    this.#remove(call);
    this.#grants.leases.heard(call.sentAt, now);
    this.#settle(call, key, { result, now });
    this.locks.giveUpRest(now);
    return true;
  }

  #settle(call: Call, key: number, answer: Answer): void {
    const { result } = answer;
    switch (call.kind) {
      case "read":
      case "once":
      case "begin":
      case "step":
      case "rollback":
        return this.#draft.answer(call, result);
      case "write":
      case "named":
        return this.#applied(call, result);
      case "stream":
        this.#draft.answer(call, result);
        return this.streams.opened(call);
      case "acquire":
        this.locks.granted(call, key, answer);
        // The answer may have lain in the socket for longer than the lease, while the program was stopped.
        return this.locks.lookAtLeases(answer.now, true);
      case "upgrade":
        return this.locks.upgraded(call, key, answer);
      case "change":
        return call.about === undefined
          ? this.#draft.answer(call, result)
          : this.#draft.refuse(call.about, wasCancelled);
      case "release":
      case "transfer":
        return this.locks.released(call);
      case "cancel":
        return;
    }
  }

  /** As `answered`. */
  refused(id: number, refusal: Refusal, now: Instant): boolean {
    const call = this.#calls.get(id);
    if (call === undefined || call.state === "kept") return call !== undefined;
    this.#grants.leases.heard(call.sentAt, now);
    if (call.kind === "cancel") this.#remove(call);
    else if (call.givesUp) this.#notReleased(call, refusal, now);
    else this.#refuse(call, refusal);
    this.locks.giveUpRest(now);
    return true;
  }

  /** It could not be sent: no broker has seen it, unless it was sent before. Returns whether it was asked here. */
  unsendable(id: number, refusal: Refusal, now: Instant): boolean {
    const call = this.#calls.get(id);
    if (call === undefined) return false;
    this.#notGivenUp(call);
    this.#refuse(call, call.sentAnew && call.writes ? notSentAnew(refusal) : refusal);
    this.locks.giveUpRest(now);
    return true;
  }

  /** It is about a grant that is not held any more. */
  tooLate(call: Call, grant: Grant): void {
    if (call.kind === "release") this.#draft.answer(call, {});
    else this.#draft.refuse(call, lostMeanwhile(grant));
  }

  /**
   * A broker that ends has not looked at it: to be sent to the next one under the same key. One that was sent before may
   * have been applied then; should the session be over by the time, that must be settled first. What a program that closes
   * has released goes back with its goodbye, unless a write before it may come to the next one.
   */
  turnedAway(id: number, refusal: Refusal, closing: boolean): boolean {
    const call = this.#calls.get(id);
    if (call === undefined) return false;
    const goodbyeDoes = closing && call.kind === "release";
    if (goodbyeDoes && ![...this.#calls.values()].some((one) => one.id < id && one.writes)) return false;
    if (!this.transactions.mayAskNext(call, refusal)) this.#refuse(call, refusal);
    else if (refusal.outcome !== "unknown") this.#keepForNext(call);
    if (call.writes) this.#readAnewAfter(call);
    return true;
  }

  #keepForNext(call: Call): void {
    if (call.sentAnew && call.takesFromAnybody) return; // It may have been done the first time.
    if (call.kind === "cancel") this.#remove(call);
    else if (call.cancelled) this.#refuse(call, wasCancelled);
    else call.state = "kept";
  }

  /** What was sent behind a write must show it: of that write this broker will never know. */
  #readAnewAfter({ id }: Call): void {
    for (const call of this.#calls.values()) if (call.id > id && call.kind === "read") call.state = "kept";
  }

  // ── connections and sessions go ───────────────────────────────────────────────────────────────────────────────────

  disconnected(now: Instant): void {
    this.#grants.leases.disconnected();
    this.locks.lookAtLeases(now, false);
    this.pending.disconnected();
    this.#connectionLost();
    this.transactions.disconnected();
  }

  #connectionLost(): void {
    this.streams.connectionLost();
    for (const call of [...this.#calls.values()]) {
      const gone = this.transactions.connectionLost(call);
      if (gone !== undefined) this.#goneWithConnection(call, gone);
      else if (call.kind === "cancel") this.#remove(call);
      else if (call.kind === "once" && call.state === "sent") this.#refuse(call, outcomeUnknown);
      else if (call.kind === "acquire" && call.state === "sent" && call.cancelled) this.#refuse(call, wasCancelled);
    }
  }

  /** The session is over, and with it its grants. Returns the writes of which nobody knows whether they were applied. */
  sessionOver(keys: RequestKeys): Unanswered[] {
    const unanswered: Unanswered[] = [];
    this.#connectionLost();
    for (const call of [...this.#calls.values()]) {
      if (this.#endsWithSession(call)) continue;
      const mayBeApplied = call.state === "sent" && (call.kind === "write" || call.kind === "named");
      if (!mayBeApplied) call.state = "kept";
      // Without a key it has one of the program's own, or an earlier settlement is asking about it already.
      else if (call.key !== 0) unanswered.push({ call, key: call.key });
      call.key = 0;
    }
    this.#keys = keys;
    return unanswered;
  }

  /** What became of a write of the session that is over. One that was never applied is sent under a new key. */
  settled(call: Call, verdict: Verdict): void {
    switch (verdict.kind) {
      case "applied":
        this.#remove(call);
        return this.#applied(call, verdict.result);
      case "refused":
        return this.#refuse(call, verdict.refusal);
      case "unknown":
        return this.#refuse(call, tooOld);
      case "never": {
        const gone = this.transactions.neverApplied(call);
        call.state = "kept";
        if (call.cancelled) this.#refuse(call, wasCancelled);
        else if (gone !== undefined) this.#refuse(call, gone);
      }
    }
  }

  /** When the oldest call has waited long enough for a connection. */
  patienceEnds(downSince: Instant, patienceMs: Millis): Instant | undefined {
    for (const call of this.#calls.values()) return after(later(call.since, downSince), patienceMs);
    return undefined;
  }

  giveUp(now: Instant, downSince: Instant, patience: Patience): void {
    for (const call of [...this.#calls.values()]) {
      if (after(later(call.since, downSince), patience.ms) > now) return;
      this.#abandon(call, noConnection(patience));
    }
  }

  /** Nobody will answer any more. */
  endAll(refusal: Refusal): void {
    this.streams.endAll(refusal);
    for (const call of [...this.#calls.values()]) this.#abandon(call, refusal);
  }

  /**
   * The program is done: it does not wait for locks any more, nor for its turn to write. If the goodbye must wait for what
   * else is in flight, the broker is told at once, and what it has granted by then is given back.
   */
  endWaits(now: Instant, at: State["at"]): void {
    const all = [...this.#calls.values()];
    const tells = at === "open" && all.some(({ waits, letsGo, kind }) => !waits && !letsGo && kind !== "begin");
    for (const call of all) {
      if (call.kind === "begin") this.transactions.takeBack(call);
      if (!call.waits && call.kind !== "begin") continue;
      const cancels = tells && call.waits && call.state === "sent" && !call.cancelled;
      if (cancels && call.kind === "acquire") {
        this.#draft.refuse(call, closedInLine);
        call.own = true;
        call.cancelled = true;
      } else this.#refuse(call, closedInLine);
      if (cancels) this.#sendCancel(call, now);
    }
  }

  check(): void {
    let last = 0;
    for (const [id, call] of this.#calls) {
      if (call.id !== id || id <= last) throw new Error(`in flight: call ${id} is out of order`);
      if (call.state === "new" || call.state === "settled") throw new Error(`in flight: call ${id} is ${call.state}`);
      if (call.kind === "write" && call.key !== 0 && call.key < this.#keys.below)
        throw new Error(`in flight: key ${call.key} counts as answered and is not`);
      last = id;
    }
    this.#keys.check();
  }

  #applied(call: Call, result: unknown): void {
    this.locks.applied(call);
    this.transactions.committed(call);
    this.#draft.answer(call, result);
  }

  // ── one call ──────────────────────────────────────────────────────────────────────────────────────────────────────

  #giveKey(call: Call): void {
    if (!call.keyed) return;
    call.key = call.kind === "write" ? this.#keys.takeForWrite() : this.#keys.takeForLock();
    call.params.key = call.key;
    // With the key, so that a message that is sent again says the same as before.
    call.params.ack = this.#keys.below;
  }

  #sendCancel(call: Call, now: Instant): void {
    // By its number, so that it ends also when it is open by the time.
    if (call.kind === "stream") return this.#draft.notify("db.close", { stream: call.params.stream });
    if (!call.waits) return this.#draft.notify("session.cancel", { id: call.id });
    const params: CallParams & { readonly of: number } = { of: call.key };
    const cancel = new Call("cancel", "lock.cancel", params, { about: call, own: true });
    this.keep(cancel, now);
    this.send(cancel, now);
  }

  #notReleased(call: Call, refusal: Refusal, now: Instant): void {
    const { grant, params } = call;
    if (refusal.refused === "LOCK_NOT_HELD") {
      if (grant?.isOver === false && grant.token !== params.token) return this.#releaseAnew(call, grant, now);
      if (call.kind === "release") {
        this.#remove(call);
        return this.locks.released(call);
      }
      if (grant !== undefined) this.#grants.released(grant);
      return this.#refuse(call, refusal);
    }
    // The program closes: with its goodbye it is given back.
    if (refusal.refused === "SHUTTING_DOWN" && call.kind === "release") {
      this.#remove(call);
      return this.locks.released(call);
    }
    // One that nobody waits for is forgotten: what the next hello does not list is released.
    if (grant !== undefined && call.own) this.#grants.released(grant);
    else this.#notGivenUp(call);
    this.#refuse(call, refusal);
  }

  /** It is held again, unless the program has released it since the transfer. */
  #notGivenUp({ kind, grant }: Call): void {
    if (grant?.state === (kind === "transfer" ? "handing" : "releasing")) this.#grants.heldAgain(grant);
  }

  /** An upgrade was quicker than the release, which spoke of the old token. */
  #releaseAnew(call: Call, { token }: Grant, now: Instant): void {
    this.#keys.answered(call.key);
    call.key = 0;
    call.params.token = token;
    this.send(call, now);
  }

  /** What is about grants of a session that is over; nothing else is settled here. */
  #endsWithSession(call: Call): boolean {
    if (call.kind === "release") {
      if (call.grant !== undefined) this.#grants.releasedLate(call.grant);
      this.#remove(call);
      this.locks.released(call);
      return true;
    }
    if (call.kind === "transfer" || (call.kind === "change" && call.state === "sent")) {
      if (call.kind === "transfer" && call.grant !== undefined) this.#grants.released(call.grant);
      this.#refuse(call, call.state === "sent" ? { ...outcomeUnknown, outcome: "unknown" } : lostMeanwhile(call.grant));
      return true;
    }
    if (call.grant === undefined) return false;
    this.#refuse(call, lostMeanwhile(call.grant));
    return true;
  }

  #goneWithConnection(call: Call, refusal: Refusal): void {
    if (call.kind !== "rollback") return this.#refuse(call, refusal);
    this.#remove(call);
    this.#draft.answer(call, {});
  }

  /** No answer will come. A release needs none: what the next hello does not list is released. */
  #abandon(call: Call, refusal: Refusal): void {
    if (call.kind === "release") {
      this.#remove(call);
      return this.locks.released(call);
    }
    if (call.kind === "transfer" && call.grant !== undefined) this.#grants.released(call.grant);
    if (call.kind === "rollback") return this.#goneWithConnection(call, refusal);
    const undone = call.tie?.commitSent === false;
    const known = call.state === "kept" || call.reads || call.kind === "acquire" || undone;
    this.#refuse(call, { ...refusal, outcome: known ? "none" : "unknown" });
  }

  #refuse(call: Call, refusal: Refusal): void {
    this.transactions.refused(call);
    // A write that was answered before, with more than the broker stores, is on disk.
    if (refusal.refused === "RESULT_NOT_KEPT") this.locks.applied(call);
    else this.locks.notApplied(call, refusal);
    this.#remove(call);
    if (!call.own) this.#draft.refuse(call, refusal);
    else if (call.kind !== "cancel" && call.about !== undefined) this.#draft.refuse(call.about, wasCancelled);
  }

  #remove(call: Call): void {
    this.#calls.delete(call.id);
    call.state = "settled";
    if (call.key !== 0) this.#keys.answered(call.key);
  }
}
