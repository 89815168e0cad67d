/**
 * Looks at the busy writer every now and then: a statement that is over its time, or that nobody wants any more, is
 * ended with its process (rule 8), and so is a writer that stands still: it begins nothing of what it was given, or was
 * stopped in the middle of it. Says afterwards who was to blame.
 */
import { after, type Instant, type Limits, type Millis, type Seq } from "../../terms/index.js";
import type { StoreEvent, WriterProgress } from "../command.js";
import type { Deadline, Deadlines } from "../deadlines.js";
import type { Draft } from "../draft.js";
import { culpritOf, type Death, type Killing } from "./settlement.js";
import type { Write } from "./write.js";
import { overdue, WriteClock } from "./write-clock.js";
import type { WriterHands } from "./writer-hands.js";

export interface WriterWatchParts {
  readonly limits: Limits;
  readonly draft: Draft;
  readonly deadlines: Deadlines;
  readonly hands: Pick<WriterHands, "get" | "size" | "firstOpen">;
  /** Somebody else than its session waits for the writer. */
  readonly othersWait: (write: Write) => boolean;
}

export type WriterSeen = Omit<Extract<StoreEvent, { kind: "writer-progress" }>, "kind">;
type WriterEnd = Pick<Extract<StoreEvent, { kind: "writer-gone" }>, "progress" | "left" | "ioFailed">;

/** How often a busy writer is looked at (ms). */
const watchMs = 100;
/**
 * A writer that stands still is ended after `writeContendedMs`, but not sooner than this (ms): on a busy machine it may
 * get no processor for a while, and before it begins it waits for a stranger's transaction (`busyMs` of the writer).
 */
const stillMsMin = 3000;
/** A commit that takes longer (ms) waits for a disk: who is killed in it goes no sooner. */
const commitMsMax = 1000;

/** What it was seen to be at while it stood still: with what it was given not begun, or stopped in the middle of it. */
interface Still {
  readonly firstOpen: Seq;
  readonly notedAt: number;
  /** When it was first seen so. */
  readonly since: Instant;
}

export class WriterWatch {
  readonly #parts: WriterWatchParts;
  readonly #clock = new WriteClock();
  #watch: Deadline | undefined;
  /** When the present writer was ready; what was noted before was noted by another. */
  #readyAt = 0 as Instant;
  /** The present writer is being killed. */
  #killing: Killing | undefined;
  #still: Still | undefined;
  /** The script with a transaction for each statement that it was seen to be at, and since when. */
  #script: Pick<WriterProgress, "seq" | "since"> | undefined;
  /** How the last writer that was ready has ended. */
  #end: WriterEnd | undefined;

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

  /** Is the statement that it runs over its time, or does it stand still? Returns whether it is killed for that. */
  seen({ progress, stopped = false }: WriterSeen, now: Instant): boolean {
    if (this.#killing !== undefined || progress === undefined) return false;
    if (progress.phase === "idle" || stopped) return this.#seenStill(progress, stopped, now);
    this.#still = undefined;
    return progress.phase !== "folding" && this.#seenAtWork(progress, now);
  }

  /** Somebody has stopped it, or it gets no processor: nobody's write is to blame, unless it does so again and again. */
  #seenStill({ since: notedAt }: WriterProgress, stopped: boolean, now: Instant): boolean {
    const { hands, limits } = this.#parts;
    const { firstOpen } = hands;
    if (hands.size === 0 || this.#still?.firstOpen !== firstOpen || this.#still.notedAt !== notedAt)
      this.#still = { firstOpen, notedAt, since: now };
    const stillMs = this.#clock.runningMs(this.#still, now);
    if (stillMs < Math.max(limits.writeContendedMs, stillMsMin)) return false;
    this.#kill({ culprit: undefined, stopped }, `it has stood still for ${Math.round(stillMs)} ms`);
    return true;
  }

  #seenAtWork(progress: WriterProgress, now: Instant): boolean {
    if (progress.since < this.#readyAt) return false;
    const write = this.#parts.hands.get(progress.seq);
    if (write === undefined) return false;
    const begun = write.piecewise === true ? this.#scriptBegun(progress) : progress;
    if (progress.phase === "committing" && !this.#isBetween(write, progress, now)) return false;
    const verdict = overdue(write, this.#clock.runningMs(begun, now), {
      limits: this.#parts.limits,
      contended: this.#parts.othersWait(write),
      shortened: write.session !== undefined && this.#clock.killsOften(write.session.id, now),
    });
    if (verdict === undefined) return false;
    write.killed = verdict;
    this.#clock.killed(write.owner, now);
    this.#kill({ culprit: progress.seq }, `write ${progress.seq}: ${verdict}`);
    return true;
  }

  /** In one of the many commits of a script, which may be all that is ever seen of it. */
  #isBetween({ piecewise }: Write, progress: WriterProgress, now: Instant): boolean {
    return piecewise === true && this.#clock.runningMs(progress, now) < commitMsMax;
  }

  /** What is noted is of one statement and its commit; the limits are for all of them. */
  #scriptBegun({ seq, since }: WriterProgress): Pick<WriterProgress, "since"> {
    if (this.#script?.seq !== seq) this.#script = { seq, since };
    return this.#script;
  }

  #kill(killing: Killing, why: string): void {
    this.#killing = killing;
    this.#parts.draft.dispatch.push({ to: "writer", kind: "kill", why });
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
  writerGone(wasReady: boolean, end: WriterEnd): void {
    if (wasReady) this.#end = end;
    this.#clock.forget();
  }

  /** Its successor is ready. Says what the one before was doing, and what it died of, if that is known. */
  writerReady(now: Instant): Omit<Death, "storedSeq"> {
    this.#readyAt = now;
    const { progress, left = false, ioFailed = false } = this.#end ?? {};
    const culprit = culpritOf(this.#killing, progress);
    const unexplained = culprit === undefined && !left && this.#killing?.stopped !== true;
    this.#killing = undefined;
    this.#still = undefined;
    this.#script = undefined;
    this.#end = undefined;
    return { culprit, progress, unexplained, ioFailed };
  }
}
