/**
 * Transactions as a bystander knows them, from what the core is told of them and what it tells: what each of them is, and
 * how long it has been used. None is ended because of its time before that is over, and what reads does so from no
 * snapshot that is older than any may be (rules 15 and 16).
 */
import type { Command, Job, Letter } from "../../src/core/index.js";
import type { Limits } from "../../src/terms/index.js";
import type { Presence } from "./presence.js";
import { transactionOf } from "./store.js";
import type { TransactionMode } from "./transaction.js";
import { WriterOwner } from "./writer-owner.js";

/**
 * `writing`: deferred, and it has written. `gone`: begun on no connection that this one is; `again`: and its commit, which
 * came on another, is with the writer.
 */
export type TransactionState = TransactionMode | "writing" | "gone" | "again";

interface Known {
  state: Exclude<TransactionState, "gone" | "again">;
  readonly limitMs: number;
  /** In the broker's running time: when it was asked for, was told to have begun, and was last asked or answered. */
  readonly askedAt: number;
  begunAt: number | undefined;
  usedAt: number;
  /** Its client was told that it is over. */
  ended: boolean;
}

/** `usedAt`: of its transaction, before this was asked. */
interface Asked {
  readonly known: Known;
  readonly usedAt: number;
}

/** As the core has them. */
const foldPatienceMs = 1000;
const quietMs = 50;
const hurryIdleMs = 1000;
/** A turn may come so late. */
const lateTurnMs = 1500;

export class TransactionShadow {
  readonly #limits: Limits;
  readonly #presence: Presence;
  readonly #owner: WriterOwner;
  /** By `connection/number`, and by `connection/request` what has no answer. */
  readonly #known = new Map<string, Known>();
  readonly #asked = new Map<string, Asked>();
  /** Commits that are with the writer, by their sequence: of which transaction, whose number no other has. */
  readonly #committing = new Map<number, number>();

  constructor(limits: Limits, presence: Presence) {
    this.#limits = limits;
    this.#presence = presence;
    this.#owner = new WriterOwner(limits, presence);
  }

  stateOf(connection: number, number: number): TransactionState {
    const known = this.#known.get(`${connection}/${number}`);
    return known?.state ?? ([...this.#committing.values()].includes(number) ? "again" : "gone");
  }

  /** Another life of the broker. */
  born(): void {
    this.#owner.born();
    this.#known.clear();
    this.#asked.clear();
    this.#committing.clear();
  }

  told(command: Command): void {
    this.#owner.told(command);
    if (command.kind === "writer-ready" || command.kind === "writer-unavailable") this.#committing.clear();
    if (command.kind === "writer-settled") for (const { seq } of command.answers) this.#committing.delete(seq);
    if (!("transaction" in command) || command.transaction === undefined) return;
    const { connection, transaction, request } = command;
    const name = `${connection}/${transaction}`;
    if (command.kind === "tx-begin") this.#known.set(name, this.#begins(command));
    const known = this.#known.get(name);
    if (known === undefined) return;
    this.#asked.set(`${connection}/${request}`, { known, usedAt: known.usedAt });
    known.usedAt = this.#presence.running;
    if (command.kind === "tx-step" && command.writes && known.state === "deferred") known.state = "writing";
  }

  decided(send: readonly Letter[]): void {
    for (const letter of send) if ("request" in letter) this.#answered(letter);
  }

  dispatched(job: Job): void {
    this.#owner.dispatched(job);
    if (job.to !== "writer" || job.kind !== "step" || job.step !== "commit" || job.parcel === undefined) return;
    const number = transactionOf(job.parcel);
    if (number !== undefined) this.#committing.set(job.seq, number);
  }

  check(): void {
    this.#owner.check();
  }

  #begins({ mode, timeoutMs }: Extract<Command, { kind: "tx-begin" }>): Known {
    const askedAt = this.#presence.running;
    const limitMs = timeoutMs ?? Number.POSITIVE_INFINITY;
    return { state: mode, limitMs, askedAt, begunAt: undefined, usedAt: askedAt, ended: false };
  }

  #answered(letter: Extract<Letter, { request: unknown }>): void {
    this.#owner.answered(letter);
    const id = `${letter.to}/${letter.request}`;
    const asked = this.#asked.get(id);
    if (asked === undefined) return;
    this.#asked.delete(id);
    const { known } = asked;
    if (letter.kind === "refused") return this.#isOver(asked, letter.refusal);
    known.usedAt = this.#presence.running;
    if (letter.kind === "begun") known.begunAt = this.#presence.running;
    if (letter.kind === "answer") this.#isYoung(known);
  }

  #isYoung({ state, limitMs, begunAt }: Known): void {
    if (begunAt === undefined || (state !== "read" && state !== "deferred")) return;
    const ageMs = this.#presence.running - begunAt;
    if (ageMs > Math.min(limitMs, this.#limits.snapshotMs) + lateTurnMs)
      throw new Error(`a transaction reads from a snapshot of ${ageMs} ms`);
  }

  /** For as long as it says. What is asked afterwards hears the same. */
  #isOver({ known, usedAt }: Asked, { refused, details }: Extract<Letter, { kind: "refused" }>["refusal"]): void {
    if ((refused !== "TX_EXPIRED" && refused !== "SNAPSHOT_ENDED") || known.ended) return;
    known.ended = true;
    const { askedAt, begunAt = this.#presence.running } = known;
    const why = String(details?.["limit"] ?? details?.["why"]);
    const [since, leastMs] = this.#least(why, known);
    const ms = this.#presence.running - { asked: askedAt, begun: begunAt, used: usedAt }[since];
    if (ms < leastMs - 0.001) throw new Error(`a transaction was ended (${why}) after ${ms} ms, before ${leastMs}`);
  }

  #least(why: string, { limitMs }: Known): readonly [since: "asked" | "begun" | "used", leastMs: number] {
    const { snapshotMs, snapshotContendedMs, txMs, txContendedMs, txIdleMs } = this.#limits;
    switch (why) {
      case "aged":
        return ["asked", Math.min(limitMs, snapshotMs)];
      case "crowded":
        return ["asked", snapshotContendedMs];
      case "fold":
        return ["asked", foldPatienceMs];
      case "disk":
        return ["asked", 0];
      case "txMs":
        return ["begun", Math.min(limitMs, txMs) + quietMs];
      case "txContendedMs":
        return ["begun", txContendedMs + quietMs];
      case "txIdleMs":
        return ["used", Math.min(txIdleMs, hurryIdleMs) + quietMs];
      default:
        throw new Error(`a transaction was ended for ${why}`);
    }
  }
}
