/**
 * Many requests, one transaction, one fsync; and nobody can tell from an answer that there were neighbours.
 *
 *   take ─► BEGIN ─► each behind its savepoint ─► replies, meta row ─► COMMIT ─► answers, all at once
 *             │            │                                             │
 *             │            └ the transaction is gone (rule 3): those before the offender are run again without it; then
 *             │              it is the first, so that what it is refused for is on disk, and then those behind it. Its
 *             │              text is alone from now on, unless disk or memory were full
 *             └ or COMMIT fails: nothing counts; each is run in a transaction of its own
 *
 * No answer leaves before COMMIT has returned, a refusal neither: what it was refused for may be a row that is gone when
 * the group is. While it syncs, the next group gathers by itself.
 *
 * When very many wait they are not all one group: then this would stand still while all of them are answered and the
 * next are given to it, and each would wait for both. Of two groups one is run while the other is answered.
 */
import { isBusy } from "../../sqlite/index.js";
import {
  isRefusal,
  type Limits,
  type Millis,
  type Refusal,
  type RefusalCode,
  type Seq,
  seq,
} from "../../terms/index.js";
import type { Answer } from "../pipe/messages.js";
import { JobRunner } from "./job-runner.js";
import type { OwnKeys } from "./own-keys.js";
import type { RepliesKept } from "./replies-kept.js";
import type { RequestRunner } from "./request-runner.js";
import type { SchemaWatch } from "./schema-watch.js";
import { isLooseScript, ScriptRunner } from "./script-runner.js";
import type { Transaction } from "./transaction.js";
import type { Job, WriteQueue } from "./write-queue.js";

export interface GroupParts {
  readonly limits: Limits;
  readonly queue: WriteQueue;
  readonly transaction: Transaction;
  readonly replies: RepliesKept;
  readonly ownKeys: OwnKeys;
  readonly runner: RequestRunner;
  readonly schema: SchemaWatch;
  /** Why nothing can be written now, if so. */
  readonly obstacle: () => Refusal | undefined;
  /** Milliseconds on a clock that only runs forward. */
  readonly now: () => number;
  readonly report: (text: string) => void;
}

type Refused = Extract<Answer, { kind: "refused" }>;

type Attempt =
  /** `answers` are those of the first members; `rest` did not get its turn. */
  | { readonly kind: "settled"; readonly answers: readonly Answer[]; readonly rest: readonly Job[] }
  /** The transaction was gone after this one, and with it what the others had done. */
  | { readonly kind: "vanished"; readonly before: readonly Job[]; readonly offender: Job; readonly answer: Refused }
  /** COMMIT failed: nothing counts, and whose doing it was is to be found out. */
  | { readonly kind: "failed"; readonly refusal: Refusal }
  /** There was not even a BEGIN; it would be the same for each of them. */
  | { readonly kind: "barred"; readonly refusal: Refusal };

/** So long a group runs while others wait, or as long as a sync takes (ms): see the question about it in ARCHITECTURE.md. */
const workMs = 1;
/** So many may run longer, and so may a rest of less than half of those that ran: they are not worth a sync of their own. */
const membersMin = 16;
/** For these SQLite ends the transaction whatever the text is. */
const noTextsFault: ReadonlySet<RefusalCode> = new Set(["DISK_FULL", "SQLITE_NOMEM"]);
/** How long syncs took counts for three quarters with the next. */
const kept = 0.75;

export class GroupCommit {
  readonly #parts: GroupParts;
  /** How long a COMMIT takes of late. */
  #commitMs = 0;
  readonly #jobs: JobRunner;
  readonly #scripts: ScriptRunner;

  constructor(parts: GroupParts) {
    this.#parts = parts;
    this.#jobs = new JobRunner(parts);
    this.#scripts = new ScriptRunner({ ...parts, jobs: this.#jobs });
  }

  /** One group and its answers. Throws ProcessMustEnd. */
  next(): readonly Answer[] {
    const { queue, schema, transaction } = this.#parts;
    const group = queue.takeGroup(schema.deferred);
    const [first] = group;
    if (first === undefined) return [];
    this.#jobs.refusingAll = this.#parts.obstacle();
    const loose = first.opened !== undefined && first.message.mode === "run" && isLooseScript(first.opened.plan);
    const answers = loose ? [this.#scripts.run(first, first.opened.plan)] : this.#settle(group);
    transaction.idle();
    return answers;
  }

  /** A transaction for what must be remembered although nobody writes. */
  housekeep(): void {
    const { transaction } = this.#parts;
    if (transaction.begin() !== undefined) return;
    transaction.commit({ upTo: seq(0), noted: seq(0), housekeeping: true, schemaChange: false });
    transaction.idle();
  }

  /** As many of them as can be settled together; the others are the first that wait, in their order. */
  #settle(group: readonly Job[]): readonly Answer[] {
    const { queue } = this.#parts;
    const attempt = this.#attempt(group, true);
    switch (attempt.kind) {
      case "settled":
        queue.putBack(attempt.rest);
        return attempt.answers;
      case "vanished": {
        const { before, offender, answer } = attempt;
        if (!noTextsFault.has(answer.refusal.refused)) queue.isolate(offender, answer.refusal);
        // rule 3: behind others it may be refused for a row that comes to nothing with them.
        const isFirst = before.length === 0;
        queue.putBack(group.slice(isFirst ? 1 : before.length));
        return isFirst ? [answer] : this.#settle(before);
      }
      default:
        return this.#settleEach(group, attempt);
    }
  }

  #settleEach(members: readonly Job[], broken: Attempt): readonly Answer[] {
    const answers: Answer[] = [];
    let attempt = broken;
    let readable = true;
    for (const job of members) {
      // Whoever is in the way was waited for once; it is not waited for again for each.
      if (attempt.kind !== "barred") attempt = this.#attempt([job], false);
      if (attempt.kind === "settled") answers.push(...attempt.answers);
      else if (attempt.kind !== "barred") answers.push(answerOfBroken(job, attempt));
      else {
        const known = this.#lookUp(job, readable);
        if (known === "unreadable") readable = false;
        answers.push(answerOfBarred(job, attempt.refusal, known));
      }
    }
    return answers;
  }

  /** Rule 6: what is stored under a key is told although nothing can be written. Nothing: it was not applied. */
  #lookUp(job: Job, readable: boolean): Answer | "unreadable" | undefined {
    if (job.opened === undefined) return undefined;
    const { opened, message } = job;
    if (!readable) return message.key === undefined && opened.own === undefined ? undefined : "unreadable";
    try {
      return this.#jobs.admit(job);
    } catch (error) {
      if (!isBusy(error)) throw error;
      return "unreadable";
    }
  }

  #attempt(members: readonly Job[], housekeeping: boolean): Attempt {
    const { transaction, replies, now } = this.#parts;
    const begun = now();
    const busy = transaction.begin();
    if (busy !== undefined) return { kind: "barred", refusal: busy };
    if (this.#mustRegroup(members)) return { kind: "settled", answers: [], rest: members };
    const answers: Answer[] = [];
    let wrote = false;
    let upTo: Seq = seq(0);
    for (const job of members) {
      if (answers.length > 0 && this.#isEnough(answers.length, members.length, now() - begun)) break;
      transaction.running(job.message.seq);
      const outcome = this.#jobs.run(job);
      if (!transaction.open) {
        transaction.abandon();
        const { answer } = outcome;
        if (answer.kind !== "refused") throw new Error("a transaction vanished under a request that succeeded");
        return { kind: "vanished", before: members.slice(0, answers.length), offender: job, answer };
      }
      answers.push(outcome.answer);
      wrote ||= outcome.wrote;
      if (job.message.seq > upTo) upTo = job.message.seq;
    }
    const settled: Attempt = { kind: "settled", answers, rest: members.slice(answers.length) };
    if (!wrote && !replies.housekeepingDue) {
      // Nobody changed anything, so no answer rests on this transaction and there is no disk to wait for.
      transaction.abandon();
      return settled;
    }
    const schemaChange = members.some(changesSchema);
    const ran = now();
    const refusal = transaction.commit({ upTo, noted: upTo, housekeeping, schemaChange });
    this.#commitMs = this.#commitMs * kept + (now() - ran) * (1 - kept);
    // When nobody has changed anything only the house was not kept, and every answer stands.
    return refusal === undefined || !wrote ? settled : { kind: "failed", refusal };
  }

  /** Whether those that ran, of so many that wait, are a group by themselves after so long. */
  #isEnough(ran: number, waiting: number, ranMs: Millis): boolean {
    const { groupMs } = this.#parts.limits;
    if (ranMs >= groupMs) return true;
    const isShort = ran < membersMin || waiting - ran < ran / 2;
    return !isShort && ranMs >= Math.max(workMs, this.#commitMs);
  }

  /** Another process has written to the file: what was known of the schema may be wrong (rule 26). */
  #mustRegroup(members: readonly Job[]): boolean {
    const { schema, transaction, report } = this.#parts;
    if (!schema.changedFromOutside()) return false;
    report("another process has changed the database, past the broker: fences and order do not hold for it");
    const deferred = schema.deferred;
    schema.refresh();
    transaction.strangerWrote();
    if (deferred || !schema.deferred || members.length === 1) return false;
    transaction.abandon();
    return true;
  }
}

function changesSchema({ opened }: Job): boolean {
  return (
    opened !== undefined &&
    !isRefusal(opened.plan) &&
    opened.plan.statements.some(({ statement }) => statement.schemaChange)
  );
}

function answerOfBarred(job: Job, refusal: Refusal, known: Answer | "unreadable" | undefined): Answer {
  if (known === "unreadable")
    return { id: job.message.seq, kind: "refused", refusal: { ...refusal, outcome: "unknown" } };
  return known ?? { id: job.message.seq, kind: "refused", refusal };
}

function answerOfBroken(job: Job, attempt: Exclude<Attempt, { kind: "settled" }>): Answer {
  if (attempt.kind === "vanished") return attempt.answer;
  return { id: job.message.seq, kind: "refused", refusal: attempt.refusal };
}
