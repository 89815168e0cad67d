/**
 * The one order in which writes reach the writer. Fair between sessions while they wait, first in first out once
 * dispatched; a write's fences are checked once, at dispatch; what was dispatched counts against the grant it was sent
 * under until it is settled (rule 5).
 *
 *   starting ──ready──► ready ──process gone──► gone ──start──► starting
 *                                                 │ cannot be started
 *                                                 ▼
 *                                            unavailable ──writer-retry──► starting
 *
 * | state       | what holds                                                              | who may end it          |
 * |-------------|-------------------------------------------------------------------------|-------------------------|
 * | starting    | nothing is dispatched; what was in a dead writer's hands is kept         | the store               |
 * | ready       | dispatched writes are in one living process, in the order of their seq   | the store               |
 * | unavailable | writes are refused at once; reads go on                                 | a retry that succeeds   |
 */
import { after, type Instant, type Limits, type Refusal, type RequestKey, refuse, type Seq, seq } from "../../terms/index.js";
import type { Asker, Fence, StoreAnswer, StoreEvent, WriterProgress } from "../command.js";
import type { Deadline, Deadlines } from "../deadlines.js";
import type { Draft } from "../draft.js";
import { FairShare } from "../fair-share.js";
import type { Grant } from "../locks/lock.js";
import type { Session } from "../sessions/session.js";
import { fateOf } from "./settlement.js";
import { overdue, WriteClock } from "./write-clock.js";
import type { Write } from "./write.js";

export interface WriteLineParts {
  readonly limits: Limits;
  readonly draft: Draft;
  readonly deadlines: Deadlines;
  readonly fenceHeld: (fence: Fence) => Grant | undefined;
}

type WriterState =
  | { readonly kind: "starting" }
  | { readonly kind: "ready" }
  | { readonly kind: "unavailable"; readonly reason: string };

type WriterGone = Extract<StoreEvent, { kind: "writer-gone" }>;
type WriterSettled = Extract<StoreEvent, { kind: "writer-settled" }>;

/** How often a busy writer is looked at, and an absent one is tried again (ms). */
const watchMs = 100;
const retryMs = 5000;
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
  /** What the last writer that died was doing. */
  #lastProgress: WriterProgress | undefined;
  #watch: Deadline | undefined;
  #retry: Deadline | undefined;
  #settledCount = 0;

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
    for (const first of this.#dispatched.keys()) return (first - 1) as Seq;
    return (this.#nextSeq - 1) as Seq;
  };

  /** The last write of this session that is still queued. */
  lastQueued(session: Session): Write | undefined {
    return this.#line.lastOf(session.id);
  }

  hasDispatched(session: Session): boolean {
    for (const write of this.#dispatched.values()) if (write.session === session) return true;
    return false;
  }

  /** The write under this key that is queued or dispatched. */
  find(session: Session, key: RequestKey): Write | undefined {
    for (const write of this.#dispatched.values()) if (write.session === session && write.key === key) return write;
    for (const write of this.#line.all()) if (write.session === session && write.key === key) return write;
    return undefined;
  }

  submit(write: Write, now: Instant): void {
    if (this.#state.kind === "unavailable") return this.#finish(write, { kind: "refused", refusal: unavailable(this.#state.reason) });
    if (this.#line.length === 0 && this.#hasRoom()) this.#dispatch(write, now);
    else this.#line.push(write.owner, write);
  }

  /**
   * Takes back what is not dispatched, with all that waited for it: the session is over, or speaks anew and will send
   * its releases and reads again behind the writes they followed.
   */
  dropQueued(session: Session, refusal: Refusal): void {
    for (const write of this.#line.drop(session.id)) {
      write.sent = [];
      write.settled = [];
      this.#finish(write, { kind: "refused", refusal });
    }
  }

  /** Queued: gone at once. Dispatched: ended when it has run for `cancelRunningMs`. Returns whether there was such a write. */
  cancel(asker: Asker, now: Instant): boolean {
    const isAsked = (write: Write) => write.asker?.connection === asker.connection && write.asker.request === asker.request;
    for (const write of this.#line.all()) {
      if (!isAsked(write)) continue;
      this.#line.dropSome(write.owner, (candidate) => candidate === write);
      this.#finish(write, { kind: "refused", refusal: refuse("CANCELLED", "the write was cancelled before it ran") });
      return true;
    }
    for (const write of this.#dispatched.values()) {
      if (!isAsked(write)) continue;
      write.cancelledAt ??= now;
      return true;
    }
    return false;
  }

  // ── what the store says ───────────────────────────────────────────────────────────────────────────────────────────

  writerReady(storedSeq: Seq, now: Instant): void {
    this.#state = { kind: "ready" };
    this.#parts.deadlines.cancel(this.#retry);
    this.#nextSeq = Math.max(this.#nextSeq, storedSeq + 1);
    const before = [...this.#dispatched.values()];
    this.#dispatched.clear();
    this.#dispatchedBytes = 0;
    const fates = before.map((write) => ({ write, fate: fateOf(write, storedSeq, this.#lastProgress) }));
    this.#lastProgress = undefined;
    for (const { write, fate } of fates) {
      if (fate.kind === "refused") this.#finish(write, fate);
      else this.#send(write, fate.kind === "replay" ? "replay" : "run", now);
    }
    this.pump(now);
  }

  settled(event: WriterSettled, now: Instant): void {
    for (const { seq: settledSeq, answer } of event.answers) {
      const write = this.#dispatched.get(settledSeq);
      if (write === undefined) continue;
      this.#remove(write, settledSeq);
      this.#settledCount++;
      if (answer.kind === "absent") this.#replayFoundNothing(write, now);
      else this.#finish(write, answer);
    }
    this.pump(now);
  }

  writerGone(event: WriterGone): void {
    this.#state = { kind: "starting" };
    this.#lastProgress = event.progress;
    this.#clock.forget();
    this.#parts.draft.dispatch.push({ to: "writer", kind: "start", repair: event.ioFailed });
  }

  /** No writer can be had: nothing in doubt is settled, nothing new is begun; reads go on. */
  writerUnavailable(reason: string, now: Instant): void {
    this.#state = { kind: "unavailable", reason };
    const refusal = unavailable(reason);
    const inDoubt: Refusal = { ...refusal, outcome: "unknown" };
    for (const [dispatchedSeq, write] of [...this.#dispatched]) {
      this.#remove(write, dispatchedSeq);
      this.#finish(write, { kind: "refused", refusal: inDoubt });
    }
    for (const write of [...this.#line.all()]) this.#finish(write, { kind: "refused", refusal });
    for (const write of [...this.#line.all()]) this.#line.drop(write.owner);
    this.#retry = this.#parts.deadlines.arm("writer-retry", undefined, after(now, retryMs));
  }

  retryWriter(): void {
    if (this.#state.kind === "unavailable") this.#parts.draft.dispatch.push({ to: "writer", kind: "start", repair: true });
  }

  /** The busy writer was looked at: is the statement it runs over its time? */
  progressSeen(progress: WriterProgress | undefined, now: Instant): void {
    if (this.#state.kind !== "ready" || progress === undefined) return;
    const write = this.#dispatched.get(progress.seq);
    if (write === undefined || write.killed !== undefined) return;
    const verdict = overdue(write, this.#clock.runningMs(progress, now), {
      limits: this.#parts.limits,
      contended: this.#othersWait(write),
      shortened: write.session !== undefined && this.#clock.killsOften(write.session.id, now),
    });
    if (progress.phase !== "running" || verdict === undefined) return;
    write.killed = verdict;
    this.#clock.killed(write.owner, now);
    this.#parts.draft.dispatch.push({ to: "writer", kind: "kill", why: `write ${progress.seq}: ${verdict}` });
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
      this.#dispatch(write, now);
    }
  }

  check(): void {
    this.#line.check();
    let before = 0;
    let bytes = 0;
    for (const [at, write] of this.#dispatched) {
      if (write.seq !== at || at <= before || at >= this.#nextSeq) throw new Error("write line: dispatched out of order");
      before = at;
      bytes += write.parcel.size;
    }
    if (bytes !== this.#dispatchedBytes) throw new Error("write line: the count of bytes is wrong");
    if (this.#state.kind === "unavailable" && !this.idle) throw new Error("write line: something waits for no writer");
  }

  // ── the machine ───────────────────────────────────────────────────────────────────────────────────────────────────

  #hasRoom(): boolean {
    const { writesDispatchedMax, groupBytesMax } = this.#parts.limits;
    return this.#state.kind === "ready" && this.#dispatched.size < writesDispatchedMax && this.#dispatchedBytes < 2 * groupBytesMax;
  }

  #dispatch(write: Write, now: Instant): void {
    this.#send(write, "run", now);
    const waiting = write.sent;
    write.sent = [];
    for (const go of waiting) go();
  }

  /** The one check of a fence: here, when the write goes to the writer, and again when it goes again. */
  #send(write: Write, wanted: "run" | "replay", now: Instant): void {
    let mode = wanted;
    if (mode === "run") {
      const broken = write.fences.find((fence) => this.#parts.fenceHeld(fence) === undefined);
      if (broken !== undefined) {
        if (!write.seenBefore || write.key === undefined) return this.#finish(write, { kind: "refused", refusal: fenced(broken) });
        // It may have been applied while the lock was held; only the store knows.
        mode = "replay";
      }
    }
    const at = write.seq ?? seq(this.#nextSeq++);
    write.seq = at;
    write.mode = mode;
    write.tries++;
    this.#dispatched.set(at, write);
    this.#dispatchedBytes += write.parcel.size;
    for (const fence of write.fences) {
      const grant = this.#parts.fenceHeld(fence);
      if (grant !== undefined) grant.lastSeq = at;
    }
    if (write.session !== undefined) write.session.lastSeq = at;
    this.#push(write, at, mode);
    this.#armWatch(now);
  }

  #push(write: Write, at: Seq, mode: "run" | "replay"): void {
    const { session, owner, key, parcel, settles } = write;
    const { dispatch } = this.#parts.draft;
    if (settles !== undefined) dispatch.push({ to: "writer", kind: "settle", seq: at, session: owner, keys: settles, parcel });
    else {
      const alone = write.alone || (session !== undefined && this.#clock.aloneFor(session.id));
      dispatch.push({ to: "writer", kind: "write", seq: at, mode, session: owner, key, alone, parcel });
    }
  }

  #replayFoundNothing(write: Write, now: Instant): void {
    const broken = write.fences.find((fence) => this.#parts.fenceHeld(fence) === undefined);
    if (broken !== undefined) return this.#finish(write, { kind: "refused", refusal: fenced(broken) });
    write.seq = undefined;
    this.#send(write, "run", now);
  }

  #remove(write: Write, at: Seq): void {
    this.#dispatched.delete(at);
    this.#dispatchedBytes -= write.parcel.size;
  }

  #finish(write: Write, answer: Exclude<StoreAnswer, { kind: "absent" }>): void {
    if (write.asker !== undefined) {
      const to = write.asker.connection;
      const { request } = write.asker;
      if (answer.kind === "done") this.#parts.draft.send.push({ kind: "answer", to, request, body: answer.body });
      else this.#parts.draft.send.push({ kind: "refused", to, request, refusal: answer.refusal });
    }
    write.done = true;
    const { sent, settled } = write;
    write.sent = [];
    write.settled = [];
    for (const go of sent) go();
    for (const go of settled) go();
  }

  #othersWait(write: Write): boolean {
    for (const other of this.#dispatched.values()) if (other.owner !== write.owner) return true;
    return this.#line.owners > (this.#line.lengthOf(write.owner) > 0 ? 1 : 0);
  }

  #armWatch(now: Instant): void {
    if (this.#watch?.armed) return;
    this.#watch = this.#parts.deadlines.arm("write-watch", undefined, after(now, watchMs));
  }
}

function unavailable(reason: string): Refusal {
  return refuse("WRITER_UNAVAILABLE", `no writer can be had: ${reason}`, { reason });
}

function fenced(fence: Fence): Refusal {
  const message = `the lock ${JSON.stringify(fence.name)} is no longer held under token ${fence.token}`;
  return refuse("FENCED", message, { name: fence.name, token: fence.token });
}
