/**
 * The one order in which writes reach the writer. Fair between sessions while they wait, first in first out once
 * dispatched; a write's fences are checked once, at dispatch; what was dispatched counts against the grant it was sent
 * under until it is settled (rule 5).
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
import {
  after,
  type Instant,
  type Limits,
  type Millis,
  type Refusal,
  refuse,
  type Seq,
  seq,
} from "../../terms/index.js";
import type { Asker, Fence, StoreEvent, WriterProgress } from "../command.js";
import type { Deadline, Deadlines } from "../deadlines.js";
import type { Draft } from "../draft.js";
import { FairShare } from "../fair-share.js";
import type { Grant } from "../locks/grant.js";
import type { Session } from "../sessions/session.js";
import { culpritOf, fateOf, notRun } from "./settlement.js";
import type { FinalAnswer, Write } from "./write.js";
import { overdue, WriteClock } from "./write-clock.js";

export interface WriteLineParts {
  readonly limits: Limits;
  readonly draft: Draft;
  readonly deadlines: Deadlines;
  /** `again`: for a write that was sent before while it was held. */
  readonly fenceHeld: (fence: Fence, again: boolean) => Grant | undefined;
  /** A write of this session was answered, whatever the answer. */
  readonly onAnswered: (session: Session, now: Instant) => void;
}

type WriterState =
  | { readonly kind: "starting" }
  | { readonly kind: "ready" }
  | { readonly kind: "unavailable"; readonly reason: string };

type WriterUnavailable = Extract<StoreEvent, { kind: "writer-unavailable" }>;
type WriterGone = Extract<StoreEvent, { kind: "writer-gone" }>;
type WriterSettled = Extract<StoreEvent, { kind: "writer-settled" }>;

/** How often a busy writer is looked at, and an absent one is tried again (ms). */
const watchMs = 100;
const retryMs = 5000;
/**
 * When to give up waiting for a writer that was killed to be gone, and for one that was started to be ready (ms): rule 2.
 * The one has nothing more to do; the other may have to wait for the lock, and to fold a gigabyte of log.
 */
const goneMsMax = 10_000;
const readyMsMax = 30_000;
const quantum = 64 * 1024;

export class WriteLine {
  readonly #parts: WriteLineParts;
  readonly #line = new FairShare<Write>(quantum);
  /** In the writer's hands, by sequence; the order of insertion is the order of dispatch. */
  readonly #dispatched = new Map<Seq, Write>();
  readonly #clock = new WriteClock();
  #dispatchedBytes = 0;
  #nextSeq: number;
  #state: WriterState = { kind: "starting" };
  /** When the present writer was ready; what was noted before was noted by another. */
  #readyAt = 0 as Instant;
  /** The write because of which the present writer is being killed. */
  #killing: Seq | undefined;
  /** What the last writer that died was doing. */
  #lastProgress: WriterProgress | undefined;
  /** The disk failed under a writer, and none has repaired the log since (rule 9). */
  #repair = false;
  /** From here on nobody knows what was applied, and there is no writer to settle it. */
  #doubtFrom: Seq | undefined;
  #watch: Deadline | undefined;
  #retry: Deadline | undefined;
  #late: Deadline | undefined;
  /** The next try to have a writer has the log repaired first: nobody knows what is wrong. */
  #retryRepairs = true;
  #settledCount = 0;
  #walBytes = 0;

  constructor(parts: WriteLineParts, firstSeq: Seq) {
    this.#parts = parts;
    this.#nextSeq = firstSeq;
  }

  get state(): WriterState {
    return this.#state;
  }

  get queued(): number {
    return this.#line.length;
  }

  get dispatched(): number {
    return this.#dispatched.size;
  }

  get settledCount(): number {
    return this.#settledCount;
  }

  get idle(): boolean {
    return this.#line.length === 0 && this.#dispatched.size === 0;
  }

  /** Every write up to and including this one is settled. */
  readonly settledThrough = (): Seq => {
    if (this.#doubtFrom !== undefined) return (this.#doubtFrom - 1) as Seq;
    for (const first of this.#dispatched.keys()) return (first - 1) as Seq;
    return (this.#nextSeq - 1) as Seq;
  };

  submit(write: Write, now: Instant): void {
    const { session } = write;
    session?.writes.set(write.key ?? write, write);
    if (this.#state.kind === "unavailable") this.#refuse(write, unavailable(this.#state.reason), now);
    else if (this.logFull && write.settles === undefined) this.#refuse(write, this.#logFullRefusal(), now);
    else if (this.#line.length === 0 && this.#hasRoom()) this.#send(write, false, now);
    else this.#line.push(write.owner, write);
  }

  /** Does something when all writes that the session has sent so far are with the writer (rule 5). */
  afterSent(session: Session, go: (now: Instant) => void, now: Instant): void {
    if (session.followers.length === 0 && this.#line.firstOf(session.id) === undefined) go(now);
    else session.followers.push({ order: session.writesSent, go });
  }

  /** Takes back what is not dispatched: the session is over, or speaks anew and will send it again. */
  dropQueued(session: Session, refusal: Refusal, now: Instant): void {
    for (const write of this.#line.drop(session.id)) this.#refuse(write, refusal, now);
    this.#leftQueue(session, now);
  }

  /** Queued: gone at once. Dispatched: ended when it has run for `cancelRunningMs`. Returns whether there was such a write. */
  cancel(session: Session, asker: Asker, now: Instant): boolean {
    const isAsked = (write: Write) =>
      write.asker.connection === asker.connection && write.asker.request === asker.request;
    const queued = this.#line.dropSome(session.id, isAsked);
    for (const write of queued) this.#refuse(write, refuse("CANCELLED", "the write was cancelled before it ran"), now);
    if (queued.length > 0) {
      this.#leftQueue(session, now);
      return true;
    }
    for (const write of session.writes.values()) {
      if (!isAsked(write)) continue;
      write.cancelledAt ??= now;
      return true;
    }
    return false;
  }

  // ── what the store says ───────────────────────────────────────────────────────────────────────────────────────────

  writerReady(storedSeq: Seq, now: Instant): void {
    this.#state = { kind: "ready" };
    this.#readyAt = now;
    this.#repair = false;
    this.#doubtFrom = undefined;
    this.#parts.deadlines.cancel(this.#retry);
    this.#parts.deadlines.cancel(this.#late);
    this.#nextSeq = Math.max(this.#nextSeq, storedSeq + 1);
    const before = [...this.#dispatched.values()];
    this.#dispatched.clear();
    this.#dispatchedBytes = 0;
    const progress = this.#lastProgress;
    const death = { storedSeq, culprit: culpritOf(this.#killing, progress), progress };
    this.#killing = undefined;
    this.#lastProgress = undefined;
    for (const write of before) {
      if (death.culprit === undefined) write.deaths++;
      const fate = fateOf(write, death);
      if (fate.kind === "refused") this.#finish(write, fate, now);
      else this.#send(write, fate.kind === "ask", now);
    }
    this.pump(now);
  }

  /** How large the log is now; beyond the hard limit nothing is written until it has been folded. */
  logIs(walBytes: number): void {
    this.#walBytes = walBytes;
  }

  get logFull(): boolean {
    return this.#walBytes >= this.#parts.limits.walBytesHardMax;
  }

  #logFullRefusal(): Refusal {
    const limit = this.#parts.limits.walBytesHardMax;
    const message = `the database's log has ${this.#walBytes} bytes, ${limit} are allowed; it is being folded into the database`;
    return refuse("DISK_FULL", message, { limit: "walBytesHardMax", walBytes: this.#walBytes });
  }

  settled(event: WriterSettled, now: Instant): void {
    this.logIs(event.walBytes);
    for (const { seq: settledSeq, answer } of event.answers) {
      const write = this.#dispatched.get(settledSeq);
      if (write === undefined) continue;
      this.#remove(write, settledSeq);
      this.#settledCount++;
      this.#finish(write, answer.kind === "absent" ? { kind: "refused", refusal: fenced(write) } : answer, now);
    }
    this.pump(now);
  }

  writerGone(event: WriterGone, now: Instant): void {
    // One that died before it was ready has run nothing; what its predecessor did still counts.
    if (this.#state.kind === "ready") this.#lastProgress = event.progress;
    this.#state = { kind: "starting" };
    this.#repair ||= event.ioFailed;
    this.#clock.forget();
    this.#parts.draft.dispatch.push({ to: "writer", kind: "start", repair: this.#repair });
    this.#expectWithin(readyMsMax, now);
  }

  /** None can be had now; it is tried again. */
  writerUnavailable({ reason, lockHeld = false }: WriterUnavailable, now: Instant): void {
    this.#giveUp(reason, now);
    this.#retryRepairs = !lockHeld || this.#repair;
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
    const refusal = unavailable(reason);
    for (const [dispatchedSeq, write] of [...this.#dispatched]) {
      this.#doubtFrom ??= dispatchedSeq;
      this.#remove(write, dispatchedSeq);
      this.#finish(write, { kind: "refused", refusal: { ...refusal, outcome: "unknown" } }, now);
    }
    for (let write = this.#line.take(); write !== undefined; write = this.#line.take()) {
      this.#refuse(write, refusal, now);
      if (write.session !== undefined) this.#leftQueue(write.session, now);
    }
  }

  retryWriter(): void {
    if (this.#state.kind === "unavailable")
      this.#parts.draft.dispatch.push({ to: "writer", kind: "start", repair: this.#retryRepairs });
  }

  /** The busy writer was looked at: is the statement it runs over its time? */
  progressSeen(progress: WriterProgress | undefined, now: Instant): void {
    if (this.#state.kind !== "ready" || this.#killing !== undefined || progress?.phase !== "running") return;
    const write = this.#dispatched.get(progress.seq);
    if (write === undefined || progress.since < this.#readyAt) return;
    const verdict = overdue(write, this.#clock.runningMs(progress, now), {
      limits: this.#parts.limits,
      contended: this.#othersWait(write),
      shortened: write.session !== undefined && this.#clock.killsOften(write.session.id, now),
    });
    if (verdict === undefined) return;
    write.killed = verdict;
    this.#killing = progress.seq;
    this.#clock.killed(write.owner, now);
    this.#parts.draft.dispatch.push({ to: "writer", kind: "kill", why: `write ${progress.seq}: ${verdict}` });
    this.#expectWithin(goneMsMax, now);
  }

  watch(now: Instant): void {
    this.#watch = undefined;
    if (this.#dispatched.size === 0 || this.#state.kind !== "ready") return;
    this.#parts.draft.dispatch.push({ to: "writer", kind: "probe" });
    this.#armWatch(now);
  }

  /** The broker stood still: nobody's statement was running in that time. */
  paused(ms: number, now: Instant): void {
    this.#clock.paused(ms, now);
  }

  pump(now: Instant): void {
    while (this.#line.length > 0 && this.#hasRoom()) {
      const write = this.#line.take();
      if (write === undefined) return;
      this.#send(write, false, now);
      if (write.session !== undefined) this.#leftQueue(write.session, now);
    }
  }

  check(): void {
    this.#line.check();
    let before = 0;
    let bytes = 0;
    for (const [at, write] of this.#dispatched) {
      if (write.seq !== at || at <= before || at >= this.#nextSeq)
        throw new Error("write line: dispatched out of order");
      before = at;
      bytes += write.parcel.size;
    }
    if (bytes !== this.#dispatchedBytes) throw new Error("write line: the count of bytes is wrong");
    if (this.#state.kind === "unavailable" && !this.idle) throw new Error("write line: something waits for no writer");
  }

  // ── the machine ───────────────────────────────────────────────────────────────────────────────────────────────────

  #hasRoom(): boolean {
    const { writesDispatchedMax, groupBytesMax } = this.#parts.limits;
    return (
      this.#state.kind === "ready" &&
      this.#dispatched.size < writesDispatchedMax &&
      this.#dispatchedBytes < 2 * groupBytesMax
    );
  }

  /**
   * The one check of a fence: here, when the write goes to the writer, and again when it goes again. `asks`: it may be
   * applied already, and what is stored under its key decides.
   */
  #send(write: Write, asks: boolean, now: Instant): void {
    const { session, fences } = write;
    const again = write.seq !== undefined && write.broken === undefined;
    let mode: "run" | "replay" = "run";
    write.broken = fences.find((fence) => this.#parts.fenceHeld(fence, again) === undefined);
    if (write.broken !== undefined) {
      // Sent before, it may have been applied while the lock was held; only the store knows.
      if (!asks && !write.seenBefore) return this.#finish(write, { kind: "refused", refusal: fenced(write) }, now);
      mode = "replay";
    }
    const at = write.seq ?? seq(this.#nextSeq++);
    write.seq = at;
    write.killed = undefined;
    this.#dispatched.set(at, write);
    this.#dispatchedBytes += write.parcel.size;
    for (const fence of fences) {
      const grant = this.#parts.fenceHeld(fence, again);
      if (grant !== undefined) grant.lastSeq = at;
    }
    if (session !== undefined) {
      session.lastSeq = at;
      session.keyHigh = Math.max(session.keyHigh, write.key ?? 0);
    }
    this.#push(write, at, mode);
    this.#armWatch(now);
  }

  #push(write: Write, at: Seq, mode: "run" | "replay"): void {
    const { session, owner, key, parcel, settles } = write;
    const { dispatch } = this.#parts.draft;
    if (settles !== undefined)
      dispatch.push({ to: "writer", kind: "settle", seq: at, session: owner, keys: settles, parcel });
    else {
      const alone = write.alone || (session !== undefined && this.#clock.aloneFor(session.id));
      dispatch.push({ to: "writer", kind: "write", seq: at, mode, session: owner, key, alone, parcel });
    }
  }

  /** Something of this session is not queued any more: what waited only for that goes on. */
  #leftQueue(session: Session, now: Instant): void {
    const { followers } = session;
    for (let next = followers[0]; next !== undefined; next = followers[0]) {
      const queued = this.#line.firstOf(session.id);
      if (queued !== undefined && queued.order <= next.order) return;
      followers.shift();
      next.go(now);
    }
  }

  #remove(write: Write, at: Seq): void {
    this.#dispatched.delete(at);
    this.#dispatchedBytes -= write.parcel.size;
  }

  /** Answers without having asked the store. */
  #refuse(write: Write, refusal: Refusal, now: Instant): void {
    this.#finish(write, { kind: "refused", refusal: notRun(write, refusal) }, now);
  }

  #finish(write: Write, answer: FinalAnswer, now: Instant): void {
    const { session, repeats } = write;
    const { connection: to, request } = write.asker;
    if (answer.kind === "done") this.#parts.draft.send.push({ kind: "answer", to, request, body: answer.body });
    else this.#parts.draft.send.push({ kind: "refused", to, request, refusal: answer.refusal });
    if (session !== undefined) {
      session.writes.delete(write.key ?? write);
      if (answer.kind === "refused" && write.key !== undefined)
        session.finished.writeRefused(write.key, answer.refusal);
    }
    for (const repeat of repeats) repeat(answer, now);
    if (session !== undefined) this.#parts.onAnswered(session, now);
  }

  #othersWait(write: Write): boolean {
    for (const other of this.#dispatched.values()) if (other.owner !== write.owner) return true;
    return this.#line.owners > (this.#line.lengthOf(write.owner) > 0 ? 1 : 0);
  }

  #expectWithin(ms: Millis, now: Instant): void {
    this.#parts.deadlines.cancel(this.#late);
    this.#late = this.#parts.deadlines.arm("writer-late", undefined, after(now, ms));
  }

  #armWatch(now: Instant): void {
    if (this.#watch?.armed) return;
    this.#watch = this.#parts.deadlines.arm("write-watch", undefined, after(now, watchMs));
  }
}

function unavailable(reason: string): Refusal {
  return refuse("WRITER_UNAVAILABLE", `no writer can be had: ${reason}`, { reason });
}

function fenced({ broken: fence, seq: at }: Write): Refusal {
  if (fence === undefined) throw new Error(`write line: write ${at} was to be run and was only looked up`);
  const message = `the lock ${JSON.stringify(fence.name)} is no longer held under token ${fence.token}`;
  return refuse("FENCED", message, { name: fence.name, token: fence.token });
}
