/**
 * The processes for snapshots and whose turn it is to have one (rules 4 and 16): a wish waits for the writes sent before
 * it; sessions take turns; no session has all processes; one more than is needed is kept warm. A snapshot ends when it is
 * given back, and by itself when it is too old, when the log must be folded, when its process dies, or when what runs
 * in it runs for too long.
 */
import {
  after,
  type Instant,
  type Limits,
  type Millis,
  type SnapshotProcessId,
  snapshotProcessId,
} from "../../terms/index.js";
import type { SnapshotEvent } from "../command.js";
import type { Deadline, Deadlines } from "../deadlines.js";
import type { Draft } from "../draft.js";
import { FairShare } from "../fair-share.js";
import { oldestWrite, type Session } from "../sessions/session.js";
import { HeldReads } from "./held-reads.js";
import { type Borrower, Snapshot, type SnapshotEnd, type SnapshotParts } from "./snapshot.js";
import { greediestSnapshot, nextDue } from "./snapshot-limits.js";
import { checkProcess, processPaused, type SnapshotProcess } from "./snapshot-process.js";

export interface SnapshotsParts {
  readonly limits: Limits;
  readonly draft: Draft;
  readonly deadlines: Deadlines;
  /** No process has a snapshot any more, and it was asked that it be so. */
  readonly onQuiet: (now: Instant) => void;
}

/** Whether somebody who has fewer waits is looked at so often (ms). */
const lookMs = 100;
/** A free process beyond the warm one, and the warm one itself, are kept for so long (ms). */
const idleMs = 10_000;
const warmMs = 60_000;
/** After a process died before it was ready, no other is started for so long (ms): the next would die the same way. */
const restMs = 1000;
/** A start takes a tenth of a second of a processor: not all at once. */
const startingMax = 2;
const quantum = 64 * 1024;

export class Snapshots {
  readonly #parts: SnapshotsParts;
  readonly #snapshotParts: SnapshotParts;
  readonly #held = new HeldReads<Borrower>();
  readonly #line = new FairShare<Borrower>(quantum);
  readonly #processes = new Map<SnapshotProcessId, SnapshotProcess>();
  /** How many each session has. */
  readonly #shares = new Map<string, number>();
  /** None is begun: the writer is being replaced, or the log is to be folded. */
  readonly #holding = { writer: true, fold: false };
  #hasWriter = false;
  #nextProcess = 1;
  #watch: Deadline | undefined;
  /** No process is started before. */
  #restUntil = 0 as Instant;
  /** Without a snapshot for so long, the warm process is let go. */
  #usedAt = 0 as Instant;
  /** The broker is ending. */
  #closed = false;
  /** Since when none that was started has become ready, and of what the last one died. */
  #failing: { since: Instant; reason: string } | undefined;

  constructor(parts: SnapshotsParts) {
    this.#parts = parts;
    let runs = 0;
    this.#snapshotParts = { ...parts, nextRun: () => ++runs, changed: (now) => this.#armWatch(now) };
  }

  get waiting(): number {
    return this.#held.length + this.#line.length;
  }

  get open(): number {
    return this.#snapshots().length;
  }

  /** A snapshot may be open somewhere. */
  get busy(): boolean {
    for (const { state } of this.#processes.values())
      if (state.kind !== "starting" && state.kind !== "free") return true;
    return false;
  }

  // ── whose turn ────────────────────────────────────────────────────────────────────────────────────────────────────

  submit(borrower: Borrower, now: Instant): void {
    if (this.#closed) return borrower.lost("closing", reasons.closing, now);
    // One that is asked again may have later writes behind it, which it need not show.
    const unanswered = oldestWrite(borrower.session)?.order ?? Number.POSITIVE_INFINITY;
    if (unanswered <= borrower.after) return this.#held.add(borrower);
    this.#line.push(borrower.session.id, borrower);
    this.#pump(now);
  }

  /** A write of this session was answered. */
  writesSettled(session: Session, now: Instant): void {
    const free = this.#held.takeFree(session);
    for (const borrower of free) this.#line.push(session.id, borrower);
    if (free.length > 0) this.#pump(now);
  }

  /** It does not want its turn any more. */
  withdraw(borrower: Borrower): void {
    const isIt = (one: Borrower) => one === borrower;
    if (this.#line.dropSome(borrower.session.id, isIt).length === 0) this.#held.take(borrower.session, isIt);
  }

  /** None of these, all of one session, wants its turn any more. */
  withdrawAll(session: Session, borrowers: ReadonlySet<Borrower>): void {
    const isOne = (one: Borrower) => borrowers.has(one);
    const queued = this.#line.dropSome(session.id, isOne).length;
    if (queued < borrowers.size) this.#held.takeAll(session, isOne);
  }

  giveBack(snapshot: Snapshot, now: Instant): void {
    this.#noShare(snapshot);
    this.#clear(this.#processOf(snapshot), now);
  }

  /** What is open in it ends, in a moment or with the process. */
  #clear(process: SnapshotProcess, now: Instant): void {
    process.state = { kind: "clearing", since: now };
    this.#parts.draft.dispatch.push({ to: "snapshot", process: process.id, kind: "end" });
    this.#armWatch(now);
  }

  // ── what the store says ───────────────────────────────────────────────────────────────────────────────────────────

  handle(event: SnapshotEvent, now: Instant): void {
    const process = this.#processes.get(event.process);
    if (process === undefined) return;
    const { state } = process;
    if (event.kind === "snapshot-gone") return this.#gone(process, event.reason, now);
    if (state.kind === "ending") return;
    if (event.kind === "snapshot-ready" || event.kind === "snapshot-cleared") {
      if (state.kind === "starting" || state.kind === "clearing") return this.#freed(process, now);
      throw new Error(`snapshots: process ${process.id} says that it is free while it is ${state.kind}`);
    }
    // Given back: what it had begun to say is for nobody.
    if (state.kind === "lent") state.snapshot.hear(event, now);
  }

  /** Its client does not take what this process sends, or takes it again. */
  heldBack(id: SnapshotProcessId, held: boolean, now: Instant): void {
    const state = this.#processes.get(id)?.state;
    if (state?.kind === "lent") state.snapshot.hold(held, now);
  }

  #freed(process: SnapshotProcess, now: Instant): void {
    this.#failing = undefined;
    process.state = { kind: "free", since: now };
    this.#usedAt = now;
    this.#lookIfQuiet(now);
    this.#pump(now);
  }

  #gone(process: SnapshotProcess, reason: string, now: Instant): void {
    const { id, state } = process;
    this.#processes.delete(id);
    if (state.kind === "starting") this.#failed(state.since, reason, now);
    if (state.kind === "lent") {
      this.#noShare(state.snapshot);
      state.snapshot.borrower.lost("crashed", reason, now);
    }
    this.#lookIfQuiet(now);
    this.#pump(now);
  }

  // ── holding, ending ───────────────────────────────────────────────────────────────────────────────────────────────

  writerIs(state: "starting" | "ready" | "unavailable", now: Instant): void {
    this.#holding.writer = state === "starting";
    this.#hasWriter = state === "ready";
    this.#pump(now);
  }

  /** While the log is to be folded none is begun, and those that are not young end. */
  holdForFold(held: boolean, now: Instant): void {
    this.#holding.fold = held;
    if (held) this.watch(now);
    else this.#pump(now);
  }

  /** All processes end; none is in the middle of anything that a client has not been told is over. */
  endAll(end: SnapshotEnd, why: string, now: Instant): void {
    for (const process of [...this.#processes.values()])
      if (process.state.kind === "lent") this.#end(process.state.snapshot, end, why, now);
      else this.#kill(process, why);
  }

  /** The broker is ending. */
  close(now: Instant): void {
    this.#closed = true;
    for (const borrower of [...this.#line.all(), ...this.#held.all()]) {
      this.withdraw(borrower);
      borrower.lost("closing", reasons.closing, now);
    }
    this.endAll("closing", reasons.closing, now);
  }

  paused(ms: Millis): void {
    for (const process of this.#processes.values()) processPaused(process, ms);
    if (this.#failing !== undefined) this.#failing.since = after(this.#failing.since, ms);
  }

  /** Time to look at what is open. */
  watch(now: Instant): void {
    this.#parts.deadlines.cancel(this.#watch);
    this.#watch = undefined;
    for (const process of [...this.#processes.values()]) this.#look(process, now);
    // One that is on its way out, or in, will serve the next.
    if (this.#line.length > 0 && !this.#mayGrow() && this.#count("lent") === this.#processes.size)
      this.#endGreediest(now);
    this.#refuseWithout(now);
    this.#pump(now);
  }

  check(): void {
    this.#line.check();
    this.#held.check();
    const counted = new Map<string, number>();
    for (const process of this.#processes.values()) {
      checkProcess(process);
      if (process.state.kind !== "lent") continue;
      const { id } = process.state.snapshot.borrower.session;
      counted.set(id, (counted.get(id) ?? 0) + 1);
    }
    if (this.#processes.size > this.#parts.limits.snapshotProcessesMax)
      throw new Error("snapshots: too many processes");
    for (const [id, count] of this.#shares)
      if (counted.get(id) !== count) throw new Error(`snapshots: session ${id} is said to have ${count}`);
    if (counted.size !== this.#shares.size) throw new Error("snapshots: a session's share is forgotten");
  }

  // ── the machine ───────────────────────────────────────────────────────────────────────────────────────────────────

  #pump(now: Instant): void {
    if (!this.#holding.writer && !this.#holding.fold) {
      for (let free = this.#free(); free !== undefined && this.#line.length > 0; free = this.#free()) {
        const borrower = this.#line.take((session) => this.#mayHave(session) > 0);
        if (borrower === undefined) break;
        this.#lend(free, borrower, now);
      }
    }
    this.#startMissing(now);
    this.#armWatch(now);
  }

  #lend(process: SnapshotProcess, borrower: Borrower, now: Instant): void {
    const snapshot = new Snapshot(borrower, process.id, this.#snapshotParts, now);
    process.state = { kind: "lent", snapshot };
    this.#usedAt = now;
    const { id } = borrower.session;
    this.#shares.set(id, (this.#shares.get(id) ?? 0) + 1);
    borrower.lent(snapshot, now);
  }

  /** How many of those who wait could be served if there were processes. */
  get #servable(): number {
    let servable = 0;
    for (const session of this.#line.waiting())
      servable += Math.min(this.#line.lengthOf(session), this.#mayHave(session));
    return servable;
  }

  /** How many more this session may have: the last one is left to those who have none. */
  #mayHave(session: string): number {
    const most = Math.max(1, this.#parts.limits.snapshotProcessesMax - 1);
    return most - (this.#shares.get(session) ?? 0);
  }

  /** The one that was used last, whose memory is warm. */
  #free(): SnapshotProcess | undefined {
    let free: SnapshotProcess | undefined;
    let freeSince = 0;
    for (const process of this.#processes.values())
      if (process.state.kind === "free" && process.state.since >= freeSince) {
        free = process;
        freeSince = process.state.since;
      }
    return free;
  }

  /** For those who wait, and one more while any is in use; none while the writer is away (rule 1). */
  #startMissing(now: Instant): void {
    if (this.#holding.writer || this.#closed || now < this.#restUntil) return;
    let starting = this.#count("starting");
    const wanted = this.#servable + (this.open > 0 ? 1 : 0) - this.#count("free");
    while (this.#mayGrow() && starting < Math.min(startingMax, wanted)) {
      const id = snapshotProcessId(this.#nextProcess++);
      this.#processes.set(id, { id, state: { kind: "starting", since: now } });
      this.#parts.draft.dispatch.push({ to: "snapshot", process: id, kind: "start", withoutWriter: !this.#hasWriter });
      starting++;
    }
  }

  #mayGrow(): boolean {
    return this.#processes.size < this.#parts.limits.snapshotProcessesMax;
  }

  #look(process: SnapshotProcess, now: Instant): void {
    const { state } = process;
    const { limits } = this.#parts;
    switch (state.kind) {
      case "lent": {
        const { at, end } = nextDue(state.snapshot, limits, this.#holding.fold);
        if (at <= now) this.#end(state.snapshot, end, reasons[end], now);
        return;
      }
      case "starting":
        if (after(state.since, limits.readerStartMs) > now) return;
        this.#failed(state.since, "it does not become ready", now);
        return this.#kill(process, "it does not become ready");
      case "clearing":
        if (after(state.since, limits.cancelRunningMs) <= now)
          this.#kill(process, "it does not end what was given back");
        return;
      case "free":
        if (this.#idleEnds(state.since) <= now) this.#kill(process, "idle");
        return;
    }
  }

  /** When a free process is let go, if nothing is asked until then. */
  #idleEnds(since: Instant): Instant {
    return this.#count("free") > 1 ? after(since, idleMs) : after(this.#usedAt, warmMs);
  }

  /** One has not become ready that was started then. */
  #failed(since: Instant, reason: string, now: Instant): void {
    this.#restUntil = after(now, restMs);
    this.#failing = { since: this.#failing?.since ?? since, reason };
  }

  /** None could be had for so long that none may ever be. It is tried on all the same. */
  #refuseWithout(now: Instant): void {
    const { readerStartMs } = this.#parts.limits;
    if (this.#failing === undefined || after(this.#failing.since, readerStartMs) > now || this.open > 0) return;
    const { reason } = this.#failing;
    for (const borrower of [...this.#line.all()]) {
      this.withdraw(borrower);
      borrower.lost("unavailable", reason, now);
    }
  }

  #endGreediest(now: Instant): void {
    const { snapshotContendedMs: contendedMs } = this.#parts.limits;
    const greediest = greediestSnapshot(this.#snapshots(), this.#line.waiting(), { now, contendedMs });
    if (greediest !== undefined) this.#end(greediest, "crowded", reasons.crowded, now);
  }

  #end(snapshot: Snapshot, end: SnapshotEnd, why: string, now: Instant): void {
    const process = this.#processOf(snapshot);
    this.#noShare(snapshot);
    // One that is in nobody's way but by its age will hear of it; a start costs more than a moment of patience.
    if (end === "aged" || end === "crowded" || end === "fold") this.#clear(process, now);
    else this.#kill(process, why);
    snapshot.borrower.lost(end, why, now);
  }

  #kill(process: SnapshotProcess, why: string): void {
    if (process.state.kind === "ending") return;
    process.state = { kind: "ending" };
    this.#parts.draft.dispatch.push({ to: "snapshot", process: process.id, kind: "kill", why });
  }

  #snapshots(): Snapshot[] {
    const snapshots: Snapshot[] = [];
    for (const { state } of this.#processes.values()) if (state.kind === "lent") snapshots.push(state.snapshot);
    return snapshots;
  }

  #count(kind: SnapshotProcess["state"]["kind"]): number {
    let count = 0;
    for (const { state } of this.#processes.values()) if (state.kind === kind) count++;
    return count;
  }

  #processOf(snapshot: Snapshot): SnapshotProcess {
    const process = this.#processes.get(snapshot.process);
    if (process?.state.kind !== "lent" || process.state.snapshot !== snapshot)
      throw new Error(`snapshots: process ${snapshot.process} has another's snapshot`);
    return process;
  }

  #noShare({ borrower: { session } }: Snapshot): void {
    const left = (this.#shares.get(session.id) ?? 0) - 1;
    if (left > 0) this.#shares.set(session.id, left);
    else this.#shares.delete(session.id);
  }

  #lookIfQuiet(now: Instant): void {
    if (this.#holding.fold && !this.busy) this.#parts.onQuiet(now);
  }

  /** When the next of all limits is reached. */
  #armWatch(now: Instant): void {
    let next: Instant | undefined;
    const sooner = (at: Instant) => {
      if (next === undefined || at < next) next = at;
    };
    const { limits } = this.#parts;
    for (const { state } of this.#processes.values()) {
      if (state.kind === "lent") sooner(nextDue(state.snapshot, limits, this.#holding.fold).at);
      else if (state.kind === "starting") sooner(after(state.since, limits.readerStartMs));
      else if (state.kind === "clearing") sooner(after(state.since, limits.cancelRunningMs));
      else if (state.kind === "free") sooner(this.#idleEnds(state.since));
    }
    if (this.#line.length > 0 && !this.#closed) sooner(after(now, lookMs));
    // What is armed for one that is gone would keep an idle broker awake.
    if (next === undefined) return this.#parts.deadlines.cancel(this.#watch);
    if (this.#watch?.armed && this.#watch.at <= next) return;
    this.#parts.deadlines.cancel(this.#watch);
    this.#watch = this.#parts.deadlines.arm("snapshot-watch", undefined, next);
  }
}

const reasons: { readonly [End in SnapshotEnd]: string } = {
  aged: "it has reached the age that any snapshot may have",
  crowded: "others wait who have fewer snapshots",
  fold: "the log must be folded into the database",
  timeout: "what ran in it ran out of its time",
  cancel: "what ran in it was cancelled",
  crashed: "its process died",
  unavailable: "no process can be had",
  disk: "the disk failed",
  closing: "the broker is ending",
  over: "it was given back",
};
