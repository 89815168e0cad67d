/**
 * The one order in which writes reach the writer. Fair between sessions while they wait, first in first out once
 * dispatched; a write's fences are checked once, at dispatch. While a transaction owns the writer nothing but its steps
 * is dispatched.
 *
 *   starting ──ready──► ready ──process gone──► starting
 *      │                  │ killed, and not gone for long: inside a system call that does not return
 *      │ cannot be had,   ▼
 *      └──────────────► unavailable ──ready──► ready      it is tried again; or the old process goes at last
 *        or not for long
 *
 * | state       | what holds                                                              | who may end it          |
 * |-------------|-------------------------------------------------------------------------|-------------------------|
 * | starting    | nothing is dispatched; what was in a dead writer's hands is kept         | the store               |
 * | ready       | dispatched writes are in one living process, in the order of their seq   | the store               |
 * | unavailable | writes are refused at once; reads go on                                 | a writer that is ready  |
 */
import { after, type Instant, type Millis, type Refusal, refuse, type Seq } from "../../terms/index.js";
import type { Asker, Fence, StoreEvent } from "../command.js";
import type { Deadline, Deadlines } from "../deadlines.js";
import { FairShare } from "../fair-share.js";
import type { Session } from "../sessions/session.js";
import { SentOrder } from "./sent-order.js";
import { type Death, fateOf, notRun } from "./settlement.js";
import type { Transaction } from "./transaction.js";
import type { TurnTaker } from "./turn-taker.js";
import { accountOf, dropSettles, type FinalAnswer, isApplied, placeOf, type Write } from "./write.js";
import { fenced, unavailable, unknown } from "./write-refusals.js";
import { WriterHands, type WriterHandsParts } from "./writer-hands.js";
import { WriterTurns } from "./writer-turns.js";
import { type WriterSeen, WriterWatch } from "./writer-watch.js";

export interface WriteLineParts extends WriterHandsParts {
  readonly deadlines: Deadlines;
  /** Something of this session is on disk with which it gives back these locks. */
  readonly giveBack: (session: Session, locks: readonly Fence[], now: Instant) => void;
  /** A write of this session was answered, whatever the answer. */
  readonly onAnswered: (session: Session, now: Instant) => void;
  readonly transactions: () => TurnTaker;
  /** Whether a transaction may have the writer now, for as long as it takes. */
  readonly mayOwn: () => boolean;
}

type WriterState =
  | { readonly kind: "starting" }
  | { readonly kind: "ready" }
  | { readonly kind: "unavailable"; readonly reason: string };

type WriterUnavailable = Extract<StoreEvent, { kind: "writer-unavailable" }>;
type WriterGone = Extract<StoreEvent, { kind: "writer-gone" }>;
type WriterSettled = Extract<StoreEvent, { kind: "writer-settled" }>;

/** How often an absent writer is tried again (ms). */
const retryMs = 5000;
/**
 * When to give up waiting for a writer that was killed to be gone, and for one that was started to be ready (ms): rule 2.
 * The one has nothing more to do; the other may have to wait for the lock, and to fold a gigabyte of log.
 */
const goneMsMax = 10_000;
const readyMsMax = 30_000;
const quantum = 8 * 1024;

export class WriteLine {
  readonly #parts: WriteLineParts;
  readonly #line = new FairShare<Write>(quantum);
  readonly #order = new SentOrder(this.#line);
  readonly #turns = new WriterTurns<Transaction>();
  readonly #hands: WriterHands;
  readonly #watch: WriterWatch;
  #state: WriterState = { kind: "starting" };
  /** The disk failed under a writer, and none has repaired the log since (rule 9). */
  #repair = false;
  /** From here on nobody knows what was applied, and there is no writer to settle it. */
  #doubtFrom: Seq | undefined;
  #retry: Deadline | undefined;
  #late: Deadline | undefined;
  #settledCount = 0;
  #walBytes = 0;
  /** Whoever is served may make others be served: not one inside the other. */
  #pumping = false;

  constructor(parts: WriteLineParts, firstSeq: Seq) {
    this.#parts = parts;
    this.#hands = new WriterHands(parts, firstSeq);
    this.#watch = new WriterWatch({ ...parts, hands: this.#hands, othersWait: (write) => this.#othersWait(write) });
  }

  get state(): WriterState {
    return this.#state;
  }

  get queued(): number {
    return this.#line.length;
  }

  get dispatched(): number {
    return this.#hands.size;
  }

  get settledCount(): number {
    return this.#settledCount;
  }

  get idle(): boolean {
    return this.#line.length === 0 && this.#hands.size === 0 && this.#turns.nobody;
  }

  /** The transaction that owns the writer. */
  get owner(): Transaction | undefined {
    return this.#turns.owner;
  }

  /** How many wait for the writer: with a write, or for a turn. */
  get waiting(): number {
    return this.#line.length + this.#turns.waiting;
  }

  get hasRoom(): boolean {
    return this.#state.kind === "ready" && this.#hands.hasRoom;
  }

  /** Every write up to and including this one is settled. */
  readonly settledThrough = (): Seq => ((this.#doubtFrom ?? this.#hands.firstOpen) - 1) as Seq;

  submit(write: Write, now: Instant): void {
    const { session } = write;
    session?.writes.set(placeOf(write), write);
    if (this.#state.kind === "unavailable") this.#refuse(write, unavailable(this.#state.reason), now);
    else if (this.logFull && write.settles === undefined) this.#refuse(write, this.logFullRefusal(), now);
    else if (this.#turns.nobody && this.#mayGo(write)) this.#send(write, false, now);
    else {
      // What its session asked after a commit may wait here already, and goes after what is done in its place.
      if (write.insteadOf === undefined) this.#line.push(accountOf(write), write);
      else this.#line.insert(accountOf(write), write, ({ order }) => order > write.order);
      if (!this.#turns.nobody) this.#somebodyWaits(now);
    }
    if (write.insteadOf !== undefined) this.#order.commitLeft(write.insteadOf, now);
  }

  /** Does something when all writes that the session has sent so far are with the writer (rule 5). */
  afterSent(session: Session, go: (now: Instant) => void, now: Instant): void {
    this.#order.afterSent(session, go, now);
  }

  /** Takes back what is not dispatched: the session is over, or nobody hears what becomes of it. */
  dropQueued(session: Session, refusal: Refusal, now: Instant): void {
    for (const write of this.#line.drop(session.id)) this.#refuse(write, refusal, now);
    this.#order.left(session, now);
  }

  /** The connection is gone that asked what became of old sessions: nobody hears what is not dispatched yet. */
  dropSettles(connection: Asker["connection"]): void {
    dropSettles(this.#line, connection);
  }

  /** Queued: gone at once. Dispatched: ended when it has run for `cancelRunningMs`. Returns whether there was such a write. */
  cancel(session: Session, asker: Asker, now: Instant): boolean {
    const isAsked = (write: Write) =>
      write.asker.connection === asker.connection && write.asker.request === asker.request;
    const queued = this.#line.dropSome(session.id, isAsked);
    for (const write of queued) this.#refuse(write, refuse("CANCELLED", "the write was cancelled before it ran"), now);
    if (queued.length > 0) {
      this.#order.left(session, now);
      return true;
    }
    for (const write of session.writes.values()) {
      if (!isAsked(write)) continue;
      write.cancelledAt ??= now;
      return true;
    }
    return false;
  }

  // ── turns ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The transaction waits for its turn from now on. */
  queueTurn(transaction: Transaction, now: Instant): void {
    this.#turns.join(transaction);
    this.#somebodyWaits(now);
  }

  /** It does not wait any more, or is done with the writer: then `pump` has the next one go on. */
  leaveTurn(transaction: Transaction): void {
    this.#turns.leave(transaction);
  }

  /** A step of the owner goes to the writer. That its fences hold was looked at before. */
  giveStep(step: Write, now: Instant): void {
    this.#hands.giveStep(step);
    this.#watch.arm(now);
    if (step.step?.kind === "commit") this.#order.commitLeft(step, now);
  }

  /** A commit is asked for: what its session asks later does not pass it. */
  queueCommit(commit: Write): void {
    commit.session?.writes.set(placeOf(commit), commit);
    this.#order.commitAsked(commit);
  }

  /** A commit has its outcome, whether it was with the writer or not. */
  finishCommit(commit: Write, answer: FinalAnswer, now: Instant): void {
    this.#finish(commit, answer, now);
    this.#order.commitLeft(commit, now);
  }

  /** With what is done now. A plain write that was sent before a commit may not be with the writer yet: it still counts (rule 5). */
  giveBack({ session, order }: Pick<Write, "session" | "order">, locks: readonly Fence[], now: Instant): void {
    if (session === undefined) return;
    this.#order.afterOrder(session, order, (at) => this.#parts.giveBack(session, locks, at), now);
  }

  // ── what the store says ───────────────────────────────────────────────────────────────────────────────────────────

  writerReady(storedSeq: Seq, now: Instant): void {
    this.#state = { kind: "ready" };
    this.#repair = false;
    this.#doubtFrom = undefined;
    this.#parts.deadlines.cancel(this.#retry);
    this.#parts.deadlines.cancel(this.#late);
    this.#hands.startAbove(storedSeq);
    const before = this.#hands.takeAll();
    const death = { storedSeq, ...this.#watch.writerReady(now) };
    for (const write of before) {
      if (death.unexplained) write.deaths++;
      if (write.step === undefined) this.#again(write, death, now);
    }
    this.#parts.transactions().writerReplaced(before.filter(isStep), death, now);
    this.pump(now);
  }

  /** How large the log is now; beyond the hard limit nothing is written until it has been folded. */
  logIs(walBytes: number): void {
    this.#walBytes = walBytes;
  }

  get logFull(): boolean {
    return this.#walBytes >= this.#parts.limits.walBytesHardMax;
  }

  logFullRefusal(): Refusal {
    const limit = this.#parts.limits.walBytesHardMax;
    const message = `the database's log has ${this.#walBytes} bytes, ${limit} are allowed; it is being folded into the database`;
    return refuse("DISK_FULL", message, { limit: "walBytesHardMax", walBytes: this.#walBytes });
  }

  settled(event: WriterSettled, now: Instant): void {
    this.logIs(event.walBytes);
    if (event.times !== undefined) this.#hands.groupSettled(event.answers.length, event.times);
    for (const { seq: settledSeq, answer } of event.answers) {
      const write = this.#hands.take(settledSeq);
      if (write === undefined) continue;
      this.#settledCount++;
      if (write.step !== undefined) this.#parts.transactions().stepSettled(write, answer, now);
      else this.#finish(write, answer.kind === "absent" ? { kind: "refused", refusal: unknown(write) } : answer, now);
    }
    this.pump(now);
  }

  writerGone(event: WriterGone, now: Instant): void {
    this.#watch.writerGone(this.#state.kind === "ready", event);
    this.#state = { kind: "starting" };
    this.#repair ||= event.ioFailed;
    this.#parts.draft.dispatch.push({ to: "writer", kind: "start", repair: this.#repair });
    this.#expectWithin(readyMsMax, now);
  }

  /** None can be had now; it is tried again. */
  writerUnavailable({ reason, ioFailed = false }: WriterUnavailable, now: Instant): void {
    this.#giveUp(reason, now);
    this.#repair ||= ioFailed;
    this.#parts.deadlines.cancel(this.#retry);
    this.#retry = this.#parts.deadlines.arm("writer-retry", undefined, after(now, retryMs));
  }

  /** A process is neither gone nor ready. When it is, the store says so; until then another one would only be in its way. */
  writerLate(now: Instant): void {
    const killed = "the one before was killed and does not end, because a system call does not return";
    this.#giveUp(this.#state.kind === "ready" ? killed : `it is not ready after ${readyMsMax / 1000} s`, now);
  }

  /** Nothing in doubt is settled, nothing new is begun; reads go on. */
  #giveUp(reason: string, now: Instant): void {
    this.#parts.deadlines.cancel(this.#late);
    this.#state = { kind: "unavailable", reason };
    if (this.#hands.size > 0) this.#doubtFrom ??= this.#hands.firstOpen;
    const refusal = unavailable(reason);
    const before = this.#hands.takeAll();
    for (const write of before)
      if (write.step === undefined)
        this.#finish(write, { kind: "refused", refusal: { ...refusal, outcome: "unknown" } }, now);
    this.#parts.transactions().writerLost(before.filter(isStep), this.#turns.takeAll(), now);
    for (let write = this.#line.take(); write !== undefined; write = this.#line.take()) {
      this.#refuse(write, refusal, now);
      if (write.session !== undefined) this.#order.left(write.session, now);
    }
  }

  retryWriter(): void {
    if (this.#state.kind === "unavailable")
      this.#parts.draft.dispatch.push({ to: "writer", kind: "start", repair: this.#repair });
  }

  /** The busy writer was looked at: is the statement it runs over its time, or does it stand still? */
  progressSeen(seen: WriterSeen, now: Instant): void {
    if (this.#state.kind === "ready" && this.#watch.seen(seen, now)) this.#expectWithin(goneMsMax, now);
  }

  watch(now: Instant): void {
    if (this.#hands.size > 0 && this.#state.kind === "ready") this.#watch.look(now);
  }

  /** The broker stood still: nobody's statement was running in that time. */
  paused(ms: number, now: Instant): void {
    this.#watch.paused(ms, now);
  }

  pump(now: Instant): void {
    if (this.#pumping) return;
    this.#pumping = true;
    while (this.hasRoom && this.#serveNext(now));
    if (this.#line.length > 0 && this.#turns.nobody) this.#letIn(now);
    this.#pumping = false;
  }

  check(): void {
    this.#line.check();
    this.#turns.check();
    this.#hands.check();
    if (this.#state.kind === "unavailable" && !this.idle) throw new Error("write line: something waits for no writer");
  }

  /** At once, past what others have waiting. */
  #mayGo(write: Write): boolean {
    const account = accountOf(write);
    if (this.#line.length === 0) return this.hasRoom || this.#hasRoomFor(account);
    return this.#line.lengthOf(account) === 0 && this.#order.free && this.#hasRoomFor(account);
  }

  #hasRoomFor(account: string): boolean {
    return this.#state.kind === "ready" && this.#hands.hasRoomFor(account);
  }

  // ── the machine ───────────────────────────────────────────────────────────────────────────────────────────────────

  /** Whether anybody was served. */
  #serveNext(now: Instant): boolean {
    const { owner } = this.#turns;
    if (owner !== undefined) {
      this.#parts.transactions().goOn(owner, now);
      return this.#turns.owner !== owner;
    }
    const turnWaits = this.#turns.waiting > 0 && this.#parts.mayOwn();
    const write = turnWaits ? this.#turns.takeBefore(this.#line, this.#order.mayLeave) : this.#takePlain();
    if (write !== undefined) {
      this.#leave(write, now);
      return true;
    }
    const next = turnWaits ? this.#turns.own() : undefined;
    if (next !== undefined) this.#parts.transactions().hasTurn(next, now);
    return next !== undefined;
  }

  /**
   * Who waits and has nothing with the writer any more is let in as one who comes anew is: else those who come again and
   * again, each with one write, would keep it full for ever, and him out.
   */
  #letIn(now: Instant): void {
    if (!this.#hands.mayHaveMore) return;
    for (const owner of this.#line.waiting()) {
      if (!this.#hasRoomFor(owner) || !this.#order.mayLeave(owner)) continue;
      const write = this.#line.takeOf(owner);
      if (write !== undefined) this.#leave(write, now);
    }
  }

  /** From the line to the writer. */
  #leave(write: Write, now: Instant): void {
    this.#send(write, false, now);
    if (write.session !== undefined) this.#order.left(write.session, now);
  }

  #takePlain(): Write | undefined {
    if (this.#line.length === 0) return undefined;
    return this.#order.free ? this.#line.take() : this.#line.take(this.#order.mayLeave);
  }

  #somebodyWaits(now: Instant): void {
    const { owner } = this.#turns;
    if (owner === undefined) this.pump(now);
    else this.#parts.transactions().othersWait(owner, now);
  }

  #again(write: Write, death: Death, now: Instant): void {
    const fate = fateOf(write, death);
    if (fate.kind === "refused") return this.#finish(write, fate, now);
    if (fate.kind === "ask") write.lookup ??= fate.otherwise;
    this.#send(write, fate.kind === "ask", now);
  }

  /**
   * The one check of a fence: here, when the write goes to the writer, and again when it goes again. `asks`: it may be
   * applied already, and what is stored under its key decides.
   */
  #send(write: Write, asks: boolean, now: Instant): void {
    const again = write.seq !== undefined && write.broken === undefined;
    write.broken = write.fences.find((fence) => this.#parts.fenceHeld(fence, again) === undefined);
    // Sent before, it may have been applied while the lock was held; only the store knows.
    if (write.broken !== undefined && !asks && !write.seenBefore)
      return this.#finish(write, { kind: "refused", refusal: fenced(write.broken) }, now);
    const mode = write.broken === undefined && write.lookup === undefined ? "run" : "replay";
    this.#hands.give(write, { mode, again, alone: write.alone || this.#watch.aloneFor(write) });
    this.#watch.arm(now);
  }

  /** Answers without having asked the store. */
  #refuse(write: Write, refusal: Refusal, now: Instant): void {
    this.#finish(write, { kind: "refused", refusal: notRun(write, refusal) }, now);
  }

  #finish(write: Write, answer: FinalAnswer, now: Instant): void {
    const { session, repeats } = write;
    const { connection: to, request } = write.asker;
    const { send } = this.#parts.draft;
    if (answer.kind === "done") send.push({ kind: "answer", to, request, body: answer.body });
    else if (answer.kind === "committed") send.push({ kind: "committed", to, request, seq: answer.seq });
    else send.push({ kind: "refused", to, request, refusal: answer.refusal });
    if (session !== undefined) {
      session.writes.delete(placeOf(write));
      if (answer.kind === "refused" && write.key !== undefined)
        session.finished.writeRefused(write.key, answer.refusal);
    }
    if (write.release !== undefined && isApplied(answer)) this.giveBack(write, write.release, now);
    for (const repeat of repeats) repeat(answer, now);
    if (session !== undefined) this.#parts.onAnswered(session, now);
  }

  #othersWait(write: Write): boolean {
    if (this.#turns.waiting > 0 || this.#hands.hasOthersThan(write)) return true;
    return this.#line.owners > (this.#line.lengthOf(accountOf(write)) > 0 ? 1 : 0);
  }

  #expectWithin(ms: Millis, now: Instant): void {
    this.#parts.deadlines.cancel(this.#late);
    this.#late = this.#parts.deadlines.arm("writer-late", undefined, after(now, ms));
  }
}

function isStep({ step }: Write): boolean {
  return step !== undefined;
}
