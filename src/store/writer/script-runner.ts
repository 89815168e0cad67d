/**
 * A script that is not atomic: each statement in a transaction of its own, to the first error. Its key is written with
 * the first of them and kept up with each, so that it is never run twice, and what was applied is known to the number.
 */
import { encodeResults } from "../../protocol/index.js";
import { isRefusal, type Limits, outcomeOf, type Refusal, seq } from "../../terms/index.js";
import type { Answer } from "../pipe/messages.js";
import { inStatement, type RequestPlan } from "../statement/plan.js";
import type { JobRunner } from "./job-runner.js";
import { type RepliesKept, type Reply, replyKinds } from "./replies-kept.js";
import type { RequestRunner } from "./request-runner.js";
import type { Transaction } from "./transaction.js";
import type { WriteJob } from "./write-queue.js";

interface Parts {
  readonly limits: Limits;
  readonly transaction: Transaction;
  readonly replies: RepliesKept;
  readonly runner: RequestRunner;
  /** Why nothing can be written now, if so. */
  readonly obstacle: () => Refusal | undefined;
  readonly jobs: JobRunner;
}

type ScriptPlan = Extract<RequestPlan, { kind: "script" }>;
type Ending = { readonly bodies: readonly Buffer[]; readonly refusal: Refusal | undefined };

export function isLooseScript(plan: RequestPlan | Refusal): plan is ScriptPlan {
  return !isRefusal(plan) && plan.kind === "script" && !plan.atomic;
}

export class ScriptRunner {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Throws ProcessMustEnd. */
  run(job: WriteJob, plan: ScriptPlan): Answer {
    const known = this.#parts.jobs.admit(job);
    if (known !== undefined) return known;
    const { seq: id, encoding } = job.message;
    const { refusingAll } = this.#parts.jobs;
    if (refusingAll !== undefined) return { id, kind: "refused", refusal: refusingAll };
    const { bodies, refusal } = this.#runAll(job, plan);
    if (refusal === undefined) return { id, kind: "done", encoding, bytes: encodeResults(bodies, encoding) };
    return { id, kind: "refused", refusal: this.#ended(job, bodies.length, refusal) };
  }

  #runAll(job: WriteJob, plan: ScriptPlan): Ending {
    const { limits, transaction, runner, obstacle, jobs } = this.#parts;
    const { seq: at, encoding } = job.message;
    const bodies: Buffer[] = [];
    let bytesMax = limits.resultBytesMax;
    // A script without statements is a success as well, and its key must say so.
    for (let index = 0; index < Math.max(plan.statements.length, 1); index++) {
      // Those before it have let the log grow, each by what it has written.
      const barred = (index > 0 ? obstacle() : undefined) ?? transaction.begin();
      if (barred !== undefined) return { bodies, refusal: inStatement(barred, index) };
      transaction.running(at);
      const found = plan.statements[index]?.statement;
      const result = found === undefined ? undefined : runner.runStatement(plan, index, { encoding, bytesMax });
      if (isRefusal(result)) {
        transaction.abandon();
        return { bodies, refusal: result };
      }
      if (result !== undefined) bodies.push(result.body);
      const last = index >= plan.statements.length - 1;
      if (last) jobs.keep(job, { body: encodeResults(bodies, encoding), changes: undefined }, index > 0);
      else this.#note(job, { kind: replyKinds.begun, result: BigInt(index + 1) }, index > 0);
      const schemaChange = found?.schemaChange ?? false;
      const refusal = transaction.commit({ upTo: last ? at : seq(0), noted: at, housekeeping: last, schemaChange });
      if (refusal !== undefined) return { bodies: bodies.slice(0, index), refusal: inStatement(refusal, index) };
      bytesMax -= result?.body.length ?? 0;
    }
    return { bodies, refusal: undefined };
  }

  /** What was applied stays, and under the key stands how the script ended. */
  #ended(job: WriteJob, applied: number, refusal: Refusal): Refusal {
    const { transaction } = this.#parts;
    const isPart = applied > 0 && outcomeOf(refusal) === "none";
    const told: Refusal = {
      ...refusal,
      ...(isPart ? { outcome: "partial" } : {}),
      details: { ...refusal.details, applied },
    };
    if (applied === 0 || job.message.key === undefined || transaction.begin() !== undefined) return told;
    this.#note(job, { kind: replyKinds.refusal, result: JSON.stringify(told) }, true);
    // If even this cannot be written, the key still says how far the script came.
    transaction.commit({ upTo: job.message.seq, noted: job.message.seq, housekeeping: false, schemaChange: false });
    return told;
  }

  #note({ message, opened }: WriteJob, reply: Reply, again: boolean): void {
    const { session, key, ackedBelow } = message;
    const { hash } = opened;
    if (key !== undefined) this.#parts.replies.keep({ session, key, hash, reply, ackedBelow, again });
  }
}
