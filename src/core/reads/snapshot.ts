/**
 * One session's snapshot: a process for itself, and what is under way in it. Whoever borrows it (a stream, a transaction
 * that reads) asks here, and hears of the answers and of its end.
 *
 *   what is asked ──► runs, in order ──► answered
 *   a stream, once answered ──► flows ◄──► waits (a message is finished and there is no credit for it) ──► done
 */
import {
  after,
  type Instant,
  type Limits,
  type Millis,
  type Refusal,
  type Seq,
  type SnapshotProcessId,
} from "../../terms/index.js";
import type { Parcel, SnapshotEvent, StoreAnswer } from "../command.js";
import type { Draft } from "../draft.js";
import type { Session } from "../sessions/session.js";

/** Why a snapshot is over though its borrower has not given it back. */
export type SnapshotEnd =
  /** It has reached the age that any may have. */
  | "aged"
  /** Somebody who has fewer waits for a process. */
  | "crowded"
  /** The log must be folded. */
  | "fold"
  /** What ran in it ran out of its time, or was cancelled and did not end by itself. */
  | "timeout"
  | "cancel"
  /** Its process died by no doing of the broker's. */
  | "crashed"
  /** It never was: no process can be had. */
  | "unavailable"
  /** All processes end: the disk failed under them, or the broker is ending. */
  | "disk"
  | "closing"
  /** It is a transaction's, and that is over. */
  | "over";

export interface Borrower {
  readonly session: Session;
  /** The last write of its session before it: the snapshot must show this one and all before. */
  readonly after: number;
  /** The coin in which its turn is paid. */
  readonly parcel: Parcel;
  /** How long it may be open, if that is less than any may be. */
  readonly limitMs?: Millis | undefined;
  /** Its turn has come. */
  lent(snapshot: Snapshot, now: Instant): void;
  /** It is over by no wish of its own, and nothing of it will be heard any more. `reason`: for people. */
  lost(end: SnapshotEnd, reason: string, now: Instant): void;
}

/** Something asked in it, and not answered. */
export interface Run {
  readonly number: number;
  readonly timeoutMs: Millis;
  cancelledAt: Instant | undefined;
  readonly answered: (answer: RunAnswer, now: Instant) => void;
}

export type RunAnswer = StoreAnswer | { readonly kind: "begun"; readonly seq: Seq; readonly commits: number };

/** Its one stream. */
export interface Flow {
  readonly run: number;
  /** How long it may work without a message. */
  readonly timeoutMs: Millis;
  /** All that it was given, as the process will count it. */
  credit: number;
  /** What of it the process is not told yet, and how often it was told since it last said something. */
  owed: number;
  unheard: number;
  waits: boolean;
  /** When it began to work on the message that comes next; while it waits, this says nothing. */
  since: Instant;
  /** How many rows were sent. */
  sent: number;
  readonly rows: (message: Parcel) => void;
  readonly done: (refusal: Refusal | undefined, now: Instant) => void;
}

export interface RunWish {
  readonly timeoutMs: Millis | undefined;
  readonly parcel: Parcel;
  readonly answered: Run["answered"];
}

export interface StreamWish {
  readonly credit: number;
  readonly timeoutMs: Millis | undefined;
  readonly parcel: Parcel;
  readonly answered: Run["answered"];
  readonly rows: Flow["rows"];
  readonly done: Flow["done"];
}

export interface SnapshotParts {
  readonly limits: Limits;
  readonly draft: Draft;
  /** Rises over all snapshots. */
  readonly nextRun: () => number;
  /** What it waits for has changed, and so the time of its next limit. */
  readonly changed: (now: Instant) => void;
}

/**
 * A process that works on a row does not listen: what it is told fills the memory of the broker. So often it is told of
 * credit before it has said something; what comes then is told together.
 */
const unheardMax = 16;

type Heard = Exclude<SnapshotEvent, { kind: "snapshot-ready" | "snapshot-cleared" | "snapshot-gone" }>;

export class Snapshot {
  readonly borrower: Borrower;
  readonly process: SnapshotProcessId;
  readonly #parts: SnapshotParts;
  /** Its age counts from here. */
  openedAt: Instant;
  /** In order; the first runs since `headSince`. */
  readonly runs: Run[] = [];
  headSince: Instant;
  flow: Flow | undefined;
  /** How many streams it was asked to open and has not: one at most. */
  opening = 0;
  /** Streams that were closed in the middle and have not ended yet, since when. */
  readonly closing = new Map<number, Instant>();
  /** What its process sends is not taken, because its client does not read: it cannot be said to work. */
  held = false;

  constructor(borrower: Borrower, process: SnapshotProcessId, parts: SnapshotParts, now: Instant) {
    this.borrower = borrower;
    this.process = process;
    this.#parts = parts;
    this.openedAt = now;
    this.headSince = now;
  }

  // ── asked ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Opens it for all that follows. */
  begin(answered: Run["answered"], now: Instant): Run {
    const run = this.#ask(this.#parts.limits.readMs, answered, now);
    this.#parts.draft.dispatch.push({ to: "snapshot", process: this.process, kind: "begin", run: run.number });
    return run;
  }

  /** A statement in it, or several. */
  run({ parcel, answered, ...wish }: RunWish, now: Instant): Run {
    const run = this.#ask(this.#timeOf(wish), answered, now);
    this.#parts.draft.dispatch.push({ to: "snapshot", process: this.process, kind: "run", run: run.number, parcel });
    return run;
  }

  /** Answered with the names of the columns; then come the rows. */
  stream({ credit, parcel, answered, rows, done, ...wish }: StreamWish, now: Instant): Run {
    const { draft } = this.#parts;
    const timeoutMs = this.#timeOf(wish);
    const flows = (answer: RunAnswer, at: Instant) => {
      this.opening--;
      const told = { credit, owed: 0, unheard: 0 };
      if (answer.kind === "done")
        this.flow = { run: run.number, timeoutMs, ...told, waits: false, since: at, sent: 0, rows, done };
      answered(answer, at);
    };
    this.opening++;
    const run = this.#ask(timeoutMs, flows, now);
    draft.dispatch.push({ to: "snapshot", process: this.process, kind: "stream", run: run.number, credit, parcel });
    return run;
  }

  credit(bytes: number, now: Instant): void {
    const { flow } = this;
    if (flow === undefined) return;
    flow.credit += bytes;
    flow.owed += bytes;
    if (flow.waits) flow.since = now;
    flow.waits = false;
    if (flow.unheard < unheardMax) this.#tellCredit(flow);
    this.#parts.changed(now);
  }

  #tellCredit(flow: Flow): void {
    const { run, owed: bytes } = flow;
    flow.owed = 0;
    flow.unheard++;
    this.#parts.draft.dispatch.push({ to: "snapshot", process: this.process, kind: "credit", run, bytes });
  }

  /** Ends its stream and leaves the snapshot open. */
  closeStream(now: Instant): void {
    const { flow, process } = this;
    if (flow === undefined) return;
    this.flow = undefined;
    this.closing.set(flow.run, now);
    this.#parts.draft.dispatch.push({ to: "snapshot", process, kind: "close", run: flow.run });
    this.#parts.changed(now);
  }

  /** Nobody wants the answer any more; what does not end by itself is ended with its process. */
  cancel(run: Run, now: Instant): void {
    run.cancelledAt ??= now;
    this.#parts.changed(now);
  }

  #timeOf({ timeoutMs }: Pick<RunWish, "timeoutMs">): Millis {
    const { readMs, timeoutMsMax } = this.#parts.limits;
    return Math.min(timeoutMs ?? readMs, timeoutMsMax);
  }

  #ask(timeoutMs: Millis, answered: Run["answered"], now: Instant): Run {
    const run: Run = { number: this.#parts.nextRun(), timeoutMs, cancelledAt: undefined, answered };
    if (this.runs.length === 0) this.headSince = now;
    this.runs.push(run);
    this.#parts.changed(now);
    return run;
  }

  // ── heard ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  hear(event: Heard, now: Instant): void {
    switch (event.kind) {
      case "snapshot-begun":
        return this.#answered(event.run, { kind: "begun", seq: event.seq, commits: event.commits }, now);
      case "snapshot-answered":
        return this.#answered(event.run, event.answer, now);
      case "snapshot-rows":
        return this.#rows(event, now);
      case "snapshot-waits":
        return this.#waits(event);
      case "snapshot-streamed":
        return this.#streamed(event, now);
    }
  }

  /** Its client does not take what the process sends, or takes it again. */
  hold(held: boolean, now: Instant): void {
    this.held = held;
    this.headSince = now;
    for (const run of this.closing.keys()) this.closing.set(run, now);
    if (this.flow !== undefined) this.flow.since = now;
    this.#parts.changed(now);
  }

  #answered(number: number, answer: RunAnswer, now: Instant): void {
    const run = this.runs.shift();
    if (run?.number !== number) throw new Error(`snapshot: ${number} was answered before ${run?.number}`);
    this.headSince = now;
    run.answered(answer, now);
  }

  #rows({ run, rows, message }: Extract<Heard, { kind: "snapshot-rows" }>, now: Instant): void {
    const { flow } = this;
    if (flow?.run !== run) return;
    flow.since = now;
    flow.sent = rows;
    this.#listens(flow);
    flow.rows(message);
  }

  #waits({ run, credit }: Extract<Heard, { kind: "snapshot-waits" }>): void {
    const { flow } = this;
    if (flow?.run !== run) return;
    // One that has not heard of the last credit does not wait.
    if (credit === flow.credit) flow.waits = true;
    this.#listens(flow);
  }

  #listens(flow: Flow): void {
    flow.unheard = 0;
    if (flow.owed > 0) this.#tellCredit(flow);
  }

  #streamed({ run, refusal }: Extract<Heard, { kind: "snapshot-streamed" }>, now: Instant): void {
    const { flow } = this;
    if (this.closing.delete(run) || flow?.run !== run) return;
    this.flow = undefined;
    flow.done(refusal, now);
  }

  // ── checked ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The broker stood still: no time has passed for anybody. */
  paused(ms: Millis): void {
    this.openedAt = after(this.openedAt, ms);
    this.headSince = after(this.headSince, ms);
    if (this.flow !== undefined) this.flow.since = after(this.flow.since, ms);
    for (const [run, since] of this.closing) this.closing.set(run, after(since, ms));
  }

  check(): void {
    const wrong = (what: string) => new Error(`snapshot in process ${this.process}: ${what}`);
    let before = 0;
    for (const { number } of this.runs) {
      if (number <= before) throw wrong("what was asked in it is out of order");
      before = number;
      if (this.closing.has(number) || this.flow?.run === number) throw wrong(`run ${number} flows and is not answered`);
    }
    if (this.flow !== undefined && this.closing.has(this.flow.run)) throw wrong("a stream that was closed flows");
  }
}
