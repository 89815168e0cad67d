/**
 * A client's own transaction: its steps, one after the other, while nobody else has the writer. Each step is answered as
 * soon as it has run, since nobody else's answer rests on it; the commit when it is on disk.
 *
 *   none ──begin──► open ──commit, rollback──► none
 *                    │ ▲ run; a commit that is refused by a constraint
 *                    └─┘
 *                    └── SQLite rolls it back because of a step ──► none, and the answer says so
 *
 * A step of a transaction that is not open is not run: it is answered as absent, never in a transaction of its own.
 */
import { encodeBody } from "../../protocol/index.js";
import { isRefusal, type Limits, type Refusal, refuse, type Seq } from "../../terms/index.js";
import type { Answer } from "../pipe/messages.js";
import type { StepMessage } from "../pipe/step-message.js";
import type { Planner, RequestPlan } from "../statement/plan.js";
import { openRequest } from "../statement/request.js";
import { refusalOf } from "../statement/sqlite-refusal.js";
import type { StatementResult } from "./changes.js";
import type { OwnKeys } from "./own-keys.js";
import { ProcessMustEnd } from "./process-end.js";
import { type RepliesKept, replyKinds } from "./replies-kept.js";
import type { RequestRunner } from "./request-runner.js";
import type { SchemaWatch } from "./schema-watch.js";
import { answerOf } from "./stored-answer.js";
import type { Transaction } from "./transaction.js";
import type { WriteQueue } from "./write-queue.js";

export interface StepParts {
  readonly limits: Limits;
  readonly queue: WriteQueue;
  readonly planner: Planner;
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

type Request = NonNullable<StepMessage["request"]>;

const nothing = Buffer.alloc(0);

export class StepRunner {
  readonly #parts: StepParts;
  /** The transaction that is open, by the sequence of its begin. */
  #open: Seq | undefined;
  #schemaChange = false;

  constructor(parts: StepParts) {
    this.#parts = parts;
  }

  get open(): boolean {
    return this.#open !== undefined;
  }

  /** The steps that wait, for a while, or up to a commit: what was answered before leaves first. Throws ProcessMustEnd. */
  next(): readonly Answer[] {
    const { queue, limits, now, transaction } = this.#parts;
    const until = now() + limits.groupMs;
    const answers: Answer[] = [];
    for (let step = queue.nextStep; step !== undefined; step = queue.nextStep) {
      if (answers.length > 0 && (step.step === "commit" || now() >= until)) break;
      queue.dropStep();
      transaction.running(step.seq);
      answers.push(this.#take(step));
    }
    transaction.idle();
    return answers;
  }

  #take(step: StepMessage): Answer {
    const { seq: id, transaction, request } = step;
    if (step.step === "begin") return this.#begin(step);
    if (this.#open !== transaction) return { id, kind: "absent" };
    if (step.step === "rollback") return this.#rollBack(id);
    if (request === undefined) throw new Error(`step ${id} comes without a request`);
    return step.step === "run" ? this.#run(id, request) : this.#commit(step, request);
  }

  #begin({ seq: id, commits }: StepMessage): Answer {
    const { transaction, schema, report, obstacle } = this.#parts;
    if (this.#open !== undefined) throw new Error(`step ${id} begins a transaction inside of another`);
    const refusal = obstacle() ?? transaction.begin();
    if (refusal !== undefined) return { id, kind: "refused", refusal };
    if (schema.changedFromOutside()) {
      report("another process has changed the database, past the broker: fences and order do not hold for it");
      schema.refresh();
      transaction.strangerWrote();
    }
    const stale = commits === undefined ? undefined : transaction.goOnFrom(commits);
    if (stale !== undefined) return { id, kind: "refused", refusal: stale };
    this.#open = id;
    this.#schemaChange = false;
    return done(id, nothing);
  }

  #run(id: Seq, request: Request): Answer {
    const { planner, transaction } = this.#parts;
    const { plan } = openRequest(request, planner, false);
    const result = isRefusal(plan) ? plan : this.#guarded(id, request, plan);
    if (!isRefusal(result)) return { id, kind: "done", encoding: request.encoding, bytes: result.body };
    // rule 3: the statement's error may have ended all of it
    const ended = !transaction.open;
    if (ended) this.#close();
    return { id, kind: "refused", refusal: result, ended };
  }

  /** A fault of our own at one statement is a refusal of it: its savepoint is undone. */
  #guarded(id: Seq, { method, encoding }: Request, plan: RequestPlan): StatementResult | Refusal {
    this.#schemaChange ||= plan.statements.some(({ statement }) => statement.schemaChange);
    try {
      return this.#parts.runner.runStep(plan, encoding);
    } catch (error) {
      if (error instanceof ProcessMustEnd) throw error;
      this.#parts.report(`step ${id} (${method}) failed: ${error instanceof Error ? error.stack : String(error)}`);
      return refusalOf(error);
    }
  }

  #commit({ seq: id, session, key }: StepMessage, request: Request): Answer {
    const { replies, ownKeys, planner, transaction } = this.#parts;
    const { encoding } = request;
    const { plan, hash, own } = openRequest(request, planner, key !== undefined);
    if (isRefusal(plan)) return { id, kind: "refused", refusal: plan };
    const found = own === undefined ? key && replies.admit(session, key, hash) : ownKeys.admit(own.key, hash);
    if (isRefusal(found)) return { id, kind: "refused", refusal: found };
    if (found !== undefined) {
      // It says what another commit came to; whatever this transaction is, it is not that one.
      this.#close();
      const body = answerOf(found, encoding);
      return isRefusal(body) ? { id, kind: "refused", refusal: body, ended: true } : done(id, body, encoding);
    }
    const noRoom = own === undefined ? undefined : ownKeys.refusalOfNew(own.key);
    if (noRoom !== undefined) {
      // As with every commit that finds no room.
      this.#close();
      return { id, kind: "refused", refusal: noRoom, ended: true };
    }
    const body = encodeBody({ seq: id }, encoding);
    const reply = { kind: replyKinds[encoding], result: body };
    if (own !== undefined) ownKeys.keep(own, hash, reply);
    else if (key !== undefined) replies.keep({ session, key, hash, reply, again: false });
    const options = { upTo: id, noted: id, housekeeping: true, schemaChange: this.#schemaChange };
    const refusal = transaction.commitOpen(options);
    if (transaction.open) return { id, kind: "refused", refusal: stillOpen(refusal) };
    this.#open = undefined;
    return refusal === undefined ? done(id, body, encoding) : { id, kind: "refused", refusal, ended: true };
  }

  #rollBack(id: Seq): Answer {
    this.#close();
    return done(id, nothing);
  }

  #close(): void {
    this.#parts.transaction.abandon();
    this.#open = undefined;
  }
}

function done(id: Seq, bytes: Buffer, encoding: Request["encoding"] = "json"): Answer {
  return { id, kind: "done", encoding, bytes };
}

function stillOpen(refusal: Refusal | undefined): Refusal {
  return refusal ?? refuse("INTERNAL", "a commit left its transaction open and did not say why");
}
