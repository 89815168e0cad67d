/**
 * The client's half of the protocol: hello and resume, what is in flight, what is sent again, which locks are held,
 * what became of the writes of a session that is over. Closed and deterministic: the same events at the same instants
 * give the same effects. The states are drawn in state.ts.
 */
import { after, type Instant, impossible, type Millis, type Refusal, refusals, refuse } from "../../terms/index.js";
import { Acknowledgement } from "./acknowledgement.js";
import { readOutcomes, readRetryAfter, readWelcome, type Welcome, type WelcomeGrant } from "./answers.js";
import type { Call } from "./call.js";
import { grantsEnd, isDue, nextOf, patienceEnds, type Standing, sooner, stateEnds } from "./deadlines.js";
import { Draft } from "./draft.js";
import type { Effect } from "./effect.js";
import type { Event } from "./event.js";
import type { Grant } from "./grant.js";
import { Grants } from "./grants.js";
import { Identity } from "./identity.js";
import { InFlight } from "./in-flight.js";
import { LockNews } from "./lock-news.js";
import { notUnderstood } from "./no-answer.js";
import { Outage } from "./outage.js";
import type { ConversationOptions, State } from "./state.js";
import type { Watched } from "./watched.js";
import { Watches } from "./watches.js";

/** How long a closing program waits for the broker's goodbye, or for a connection to say it on. */
const goodbyeMs = 5000;
const settleRetryMs = 200;
const closedByProgram = refuse("CLOSED", "the broker handle is closed");
const sessionTaken = refuse("SESSION_TAKEN", "another connection speaks for this session now");

export class Conversation {
  readonly #options: ConversationOptions;
  readonly #draft = new Draft();
  readonly #grants: Grants;
  readonly #identity: Identity;
  readonly #inFlight: InFlight;
  readonly #watches: Watches;
  readonly #lockNews: LockNews;
  readonly #outage: Outage;
  #state: State = { at: "new" };
  /** Until when the first connection must stand; meaningful until it does. */
  #openBy: Instant;
  #opened = false;
  /** The program is done; when it began to be. Locks that it has, or may have, are worth a connection to give them back. */
  #closing: { readonly by: Instant; readonly gaveUpLocks: boolean } | undefined;
  readonly #acknowledgement = new Acknowledgement();
  #ending: Refusal = closedByProgram;

  constructor(options: ConversationOptions, now: Instant) {
    this.#options = options;
    this.#identity = new Identity(options);
    const nextRequest = () => this.#inFlight.nextId();
    this.#grants = new Grants(this.#draft, nextRequest);
    this.#inFlight = new InFlight(this.#draft, this.#grants, this.#identity.keys);
    this.#watches = new Watches(this.#draft, nextRequest);
    this.#lockNews = new LockNews(this.#draft, this.#grants, { inFlight: this.#inFlight, watches: this.#watches });
    this.#outage = new Outage(now);
    this.#openBy = now;
    this.#grants.takeUp(options.takenUp?.held ?? []);
  }

  /** Calls without outcome. */
  get inFlight(): number {
    return this.#inFlight.size;
  }

  /** Locks that the program holds or is giving back. */
  get grants(): Iterable<Grant> {
    return this.#grants;
  }

  /** Until when a grant with a lease can be relied on without a further answer, and when the broker had a grant at least. */
  get leases(): Pick<Grants["leases"], "endOf" | "seenAt"> {
    return this.#grants.leases;
  }

  get at(): State["at"] {
    return this.#state.at;
  }

  handle(event: Event, now: Instant): void {
    if (this.#state.at === "closed") return this.#answerClosed(event);
    // Before anything else: who was stopped beyond a deadline must not act as if it had not passed.
    if (event.kind !== "disconnected") this.#inFlight.locks.lookAtLeases(now, this.#state.at === "open");
    switch (event.kind) {
      case "call":
        return this.#called(event.call, now);
      case "answered":
        return this.#answered(event.id, event.result, now);
      case "refused":
        return this.#refused(event.id, event.refusal, now);
      case "cancel":
        this.#inFlight.cancel(event.call, now, this.#state.at);
        return this.#partIfDone(now);
      case "watch":
        return this.#watch(event.watch, now);
      case "unwatch":
        return this.#watches.end(event.watch);
      case "notified":
        return this.#notified(event, now);
      case "stream":
        return this.#inFlight.streams.told(event.call, event.credit);
      case "open":
        this.#openBy = after(now, this.#options.openMs);
        return this.#connect();
      case "connected":
        this.#identity.offer(event.secret);
        return this.#greet(now);
      case "nobody":
        return this.#outage.nobodyThere(now, event.left);
      case "connect-failed":
        return this.#connectFailed(event, now);
      case "disconnected":
        return this.#disconnected(event.reason, event.luck, now);
      case "unsendable":
        if (!this.#inFlight.unsendable(event.id, event.refusal, now)) this.#watches.refused(event.id, event.refusal);
        return this.#partIfDone(now);
      case "time":
        return this.#timePassed(now);
      case "close":
        return this.#close(now);
      case "detach":
        return this.#detach();
      default:
        return impossible(event, "event of the conversation");
    }
  }

  takeEffects(): readonly Effect[] {
    return this.#draft.take();
  }

  /** When `time` must come at the latest. */
  nextDeadline(): Instant | undefined {
    const { at } = this.#state;
    if (at === "closed") return undefined;
    const connected = at === "open" || at === "leaving";
    return sooner(connected ? this.#acknowledgement.due : nextOf(this.#standing()), this.#grants.leases.due);
  }

  check(): void {
    for (const part of [this.#grants, this.#inFlight, this.#watches]) part.check();
    const { at } = this.#state;
    if (at === "closed" && this.#inFlight.size + this.#grants.size + this.#watches.size > 0)
      throw new Error("closed, and something is left");
    if (at === "resting" && this.#inFlight.size > 0) throw new Error("resting, and a call waits");
    this.#inFlight.streams.check(at);
    if (at === "open" && this.#identity.settlement !== undefined)
      throw new Error("open, and another session is not settled");
  }

  // ── the program ───────────────────────────────────────────────────────────────────────────────────────────────────

  #called(call: Call, now: Instant): void {
    if (this.#closing !== undefined && !call.letsGo) return this.#draft.refuse(call, closedByProgram);
    if (call.grant !== undefined && call.isTooLate) return this.#inFlight.tooLate(call, call.grant);
    if (call.grant !== undefined && call.givesUp) call.grant.state = call.kind === "release" ? "releasing" : "handing";
    this.#inFlight.keep(call, now);
    if (!this.#inFlight.transactions.isForNow(call, this.#state.at)) return this.#wake(now);
    this.#inFlight.send(call, now);
    if (call.key !== 0) this.#acknowledgement.carried(this.#identity.keys);
  }

  #watch(watch: Watched, now: Instant): void {
    if (this.#closing !== undefined) return this.#watches.refuse(watch, closedByProgram);
    this.#watches.begin(watch);
    this.#wake(now);
  }

  #wake(now: Instant): void {
    if (this.#state.at !== "resting") return;
    this.#outage.beganAgain(now);
    this.#connect();
  }

  #close(now: Instant): void {
    if (this.#closing !== undefined) return;
    this.#closing = { by: after(now, goodbyeMs), gaveUpLocks: this.#inFlight.pending.mayHold };
    this.#watches.refuseAll(closedByProgram);
    this.#inFlight.endWaits(now, this.#state.at);
    this.#inFlight.streams.closeAll(closedByProgram);
    this.#grants.loseUntilGoodbye("the broker handle was closed");
    this.#partIfDone(now);
  }

  /** The program closes: when nothing is in flight any more, goodbye. */
  #partIfDone(now: Instant): void {
    if (this.#closing === undefined) return;
    this.#inFlight.transactions.undoIdle();
    if (this.#inFlight.size > 0) return;
    const { at } = this.#state;
    if (at === "parting" || at === "closed") return;
    if (at !== "open" && at !== "leaving") {
      // Without a connection the session ends by itself, but later: with locks it is worth waiting for one.
      const waits = at !== "new" && at !== "resting" && this.#closing.gaveUpLocks && now < this.#closing.by;
      if (!waits) this.#end(undefined, "");
      return;
    }
    if (this.#identity.keys.below > 1) this.#draft.notify("session.ack", { below: this.#identity.keys.below });
    const request = this.#inFlight.nextId();
    this.#state = { at: "parting", request, until: after(now, goodbyeMs) };
    this.#draft.ask(request, "session.goodbye", {});
  }

  #detach(): void {
    for (const grant of [...this.#grants]) this.#grants.released(grant);
    this.#end(undefined, "");
  }

  #answerClosed(event: Event): void {
    if (event.kind === "watch") return this.#watches.refuse(event.watch, this.#ending);
    if (event.kind !== "call") return; // Everything else has lost its meaning.
    if (event.call.letsGo) this.#draft.answer(event.call, {});
    else this.#draft.refuse(event.call, { ...this.#ending, outcome: "none" });
  }

  // ── the connection ────────────────────────────────────────────────────────────────────────────────────────────────

  #connect(): void {
    const start = this.#inFlight.size > 0 || !(this.#outage.dismissed || this.#closing !== undefined);
    this.#state = { at: "connecting" };
    this.#draft.push({ kind: "connect", start, resuming: this.#identity.welcomed });
  }

  #greet(now: Instant): void {
    const request = this.#inFlight.nextId();
    this.#state = { at: "greeting", request, since: now };
    const params = this.#identity.hello(this.#grants.believed(), this.#inFlight.pending.keys(), now);
    this.#draft.ask(request, "session.hello", params);
  }

  #connectFailed({ why, refusal, luck }: Extract<Event, { kind: "connect-failed" }>, now: Instant): void {
    if (this.#state.at !== "connecting") return;
    this.#outage.failed(refusal, why === "failed");
    if (!this.#opened && why !== "busy") return this.#end(refusal, refusal.message);
    if (this.#closing !== undefined && this.#inFlight.size === 0 && why === "nobody") return this.#end(undefined, "");
    this.#tryAgain(now, luck);
  }

  #disconnected(reason: string, luck: number, now: Instant): void {
    const { at } = this.#state;
    if (at === "connecting" || at === "waiting" || at === "resting" || at === "new") return;
    if (at === "parting") return this.#end(undefined, "");
    this.#goDown(now);
    this.#outage.lastRefusal ??= refuse("CONNECTION_LOST", reason);
    this.#tryAgain(now, luck);
    this.#partIfDone(now);
  }

  /** The connection is gone, or is given up. */
  #goDown(now: Instant): void {
    const { at } = this.#state;
    if (at === "open" || at === "leaving") this.#outage.began(now);
    this.#acknowledgement.disconnected();
    this.#watches.disconnected();
    this.#inFlight.disconnected(now);
  }

  #dropConnection(now: Instant): void {
    this.#draft.push({ kind: "disconnect" });
    this.#goDown(now);
    this.#tryAgain(now, 1);
  }

  #tryAgain(now: Instant, luck: number): void {
    const idle = this.#inFlight.size + this.#grants.size + this.#watches.size === 0;
    const rests = this.#opened && this.#outage.dismissed && idle && this.#closing === undefined;
    this.#state = rests ? { at: "resting" } : { at: "waiting", until: this.#outage.nextAttempt(now, luck) };
  }

  // ── the broker ────────────────────────────────────────────────────────────────────────────────────────────────────

  #answered(id: number, result: unknown, now: Instant): void {
    const state = this.#state;
    if (state.at === "greeting" && state.request === id) return this.#welcomed(readWelcome(result), state.since, now);
    if (state.at === "settling" && state.request === id) return this.#settled(result, now);
    if (state.at === "parting" && state.request === id) return this.#end(undefined, "", { parted: true });
    if (!this.#inFlight.answered(id, result, now) && !this.#grants.leases.answered(id, now))
      return this.#watches.answered(id, result);
    if (this.#closing !== undefined) return this.#partIfDone(now);
    if (this.#inFlight.size === 0) this.#acknowledgement.idle(this.#identity.keys, now);
  }

  #refused(id: number, refusal: Refusal, now: Instant): void {
    const state = this.#state;
    if (state.at === "greeting" && state.request === id) return this.#notWelcome(refusal, now);
    if (state.at === "settling" && state.request === id) return this.#notSettled(refusal, now);
    const isOver = refusal.refused === "SESSION_EXPIRED";
    if (state.at === "parting" && state.request === id) return this.#end(undefined, "", { parted: isOver });
    if (refusal.refused === "SHUTTING_DOWN" && this.#inFlight.turnedAway(id, refusal, this.#closing !== undefined))
      return this.#leave(0, now);
    if (isOver && this.#inFlight.get(id) !== undefined) return this.#sessionEnded(refusal.message, now);
    if (!this.#inFlight.refused(id, refusal, now)) this.#watches.refused(id, refusal);
    this.#partIfDone(now);
  }

  #notified({ method, params, bytes }: Extract<Event, { kind: "notified" }>, now: Instant): void {
    switch (method) {
      case "db.rows":
      case "db.done":
        return this.#inFlight.streams.heard(method, params, bytes);
      case "session.closing":
        this.#outage.dismissed = true;
        return this.#leave(readRetryAfter(params), now);
      case "session.taken":
        return this.#end(sessionTaken, "the session was taken");
      case "session.expired":
        return this.#sessionEnded("the broker ended it", now);
      default:
        return this.#lockNews.heard(method, params);
    }
  }

  #leave(retryAfterMs: Millis, now: Instant): void {
    if (this.#state.at === "open") this.#state = { at: "leaving" };
    this.#outage.askedToWait(retryAfterMs);
    this.#partIfDone(now);
  }

  #welcomed(welcome: Welcome | undefined, helloAt: Instant, now: Instant): void {
    if (welcome === undefined) return this.#end(notUnderstood("hello"), "");
    this.#identity.accept(welcome);
    const strangers = this.#inFlight.pending.reconcile(welcome.grants);
    this.#grants.leases.connected(helloAt, now);
    if (this.#identity.settlement === undefined) this.#beOpen(strangers, now);
    else this.#askToSettle(now);
  }

  #beOpen(strangers: readonly WelcomeGrant[], now: Instant): void {
    this.#state = { at: "open" };
    this.#outage.over();
    this.#acknowledgement.carried(this.#identity.keys);
    const { welcome } = this.#identity;
    if (welcome !== undefined) this.#draft.push({ kind: "opened", welcome, first: !this.#opened });
    this.#opened = true;
    this.#inFlight.sendAll(now, welcome?.life);
    this.#inFlight.locks.giveBackStrangers(strangers, now);
    this.#watches.connected();
    this.#partIfDone(now);
  }

  #notWelcome(refusal: Refusal, now: Instant): void {
    this.#outage.failed(refusal, false);
    if (refusal.refused === "SESSION_EXPIRED") {
      if (this.#options.takenUp !== undefined) return this.#end(refusal, refusal.message);
      if (!this.#identity.replaceable) return this.#dropConnection(now);
      this.#beginSession(refusal.message);
      return this.#greet(now);
    }
    if (!refusals[refusal.refused].retryable) return this.#end(refusal, refusal.message);
    this.#dropConnection(now);
  }

  // ── a session is over ─────────────────────────────────────────────────────────────────────────────────────────────

  /** Heard on a connection that was open: the next hello is for a new session. */
  #sessionEnded(reason: string, now: Instant): void {
    if (this.#options.takenUp !== undefined) return this.#end(refuse("SESSION_EXPIRED", reason), reason);
    if (this.#identity.replaceable) this.#beginSession(reason);
    this.#dropConnection(now);
  }

  #beginSession(reason: string): void {
    this.#grants.loseHeld(`the session is over: ${reason}`);
    this.#identity.replace((keys) => this.#inFlight.sessionOver(keys));
    this.#draft.push({ kind: "session-lost", reason });
  }

  #askToSettle(now: Instant): void {
    const question = this.#identity.nextQuestion();
    if (question === undefined) return this.#beOpen([], now);
    const request = this.#inFlight.nextId();
    this.#state = { at: "settling", request, retryAt: now };
    this.#draft.ask(request, "session.settle", question);
  }

  #settled(result: unknown, now: Instant): void {
    const verdicts = readOutcomes(result);
    if (verdicts === undefined) return this.#end(notUnderstood("settle"), "");
    for (const [call, verdict] of this.#identity.settlement?.take(verdicts) ?? [])
      this.#inFlight.settled(call, verdict);
    this.#askToSettle(now);
  }

  #notSettled(refusal: Refusal, now: Instant): void {
    this.#outage.lastRefusal = refusal;
    // Refused for good: what was asked about stays unknown.
    if (!refusals[refusal.refused].retryable) return this.#settled({ outcomes: [] }, now);
    this.#state = { at: "settling", request: undefined, retryAt: after(now, settleRetryMs) };
  }

  // ── time ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  #timePassed(now: Instant): void {
    const { at } = this.#state;
    if (at === "open" || at === "leaving") return this.#acknowledgement.tell(this.#draft, this.#identity.keys, now);
    if (isDue(grantsEnd(this.#standing()), now)) this.#grants.outOfReach();
    if (isDue(patienceEnds(this.#standing()), now)) this.#loseHope(now);
    if (isDue(stateEnds(this.#standing()), now)) this.#stateEnds(now);
  }

  /** Calls have waited long enough. If nothing else is at stake, no more attempts are made until the next call. */
  #loseHope(now: Instant): void {
    // A hello that is under way has said what is pending; that must not change behind its back.
    if (this.#state.at === "greeting") this.#dropConnection(now);
    const reason = this.#outage.lastRefusal?.message ?? "the broker does not answer";
    this.#inFlight.giveUp(now, this.#outage.since, { ms: this.#options.patienceMs, reason });
    if (this.#inFlight.size > 0 || this.#grants.size > 0) return;
    this.#watches.refuseAll(refuse("CONNECTION_LOST", `nothing can be watched without a connection: ${reason}`));
    if (this.#closing !== undefined) return this.#end(undefined, "");
    if (this.#state.at === "connecting" || this.#state.at === "settling") this.#draft.push({ kind: "disconnect" });
    this.#state = { at: "resting" };
  }

  #standing(): Standing {
    return {
      state: this.#state,
      opened: this.#opened,
      openBy: this.#openBy,
      closeBy: this.#closing?.by,
      options: this.#options,
      windowMs: this.#identity.windowMs,
      grants: this.#grants,
      inFlight: this.#inFlight,
      outage: this.#outage,
    };
  }

  #stateEnds(now: Instant): void {
    const state = this.#state;
    if (state.at === "parting") return this.#end(undefined, "");
    if (!this.#opened && this.#openBy <= now) {
      const silence = refuse("NO_BROKER", `no broker answered within ${this.#options.openMs} ms`);
      return this.#end(this.#outage.lastRefusal ?? silence, "");
    }
    if (this.#inFlight.size === 0 && isDue(this.#closing?.by, now)) return this.#end(undefined, "");
    if (state.at === "waiting" && state.until <= now) this.#connect();
    else if (state.at === "settling") this.#askToSettle(now);
  }

  #end(refusal: Refusal | undefined, reason: string, { parted = false } = {}): void {
    this.#ending = refusal ?? closedByProgram;
    this.#grants.loseHeld(reason);
    this.#inFlight.endAll(this.#ending);
    this.#watches.refuseAll(this.#ending);
    this.#state = { at: "closed" };
    this.#draft.push({ kind: "disconnect" });
    this.#draft.push({ kind: "ended", refusal, parted });
  }
}
