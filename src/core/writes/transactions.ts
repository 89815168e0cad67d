/**
 * All transactions: what their clients ask of them, in the order in which they ask it; what the writer, time, and the
 * end of locks and connections make of them. The states are drawn in transaction.ts.
 *
 * Nothing that follows from an answer is waited for before the next step goes to the writer: begin, statements and
 * commit that are sent in one breath take one round trip. The writer runs no step of a transaction that it has not open.
 */
import {
  type Instant,
  impossible,
  type Limits,
  type Millis,
  type Refusal,
  refuse,
  type Token,
} from "../../terms/index.js";
import type {
  Asker,
  BeginCommand,
  CommitCommand,
  Fence,
  RollbackCommand,
  StepCommand,
  StoreAnswer,
} from "../command.js";
import type { Deadlines } from "../deadlines.js";
import type { Draft } from "../draft.js";
import type { Grant } from "../locks/grant.js";
import { ending } from "../request-refusals.js";
import type { Session } from "../sessions/session.js";
import { culpritRefusal, type Death, deathsMax, notRun } from "./settlement.js";
import { kindOf, newLookup, newStep, type ReadSoFar, Transaction } from "./transaction.js";
import { TransactionEnds } from "./transaction-ends.js";
import { TransactionLimits } from "./transaction-limits.js";
import { TransactionList } from "./transaction-list.js";
import { endedBy, lost, lostWithConnection, refusalOf, rolledBack } from "./transaction-refusals.js";
import type { TurnTaker } from "./turn-taker.js";
import type { Write } from "./write.js";
import type { WriteLine } from "./write-line.js";
import { fenced, unavailable } from "./write-refusals.js";

export interface TransactionsParts {
  readonly limits: Limits;
  readonly draft: Draft;
  readonly deadlines: Deadlines;
  readonly writes: WriteLine;
  /** `again`: for what was sent before while it was held. */
  readonly fenceHeld: (fence: Fence, again: boolean) => Grant | undefined;
  /** How many watches wait for the writer, which watches nothing new while a transaction is open. */
  readonly watchesWaiting: () => number;
}

export class Transactions implements TurnTaker {
  readonly #parts: TransactionsParts;
  readonly #times: TransactionLimits;
  readonly #ends: TransactionEnds;
  readonly #list = new TransactionList();

  constructor(parts: TransactionsParts) {
    this.#parts = parts;
    const { writes, watchesWaiting } = parts;
    this.#times = new TransactionLimits({ ...parts, waiting: () => writes.waiting + watchesWaiting() });
    this.#ends = new TransactionEnds({ ...parts, list: this.#list, times: this.#times });
  }

  get size(): number {
    return this.#list.size;
  }

  // ── what clients ask ──────────────────────────────────────────────────────────────────────────────────────────────

  begin(session: Session, command: BeginCommand, now: Instant): void {
    const refusal = this.#cannotBegin();
    if (refusal !== undefined) return this.#ends.refuse(command, refusal);
    const { transaction: number, fences, timeoutMs } = command;
    const limitMs = Math.min(timeoutMs ?? Number.POSITIVE_INFINITY, this.#parts.limits.txMs);
    const transaction = new Transaction(session, { number, fences, limitMs }, command);
    this.#list.add(transaction);
    this.#parts.writes.afterSent(session, (sent) => this.#waitForTurn(transaction, sent), now);
  }

  /** It has read from a snapshot until now, and is about to write. */
  takeUp(session: Session, { begin, commits, steps }: ReadSoFar, now: Instant): void {
    const { transaction: number, fences, timeoutMs } = begin;
    const limitMs = Math.min(timeoutMs ?? Number.POSITIVE_INFINITY, this.#parts.limits.txMs);
    const transaction = new Transaction(session, { number, fences, limitMs, commits }, begin);
    this.#list.add(transaction);
    for (const step of steps) transaction.queue.push(newStep(transaction, "run", step));
    const refusal = this.#cannotBegin();
    if (refusal !== undefined) return this.#ends.undone(transaction, refusal, now);
    this.#parts.writes.afterSent(session, (sent) => this.#waitForTurn(transaction, sent), now);
  }

  step(session: Session, command: StepCommand, now: Instant): void {
    const transaction = this.#list.get(session, command.transaction);
    if (transaction === undefined) return this.#ends.refuse(command, lost(command.transaction));
    if ("refusal" in transaction.state) return this.#ends.refuse(command, transaction.state.refusal);
    const { parcel, timeoutMs } = command;
    this.#queue(transaction, newStep(transaction, "run", { asker: command, parcel, timeoutMs }), now);
  }

  /** `seenBefore`: its key was used before, so that the transaction may be over because it was committed. */
  commit(session: Session, command: CommitCommand, seenBefore: boolean, now: Instant): void {
    const transaction = this.#list.get(session, command.transaction);
    const refuseUnlessStored = (refusal: Refusal) =>
      seenBefore ? this.#lookUp(session, command, refusal, now) : this.#ends.refuse(command, refusal);
    if (transaction === undefined) return refuseUnlessStored(lost(command.transaction));
    if ("refusal" in transaction.state) {
      const { refusal } = transaction.state;
      refuseUnlessStored(refusal);
      return this.#ends.end(transaction, refusal, now);
    }
    const { key, ownKey, release, parcel } = command;
    session.writesSent++;
    const { writesSent: order } = session;
    const step = newStep(transaction, "commit", { asker: command, parcel, key, ownKey, release, order });
    this.#parts.writes.queueCommit(step);
    this.#queue(transaction, step, now);
  }

  /** It is not committed: with it something would be given back too early. What there is of it is undone. */
  turnAway(session: Session, command: CommitCommand, seenBefore: boolean, now: Instant): void {
    const transaction = this.#list.get(session, command.transaction);
    const { state } = transaction ?? {};
    const refusal = ending(seenBefore);
    const why = state !== undefined && "refusal" in state ? notRun({ seenBefore }, state.refusal) : refusal;
    this.#ends.refuse(command, why);
    // One that is being committed was asked for before.
    if (transaction !== undefined && state?.kind !== "committing") this.#ends.end(transaction, refusal, now);
  }

  /** Succeeds, whatever there is to be rolled back. */
  rollback(session: Session, command: RollbackCommand, now: Instant): void {
    const transaction = this.#list.get(session, command.transaction);
    if (transaction?.state.kind === "open" || transaction?.state.kind === "committing")
      return this.#queue(transaction, newStep(transaction, "rollback", { asker: command }), now);
    if (transaction !== undefined) this.#ends.end(transaction, rolledBack, now);
    this.#ends.sayRolledBack(command);
  }

  /** The request does not matter to its client any more. Returns whether there was such a step. */
  cancel(session: Session, asker: Asker, now: Instant): boolean {
    // One that is silent was asked of a snapshot, which has it or has answered it.
    const isAsked = ({ asker: by, step }: Write) =>
      step?.silent !== true && by.connection === asker.connection && by.request === asker.request;
    const cancelled = refuse("CANCELLED", "the request was cancelled before it ran");
    for (const transaction of this.#list.of(session)) {
      if (transaction.state.kind === "waiting" && !transaction.told && isAsked(transaction.begin)) {
        this.#ends.end(transaction, cancelled, now);
        return true;
      }
      const place = transaction.queue.findIndex(isAsked);
      if (place >= 0) {
        for (const step of transaction.queue.splice(place, 1)) this.#ends.refuseStep(step, cancelled, now);
        return true;
      }
      for (const step of transaction.given) {
        if (!isAsked(step)) continue;
        step.cancelledAt ??= now;
        return true;
      }
    }
    return false;
  }

  // ── turns at the writer ───────────────────────────────────────────────────────────────────────────────────────────

  hasTurn(transaction: Transaction, now: Instant): void {
    const broken = this.#brokenFence(transaction, transaction.again);
    if (broken !== undefined) return this.#ends.poison(transaction, fenced(broken), now);
    transaction.state = { kind: "open" };
    transaction.since = now;
    transaction.usedAt = now;
    this.#give(transaction, transaction.begin, now);
    this.goOn(transaction, now);
  }

  goOn(owner: Transaction, now: Instant): void {
    const { queue } = owner;
    while (owner.state.kind === "open" && queue.length > 0 && this.#parts.writes.hasRoom) {
      const step = queue.shift() as Write;
      switch (kindOf(step)) {
        case "run":
          this.#give(owner, step, now);
          break;
        case "commit":
          owner.state = { kind: "committing" };
          this.#times.stop(owner);
          this.#give(owner, step, now);
          break;
        case "rollback":
          this.#ends.sayRolledBack(step.asker);
          this.#ends.end(owner, rolledBack, now);
          break;
        case "begin":
          throw new Error("transactions: a begin is no step behind another");
      }
    }
  }

  othersWait(owner: Transaction, now: Instant): void {
    this.#times.othersWait(owner, now);
  }

  limitDue(transaction: Transaction, now: Instant): void {
    const refusal = this.#times.due(transaction, now);
    if (refusal !== undefined) this.#ends.poison(transaction, refusal, now);
  }

  // ── what the writer says ──────────────────────────────────────────────────────────────────────────────────────────

  stepSettled(step: Write, answer: StoreAnswer, now: Instant): void {
    const { transaction, kind } = step.step as NonNullable<Write["step"]>;
    transaction.given.delete(step);
    switch (kind) {
      case "begin":
        return this.#beginSettled(transaction, answer, now);
      case "run":
        return this.#ran(transaction, step, answer, now);
      case "commit":
        return this.#commitSettled(transaction, step, answer, now);
      case "rollback":
        return;
      default:
        return impossible(kind, "step");
    }
  }

  /** What was not committed is gone with the writer, but a transaction of which nothing was answered can begin anew. */
  writerReplaced(steps: readonly Write[], death: Death, now: Instant): void {
    const { owner } = this.#parts.writes;
    for (const step of steps) {
      const { transaction } = step.step as NonNullable<Write["step"]>;
      if (transaction === owner) continue;
      transaction.given.delete(step);
      this.#ends.refuseStep(step, refusalOf(transaction), now);
    }
    if (owner === undefined) return;
    const given = [...owner.given];
    const commit = given.find((step) => kindOf(step) === "commit");
    if (commit?.seq !== undefined && commit.seq <= death.storedSeq) return this.#wasCommitted(owner, commit, now);
    const culprit = given.find(({ seq }) => seq === death.culprit);
    if (!owner.begun && !owner.deserted && culprit === undefined && owner.begin.deaths < deathsMax)
      return this.#runAgain(owner, now);
    owner.given.clear();
    const undone = lost(owner.number, "the writer died, and what was not committed is undone");
    for (const step of given)
      if (step !== owner.begin)
        this.#ends.refuseStep(step, step === culprit ? culpritRefusal(step, death) : undone, now);
    this.#ends.undone(owner, undone, now);
  }

  writerLost(steps: readonly Write[], waiting: readonly Transaction[], now: Instant): void {
    const { state } = this.#parts.writes;
    const refusal = unavailable(state.kind === "unavailable" ? state.reason : "");
    for (const step of steps) {
      const { transaction } = step.step as NonNullable<Write["step"]>;
      transaction.given.delete(step);
      if (step === transaction.begin && !("refusal" in transaction.state)) continue;
      // Of what is being committed nobody knows what became of it.
      const isOpen = transaction.state.kind !== "committing" && kindOf(step) !== "commit";
      this.#ends.refuseStep(step, isOpen ? refusal : { ...refusal, outcome: "unknown" }, now);
    }
    for (const transaction of waiting) this.#ends.undone(transaction, refusal, now);
  }

  // ── what they rely on goes ────────────────────────────────────────────────────────────────────────────────────────

  /** Its fences are broken from now on: nothing of a transaction that relies on it may come to pass. */
  fenceEnds(token: Token, now: Instant): void {
    for (const { transaction, fence } of this.#list.relyingOn(token)) {
      const { kind } = transaction.state;
      if (kind === "waiting" || kind === "open") this.#ends.poison(transaction, fenced(fence), now);
    }
  }

  /** Nobody is there to end them: only what is being committed is waited for. */
  connectionLost(session: Session, now: Instant): void {
    // The last first: none of them must have a turn because another has ended.
    for (const transaction of [...this.#list.of(session)].reverse()) {
      const gone = lostWithConnection(transaction);
      if (transaction.state.kind !== "committing") this.#ends.end(transaction, gone, now);
      else {
        transaction.deserted = true;
        for (const step of transaction.queue.splice(0)) this.#ends.refuseStep(step, gone, now);
      }
    }
  }

  /** The broker is ending: what waits does not begin, what is open has little time left. */
  drain(now: Instant): void {
    this.#times.hurry();
    const ending = refuse("SHUTTING_DOWN", "the broker is ending");
    for (const transaction of this.#list.all) {
      if (transaction.state.kind === "waiting") this.#ends.end(transaction, ending, now);
      else this.#times.look(transaction, now);
    }
  }

  turnEnded(): void {
    this.#times.turnEnded();
  }

  /** The whole broker stood still. */
  paused(ms: Millis): void {
    for (const transaction of this.#list.all) this.#times.shift(transaction, ms);
  }

  check(): void {
    this.#list.check(this.#parts.writes.owner);
  }

  // ── the machine ───────────────────────────────────────────────────────────────────────────────────────────────────

  #lookUp(session: Session, command: CommitCommand, refusal: Refusal, now: Instant): void {
    session.writesSent++;
    this.#parts.writes.submit(newLookup(session, { ...command, asker: command }, refusal), now);
  }

  #cannotBegin(): Refusal | undefined {
    const { writes } = this.#parts;
    if (writes.state.kind === "unavailable") return unavailable(writes.state.reason);
    return writes.logFull ? writes.logFullRefusal() : undefined;
  }

  #waitForTurn(transaction: Transaction, now: Instant): void {
    if (transaction.state.kind !== "waiting") return;
    const { state } = this.#parts.writes;
    if (state.kind === "unavailable") this.#ends.poison(transaction, unavailable(state.reason), now);
    else this.#parts.writes.queueTurn(transaction, now);
  }

  /** `again`: a lock that was given back behind it counts as held. */
  #brokenFence({ fences }: Transaction, again: boolean): Fence | undefined {
    return fences.find((fence) => this.#parts.fenceHeld(fence, again) === undefined);
  }

  #queue(transaction: Transaction, step: Write, now: Instant): void {
    transaction.queue.push(step);
    this.#used(transaction, now);
    if (this.#parts.writes.owner === transaction) this.goOn(transaction, now);
  }

  #used(transaction: Transaction, now: Instant): void {
    transaction.usedAt = now;
    transaction.due = undefined;
  }

  #give(transaction: Transaction, step: Write, now: Instant): void {
    transaction.given.add(step);
    this.#parts.writes.giveStep(step, now);
  }

  #beginSettled(transaction: Transaction, answer: StoreAnswer, now: Instant): void {
    const { state, begin, number } = transaction;
    if ("refusal" in state) return this.#ends.refuseStep(begin, state.refusal, now);
    if (answer.kind === "absent") throw new Error(`transactions: the begin of ${number} was taken for another step`);
    if (answer.kind === "refused") return this.#ends.undone(transaction, answer.refusal, now);
    transaction.begun = true;
    transaction.since = now;
    transaction.crowdedAt = undefined;
    this.#used(transaction, now);
    if (transaction.commits === undefined)
      this.#parts.draft.send.push({ kind: "begun", ...toAsker(begin.asker), transaction: number });
    if (state.kind === "open") this.#times.look(transaction, now);
  }

  #ran(transaction: Transaction, step: Write, answer: StoreAnswer, now: Instant): void {
    if (answer.kind === "absent") return this.#ends.refuseStep(step, refusalOf(transaction), now);
    if (answer.kind === "refused") this.#ends.refuseStep(step, answer.refusal, now);
    else if (step.step?.silent !== true)
      this.#parts.draft.send.push({ kind: "answer", ...toAsker(step.asker), body: answer.body });
    if ("refusal" in transaction.state) return;
    if (answer.kind === "refused" && answer.ended === true)
      return this.#ends.undone(transaction, endedBy(transaction, answer.refusal), now);
    this.#used(transaction, now);
  }

  #commitSettled(transaction: Transaction, commit: Write, answer: StoreAnswer, now: Instant): void {
    const { writes } = this.#parts;
    if (answer.kind === "absent") return this.#ends.refuseStep(commit, refusalOf(transaction), now);
    // Over before the answer: who waits for the same key must find it so.
    if (transaction.state.kind === "committing" && (answer.kind === "done" || answer.ended === true)) {
      const why = answer.kind === "done" ? "it was committed" : "its commit was refused";
      this.#ends.over(transaction, lost(transaction.number, why), now);
    }
    writes.finishCommit(commit, answer, now);
    if (transaction.state.kind !== "committing") return;
    // SQLite keeps it open: a constraint that waits for COMMIT can be mended, and COMMIT be said again.
    transaction.state = { kind: "open" };
    if (transaction.deserted) return this.#ends.end(transaction, lostWithConnection(transaction), now);
    // While it was committing, the end of a lock behind it did not matter.
    const broken = this.#brokenFence(transaction, false);
    if (broken !== undefined) return this.#ends.poison(transaction, fenced(broken), now);
    this.#used(transaction, now);
    this.#times.look(transaction, now);
    this.goOn(transaction, now);
  }

  /** The writer died after it had committed. What the steps before had to say is lost. */
  #wasCommitted(transaction: Transaction, commit: Write, now: Instant): void {
    const { writes } = this.#parts;
    const { given, number, begin } = transaction;
    const over = lost(number, "it was committed, and the writer died before it had answered all that was asked");
    const unknown: Refusal = { ...over, outcome: "unknown" };
    for (const step of given) if (step !== commit && step !== begin) this.#ends.refuseStep(step, unknown, now);
    given.clear();
    if (commit.key === undefined && !commit.ownKey && commit.seq !== undefined)
      writes.finishCommit(commit, { kind: "committed", seq: commit.seq }, now);
    else this.#ends.lookUp(commit, unknown, now);
    this.#ends.over(transaction, over, now);
  }

  /** Nobody was told anything of it yet: all again, in the old order, and its locks are looked at again. */
  #runAgain(transaction: Transaction, now: Instant): void {
    const { given, begin } = transaction;
    const steps = [...given];
    given.clear();
    transaction.again = true;
    const broken = this.#brokenFence(transaction, true);
    const cancelled = refuse("CANCELLED", "the request was cancelled; nothing of it was applied");
    const refusal = broken === undefined ? cancelled : fenced(broken);
    if (broken !== undefined || begin.cancelledAt !== undefined) {
      for (const step of steps) if (step !== begin) this.#ends.refuseStep(step, refusal, now);
      return this.#ends.undone(transaction, refusal, now);
    }
    for (const step of steps) {
      if (step.cancelledAt === undefined) this.#give(transaction, step, now);
      else this.#ends.refuseStep(step, cancelled, now);
    }
    if (steps.some((step) => kindOf(step) === "commit" && step.cancelledAt !== undefined))
      transaction.state = { kind: "open" };
  }
}

function toAsker({ connection: to, request }: Asker): { to: Asker["connection"]; request: Asker["request"] } {
  return { to, request };
}
