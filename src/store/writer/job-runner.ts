/**
 * One job inside the open transaction: found under its key, refused, or run. Says what is to be answered once the
 * transaction is on disk.
 */
import { type Encoding, encodeSettled } from "../../protocol/index.js";
import { isRefusal, type Refusal, refuse } from "../../terms/index.js";
import type { Answer, SettleMessage } from "../pipe/messages.js";
import type { RequestPlan } from "../statement/plan.js";
import { refusalOf } from "../statement/sqlite-refusal.js";
import type { StatementResult } from "./changes.js";
import type { OwnKeys } from "./own-keys.js";
import { ProcessMustEnd } from "./process-end.js";
import type { RepliesKept } from "./replies-kept.js";
import type { RequestRunner } from "./request-runner.js";
import { answerOf, replyOf, settledOf } from "./stored-answer.js";
import type { Job, WriteJob } from "./write-queue.js";

export interface Outcome {
  readonly answer: Answer;
  /** It left something in the transaction that a COMMIT must keep. */
  readonly wrote: boolean;
}

export interface JobParts {
  readonly replies: RepliesKept;
  readonly ownKeys: OwnKeys;
  readonly runner: RequestRunner;
  readonly report: (text: string) => void;
}

export class JobRunner {
  readonly #replies: RepliesKept;
  readonly #ownKeys: OwnKeys;
  readonly #runner: RequestRunner;
  readonly #report: (text: string) => void;
  /** Set while nothing new may be written; what is stored is still answered. */
  refusingAll: Refusal | undefined;

  constructor({ replies, ownKeys, runner, report }: JobParts) {
    this.#replies = replies;
    this.#ownKeys = ownKeys;
    this.#runner = runner;
    this.#report = report;
  }

  /** Throws ProcessMustEnd. */
  run(job: Job): Outcome {
    if (job.opened === undefined) return { answer: this.#settle(job.message), wrote: true };
    const known = this.admit(job);
    if (known !== undefined) return { answer: known, wrote: false };
    if (this.refusingAll !== undefined)
      return { answer: { id: job.message.seq, kind: "refused", refusal: this.refusingAll }, wrote: false };
    const plan = job.opened.plan as RequestPlan;
    const { seq: id, encoding, key } = job.message;
    const { own } = job.opened;
    const noRoom = own === undefined ? undefined : this.#ownKeys.refusalOfNew(own.key);
    if (noRoom !== undefined) return { answer: { id, kind: "refused", refusal: noRoom }, wrote: false };
    const result = this.#guarded(job, () => this.#runner.run(plan, encoding));
    if (isRefusal(result)) return { answer: { id, kind: "refused", refusal: result }, wrote: false };
    this.keep(job, result);
    return {
      answer: { id, kind: "done", encoding, bytes: result.body },
      wrote: key !== undefined || own !== undefined || plan.access === "write",
    };
  }

  /** The answer of a request that is not to be run: it was refused when it was opened, or its key is known. */
  admit({ message, opened }: WriteJob): Answer | undefined {
    const { seq: id, encoding, session, key, mode } = message;
    if (isRefusal(opened.plan)) return { id, kind: "refused", refusal: opened.plan };
    const { own, hash } = opened;
    const found =
      own === undefined ? key && this.#replies.admit(session, key, hash) : this.#ownKeys.admit(own.key, hash);
    if (found === undefined) return mode === "run" ? undefined : { id, kind: "absent" };
    if (isRefusal(found)) return { id, kind: "refused", refusal: found };
    return toAnswer(id, encoding, answerOf(found, encoding));
  }

  keep({ message, opened }: WriteJob, result: StatementResult, again = false): void {
    const { session, key, ackedBelow, encoding } = message;
    const { own, hash } = opened;
    const reply = replyOf(result, encoding);
    if (own !== undefined) this.#ownKeys.keep(own, hash, reply);
    else if (key !== undefined) this.#replies.keep({ session, key, hash, reply, ackedBelow, again });
  }

  #settle({ seq: id, session, keys, encoding }: SettleMessage): Answer {
    const settled = this.#replies.settle(session, keys).map(({ key, found }) => settledOf(key, found, encoding));
    return { id, kind: "done", encoding, bytes: encodeSettled(settled, encoding) };
  }

  /** A fault of our own at one request must not take its neighbours along: its savepoint is undone, so it is a refusal. */
  #guarded(job: WriteJob, work: () => StatementResult | Refusal): StatementResult | Refusal {
    try {
      return work();
    } catch (error) {
      if (error instanceof ProcessMustEnd) throw error;
      this.#report(
        `write ${job.message.seq} (${job.message.method}) failed: ${error instanceof Error ? error.stack : String(error)}`,
      );
      const refusal = refusalOf(error);
      return refusal.refused === "INTERNAL" ? { ...refuse("INTERNAL", refusal.message), outcome: "none" } : refusal;
    }
  }
}

export function toAnswer(id: number, encoding: Encoding, body: Buffer | Refusal): Answer {
  return isRefusal(body) ? { id, kind: "refused", refusal: body } : { id, kind: "done", encoding, bytes: body };
}
