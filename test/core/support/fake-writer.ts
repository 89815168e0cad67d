/**
 * The writer that a test plays: takes jobs in order, runs them in groups, dies at any point of a group, and keeps what a
 * real one would have on disk. What it applies is counted, so that twice is seen.
 */
import type { Job, Parcel, StoreAnswer, StoreEvent, WriterProgress } from "../../../src/core/index.js";
import { type RequestKey, refuse, type SessionId } from "../../../src/terms/index.js";
import { type Savepoints, setOrEnd } from "./savepoints.js";
import { seqOf, type TestParcel, whatOf } from "./values.js";

type WriterJob = Extract<Job, { to: "writer" }>;
export type WriteJob = Extract<WriterJob, { kind: "write" }>;
export type StepJob = Extract<WriterJob, { kind: "step" }>;
type SettleJob = Extract<WriterJob, { kind: "settle" }>;
type WorkJob = WriteJob | StepJob | SettleJob;
type Answer = { readonly seq: WriteJob["seq"]; readonly answer: StoreAnswer };

/** Where in a group of `jobs` the process dies. */
export interface Death {
  /** So many of the waiting jobs are in the group; of them all were run but for the last, which is running. */
  readonly jobs: number;
  readonly phase: "running" | "committing" | "committed" | "idle";
  /** Nobody can read the progress file. */
  readonly blind?: boolean;
  readonly ioFailed?: boolean;
  /** By itself. */
  readonly left?: boolean;
}

export interface Applied {
  readonly seq: number;
  readonly session: string;
  readonly key: number | undefined;
  readonly what: string;
}

/** How requests and answers are written: by the tests of the core in plain words, elsewhere as on the wire. */
export interface Spelling {
  readonly whatOf: (parcel: Parcel) => TestParcel;
  readonly did: (what: string, parcel: Parcel) => unknown;
  readonly committed: (what: string, parcel: Parcel) => unknown;
  /** `shows`: how many writes were there for it; `own`: of its transaction, and not committed. */
  readonly saw: (what: string, parcel: Parcel, shows: number, own: number) => unknown;
  readonly outcomes: (
    keys: readonly { readonly key: number; readonly did: string | undefined }[],
    parcel: Parcel,
  ) => unknown;
}

interface Open {
  readonly transaction: number;
  readonly done: Applied[];
  readonly savepoints: Savepoints;
}

interface Reply {
  readonly what: string;
  readonly spell: (what: string, parcel: Parcel) => unknown;
}

export const plain: Spelling = {
  whatOf,
  did: (what) => `did ${what}`,
  committed: (what) => `committed ${what}`,
  saw: (what) => `saw ${what}`,
  outcomes: (keys) => keys.map(({ key, did }) => `${key}:${did === undefined ? "never" : "applied"}`).join(" "),
};

export class FakeWriter {
  state: "none" | "starting" | "ready" = "none";
  /** None could be had lately, and another try may be under way. */
  unavailable = false;
  /** In its pipe, in order. */
  waiting: WorkJob[] = [];
  storedSeq: number;
  /** How many commits there were. */
  commits = 0;
  /** What the present process has stored; 0 before its first commit. */
  #stored = 0;
  epoch = 0;
  tokensTo = 1;
  readonly tokensPerBlock: number;
  incarnation = "first";
  /** Of the machine when a writer last began; null before the first. */
  previousBootId: string | null = null;
  bootId: string | null = null;
  /** A lock may have been held when the last broker ended. */
  heldBefore = false;
  walBytes = 0;
  /** What it tells of its groups, if anything. */
  times: { readonly ranMs: number; readonly committedMs: number } | undefined;
  /** Committed, in order. */
  readonly applied: Applied[] = [];
  /** Whether the answer of a write is small enough to be stored with its key. */
  keeps: (what: string) => boolean = () => true;
  /** Hears of each write when it is there for all to see: answered, or found by the next writer. */
  onApplied: (applied: Applied) => void = () => undefined;
  /** Hears of each commit at once: its number, and what was applied with it. */
  onCommitted: (seq: number, applied: readonly Applied[]) => void = () => undefined;
  /** How much of what is applied is committed and was said to be. */
  #heard = 0;
  /** Committed by a writer that died before it could say so. */
  readonly #inDoubt: Applied[] = [];
  readonly asked: WriterJob[] = [];
  /** The transaction that is open, and what it has done. */
  #open: Open | undefined;
  /** By `session/key`, and by a caller's own key. */
  readonly #replies = new Map<string, Reply>();
  readonly #forgottenBelow = new Map<SessionId, number>();
  readonly #ended = new Set<string>();

  readonly #spelling: Spelling;

  constructor(storedSeq = 0, tokensPerBlock = 1_000_000, spelling = plain) {
    this.storedSeq = storedSeq;
    this.tokensPerBlock = tokensPerBlock;
    this.#spelling = spelling;
  }

  obey(job: WriterJob): void {
    switch (job.kind) {
      case "start":
        if (this.state !== "none") throw new Error(`a writer was to be started while one is ${this.state}`);
        this.state = "starting";
        break;
      case "write":
      case "step":
      case "settle":
        if (this.state === "ready") this.waiting.push(job);
        break;
      case "end-session":
        this.#ended.add(job.session);
        break;
      case "nothing-held":
        if (this.state === "ready") this.heldBefore = false;
        break;
      default:
    }
    if (job.kind !== "write" && job.kind !== "step" && job.kind !== "settle") this.asked.push(job);
  }

  /** Takes out what was asked of it in this kind since the last time. */
  taken<Kind extends WriterJob["kind"]>(kind: Kind): Extract<WriterJob, { kind: Kind }>[] {
    const found = this.asked.filter((job): job is Extract<WriterJob, { kind: Kind }> => job.kind === kind);
    for (const job of found) this.asked.splice(this.asked.indexOf(job), 1);
    return found;
  }

  /** The start write has returned. */
  ready(): StoreEvent {
    this.state = "ready";
    this.unavailable = false;
    this.#stored = 0;
    this.waiting = [];
    this.#open = undefined;
    this.epoch++;
    for (const applied of this.#inDoubt.splice(0)) this.onApplied(applied);
    const tokensFrom = this.tokensTo;
    this.tokensTo += this.tokensPerBlock;
    const { epoch, storedSeq, incarnation, tokensTo, previousBootId, heldBefore } = this;
    this.previousBootId = this.bootId;
    this.heldBefore = true;
    return {
      kind: "writer-ready",
      epoch,
      starts: 1,
      storedSeq: seqOf(storedSeq),
      previousBootId,
      heldBefore,
      movedFrom: null,
      incarnation,
      tokensFrom,
      tokensTo,
    };
  }

  reserve({ above, newIncarnation }: Extract<WriterJob, { kind: "reserve" }>): StoreEvent {
    const tokensFrom = Math.max(this.tokensTo, above + 1);
    this.tokensTo = tokensFrom + this.tokensPerBlock;
    if (newIncarnation) this.incarnation += "'";
    return { kind: "tokens-reserved", tokensFrom, tokensTo: this.tokensTo, incarnation: this.incarnation };
  }

  get inTransaction(): boolean {
    return this.#open !== undefined;
  }

  /** How many of what waits can be run: those before the first that does not end. */
  get runnable(): number {
    const endless = this.waiting.findIndex(
      (job) => job.parcel !== undefined && !isReplay(job) && this.#spelling.whatOf(job.parcel).endless,
    );
    return endless < 0 ? this.waiting.length : endless;
  }

  /** One group: the first `jobs` of what waits. */
  settle(jobs = this.waiting.length): StoreEvent {
    const answers = this.#run(this.waiting.splice(0, jobs));
    for (const applied of this.#inDoubt.splice(0)) this.onApplied(applied);
    const times = this.times === undefined ? {} : { times: this.times };
    return { kind: "writer-settled", answers, storedSeq: seqOf(this.#stored), walBytes: this.walBytes, ...times };
  }

  die({ jobs, phase, blind = false, ioFailed = false, left = false }: Death, now: number): StoreEvent {
    const group = this.waiting.slice(0, jobs);
    if (phase === "committed") this.#run(group);
    const last = group.at(-1);
    const progress: WriterProgress = {
      seq: last === undefined || phase === "idle" ? seqOf(0) : last.seq,
      phase: phase === "committed" ? "committing" : phase,
      since: now,
    };
    this.state = "none";
    this.waiting = [];
    this.#open = undefined;
    return { kind: "writer-gone", progress: blind ? undefined : progress, ioFailed, left, reason: "killed" };
  }

  /** The file is an older copy of itself, as far as its numbers go. */
  putBack(): void {
    this.storedSeq = Math.max(0, this.storedSeq - 5);
    this.tokensTo = Math.max(1, this.tokensTo - this.tokensPerBlock);
  }

  /** The successor cannot be had. */
  refuse(reason = "no room"): StoreEvent {
    this.state = "none";
    this.unavailable = true;
    return { kind: "writer-unavailable", reason };
  }

  #run(group: readonly WorkJob[]): Answer[] {
    const answers: Answer[] = [];
    let wrote = false;
    for (const [place, job] of group.entries()) {
      const answer = this.#answer(job);
      answers.push({ seq: job.seq, answer });
      const isStep = job.kind === "step";
      wrote ||= answer.kind === "done" && (!isStep || job.step === "commit");
      // A commit is one by itself; of plain writes all that stand together are one.
      if (wrote && (isStep || group[place + 1]?.kind !== job.kind)) {
        this.storedSeq = Math.max(this.storedSeq, job.seq);
        this.#stored = this.storedSeq;
        this.commits++;
        this.onCommitted(job.seq, this.applied.slice(this.#heard));
        this.#heard = this.applied.length;
        wrote = false;
      }
    }
    return answers;
  }

  #answer(job: WorkJob): StoreAnswer {
    switch (job.kind) {
      case "settle":
        return this.#outcomes(job);
      case "write":
        if (this.#open !== undefined)
          throw new Error(`write ${job.seq} was sent into transaction ${this.#open.transaction}`);
        return this.#write(job);
      case "step":
        return this.#step(job);
    }
  }

  #step(job: StepJob): StoreAnswer {
    if (job.step === "begin") {
      if (this.#open !== undefined)
        throw new Error(`step ${job.seq} begins inside transaction ${this.#open.transaction}`);
      if (job.commits !== undefined && job.commits !== this.commits)
        return { kind: "refused", refusal: refuse("SQLITE_BUSY_SNAPSHOT", "something was committed since") };
      this.#open = { transaction: job.seq, done: [], savepoints: [] };
      return { kind: "done", body: "begun" };
    }
    if (this.#open?.transaction !== job.transaction) return { kind: "absent" };
    switch (job.step) {
      case "run":
        return this.#runStep(job, this.#open);
      case "commit":
        return this.#commit(job, this.#open.done);
      case "rollback":
        this.#open = undefined;
        return { kind: "done", body: "rolled back" };
    }
  }

  #runStep({ seq, session, parcel }: StepJob, { done, savepoints }: Open): StoreAnswer {
    if (parcel === undefined) throw new Error(`step ${seq} runs nothing`);
    const { what, fails, ends, as } = this.#spelling.whatOf(parcel);
    const refusal = refuse("SQLITE_CONSTRAINT", `${what} failed`);
    if (ends) this.#open = undefined;
    if (ends) return { kind: "refused", refusal, ended: true };
    if (fails) return { kind: "refused", refusal };
    if (as === undefined) done.push({ seq, session, key: undefined, what });
    else if (as !== "read") setOrEnd(savepoints, what, as);
    else return { kind: "done", body: this.#spelling.saw(what, parcel, this.applied.length, done.length) };
    return { kind: "done", body: this.#spelling.did(what, parcel) };
  }

  #commit({ seq, session, key, parcel }: StepJob, done: readonly Applied[]): StoreAnswer {
    if (parcel === undefined) throw new Error(`commit ${seq} has nothing to say`);
    const { what, fails, ownKey } = this.#spelling.whatOf(parcel);
    if (this.#ended.has(session)) return { kind: "refused", refusal: refuse("RETRY_TOO_OLD", "the session has ended") };
    const stored = ownKey === undefined ? undefined : this.#replies.get(ownKey);
    // It says what another commit came to; whatever this transaction is, it is not that one.
    if (stored !== undefined) this.#open = undefined;
    if (stored !== undefined) return { kind: "done", body: stored.spell(stored.what, parcel) };
    // A constraint that waits for COMMIT: the transaction is open all the same.
    if (fails) return { kind: "refused", refusal: refuse("SQLITE_CONSTRAINT", `${what} failed`) };
    this.#open = undefined;
    const applied = [...done, { seq, session, key, what }];
    this.applied.push(...applied);
    this.#inDoubt.push(...applied);
    const { committed } = this.#spelling;
    if (key !== undefined) this.#replies.set(`${session}/${key}`, { what, spell: committed });
    if (ownKey !== undefined) this.#replies.set(ownKey, { what, spell: committed });
    return { kind: "done", body: committed(what, parcel) };
  }

  #write(job: WriteJob): StoreAnswer {
    const { seq, session, key, mode } = job;
    const { what, fails, ownKey } = this.#spelling.whatOf(job.parcel);
    const stored = key === undefined ? this.#replies.get(ownKey ?? "") : this.#reply(session, key);
    if (stored !== undefined && !this.keeps(what))
      return { kind: "refused", refusal: refuse("RESULT_NOT_KEPT", "the write was applied") };
    if (stored !== undefined) return { kind: "done", body: stored.spell(stored.what, job.parcel) };
    if (mode === "replay") return { kind: "absent" };
    if (this.#ended.has(session)) return { kind: "refused", refusal: refuse("RETRY_TOO_OLD", "the session has ended") };
    if (fails) return { kind: "refused", refusal: refuse("SQLITE_CONSTRAINT", `${what} failed`) };
    const applied = { seq, session, key, what };
    this.applied.push(applied);
    this.#inDoubt.push(applied);
    const { did } = this.#spelling;
    if (ownKey !== undefined) this.#replies.set(ownKey, { what, spell: did });
    if (key !== undefined) {
      this.#replies.set(`${session}/${key}`, { what, spell: did });
      this.#forgottenBelow.set(session, Math.max(job.ackedBelow, this.#forgottenBelow.get(session) ?? 0));
    }
    return { kind: "done", body: did(what, job.parcel) };
  }

  /** The store may write over what is acknowledged: it must not be needed again. */
  #reply(session: SessionId, key: RequestKey): Reply | undefined {
    const below = this.#forgottenBelow.get(session) ?? 0;
    if (key < below)
      throw new Error(`the reply under key ${key} was asked for, and all below ${below} are acknowledged`);
    return this.#replies.get(`${session}/${key}`);
  }

  #outcomes({ session, keys, parcel }: SettleJob): StoreAnswer {
    const known = keys.map((key) => ({ key, did: this.#reply(session, key)?.what }));
    return { kind: "done", body: this.#spelling.outcomes(known, parcel) };
  }
}

/** It is answered from what is stored, and never run. */
function isReplay(job: WorkJob): boolean {
  return job.kind === "write" && job.mode === "replay";
}
