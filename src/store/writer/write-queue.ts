/** What waits to be written, in the order in which it came, and how much of it goes into the next transaction. */
import { createHash } from "node:crypto";
import { isRefusal, type Limits, type Refusal } from "../../terms/index.js";
import type { SettleMessage, WriteMessage } from "../pipe/messages.js";
import type { StepMessage } from "../pipe/step-message.js";
import type { Planner } from "../statement/plan.js";
import { type OpenedRequest, openRequest } from "../statement/request.js";

export type WriteJob = {
  readonly message: WriteMessage;
  readonly opened: OpenedRequest;
};
export type SettleJob = { readonly message: SettleMessage; readonly opened: undefined };
export type Job = WriteJob | SettleJob;

/** Texts that ended everybody's transaction once. */
const loneTextsMax = 1024;
/** A longer one is remembered by its digest (UTF-16 units). */
const textUnitsMax = 256;

export class WriteQueue {
  readonly #planner: Planner;
  readonly #limits: Limits;
  #waiting: (WriteMessage | StepMessage | SettleMessage)[] = [];
  #next = 0;
  /** The first of those that wait, as far as they were opened. */
  #opened: Job[] = [];
  readonly #loneTexts = new Set<string>();

  constructor(planner: Planner, limits: Limits) {
    this.#planner = planner;
    this.#limits = limits;
  }

  add(message: WriteMessage | StepMessage | SettleMessage): void {
    this.#waiting.push(message);
  }

  get length(): number {
    return this.#waiting.length - this.#next;
  }

  /** The first that waits, if it is a step of a client's transaction. */
  get nextStep(): StepMessage | undefined {
    const first = this.#waiting[this.#next];
    return first?.kind === "step" ? first : undefined;
  }

  /** It is being run. */
  dropStep(): void {
    this.#dropFirst();
  }

  /**
   * The next group, up to the next step of a client's transaction: as many as the limits allow, or one that must be alone (rule 7). `schemaDefers`: a constraint waits
   * for COMMIT somewhere in the schema, so every write is alone.
   */
  takeGroup(schemaDefers: boolean): readonly Job[] {
    const { groupRequestsMax, groupBytesMax } = this.#limits;
    const group: Job[] = [];
    let bytes = 0;
    while (group.length < groupRequestsMax && bytes < groupBytesMax) {
      const job = this.#first();
      if (job === undefined) break;
      const alone = this.#mustBeAlone(job, schemaDefers);
      if (alone && group.length > 0) break;
      this.#dropFirst();
      group.push(job);
      if (alone) break;
      bytes += job.message.kind === "write" ? job.message.raw.length : 0;
    }
    return group;
  }

  /** What a group did not get to goes to the front of the queue again. */
  putBack(jobs: readonly Job[]): void {
    if (jobs.length === 0) return;
    this.#waiting = [...jobs.map(({ message }) => message), ...this.#waiting.slice(this.#next)];
    this.#next = 0;
    this.#opened = [...jobs, ...this.#opened];
  }

  /**
   * Rule 3: the text ended the transaction of its neighbours, and does not get any from now on. Of a batch it is the one
   * that the refusal names: the others are the texts of many who have done nothing.
   */
  isolate(job: Job, { details }: Pick<Refusal, "details">): void {
    if (job.opened === undefined || isRefusal(job.opened.plan) || job.opened.plan.alone) return;
    const { statements } = job.opened.plan;
    const named = statements[Number(details?.["statement"])];
    for (const { statement } of named === undefined ? statements : [named]) {
      if (this.#loneTexts.size >= loneTextsMax) this.#loneTexts.clear();
      this.#loneTexts.add(markOf(statement.text));
    }
  }

  #first(): Job | undefined {
    const [known] = this.#opened;
    if (known !== undefined) return known;
    const message = this.#waiting[this.#next];
    if (message === undefined || message.kind === "step") return undefined;
    const job: Job =
      message.kind === "settle"
        ? { message, opened: undefined }
        : { message, opened: openRequest(message, this.#planner, message.key !== undefined) };
    this.#opened.push(job);
    return job;
  }

  #dropFirst(): void {
    this.#opened.shift();
    this.#next++;
    if (this.#next === this.#waiting.length) {
      this.#waiting = [];
      this.#next = 0;
    }
  }

  #mustBeAlone(job: Job, schemaDefers: boolean): boolean {
    if (job.opened === undefined || job.message.mode === "replay" || isRefusal(job.opened.plan)) return false;
    const { plan } = job.opened;
    if (job.message.alone || plan.alone || (schemaDefers && plan.access === "write")) return true;
    return (
      this.#loneTexts.size > 0 && plan.statements.some(({ statement }) => this.#loneTexts.has(markOf(statement.text)))
    );
  }
}

function markOf(text: string): string {
  return text.length <= textUnitsMax ? text : createHash("sha256").update(text).digest("base64");
}
