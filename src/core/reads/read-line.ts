/**
 * The order of reads and their share of the reader processes (rules 4 and 16): a read waits for the writes sent before
 * it; sessions take turns; no session has all readers; behind a read that is slow nobody waits; one that is over its
 * time is ended with its process; for a client that does not take its answers none is begun.
 */
import {
  after,
  between,
  type Instant,
  type Limits,
  type ReaderId,
  type Refusal,
  readerId,
  refuse,
} from "../../terms/index.js";
import type { Asker, StoreAnswer, StoreEvent, Takes } from "../command.js";
import type { Deadline, Deadlines } from "../deadlines.js";
import type { Draft } from "../draft.js";
import { FairShare } from "../fair-share.js";
import { connectionOf, type Session } from "../sessions/session.js";
import { HeldReads } from "./held-reads.js";
import { chooseReader, greediestReader, hasRoom, needsMore } from "./pool-share.js";
import { isAskedBy, type Read } from "./read.js";
import {
  checkReader,
  give,
  headRefusal,
  isInDoubt,
  newReader,
  type Reader,
  rowMax,
  takeBack,
  takeFirst,
} from "./reader.js";
import { SlowTakers } from "./slow-takers.js";

export interface ReadLineParts {
  readonly limits: Limits;
  readonly draft: Draft;
  readonly deadlines: Deadlines;
  /** No read runs any more, and it was asked that it be so. */
  readonly onQuiet: (now: Instant) => void;
}

type ReadSettled = Extract<StoreEvent, { kind: "read-settled" }>;

const watchMs = 20;
/** A read that has run so long is slow: those behind it are given to others (ms). */
const slowMs = 50;
/** When it is not certain that it runs at all, it goes to another itself after so long; its reader may take so long (ms). */
const doubtMs = 250;
const doubtedMs = 1250;
/** A reader that has been at one read for so long may have been stopped: that is looked at so often (ms). */
const stoppedMs = 1000;
/** While the log is folded, a read that has run so long is ended (ms). */
const foldPatienceMs = 1000;
const idleMs = 30_000;
/** After a reader died before it was ready, no other is started for so long (ms): the next would die the same way. */
const restMs = 1000;
const quantum = 64 * 1024;
/** After so many quick reads the next are put behind each other; one that may be slow, and they are spread again. */
const quickEnough = 32;

export class ReadLine {
  readonly #parts: ReadLineParts;
  readonly #held = new HeldReads<Read>();
  readonly #line = new FairShare<Read>(quantum);
  readonly #readers = new Map<ReaderId, Reader>();
  readonly #takers = new SlowTakers((id) => [...this.#readers.values()].some(({ owners }) => owners.has(id)));
  /**
   * How long a row may be now. What is taken back behind a slow read is run all the same, for nobody: when all are slow,
   * because the machine is, rows of full length would be work that makes more of itself. So a slow read makes rows short,
   * and each quick one a little longer again.
   */
  #depth = rowMax;
  /** How many reads were answered since one that might have been slow. */
  #quick = 0;
  #nextReader = 1;
  #nextRead = 1;
  #watch: Deadline | undefined;
  /** Reads are not begun: the writer is being replaced, or the log is folded. */
  readonly #holding = { writer: true, fold: false };
  #hasWriter = false;
  /** No reader is started before. */
  #restUntil = 0 as Instant;
  /** Since when reads could run and no reader is there that could run them; why the last one went. */
  #without: { since: Instant; reason: string } | undefined;

  constructor(parts: ReadLineParts) {
    this.#parts = parts;
  }

  get queued(): number {
    return this.#held.length + this.#line.length;
  }

  get running(): number {
    let running = 0;
    for (const reader of this.#readers.values()) running += reader.row.length;
    return running;
  }

  get busy(): boolean {
    return this.running > 0;
  }

  get idle(): boolean {
    return this.queued === 0 && !this.busy;
  }

  submit(read: Read, now: Instant): void {
    if (read.session.writes.size > 0) return this.#held.add(read);
    this.#line.push(read.session.id, read);
    this.#pump(now);
    if (this.#without !== undefined) this.#armWatch(now);
  }

  /** A write of this session was answered: what waited for it and for none before may be read. */
  writesSettled(session: Session, now: Instant): void {
    const free = this.#held.takeFree(session);
    for (const read of free) this.#line.push(session.id, read);
    if (free.length > 0) this.#pump(now);
  }

  /** Its client takes what is sent to it so from now on. What its readers have and have not begun waits with the rest. */
  clientTakes(session: Session | undefined, takes: Takes, now: Instant): void {
    if (session === undefined) return;
    this.#takers.takes(session.id, takes);
    const isIts = (read: Read) => read.session === session;
    const readers = takes === "nothing" ? [...this.#readers.values()] : [];
    this.#giveBack(readers.flatMap((reader) => takeBack(reader, 1, isIts)));
    this.#pump(now);
  }

  sessionEnds(session: Session, over: Refusal): void {
    this.#takers.takes(session.id, "all");
    for (const read of [...this.#line.drop(session.id), ...this.#held.drop(session)]) this.#refuse(read, over);
  }

  /** Nobody hears the answers any more: what is not begun is forgotten, what runs is ended like a cancelled one. */
  connectionLost(session: Session, now: Instant): void {
    this.#takers.takes(session.id, "all");
    this.#held.drop(session);
    this.#line.drop(session.id);
    for (const reader of this.#readers.values())
      for (const { read } of reader.row) if (read?.session === session) read.cancelledAt ??= now;
  }

  cancel(session: Session, asker: Asker, now: Instant): void {
    const isAsked = (read: Read) => isAskedBy(read, asker);
    const [waiting] = this.#line.dropSome(session.id, isAsked);
    const dropped = waiting ?? this.#held.take(session, isAsked);
    if (dropped !== undefined)
      return this.#refuse(dropped, refuse("CANCELLED", "the read was cancelled before it ran"));
    for (const reader of this.#readers.values())
      for (const { read } of reader.row) if (read !== undefined && isAsked(read)) read.cancelledAt ??= now;
  }

  // ── holding ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * While a new writer settles what was in doubt (`starting`), nobody reads what may not last, and no reader is started
   * (rule 1). Without a writer reads go on.
   */
  writerIs(state: "starting" | "ready" | "unavailable", now: Instant): void {
    this.#holding.writer = state === "starting";
    this.#hasWriter = state === "ready";
    this.#startMissing(now);
    this.#noteReaders(now);
    this.#pump(now);
  }

  /** While the log is to be folded none is begun, and those that are slow are ended after a moment (rule 16). */
  holdForFold(held: boolean, now: Instant): void {
    this.#holding.fold = held;
    if (held) this.#armWatch(now);
    else this.#pump(now);
  }

  // ── readers come and go ───────────────────────────────────────────────────────────────────────────────────────────

  /** All readers end, because the disk under them failed (rule 9); what they ran goes to their successors. */
  endReaders(why: string): void {
    for (const reader of this.#readers.values()) this.#kill(reader, why);
  }

  readerReady(id: ReaderId, now: Instant): void {
    const reader = this.#readers.get(id);
    if (reader === undefined || reader.state !== "starting") return;
    reader.state = "ready";
    reader.idleSince = now;
    this.#without = undefined;
    this.#pump(now);
  }

  readerGone(id: ReaderId, reason: string, now: Instant): void {
    const reader = this.#readers.get(id);
    if (reader === undefined) return;
    this.#readers.delete(id);
    const [first, ...others] = reader.row;
    reader.row.length = 0;
    if (first?.read !== undefined) this.#headDied(first.read, reader, reason);
    this.#giveBack(others.flatMap((row) => row.read ?? []));
    if (reader.state === "starting") this.#restUntil = after(now, restMs);
    this.#startMissing(now);
    this.#noteReaders(now, reason);
    this.#lookIfQuiet(now);
    this.#pump(now);
  }

  /** One that somebody has stopped is ended; the read that it had is not to blame, and goes to another. */
  readerSeen(id: ReaderId, stopped: boolean, now: Instant): void {
    const reader = this.#readers.get(id);
    if (stopped && reader !== undefined && between(reader.headSince, now) >= stoppedMs) this.#kill(reader, "stopped");
  }

  /** Of those that may be slow a reader says which one it runs. */
  begun(id: ReaderId, read: number): void {
    this.#quick = 0;
    const reader = this.#readers.get(id);
    if (reader !== undefined) reader.begun = read;
  }

  settled(event: ReadSettled, now: Instant): void {
    const reader = this.#readers.get(event.reader);
    const first = reader?.row[0];
    if (reader === undefined || first === undefined) return;
    if (first.number !== event.read)
      throw new Error(`read line: reader ${event.reader} answered ${event.read} before ${first.number}`);
    const read = takeFirst(reader);
    this.#quick++;
    if (!reader.stuck && between(reader.headSince, now) < slowMs && this.#depth < rowMax) this.#depth++;
    reader.stuck = false;
    reader.doubted = false;
    reader.headSince = now;
    reader.idleSince = now;
    if (read !== undefined) this.#answer(read, event.answer);
    this.#lookIfQuiet(now);
    this.#pump(now);
  }

  paused(ms: number): void {
    for (const reader of this.#readers.values()) {
      reader.headSince = after(reader.headSince, ms);
      reader.idleSince = after(reader.idleSince, ms);
    }
    if (this.#without !== undefined) this.#without.since = after(this.#without.since, ms);
  }

  /** Time to look at what runs. */
  watch(now: Instant): void {
    this.#watch = undefined;
    for (const reader of [...this.#readers.values()]) this.#look(reader, now);
    this.#startMissing(now);
    this.#noteReaders(now);
    this.#pump(now);
    this.#refuseWithout(now);
    if (this.#line.length > 0) this.#endGreediest(now);
    const spare = this.#readers.size > this.#parts.limits.readersMin;
    if (this.running > 0 || this.#line.length > 0 || this.#holding.fold) this.#armWatch(now);
    else if (spare) this.#watch = this.#parts.deadlines.arm("read-watch", undefined, after(now, idleMs));
  }

  check(): void {
    this.#line.check();
    this.#held.check();
    for (const reader of this.#readers.values()) checkReader(reader);
    const { readersMax, readersMin } = this.#parts.limits;
    if (this.#readers.size > Math.max(readersMax, readersMin)) throw new Error("read line: too many readers");
  }

  // ── the machine ───────────────────────────────────────────────────────────────────────────────────────────────────

  #pump(now: Instant): void {
    if (this.#holding.writer || this.#holding.fold || this.#line.length === 0) return;
    const readers = this.#readers;
    let chosen: Reader | undefined;
    const may = (session: string) => {
      if (!this.#takers.mayRead(session)) return false;
      chosen = chooseReader(readers.values(), session, this.#depth, this.#quick >= quickEnough);
      return chosen !== undefined;
    };
    while (this.#line.length > 0 && hasRoom(readers.values(), this.#depth)) {
      const read = this.#line.take(may);
      if (read === undefined || chosen === undefined) break;
      this.#give(read, chosen, now);
    }
    const canGrow = this.#readers.size < this.#parts.limits.readersMax && now >= this.#restUntil;
    if (canGrow && needsMore(readers.values()) && this.#takers.mayReadOneOf(this.#line.waiting())) this.#start(now);
  }

  #give(read: Read, reader: Reader, now: Instant): void {
    const number = this.#nextRead++;
    if (reader.row.length === 0) reader.headSince = now;
    give(reader, number, read);
    this.#parts.draft.dispatch.push({
      to: "reader",
      kind: "read",
      reader: reader.id,
      read: number,
      parcel: read.parcel,
    });
    this.#armWatch(now);
  }

  #look(reader: Reader, now: Instant): void {
    const head = reader.row[0];
    if (reader.state === "starting" && between(reader.idleSince, now) >= this.#parts.limits.readerStartMs)
      return this.#kill(reader, "it does not start");
    if (reader.state !== "ready") return;
    if (head === undefined) {
      const spare = this.#readers.size > this.#parts.limits.readersMin;
      if (spare && between(reader.idleSince, now) >= idleMs) this.#kill(reader, "idle");
      return;
    }
    const runningMs = between(reader.headSince, now);
    if (runningMs < slowMs) return;
    this.#depth = 1;
    this.#giveBack(takeBack(reader, 1));
    reader.stuck = true;
    if (head.read === undefined) return this.#lookAtGap(reader, runningMs);
    const verdict = this.#overdue(head.read, runningMs);
    if (isInDoubt(reader) && (runningMs >= doubtMs || verdict === "timeout")) {
      reader.doubted = true;
      this.#giveBack(takeBack(reader, 0));
    } else if (verdict !== undefined) {
      reader.killed = verdict;
      this.#kill(reader, `a read over its time (${verdict})`);
    } else if (this.#holding.fold && runningMs >= foldPatienceMs) {
      reader.killed = "crowded";
      this.#kill(reader, "the log must be folded");
    } else if (runningMs >= stoppedMs && between(reader.probedAt, now) >= stoppedMs) {
      reader.probedAt = now;
      this.#parts.draft.dispatch.push({ to: "reader", kind: "probe", reader: reader.id });
    }
  }

  /** It runs what was given to another long ago; nobody waits for that, and nothing else would ever end it. */
  #lookAtGap(reader: Reader, runningMs: number): void {
    const patienceMs = reader.doubted ? doubtedMs : this.#parts.limits.cancelRunningMs;
    if (runningMs >= patienceMs) this.#kill(reader, "it runs a read that was taken back");
  }

  #overdue(read: Read, runningMs: number): "timeout" | "cancel" | undefined {
    const { readMs, timeoutMsMax, cancelRunningMs } = this.#parts.limits;
    if (read.cancelledAt !== undefined && runningMs >= cancelRunningMs) return "cancel";
    return runningMs >= Math.min(read.timeoutMs ?? readMs, timeoutMsMax) ? "timeout" : undefined;
  }

  /** All readers are busy with slow reads and somebody who has fewer waits: the one with most gives one up. */
  #endGreediest(now: Instant): void {
    const living = [...this.#readers.values()].filter((reader) => reader.state !== "ending");
    if (living.length < this.#parts.limits.readersMax || living.some((reader) => !reader.stuck)) return;
    const greediest = greediestReader(living, this.#takers.readable(this.#line.waiting()), now);
    if (greediest === undefined) return;
    greediest.killed = "crowded";
    this.#kill(greediest, "all readers are busy and others wait");
  }

  /** To the front of their queues again, but for those that nobody waits for. */
  #giveBack(reads: readonly Read[]): void {
    const bySession = new Map<string, Read[]>();
    for (const read of reads) {
      const { session } = read;
      if (session.state.kind === "ending")
        this.#refuse(read, refuse("SESSION_EXPIRED", "the session ended before the read ran"));
      else if (read.cancelledAt !== undefined)
        this.#refuse(read, refuse("CANCELLED", "the read was cancelled before it ran"));
      else if (connectionOf(session) === read.asker.connection) {
        const some = bySession.get(session.id);
        if (some === undefined) bySession.set(session.id, [read]);
        else some.push(read);
      }
    }
    for (const [session, some] of bySession) this.#line.putBack(session, some);
  }

  #headDied(read: Read, reader: Reader, reason: string): void {
    const refusal = headRefusal(reader, reason);
    // Nobody can tell who was to blame, the read or something outside: the second death decides.
    if (refusal === undefined || (refusal.refused === "STATEMENT_CRASHED" && read.deaths++ === 0))
      this.#giveBack([read]);
    else this.#refuse(read, refusal);
  }

  /** As many as there must always be; not while the writer is away, for a new one would read what may not last. */
  #startMissing(now: Instant): void {
    if (this.#holding.writer) return;
    const { readersMin } = this.#parts.limits;
    while (this.#readers.size < readersMin && now >= this.#restUntil) this.#start(now);
    if (this.#readers.size < readersMin) this.#armWatch(now);
  }

  /** `reason`: why one went. One that is being ended runs nothing any more. */
  #noteReaders(now: Instant, reason?: string): void {
    for (const { state } of this.#readers.values()) {
      if (state !== "ready") continue;
      this.#without = undefined;
      return;
    }
    if (this.#holding.writer) this.#without = undefined;
    else this.#without ??= { since: now, reason: "none is ready yet" };
    if (this.#without !== undefined && reason !== undefined) this.#without.reason = reason;
  }

  /** Nobody has been able to read for so long that nobody may ever be. It is tried on all the same. */
  #refuseWithout(now: Instant): void {
    if (this.#without === undefined || between(this.#without.since, now) < this.#parts.limits.readerStartMs) return;
    const { reason } = this.#without;
    const refusal = refuse("READER_UNAVAILABLE", `no reader can be had: ${reason}`, { reason });
    for (let read = this.#line.take(); read !== undefined; read = this.#line.take()) this.#refuse(read, refusal);
  }

  #start(now: Instant): void {
    const id = readerId(this.#nextReader++);
    this.#readers.set(id, newReader(id, now));
    this.#parts.draft.dispatch.push({ to: "reader", kind: "start", reader: id, withoutWriter: !this.#hasWriter });
  }

  #kill(reader: Reader, why: string): void {
    if (reader.state === "ending") return;
    this.#giveBack(takeBack(reader, 1));
    reader.row.length = Math.min(reader.row.length, 1);
    reader.state = "ending";
    this.#parts.draft.dispatch.push({ to: "reader", kind: "kill", reader: reader.id, why });
  }

  #lookIfQuiet(now: Instant): void {
    if (this.#holding.fold && !this.busy) this.#parts.onQuiet(now);
  }

  #answer(read: Read, answer: StoreAnswer): void {
    const to = read.asker.connection;
    const { request } = read.asker;
    if (answer.kind === "done") this.#parts.draft.send.push({ kind: "answer", to, request, body: answer.body });
    else if (answer.kind === "refused")
      this.#parts.draft.send.push({ kind: "refused", to, request, refusal: answer.refusal });
    else throw new Error("read line: a read was answered as a replay");
  }

  #refuse(read: Read, refusal: Refusal): void {
    this.#parts.draft.send.push({ kind: "refused", to: read.asker.connection, request: read.asker.request, refusal });
  }

  #armWatch(now: Instant): void {
    if (this.#watch?.armed && this.#watch.at <= after(now, watchMs)) return;
    this.#parts.deadlines.cancel(this.#watch);
    this.#watch = this.#parts.deadlines.arm("read-watch", undefined, after(now, watchMs));
  }
}
