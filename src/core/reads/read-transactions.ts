/**
 * All transactions that only read: what their clients ask of them, in the order in which they ask it, and what becomes
 * of their snapshots. The states are drawn in read-transaction.ts. Nothing that follows from an answer is waited for
 * before the next step goes to the process: begin and statements that are sent in one breath take one round trip.
 */
import { after, type Instant, type Refusal, refuse, type TransactionNumber } from "../../terms/index.js";
import type {
  Asker,
  BeginCommand,
  CommitCommand,
  Fence,
  Parcel,
  RollbackCommand,
  StepCommand,
  StreamCommand,
} from "../command.js";
import type { Draft } from "../draft.js";
import type { Session } from "../sessions/session.js";
import type { ReadSoFar } from "../writes/transaction.js";
import { endedBy, lost, rolledBack } from "../writes/transaction-refusals.js";
import { endOfStatement, endOfTransaction } from "./read-ends.js";
import { checkReadTransaction, type ReadStep, type ReadTransaction, snapshotOf } from "./read-transaction.js";
import type { Borrower, RunAnswer, Snapshot, SnapshotEnd } from "./snapshot.js";
import type { Snapshots } from "./snapshots.js";
import type { Lender, Streams } from "./streams.js";

export interface ReadTransactionsParts {
  readonly draft: Draft;
  readonly snapshots: Snapshots;
  readonly streams: Streams;
  /** Where a deferred one goes with its first write. */
  readonly writer: () => {
    takeUp(session: Session, sofar: ReadSoFar, now: Instant): void;
    step(session: Session, command: StepCommand, now: Instant): void;
  };
  /** What came with a commit: given back when the writes up to that order are with the writer. */
  readonly giveBack: (sent: { session: Session; order: number }, locks: readonly Fence[], now: Instant) => void;
}

type RunStep = Extract<ReadStep, { kind: "run" }>;

const nothing: Parcel = { size: 0 };

export class ReadTransactions {
  readonly #parts: ReadTransactionsParts;
  readonly #bySession = new Map<Session, Map<TransactionNumber, ReadTransaction>>();
  /** Gone to the writer, with something still running in the snapshot that they had. */
  readonly #gone = new Set<ReadTransaction>();

  constructor(parts: ReadTransactionsParts) {
    this.#parts = parts;
  }

  get size(): number {
    let size = 0;
    for (const numbered of this.#bySession.values()) size += numbered.size;
    return size;
  }

  countOf(session: Session): number {
    return this.#bySession.get(session)?.size ?? 0;
  }

  has(session: Session, number: TransactionNumber): boolean {
    return this.#get(session, number) !== undefined;
  }

  // ── what clients ask ──────────────────────────────────────────────────────────────────────────────────────────────

  begin(session: Session, command: BeginCommand, now: Instant): void {
    const { transaction: number, timeoutMs: limitMs } = command;
    const transaction: ReadTransaction = {
      ...{ session, number, begin: command, limitMs, after: session.writesSent, parcel: nothing },
      ...{ state: { kind: "asked" }, queue: [], given: [], controls: [], stream: undefined, deaths: 0 },
      lent: (snapshot, at) => this.#lent(transaction, snapshot, at),
      lost: (end, reason, at) => this.#lost(transaction, end, reason, at),
    };
    session.transactionHigh = number;
    const numbered = this.#bySession.get(session) ?? new Map<TransactionNumber, ReadTransaction>();
    this.#bySession.set(session, numbered.set(number, transaction));
    this.#parts.snapshots.submit(transaction, now);
  }

  step(session: Session, command: StepCommand, now: Instant): void {
    const { connection, request, parcel, timeoutMs, writes, control = false } = command;
    const transaction = this.#known(session, command.transaction);
    if (transaction.state.kind === "poisoned") return this.#refuse(command, transaction.state.refusal);
    if (writes && transaction.begin.mode === "read") return this.#refuse(command, onlyReads(transaction));
    // Behind its commit it is refused, whatever it is.
    const isEnding = transaction.queue.some(({ kind }) => kind === "commit" || kind === "rollback");
    if (writes && !isEnding) {
      this.#goToWriter(transaction, now);
      return this.#parts.writer().step(session, command, now);
    }
    const asker = { connection, request };
    this.#queue(transaction, { kind: "run", asker, parcel, timeoutMs, control, run: undefined }, now);
  }

  /** Rows from its snapshot, beside its statements. */
  stream(session: Session, command: StreamCommand, number: TransactionNumber, now: Instant): void {
    const transaction = this.#get(session, number);
    if (transaction === undefined) return this.#refuse(command, noneToRead(session, number));
    if (transaction.state.kind === "poisoned") return this.#refuse(command, transaction.state.refusal);
    if (transaction.stream !== undefined) {
      const message = `transaction ${number} has a stream already, and it can have one at a time`;
      return this.#refuse(command, refuse("PARAMS_INVALID", message, { path: "params.tx" }));
    }
    this.#parts.streams.open(session, command, now, this.#lenderOf(transaction));
  }

  /** There is nothing to be committed: it ends, when what was asked before it is answered. */
  end(session: Session, command: CommitCommand | RollbackCommand, now: Instant): void {
    const transaction = this.#known(session, command.transaction);
    const { connection, request } = command;
    if (transaction.state.kind === "asked" && command.kind === "tx-rollback") {
      this.#end(transaction, rolledBack, now);
      return this.#sayRolledBack(command);
    }
    const asker = { connection, request };
    if (command.kind === "tx-rollback") transaction.queue.push({ kind: "rollback", asker });
    else transaction.queue.push({ kind: "commit", asker, release: command.release, order: session.writesSent });
    if (transaction.state.kind === "poisoned") this.#refuseQueue(transaction, transaction.state.refusal);
    else this.#goOn(transaction, now);
  }

  /** The request does not matter to its client any more. Returns whether there was such a one. */
  cancel(session: Session, asker: Asker, now: Instant): boolean {
    const isAsked = (by: Asker) => by.connection === asker.connection && by.request === asker.request;
    const cancelled = refuse("CANCELLED", "the request was cancelled before it ran");
    for (const transaction of [...this.#all(session), ...this.#goneOf(session)]) {
      const { state, queue, given } = transaction;
      if ((state.kind === "asked" || state.kind === "opening") && isAsked(transaction.begin)) {
        this.#end(transaction, cancelled, now);
        return true;
      }
      const place = queue.findIndex((step) => step.kind === "run" && isAsked(step.asker));
      if (place >= 0) {
        queue.splice(place, 1);
        this.#refuse(asker, cancelled);
        return true;
      }
      const running = given.find((step) => isAsked(step.asker));
      if (running?.run === undefined) continue;
      snapshotOf(transaction)?.cancel(running.run, now);
      return true;
    }
    return false;
  }

  /** Nobody hears of them any more. */
  connectionLost(session: Session, now: Instant): void {
    for (const transaction of [...this.#all(session), ...this.#goneOf(session)]) this.#letGo(transaction, gone, now);
  }

  sessionEnds(session: Session, over: Refusal, now: Instant): void {
    for (const transaction of [...this.#all(session), ...this.#goneOf(session)]) this.#end(transaction, over, now);
  }

  check(): void {
    for (const { given, queue, stream } of this.#gone)
      if (given.length + queue.length === 0 && stream === undefined)
        throw new Error("read transactions: one that is gone keeps a snapshot");
    for (const [session, numbered] of this.#bySession) {
      if (numbered.size === 0) throw new Error("read transactions: a session without any is kept");
      for (const [number, transaction] of numbered) {
        if (transaction.number !== number || transaction.session !== session)
          throw new Error(`read transactions: ${number} is kept under another name`);
        checkReadTransaction(transaction);
      }
    }
  }

  // ── its snapshot ──────────────────────────────────────────────────────────────────────────────────────────────────

  #lent(transaction: ReadTransaction, snapshot: Snapshot, now: Instant): void {
    const run = snapshot.begin((answer, at) => this.#begun(transaction, snapshot, answer, at), now);
    transaction.state = { kind: "opening", snapshot, run };
    this.#goOn(transaction, now);
  }

  #begun(transaction: ReadTransaction, snapshot: Snapshot, answer: RunAnswer, now: Instant): void {
    if (answer.kind !== "begun") throw new Error(`read transactions: a begin was answered as ${answer.kind}`);
    const { seq, commits } = answer;
    const { connection: to, request } = transaction.begin;
    transaction.state = { kind: "open", snapshot, seq, commits };
    this.#parts.draft.send.push({ kind: "begun", to, request, transaction: transaction.number, seq });
    this.#goOn(transaction, now);
  }

  #goOn(transaction: ReadTransaction, now: Instant): void {
    const { session, queue, given } = transaction;
    for (let step = queue[0]; step !== undefined; step = queue[0]) {
      const { state } = transaction;
      if (state.kind !== "opening" && state.kind !== "open") return;
      const ends = step.kind === "commit" || step.kind === "rollback";
      if (ends && (state.kind === "opening" || given.length > 0)) return;
      // What is asked for and closed at once, again and again, must not pile up before a process that does not listen.
      if (step.kind === "stream" && state.snapshot.opening > 0) return;
      queue.shift();
      switch (step.kind) {
        case "run":
          this.#give(transaction, state.snapshot, step, now);
          break;
        case "stream":
          step.stream.lent(state.snapshot, now);
          break;
        case "commit":
          if (state.kind === "open") this.#committed(step.asker, state.seq);
          this.#end(transaction, lost(transaction.number), now);
          if (step.release !== undefined) this.#parts.giveBack({ session, order: step.order }, step.release, now);
          break;
        case "rollback":
          this.#sayRolledBack(step.asker);
          this.#end(transaction, rolledBack, now);
          break;
      }
    }
  }

  #give(transaction: ReadTransaction, snapshot: Snapshot, step: RunStep, now: Instant): void {
    const { parcel, timeoutMs } = step;
    transaction.given.push(step);
    if (step.control) transaction.controls.push(step);
    const answered = (answer: RunAnswer, at: Instant) => this.#answered(transaction, step, answer, at);
    step.run = snapshot.run({ parcel, timeoutMs, answered }, now);
  }

  #answered(transaction: ReadTransaction, step: RunStep, answer: RunAnswer, now: Instant): void {
    const { connection: to, request } = step.asker;
    if (transaction.given.shift() !== step) throw new Error("read transactions: a step was answered before another");
    if (answer.kind === "done") this.#parts.draft.send.push({ kind: "answer", to, request, body: answer.body });
    else if (answer.kind === "refused") this.#refuse(step.asker, answer.refusal);
    else throw new Error(`read transactions: a step was answered as ${answer.kind}`);
    if (answer.kind === "refused" && answer.ended === true) this.#ended(transaction, answer.refusal, now);
    else this.#goOn(transaction, now);
    this.#leave(transaction, now);
  }

  /** SQLite has ended it by itself: nothing more may run in that process, as if it were in the snapshot. */
  #ended(transaction: ReadTransaction, cause: Refusal, now: Instant): void {
    const snapshot = snapshotOf(transaction);
    if (snapshot === undefined) return;
    const refusal = endedBy(transaction, cause);
    transaction.state = { kind: "poisoned", refusal };
    this.#undone(transaction, refusal, "SQLite has ended it", now);
    this.#parts.snapshots.giveBack(snapshot, now);
  }

  #lost(transaction: ReadTransaction, end: SnapshotEnd, reason: string, now: Instant): void {
    const { state, number } = transaction;
    const opening = end === "crashed" && state.kind === "opening" && transaction.stream === undefined;
    if (opening && transaction.deaths++ === 0) return this.#again(transaction, now);
    const begun = state.kind === "open";
    const refusal = endOfTransaction(number, end, { reason, begun });
    const running = wasRunning(transaction, end, now) ? transaction.given.shift() : undefined;
    if (this.#gone.has(transaction)) this.#forget(transaction, refusal);
    else if (begun) transaction.state = { kind: "poisoned", refusal };
    else {
      this.#forget(transaction, refusal);
      this.#refuse(transaction.begin, refusal);
    }
    if (running !== undefined) this.#refuse(running.asker, endOfStatement(end, reason) ?? refusal);
    const { stream } = transaction;
    transaction.stream = undefined;
    stream?.lost(end, reason, now);
    this.#undone(transaction, refusal, reason, now);
  }

  /** Nothing of it was answered: in another process. */
  #again(transaction: ReadTransaction, now: Instant): void {
    transaction.queue.unshift(...transaction.given.splice(0));
    transaction.controls.length = 0;
    transaction.state = { kind: "asked" };
    this.#parts.snapshots.submit(transaction, now);
  }

  // ── its stream ────────────────────────────────────────────────────────────────────────────────────────────────────

  #lenderOf(transaction: ReadTransaction): Lender {
    return {
      submit: (stream, now) => {
        transaction.stream = stream;
        this.#queue(transaction, { kind: "stream", stream }, now);
      },
      withdraw: (stream, now) => {
        const place = transaction.queue.findIndex((step) => step.kind === "stream" && step.stream === stream);
        if (place >= 0) transaction.queue.splice(place, 1);
        this.#isOver(transaction, stream, now);
        this.#goOn(transaction, now);
      },
      giveBack: (snapshot, now, stream) => {
        snapshot.closeStream(now);
        this.#isOver(transaction, stream, now);
      },
      closed: (now) => this.#goOn(transaction, now),
    };
  }

  #isOver(transaction: ReadTransaction, stream: Borrower, now: Instant): void {
    if (transaction.stream !== stream) return;
    transaction.stream = undefined;
    this.#leave(transaction, now);
  }

  // ── to the writer ─────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Its first write. When it was told that it has begun, the writer goes on from what its snapshot shows, if that is so
   * still; until then nothing of it is known to anybody, and all of it begins there.
   */
  #goToWriter(transaction: ReadTransaction, now: Instant): void {
    const { session, begin, state, controls, given, queue } = transaction;
    const words = ({ asker, parcel, timeoutMs }: RunStep, silent: boolean) => ({ asker, parcel, timeoutMs, silent });
    if (state.kind === "open") {
      const waiting = queue.flatMap((step) => (step.kind === "run" && step.control ? [step] : []));
      const steps = [...controls, ...waiting].map((step) => words(step, true));
      this.#unlist(transaction);
      this.#gone.add(transaction);
      this.#leave(transaction, now);
      return this.#parts.writer().takeUp(session, { begin, commits: state.commits, steps }, now);
    }
    const steps = [...given.splice(0), ...queue.splice(0)].flatMap((step) =>
      step.kind === "run" ? [words(step, false)] : [],
    );
    this.#letGo(transaction, lost(transaction.number), now);
    this.#undone(transaction, lost(transaction.number), "it writes, and has no snapshot any more", now);
    this.#parts.writer().takeUp(session, { begin, commits: undefined, steps }, now);
  }

  /** Nothing of it is left in the snapshot that it had. */
  #leave(transaction: ReadTransaction, now: Instant): void {
    const { given, queue, stream } = transaction;
    if (given.length + queue.length > 0 || stream !== undefined || !this.#gone.delete(transaction)) return;
    const snapshot = snapshotOf(transaction);
    if (snapshot !== undefined) this.#parts.snapshots.giveBack(snapshot, now);
  }

  #goneOf(session: Session): readonly ReadTransaction[] {
    return this.#gone.size === 0 ? [] : [...this.#gone].filter((transaction) => transaction.session === session);
  }

  // ── its end ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Whoever waits for something of it is told. */
  #end(transaction: ReadTransaction, refusal: Refusal, now: Instant): void {
    const { kind } = transaction.state;
    this.#letGo(transaction, refusal, now);
    if (kind === "asked" || kind === "opening") this.#refuse(transaction.begin, refusal);
    this.#undone(transaction, refusal, "it was ended by its client", now);
  }

  #letGo(transaction: ReadTransaction, refusal: Refusal, now: Instant): void {
    const { state } = transaction;
    this.#forget(transaction, refusal);
    if (state.kind === "asked") this.#parts.snapshots.withdraw(transaction);
    else if (state.kind === "opening" || state.kind === "open") this.#parts.snapshots.giveBack(state.snapshot, now);
  }

  /** What was asked and is not answered. */
  #undone(transaction: ReadTransaction, refusal: Refusal, reason: string, now: Instant): void {
    for (const { asker } of transaction.given.splice(0)) this.#refuse(asker, refusal);
    const { stream } = transaction;
    transaction.stream = undefined;
    stream?.lost("over", reason, now);
    this.#refuseQueue(transaction, refusal);
  }

  #refuseQueue(transaction: ReadTransaction, refusal: Refusal): void {
    for (const step of transaction.queue.splice(0)) {
      if (step.kind === "stream") continue; // It was told.
      if (step.kind === "rollback") this.#sayRolledBack(step.asker);
      else this.#refuse(step.asker, refusal);
      if (step.kind !== "run" && transaction.state.kind === "poisoned") this.#forget(transaction, refusal);
    }
  }

  #forget(transaction: ReadTransaction, refusal: Refusal): void {
    transaction.state = { kind: "over", refusal };
    if (!this.#gone.delete(transaction)) this.#unlist(transaction);
  }

  #unlist(transaction: ReadTransaction): void {
    const numbered = this.#bySession.get(transaction.session);
    numbered?.delete(transaction.number);
    if (numbered?.size === 0) this.#bySession.delete(transaction.session);
  }

  #queue(transaction: ReadTransaction, step: ReadStep, now: Instant): void {
    transaction.queue.push(step);
    this.#goOn(transaction, now);
  }

  #committed({ connection: to, request }: Asker, seq: Extract<RunAnswer, { kind: "begun" }>["seq"]): void {
    this.#parts.draft.send.push({ kind: "committed", to, request, seq });
  }

  #sayRolledBack({ connection: to, request }: Asker): void {
    this.#parts.draft.send.push({ kind: "rolled-back", to, request });
  }

  #refuse({ connection: to, request }: Asker, refusal: Refusal): void {
    this.#parts.draft.send.push({ kind: "refused", to, request, refusal });
  }

  #all(session: Session): readonly ReadTransaction[] {
    return [...(this.#bySession.get(session)?.values() ?? [])];
  }

  #get(session: Session, number: TransactionNumber): ReadTransaction | undefined {
    return this.#bySession.get(session)?.get(number);
  }

  #known(session: Session, number: TransactionNumber): ReadTransaction {
    const transaction = this.#get(session, number);
    if (transaction === undefined) throw new Error(`read transactions: ${number} is not there`);
    return transaction;
  }
}

const gone = refuse("TX_LOST", "the transaction went with its connection");

/** Whether the first of what the process had is why it ended. Else a stream is, and that one was not begun. */
function wasRunning({ state, given }: ReadTransaction, end: SnapshotEnd, now: Instant): boolean {
  const run = given[0]?.run;
  if (state.kind !== "open" || run === undefined || state.snapshot.runs[0] !== run) return false;
  if (end === "cancel") return run.cancelledAt !== undefined;
  return end !== "timeout" || after(state.snapshot.headSince, run.timeoutMs) <= now;
}

function noneToRead({ transactions }: Session, number: TransactionNumber): Refusal {
  if (transactions?.has(number) !== true) return lost(number);
  return refuse("PARAMS_INVALID", `transaction ${number} writes: streams are for those that only read`, {
    path: "params.tx",
  });
}

function onlyReads({ number }: ReadTransaction): Refusal {
  return refuse("READ_ONLY", `transaction ${number} was begun to read only, and this statement writes`, { tx: number });
}
