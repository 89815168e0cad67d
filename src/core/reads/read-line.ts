/**
 * The order of reads and their share of the reader processes (rules 4 and 16): a read waits for the writes sent before
 * it; sessions take turns; no session has all readers; behind a read that is slow nobody waits; one that is over its
 * time is ended with its process.
 */
import { after, between, type ConnectionId, type Instant, type Limits, type ReaderId, type Refusal, readerId, refuse } from "../../terms/index.js";
import type { Asker, StoreAnswer, StoreEvent } from "../command.js";
import type { Deadline, Deadlines } from "../deadlines.js";
import type { Draft } from "../draft.js";
import { FairShare } from "../fair-share.js";
import type { Session } from "../sessions/session.js";
import type { Read } from "./read.js";
import { hasReadOf, type Reader } from "./reader.js";

export interface ReadLineParts {
  readonly limits: Limits;
  readonly draft: Draft;
  readonly deadlines: Deadlines;
}

type ReadSettled = Extract<StoreEvent, { kind: "read-settled" }>;

/** Reads in one reader's hands: enough that its pipe never runs dry, few enough to take back. */
const rowMax = 32;
const watchMs = 20;
/** A read that has run so long is slow: those behind it are given to others (ms). */
const slowMs = 50;
/** When all readers are busy and others wait, the greediest session's oldest read is ended after so long (ms). */
const crowdedMs = 2000;
/** While the log is folded, a read that has run so long is ended (ms). */
const foldPatienceMs = 1000;
const idleMs = 30_000;
const quantum = 64 * 1024;

export class ReadLine {
  readonly #parts: ReadLineParts;
  readonly #line = new FairShare<Read>(quantum);
  readonly #readers = new Map<ReaderId, Reader>();
  /** Readers whose row was taken back because the first of it is slow. */
  readonly #stuck = new Set<Reader>();
  #nextReader = 1;
  #nextRead = 1;
  #watch: Deadline | undefined;
  /** Reads are not begun: the writer is being replaced, or the log is folded. */
  #holding = { writer: true, fold: false };
  /** The log was asked to be folded and the writer has not answered. */
  #folding = false;
  #walBytesTried = 0;

  constructor(parts: ReadLineParts) {
    this.#parts = parts;
  }

  get queued(): number {
    return this.#line.length;
  }

  get running(): number {
    let running = 0;
    for (const reader of this.#readers.values()) running += reader.row.length;
    return running;
  }

  get idle(): boolean {
    return this.#line.length === 0 && this.running === 0;
  }

  submit(read: Read, now: Instant): void {
    this.#line.push(read.session.id, read);
    this.#pump(now);
  }

  sessionEnds(session: Session): void {
    this.#line.drop(session.id);
  }

  cancel(asker: Asker, now: Instant): boolean {
    const isAsked = (read: Read) => read.asker.connection === asker.connection && read.asker.request === asker.request;
    for (const read of this.#line.all()) {
      if (!isAsked(read)) continue;
      this.#line.dropSome(read.session.id, (candidate) => candidate === read);
      this.#refuse(read, refuse("CANCELLED", "the read was cancelled before it ran"));
      return true;
    }
    for (const reader of this.#readers.values())
      for (const row of reader.row) {
        if (row.read === undefined || !isAsked(row.read)) continue;
        row.read.cancelledAt ??= now;
        return true;
      }
    return false;
  }

  /** Nobody is there any more to hear the answers: what waits is dropped, what runs is ended as if it were cancelled. */
  connectionGone(connection: ConnectionId, now: Instant): void {
    const isAsked = (read: Read) => read.asker.connection === connection;
    const owners = new Set([...this.#line.all()].filter(isAsked).map((read) => read.session.id));
    for (const owner of owners) this.#line.dropSome(owner, isAsked);
    for (const reader of this.#readers.values())
      for (const { read } of reader.row) if (read !== undefined && isAsked(read)) read.cancelledAt ??= now;
  }

  // ── holding ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** While a new writer settles what was in doubt, nobody reads what may not last (rule 1). */
  holdForWriter(hold: boolean, now: Instant): void {
    this.#holding.writer = hold;
    this.#pump(now);
  }

  /** The log has grown: let the readers finish, then have it folded into the database (rule 16). */
  walGrew(walBytes: number, now: Instant): void {
    const { walBytesMax } = this.#parts.limits;
    if (walBytes < walBytesMax || this.#holding.fold) return;
    // A fold that could not finish is tried again only when the log has grown by a quarter.
    if (walBytes < this.#walBytesTried + walBytesMax / 4) return;
    this.#walBytesTried = walBytes;
    this.#holding.fold = true;
    this.#foldIfQuiet();
    this.#armWatch(now);
  }

  checkpointed(walBytes: number, now: Instant): void {
    if (walBytes < this.#parts.limits.walBytesMax) this.#walBytesTried = 0;
    this.foldOver(now);
  }

  /** The fold is done, or the writer that was asked for it is gone. */
  foldOver(now: Instant): void {
    this.#folding = false;
    this.#holding.fold = false;
    this.#pump(now);
  }

  // ── readers come and go ───────────────────────────────────────────────────────────────────────────────────────────

  startReaders(): void {
    while (this.#readers.size < this.#parts.limits.readersMin) this.#start();
  }

  /** All readers end, because the disk under them failed (rule 9); what they ran goes to their successors. */
  endReaders(why: string): void {
    for (const reader of this.#readers.values()) this.#kill(reader, why);
  }

  readerReady(id: ReaderId, now: Instant): void {
    const reader = this.#readers.get(id);
    if (reader === undefined || reader.state !== "starting") return;
    reader.state = "ready";
    reader.idleSince = now;
    this.#pump(now);
  }

  readerGone(id: ReaderId, reason: string, now: Instant): void {
    const reader = this.#readers.get(id);
    if (reader === undefined) return;
    this.#readers.delete(id);
    this.#stuck.delete(reader);
    const [first, ...others] = reader.row;
    reader.row.length = 0;
    if (first?.read !== undefined) this.#headDied(first.read, reader, reason);
    this.#giveBack(others.flatMap((row) => row.read ?? []));
    if (this.#readers.size < this.#parts.limits.readersMin) this.#start();
    this.#foldIfQuiet();
    this.#pump(now);
  }

  settled(event: ReadSettled, now: Instant): void {
    const reader = this.#readers.get(event.reader);
    const first = reader?.row[0];
    if (reader === undefined || first === undefined) return;
    if (first.number !== event.read) throw new Error(`read line: reader ${event.reader} answered ${event.read} before ${first.number}`);
    reader.row.shift();
    reader.headSince = now;
    reader.idleSince = now;
    if (first.read !== undefined) this.#answer(first.read, event.answer);
    this.#foldIfQuiet();
    this.#pump(now);
  }

  paused(ms: number): void {
    for (const reader of this.#readers.values()) {
      reader.headSince = after(reader.headSince, ms);
      reader.idleSince = after(reader.idleSince, ms);
    }
  }

  /** Time to look at what runs. */
  watch(now: Instant): void {
    this.#watch = undefined;
    for (const reader of [...this.#readers.values()]) this.#look(reader, now);
    this.#pump(now);
    if (this.#line.length > 0) this.#endGreediest(now);
    const spare = this.#readers.size > this.#parts.limits.readersMin;
    if (this.running > 0 || this.#line.length > 0 || this.#holding.fold) this.#armWatch(now);
    else if (spare) this.#watch = this.#parts.deadlines.arm("read-watch", undefined, after(now, idleMs));
  }

  check(): void {
    this.#line.check();
    for (const reader of this.#readers.values()) {
      if (reader.state === "starting" && reader.row.length > 0) throw new Error("read line: a reader that is not ready has reads");
      if (reader.row.length > rowMax) throw new Error("read line: a row is too long");
    }
    if (this.#readers.size > Math.max(this.#parts.limits.readersMax, this.#parts.limits.readersMin) + 1)
      throw new Error("read line: too many readers");
  }

  // ── the machine ───────────────────────────────────────────────────────────────────────────────────────────────────

  #pump(now: Instant): void {
    if (this.#holding.writer || this.#holding.fold) return;
    while (this.#line.length > 0) {
      const read = this.#line.take((session) => this.#choose(session) !== undefined);
      if (read === undefined) break;
      const reader = this.#choose(read.session.id);
      if (reader === undefined) throw new Error("read line: no reader after all");
      this.#give(read, reader, now);
    }
    if (this.#line.length > 0) this.#growIfStuck();
  }

  /** The reader with the shortest row that this session may use. */
  #choose(session: string): Reader | undefined {
    let best: Reader | undefined;
    let free = 0;
    let ready = 0;
    let taken = 0;
    for (const reader of this.#readers.values()) {
      if (reader.state !== "ready") continue;
      ready++;
      const used = hasReadOf(reader, session);
      if (used) taken++;
      // Nobody is put behind a slow read, so a reader that has one is free for nobody.
      if (this.#isStuck(reader)) continue;
      if (!used) free++;
      if (reader.row.length >= rowMax) continue;
      if (best === undefined || reader.row.length < best.row.length) best = reader;
    }
    // The last free reader is left to those who have none (rule 16).
    if (best === undefined || ready < 2 || taken === 0 || free > 1 || hasReadOf(best, session)) return best;
    return this.#shortestOf(session);
  }

  #shortestOf(session: string): Reader | undefined {
    let best: Reader | undefined;
    for (const reader of this.#readers.values()) {
      if (reader.state !== "ready" || !hasReadOf(reader, session) || reader.row.length >= rowMax || this.#isStuck(reader)) continue;
      if (best === undefined || reader.row.length < best.row.length) best = reader;
    }
    return best;
  }

  /** Its row was taken back because the first is slow: nobody is put behind that one. */
  #isStuck(reader: Reader): boolean {
    return reader.killed !== undefined || this.#stuck.has(reader);
  }

  #give(read: Read, reader: Reader, now: Instant): void {
    const number = this.#nextRead++;
    if (reader.row.length === 0) reader.headSince = now;
    reader.row.push({ number, read });
    this.#parts.draft.dispatch.push({ to: "reader", kind: "read", reader: reader.id, read: number, parcel: read.parcel });
    this.#armWatch(now);
  }

  #look(reader: Reader, now: Instant): void {
    const head = reader.row[0];
    if (reader.state !== "ready") return;
    if (head === undefined) {
      this.#stuck.delete(reader);
      if (this.#readers.size > this.#parts.limits.readersMin && between(reader.idleSince, now) >= idleMs) this.#kill(reader, "idle");
      return;
    }
    const runningMs = between(reader.headSince, now);
    if (runningMs < slowMs) {
      this.#stuck.delete(reader);
      return;
    }
    this.#takeBackBehind(reader);
    this.#stuck.add(reader);
    const verdict = head.read === undefined ? undefined : this.#overdue(head.read, runningMs);
    if (verdict !== undefined) {
      reader.killed = verdict;
      this.#kill(reader, `a read over its time (${verdict})`);
    } else if (this.#holding.fold && runningMs >= foldPatienceMs) {
      reader.killed = "crowded";
      this.#kill(reader, "the log must be folded");
    }
  }

  #overdue(read: Read, runningMs: number): "timeout" | "cancel" | undefined {
    const { readMs, timeoutMsMax, cancelRunningMs } = this.#parts.limits;
    if (read.cancelledAt !== undefined && runningMs >= cancelRunningMs) return "cancel";
    return runningMs >= Math.min(read.timeoutMs ?? readMs, timeoutMsMax) ? "timeout" : undefined;
  }

  /** All readers are busy with slow reads and somebody else waits: the one with most of them gives one up. */
  #endGreediest(now: Instant): void {
    const { readersMax } = this.#parts.limits;
    const ready = [...this.#readers.values()].filter((reader) => reader.state !== "ending");
    if (ready.length < readersMax || ready.some((reader) => !this.#isStuck(reader))) return;
    const shares = new Map<string, Reader[]>();
    for (const reader of ready) {
      const owner = reader.row[0]?.read?.session.id;
      if (owner === undefined || between(reader.headSince, now) < crowdedMs) continue;
      shares.set(owner, [...(shares.get(owner) ?? []), reader]);
    }
    const greediest = [...shares.values()].sort((a, b) => b.length - a.length)[0];
    const oldest = greediest?.sort((a, b) => a.headSince - b.headSince)[0];
    if (oldest === undefined) return;
    oldest.killed = "crowded";
    this.#kill(oldest, "all readers are busy and others wait");
  }

  #takeBackBehind(reader: Reader): void {
    const behind = reader.row.slice(1).flatMap((row) => {
      const { read } = row;
      row.read = undefined;
      return read ?? [];
    });
    this.#giveBack(behind);
  }

  #giveBack(reads: readonly Read[]): void {
    const bySession = new Map<string, Read[]>();
    for (const read of reads) {
      if (read.session.state.kind === "ending") continue;
      bySession.set(read.session.id, [...(bySession.get(read.session.id) ?? []), read]);
    }
    for (const [session, some] of bySession) this.#line.putBack(session, some);
  }

  #headDied(read: Read, reader: Reader, reason: string): void {
    const refusal = headRefusal(reader, reason);
    // Nobody can tell who was to blame, the read or something outside: the second death decides.
    if (refusal === undefined || (refusal.refused === "STATEMENT_CRASHED" && read.deaths++ === 0)) this.#giveBack([read]);
    else this.#refuse(read, refusal);
  }

  /** One more reader, when every one there is has a slow read. */
  #growIfStuck(): void {
    if (this.#readers.size >= this.#parts.limits.readersMax) return;
    for (const reader of this.#readers.values()) if (reader.state === "starting" || !this.#isStuck(reader)) return;
    this.#start();
  }

  #start(): void {
    const id = readerId(this.#nextReader++);
    const since = 0 as Instant;
    this.#readers.set(id, { id, state: "starting", row: [], headSince: since, killed: undefined, idleSince: since });
    this.#parts.draft.dispatch.push({ to: "reader", kind: "start", reader: id });
  }

  #kill(reader: Reader, why: string): void {
    if (reader.state === "ending") return;
    this.#takeBackBehind(reader);
    reader.row.length = Math.min(reader.row.length, 1);
    reader.state = "ending";
    this.#parts.draft.dispatch.push({ to: "reader", kind: "kill", reader: reader.id, why });
  }

  #foldIfQuiet(): void {
    if (!this.#holding.fold || this.#folding || this.running > 0) return;
    this.#folding = true;
    this.#parts.draft.dispatch.push({ to: "writer", kind: "checkpoint" });
  }

  #answer(read: Read, answer: StoreAnswer): void {
    const to = read.asker.connection;
    const { request } = read.asker;
    if (answer.kind === "done") this.#parts.draft.send.push({ kind: "answer", to, request, body: answer.body });
    else if (answer.kind === "refused") this.#parts.draft.send.push({ kind: "refused", to, request, refusal: answer.refusal });
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

/** What the read that ran when its process ended is told; nothing when it was not its doing and it may run again. */
function headRefusal(reader: Reader, reason: string): Refusal | undefined {
  switch (reader.killed) {
    case "timeout":
      return refuse("STATEMENT_TIMEOUT", "the read ran out of its time and was ended");
    case "cancel":
      return refuse("CANCELLED", "the read was cancelled while it ran");
    case "crowded":
      return refuse("STATEMENT_TIMEOUT", "the read was ended after a short time, because others waited for it to end");
    case undefined:
      return reader.state === "ending" ? undefined : refuse("STATEMENT_CRASHED", `the process that ran the read died: ${reason}`);
  }
}
