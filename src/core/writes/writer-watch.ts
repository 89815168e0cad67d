/**
 * Looks at the busy writer every now and then: a statement that is over its time, or that nobody wants any more, is
 * ended with its process (rule 8). Says afterwards who was to blame.
 */
import { after, type Instant, type Limits, type Millis, type Seq } from "../../terms/index.js";
import type { WriterProgress } from "../command.js";
import type { Deadline, Deadlines } from "../deadlines.js";
import type { Draft } from "../draft.js";
import { culpritOf } from "./settlement.js";
import type { Write } from "./write.js";
import { overdue, WriteClock } from "./write-clock.js";

export interface WriterWatchParts {
  readonly limits: Limits;
  readonly draft: Draft;
  readonly deadlines: Deadlines;
  /** In the writer's hands under this sequence. */
  readonly given: (at: Seq) => Write | undefined;
  /** Somebody else than its session waits for the writer. */
  readonly othersWait: (write: Write) => boolean;
}

/** How often a busy writer is looked at (ms). */
const watchMs = 100;

export class WriterWatch {
  readonly #parts: WriterWatchParts;
  readonly #clock = new WriteClock();
  #watch: Deadline | undefined;
  /** When the present writer was ready; what was noted before was noted by another. */
  #readyAt = 0 as Instant;
  /** The write because of which the present writer is being killed. */
  #killing: Seq | undefined;
  /** What the last writer that died was doing. */
  #lastProgress: WriterProgress | undefined;

  constructor(parts: WriterWatchParts) {
    this.#parts = parts;
  }

  /** The writer has something to do. */
  arm(now: Instant): void {
    if (!this.#watch?.armed) this.#watch = this.#parts.deadlines.arm("write-watch", undefined, after(now, watchMs));
  }

  /** Time to look; the answer comes as an event. */
  look(now: Instant): void {
    this.#parts.draft.dispatch.push({ to: "writer", kind: "probe" });
    this.arm(now);
  }

  /** Is the statement that it runs over its time? Returns whether it is killed for that. */
  seen(progress: WriterProgress | undefined, now: Instant): boolean {
    if (this.#killing !== undefined || progress?.phase !== "running" || progress.since < this.#readyAt) return false;
    const write = this.#parts.given(progress.seq);
    if (write === undefined) return false;
    const verdict = overdue(write, this.#clock.runningMs(progress, now), {
      limits: this.#parts.limits,
      contended: this.#parts.othersWait(write),
      shortened: write.session !== undefined && this.#clock.killsOften(write.session.id, now),
    });
    if (verdict === undefined) return false;
    write.killed = verdict;
    this.#killing = progress.seq;
    this.#clock.killed(write.owner, now);
    this.#parts.draft.dispatch.push({ to: "writer", kind: "kill", why: `write ${progress.seq}: ${verdict}` });
    return true;
  }

  /** As of the last time anybody looked: this session's writes are to run alone. */
  aloneFor(write: Write): boolean {
    return write.session !== undefined && this.#clock.aloneFor(write.session.id);
  }

  /** The broker stood still: nobody's statement was running in that time. */
  paused(ms: Millis, now: Instant): void {
    this.#clock.paused(ms, now);
  }

  /** `wasReady`: one that died before it was ready has run nothing; what its predecessor did still counts. */
  writerGone(wasReady: boolean, progress: WriterProgress | undefined): void {
    if (wasReady) this.#lastProgress = progress;
    this.#clock.forget();
  }

  /** Its successor is ready. Says what the one before was doing, and which write it died of, if that is known. */
  writerReady(now: Instant): { readonly culprit: Seq | undefined; readonly progress: WriterProgress | undefined } {
    this.#readyAt = now;
    const progress = this.#lastProgress;
    const culprit = culpritOf(this.#killing, progress);
    this.#killing = undefined;
    this.#lastProgress = undefined;
    return { culprit, progress };
  }
}
