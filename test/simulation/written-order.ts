/**
 * Writes, as a bystander sees them go to the writer and come to be there: in one order, under fences that hold, and never
 * after somebody else was granted what they were sent under.
 */
import type { Command, Fence, Job } from "../../src/core/index.js";
import type { RefusalCode } from "../../src/terms/index.js";
import type { Applied } from "../core/support/fake-writer.js";
import type { Causes } from "./causes.js";
import type { Presence } from "./presence.js";
import type { Held, Shadow, Under } from "./shadow.js";
import { transactionOf, whatOf } from "./store.js";

type WriteJob = Extract<Job, { to: "writer"; kind: "write" }>;
type StepJob = Extract<Job, { to: "writer"; kind: "step" }>;

export interface WrittenOrderParts {
  readonly shadow: Shadow;
  readonly causes: Causes;
  readonly presence: Presence;
}

export class WrittenOrder {
  readonly #parts: WrittenOrderParts;
  /** Dispatched and not settled. */
  readonly #outstanding = new Set<number>();
  /** What each was first sent under. */
  readonly #sent = new Map<string, readonly Under[]>();
  readonly #fences = new Map<string, readonly Fence[]>();
  readonly #whats = new Map<string, string>();
  /** Of transactions, by their numbers: what they rely on, and what of them was given to the writer. */
  readonly #relied = new Map<number, readonly Fence[]>();
  readonly #steps = new Map<number, Set<string>>();
  /** Refused: asked again, it is another one, under the locks of then. */
  readonly #over = new Set<string>();
  readonly #applied = new Set<string>();
  /** Under which number it was given to the writer last. */
  readonly #seqs = new Map<string, number>();
  #seqHigh = 0;

  constructor(parts: WrittenOrderParts) {
    this.#parts = parts;
  }

  /** Another life of the broker: what its client sends again is another write. */
  born(): void {
    this.#outstanding.clear();
    this.#seqs.clear();
    // Connections are counted anew.
    this.#whats.clear();
    this.#seqHigh = 0;
    for (const what of this.#sent.keys()) if (!this.#applied.has(what)) this.#over.add(what);
  }

  told(command: Command): void {
    switch (command.kind) {
      case "write": {
        const { what } = whatOf(command.parcel);
        this.#fences.set(what, command.fences);
        this.#whats.set(`${command.connection}/${command.request}`, what);
        return;
      }
      case "tx-begin":
        this.#relied.set(command.transaction, command.fences);
        return;
      case "tx-commit":
        this.#fences.set(whatOf(command.parcel).what, this.#relied.get(command.transaction) ?? []);
        this.#whats.set(`${command.connection}/${command.request}`, whatOf(command.parcel).what);
        return;
      case "tx-step":
        this.#whats.set(`${command.connection}/${command.request}`, whatOf(command.parcel).what);
        return;
      case "writer-ready":
        this.#outstanding.clear();
        this.#seqs.clear();
        this.#seqHigh = 0;
        return;
      case "writer-settled":
        for (const { seq } of command.answers) this.#outstanding.delete(seq);
        return;
      default:
    }
  }

  /** What this request on this connection was to write. */
  whatOf(id: string): string | undefined {
    return this.#whats.get(id);
  }

  refused(id: string, code: RefusalCode): void {
    const what = this.#whats.get(id) ?? "";
    // It was asked more than once, and another copy of it is with the writer still, if there is one.
    const isCopy = code !== "WRITER_UNAVAILABLE" && this.#outstanding.has(this.#seqs.get(what) ?? 0);
    if (isCopy) return;
    this.#over.add(what);
  }

  /** Everything up to here is settled. */
  get settledThrough(): number {
    let first = Number.POSITIVE_INFINITY;
    for (const seq of this.#outstanding) first = Math.min(first, seq);
    return first - 1;
  }

  /** `endedNow`: what ended in this turn, perhaps after the write was sent. */
  dispatched(job: Job, endedNow: readonly Held[]): void {
    if (job.to !== "writer" || (job.kind !== "write" && job.kind !== "step" && job.kind !== "settle")) return;
    if (job.seq <= this.#seqHigh) throw new Error(`write ${job.seq} was dispatched after ${this.#seqHigh}`);
    this.#seqHigh = job.seq;
    this.#outstanding.add(job.seq);
    const session = this.#parts.presence.get(job.session);
    if (session !== undefined) session.lastSeq = job.seq;
    // Its session may be over: what undoes its transaction is with the writer all the same.
    const { held, draining } = this.#parts.shadow;
    for (const one of [...held.values(), ...draining.map((over) => over.held)])
      if (one.session === job.session) one.lastSeq = job.seq;
    if (job.kind === "write") this.#write(job, job.mode === "run", endedNow);
    else if (job.kind === "step") this.#step(job, endedNow);
  }

  /** A write is there for all to see. */
  applied({ what, seq }: Applied): void {
    this.#applied.add(what);
    const under = this.#sent.get(what);
    if (under === undefined) throw new Error(`write ${seq} (${what}) was applied and never dispatched`);
    for (const one of under) {
      const later = this.#parts.shadow.excludedBy(one);
      const { token, claim } = one;
      if (later !== undefined)
        throw new Error(`${what} was sent while ${claim.name} was held under ${token}, and applied after ${later}`);
    }
  }

  /** What a transaction does is there with its commit, so what holds then is what counts. */
  #step({ step, seq, session, parcel }: StepJob, endedNow: readonly Held[]): void {
    const number = parcel === undefined ? undefined : transactionOf(parcel);
    if (parcel === undefined || number === undefined) return;
    const steps = this.#steps.get(number) ?? new Set();
    this.#steps.set(number, steps);
    if (step === "run") steps.add(whatOf(parcel).what);
    if (step !== "commit") return;
    const { what } = whatOf(parcel);
    this.#write({ seq, session, parcel }, true, endedNow);
    for (const one of steps) this.#sent.set(one, this.#sent.get(what) ?? []);
  }

  #write(job: Pick<WriteJob, "seq" | "session" | "parcel">, runs: boolean, endedNow: readonly Held[]): void {
    const { what } = whatOf(job.parcel);
    const { shadow, causes } = this.#parts;
    // What goes again because its writer died was sent while it was held. What was given back since still counts, and so
    // does what was upgraded since: the grant is the same, nobody else had the name meanwhile, and an upgrade, as a release,
    // takes effect after what was sent before it. That nobody was let in before it is applied is looked at when it is.
    const again = this.#sent.has(what) && !this.#over.has(what);
    const drained = shadow.draining.map(({ held }) => held).filter((held) => again && causes.isGivenBack(held));
    const isUnder = (held: Held, token: number) =>
      held.token === token || (again && held.origin === shadow.originOf(token));
    // Of what was changed and ended in one turn the last: a write behind a downgrade keeps nobody out who shares.
    const allUnder = (fence: Fence) =>
      [...shadow.held.values(), ...[...endedNow].reverse(), ...drained].filter(
        (held) => isUnder(held, fence.token) && held.claims.some(({ name }) => name === fence.name),
      );
    const holds = (fence: Fence) => allUnder(fence)[0];
    const fences = this.#fences.get(what) ?? [];
    const broken = fences.find((fence) => holds(fence) === undefined);
    if (broken !== undefined && runs)
      throw new Error(`${what} was sent to run, and its fence on ${broken.name} is broken`);
    // Of one that is converted in this turn both: as it was before it drains until this is settled, and so does what it is now.
    for (const fence of fences)
      for (const held of [...allUnder(fence), ...shadow.held.values()])
        if (held.origin === shadow.originOf(fence.token)) held.lastSeq = job.seq;
    if (runs) this.#seqs.set(what, job.seq);
    const isAnother = this.#over.delete(what);
    if (this.#sent.has(what) && !isAnother) return;
    const own = [...shadow.held.values()].filter(({ session, ending }) => session === job.session && !ending);
    const fenced = fences.map(holds).filter((held) => held !== undefined);
    this.#sent.set(what, [...own, ...fenced].flatMap(underOf));
  }
}

function underOf({ token, claims }: Held): Under[] {
  return claims.map((claim) => ({ token, claim }));
}
