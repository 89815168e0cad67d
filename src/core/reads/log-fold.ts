/**
 * Folding the log into the database when it has grown (rule 16). The log can be emptied only while nobody reads from it,
 * so first the snapshots end (those that are not young at once), then plain reads are held until those that run have
 * ended; what writes is never in its way.
 *
 *   quiet ──log too large──► snapshots end ──none is open──► reads are held ──none runs──► asked ──folded──► quiet
 *     ▲                            │                                │                        │
 *     └────────────────────────────┴────── the writer is gone ──────┴────────────────────────┘
 *
 * Asked while the writer is at a statement or a script that takes long, it does so late: then reads go on meanwhile, and
 * if one of them is in the way the log is tried to be folded another time.
 */
import { after, type Instant, type Limits } from "../../terms/index.js";
import type { WriterProgress } from "../command.js";
import type { Deadline, Deadlines } from "../deadlines.js";
import type { Draft } from "../draft.js";

/** Who reads from the log. Calls `look` when it is busy no more. */
export interface LogReader {
  readonly busy: boolean;
  holdForFold(held: boolean, now: Instant): void;
}

export interface LogFoldParts {
  readonly limits: Limits;
  readonly draft: Draft;
  readonly deadlines: Deadlines;
  readonly snapshots: LogReader;
  readonly reads: LogReader;
  /** A transaction has the writer to itself, so that nobody folds the log. */
  readonly writerOwned: () => boolean;
}

/** A log over its hard limit is tried to be folded again after so long (ms): nothing is written, so it cannot grow. */
const againMs = 1000;
/** For what the writer is at for so long nobody waits who only reads (ms). */
const patienceMs = 1000;

export class LogFold {
  readonly #parts: LogFoldParts;
  #state: "quiet" | "snapshots" | "reads" | "asked" | "late" = "quiet";
  /** There is a writer that can fold the log. */
  #canFold = false;
  #walBytes = 0;
  /** When the writer was last asked to fold it. */
  #askedAt = 0;
  /** How large it was when it was last tried. */
  #triedBytes = 0;
  #again: Deadline | undefined;
  /** To be folded when the transaction is over that has the writer now. */
  #waits = false;

  constructor(parts: LogFoldParts) {
    this.#parts = parts;
  }

  writerIs(state: "starting" | "ready" | "unavailable", now: Instant): void {
    this.#canFold = state === "ready";
    this.#waits = false;
    if (!this.#canFold) this.#release(now);
    else this.#tryLater(now);
  }

  /** The log is about to be folded, or should be as soon as the writer is free: nobody may take it for long. */
  get wanted(): boolean {
    return this.#state !== "quiet" || this.#waits;
  }

  walGrew(walBytes: number, now: Instant): void {
    const { walBytesMax } = this.#parts.limits;
    this.#walBytes = walBytes;
    this.#waits = false;
    if (walBytes < walBytesMax || this.#state !== "quiet" || !this.#canFold) return;
    // A fold that could not finish is tried again only when the log has grown by a quarter.
    if (walBytes >= this.#triedBytes + walBytesMax / 4) this.#begin(now);
  }

  checkpointed(walBytes: number, now: Instant): void {
    this.#walBytes = walBytes;
    if (walBytes < this.#parts.limits.walBytesMax) this.#triedBytes = 0;
    this.#release(now);
    this.#tryLater(now);
  }

  /** Something that read has ended. */
  look(now: Instant): void {
    const { snapshots, reads, draft } = this.#parts;
    if (this.#state === "snapshots" && !snapshots.busy) {
      this.#state = "reads";
      reads.holdForFold(true, now);
    }
    if (this.#state !== "reads" || reads.busy) return;
    this.#state = "asked";
    this.#askedAt = now;
    draft.dispatch.push({ to: "writer", kind: "checkpoint" });
  }

  /** What the writer is at. */
  writerAt(progress: WriterProgress | undefined, now: Instant): void {
    if (this.#state !== "asked" || progress === undefined) return;
    const { phase, since } = progress;
    // A script may have many statements and commits, none of which takes long. The one commit of others is soon over.
    if (phase !== "running" && !(phase === "committing" && since > this.#askedAt)) return;
    if (now - Math.min(since, this.#askedAt) < patienceMs) return;
    this.#state = "late";
    this.#letGo(now);
  }

  /** The time for another try has come. */
  tryAgain(now: Instant): void {
    if (this.#full && this.#canFold && this.#state === "quiet") this.#begin(now);
  }

  #begin(now: Instant): void {
    this.#waits = this.#parts.writerOwned();
    if (this.#waits) return;
    this.#triedBytes = this.#walBytes;
    this.#state = "snapshots";
    this.#parts.snapshots.holdForFold(true, now);
    this.look(now);
  }

  #release(now: Instant): void {
    if (this.#state === "quiet") return;
    this.#state = "quiet";
    this.#letGo(now);
  }

  #letGo(now: Instant): void {
    this.#parts.reads.holdForFold(false, now);
    this.#parts.snapshots.holdForFold(false, now);
  }

  get #full(): boolean {
    return this.#walBytes >= this.#parts.limits.walBytesHardMax;
  }

  #tryLater(now: Instant): void {
    this.#parts.deadlines.cancel(this.#again);
    if (this.#full && this.#canFold)
      this.#again = this.#parts.deadlines.arm("log-fold", undefined, after(now, againMs));
  }
}
