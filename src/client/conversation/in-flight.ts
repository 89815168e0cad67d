/**
 * The calls that have no outcome yet, in the order in which the program asked: what is sent when, and what each answer,
 * loss or farewell means for each of them. One call, one outcome.
 *
 * The map's order of insertion is the first order; after a reconnect everything is sent again in it, before anything
 * new (rule 6).
 */
import { after, type Instant, later, type Millis, type Refusal, refuse } from "../../terms/index.js";
import { type Fence, readGranted, type Verdict, type WelcomeGrant } from "./answers.js";
import { Call, type CallParams } from "./call.js";
import type { Draft } from "./draft.js";
import { Grant } from "./grant.js";
import type { Grants } from "./grants.js";
import type { RequestKeys } from "./request-keys.js";
import type { Unanswered } from "./settlement.js";
import type { State } from "./state.js";

/** A read or write that was sent so often and broke the connection each time is not sent again: it may be the cause. */
const triesMax = 10;

const wasCancelled = refuse("CANCELLED", "the request was cancelled");

export class InFlight {
  readonly #calls = new Map<number, Call>();
  readonly #draft: Draft;
  readonly #grants: Grants;
  /** Of the present session. */
  #keys: RequestKeys;
  #lastId = 0;

  constructor(draft: Draft, grants: Grants, keys: RequestKeys) {
    this.#draft = draft;
    this.#grants = grants;
    this.#keys = keys;
  }

  get size(): number {
    return this.#calls.size;
  }

  has(id: number): boolean {
    return this.#calls.has(id);
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
    this.#calls.set(call.id, call);
  }

  send(call: Call, now: Instant): void {
    if (call.tries >= triesMax && (call.kind === "read" || call.kind === "write")) return this.#tooOften(call);
    if (call.key === 0) this.#giveKey(call);
    if (call.waitMs !== undefined && call.waitMs > 0) {
      const left = call.waitMs - (now - call.since);
      call.params.waitMs = Math.max(1, Math.ceil(left));
    }
    call.tries++;
    call.state = "sent";
    this.#draft.send(call);
  }

  /** Everything, in the first order. */
  sendAll(now: Instant): void {
    for (const call of [...this.#calls.values()]) {
      if (call.state === "settled") continue;
      this.send(call, now);
      if (call.cancelled) this.#sendCancel(call, now);
    }
  }

  /** The program does not want it. What was not sent is gone at once; for the rest the broker's verdict is awaited. */
  cancel(call: Call, now: Instant, at: State["at"]): void {
    if (call.state === "new" || call.state === "settled" || call.cancelled) return;
    if (call.kind === "release") return; // What is being given back is not taken again.
    call.cancelled = true;
    if (call.state === "kept") return this.#refuse(call, wasCancelled);
    if (at === "open" || at === "leaving") this.#sendCancel(call, now);
    // A hello without this key takes the request back; one that is under way has named it already.
    else if (call.kind === "acquire" && at !== "greeting") return this.#refuse(call, wasCancelled);
    // Nothing depends on how a read ends.
    if (call.kind === "read") this.#refuse(call, wasCancelled);
  }

  /** Keys of the acquires that were sent and will be sent again. */
  pendingKeys(): number[] {
    const keys: number[] = [];
    for (const call of this.#calls.values()) if (call.kind === "acquire" && call.key !== 0) keys.push(call.key);
    return keys;
  }

  /** Gives back what the broker has and nobody wants. */
  releaseStrangers(strangers: readonly WelcomeGrant[], now: Instant): void {
    for (const { name, token, key } of strangers) this.#giveBack(new Grant(name, token, key), undefined, now);
  }

  // ── on the way back ───────────────────────────────────────────────────────────────────────────────────────────────

  answered(id: number, result: unknown, now: Instant): void {
    const call = this.#calls.get(id);
    if (call === undefined) return; // A read that was cancelled: its answer was on the way.
    const { key } = call;
    this.#remove(call);
    switch (call.kind) {
      case "read":
      case "write":
      case "once":
        return this.#draft.answer(call, result);
      case "acquire":
        return this.#granted(call, key, result, now);
      case "release":
        return this.#released(call);
      case "cancel":
        return;
    }
  }

  refused(id: number, refusal: Refusal): void {
    const call = this.#calls.get(id);
    if (call === undefined || call.kind === "cancel") {
      if (call !== undefined) this.#remove(call);
      return;
    }
    if (call.kind !== "release") return this.#refuse(call, refusal);
    if (refusal.refused === "LOCK_NOT_HELD") {
      this.#remove(call);
      return this.#released(call);
    }
    // One that nobody waits for is forgotten: what the next hello does not list is released.
    if (call.grant !== undefined && call.own) this.#grants.released(call.grant);
    else if (call.grant !== undefined) call.grant.state = "held";
    this.#refuse(call, refusal);
  }

  /**
   * A broker that ends has not looked at it: to be sent to the next one under the same key. One that was sent before may
   * have been applied then; should the session be over by the time, that must be settled first.
   */
  turnedAway(id: number, refusal: Refusal): boolean {
    const call = this.#calls.get(id);
    if (call !== undefined && refusal.outcome !== "unknown") call.state = "kept";
    return call !== undefined;
  }

  // ── connections and sessions go ───────────────────────────────────────────────────────────────────────────────────

  connectionLost(): void {
    for (const call of [...this.#calls.values()]) {
      if (call.kind === "cancel") this.#remove(call);
      else if (call.kind === "once" && call.state === "sent") this.#refuse(call, outcomeUnknown);
      else if (call.kind === "acquire" && call.state === "sent" && call.cancelled) this.#refuse(call, wasCancelled);
    }
  }

  /** The session is over. Returns the writes of which nobody knows whether they were applied. */
  sessionOver(keys: RequestKeys): Unanswered[] {
    const unanswered: Unanswered[] = [];
    this.connectionLost();
    for (const call of [...this.#calls.values()]) {
      if (call.kind === "release") {
        this.#remove(call);
        this.#released(call);
        continue;
      }
      if (call.kind !== "write" || call.state !== "sent") call.state = "kept";
      // Without a key it is one that an earlier settlement is asking about already.
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
        return this.#draft.answer(call, verdict.result);
      case "refused":
        return this.#refuse(call, verdict.refusal);
      case "unknown":
        return this.#refuse(call, tooOld);
      case "never":
        call.state = "kept";
        if (call.cancelled) this.#refuse(call, wasCancelled);
    }
  }

  /** When the oldest call has waited long enough for a connection. */
  patienceEnds(downSince: Instant, patienceMs: Millis): Instant | undefined {
    for (const call of this.#calls.values()) return after(later(call.since, downSince), patienceMs);
    return undefined;
  }

  giveUp(now: Instant, downSince: Instant, patience: { readonly ms: Millis; readonly reason: string }): void {
    for (const call of [...this.#calls.values()]) {
      if (after(later(call.since, downSince), patience.ms) > now) return;
      this.#abandon(
        call,
        refuse("CONNECTION_LOST", `no connection to the broker for ${patience.ms} ms: ${patience.reason}`),
      );
    }
  }

  /** Nobody will answer any more. */
  endAll(refusal: Refusal): void {
    for (const call of [...this.#calls.values()]) this.#abandon(call, refusal);
  }

  /** The program is done: it does not wait for locks any more. */
  endAcquires(refusal: Refusal): void {
    for (const call of [...this.#calls.values()]) if (call.kind === "acquire") this.#refuse(call, refusal);
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

  // ── one call ──────────────────────────────────────────────────────────────────────────────────────────────────────

  #giveKey(call: Call): void {
    if (call.kind === "read" || call.kind === "once") return;
    call.key = call.kind === "write" ? this.#keys.takeForWrite() : this.#keys.takeForLock();
    call.params.key = call.key;
    // With the key, so that a message that is sent again says the same as before.
    call.params.ack = this.#keys.below;
  }

  #sendCancel(call: Call, now: Instant): void {
    if (call.kind !== "acquire") return this.#draft.notify("session.cancel", { id: call.id });
    const params: CallParams & { readonly of: number } = { of: call.key };
    const cancel = new Call("cancel", "lock.cancel", params, { about: call, own: true });
    this.keep(cancel, now);
    this.send(cancel, now);
  }

  #granted(call: Call, key: number, result: unknown, now: Instant): void {
    const granted = readGranted(result);
    if (granted === undefined)
      return this.#draft.refuse(call, refuse("INTERNAL", "the broker granted a lock and did not say which"));
    const grant = new Grant(granted.name, granted.token, key);
    if (call.cancelled) return this.#giveBack(grant, call, now);
    this.#grants.add(grant);
    this.#draft.push({ kind: "granted", call, grant, waitedMs: granted.waitedMs });
  }

  /** The grant won the race against the cancel: it goes back before the program hears of the end. */
  #giveBack(grant: Grant, about: Call | undefined, now: Instant): void {
    grant.state = "releasing";
    this.#grants.add(grant);
    const { name, token } = grant;
    const params: CallParams & Fence = { name, token };
    const release = new Call("release", "lock.release", params, { grant, about, own: true });
    this.keep(release, now);
    this.send(release, now);
  }

  #released(call: Call): void {
    if (call.grant !== undefined) this.#grants.released(call.grant);
    if (call.about !== undefined) this.#draft.refuse(call.about, wasCancelled);
    else if (!call.own) this.#draft.answer(call, {});
  }

  #tooOften(call: Call): void {
    const message = `sent ${call.tries} times, and each time the connection broke before the answer`;
    this.#abandon(call, refuse("CONNECTION_LOST", message));
  }

  /** No answer will come. A release needs none: what the next hello does not list is released. */
  #abandon(call: Call, refusal: Refusal): void {
    if (call.kind === "release") {
      this.#remove(call);
      return this.#released(call);
    }
    const known = call.state === "kept" || call.kind === "read" || call.kind === "acquire";
    this.#refuse(call, { ...refusal, outcome: known ? "none" : "unknown" });
  }

  #refuse(call: Call, refusal: Refusal): void {
    this.#remove(call);
    if (!call.own) this.#draft.refuse(call, refusal);
    else if (call.kind === "release" && call.about !== undefined) this.#draft.refuse(call.about, wasCancelled);
  }

  #remove(call: Call): void {
    this.#calls.delete(call.id);
    call.state = "settled";
    if (call.key !== 0) this.#keys.answered(call.key);
  }
}

const outcomeUnknown = refuse(
  "OUTCOME_UNKNOWN",
  "the connection broke before the answer, and this request cannot be sent twice",
);
const tooOld = refuse(
  "RETRY_TOO_OLD",
  "the session ended before the answer, and the broker does not know any more what became of this write",
);
