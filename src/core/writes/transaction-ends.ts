/**
 * How a transaction ends other than by its commit: undone in the writer, its steps refused with the reason, its turn
 * given on; and poisoned, if its client is there to be told, until that closes it.
 *
 * A commit under a key of its caller's own is never refused because of its transaction: whether it happened before, in
 * whatever session, is for the store to say (rule 15).
 */
import type { Instant, Refusal } from "../../terms/index.js";
import type { Asker } from "../command.js";
import type { Draft } from "../draft.js";
import { kindOf, newLookup, newStep, type Transaction } from "./transaction.js";
import type { TransactionLimits } from "./transaction-limits.js";
import type { TransactionList } from "./transaction-list.js";
import type { Write } from "./write.js";
import type { WriteLine } from "./write-line.js";

export interface TransactionEndsParts {
  readonly draft: Draft;
  readonly writes: WriteLine;
  readonly list: TransactionList;
  readonly times: TransactionLimits;
}

export class TransactionEnds {
  readonly #parts: TransactionEndsParts;

  constructor(parts: TransactionEndsParts) {
    this.#parts = parts;
  }

  /** Undone in the writer too, and for nobody to close. */
  end(transaction: Transaction, refusal: Refusal, now: Instant): void {
    this.#rollBack(transaction, now);
    this.over(transaction, refusal, now);
  }

  /** Undone in the writer too, and refused until its client closes it. */
  poison(transaction: Transaction, refusal: Refusal, now: Instant): void {
    this.#rollBack(transaction, now);
    this.undone(transaction, refusal, now);
  }

  /**
   * The writer does not have it any more. One of whose begin its client has not heard is over at once, and so is one that
   * it has closed already: its commit is with the writer.
   */
  undone(transaction: Transaction, refusal: Refusal, now: Instant): void {
    const isKnown = transaction.told && !transaction.deserted && transaction.state.kind !== "committing";
    this.#leave(transaction, { kind: isKnown ? "poisoned" : "over", refusal }, now);
  }

  /** The writer does not have it any more, and there is nothing for its client to close. */
  over(transaction: Transaction, refusal: Refusal, now: Instant): void {
    this.#leave(transaction, { kind: "over", refusal }, now);
  }

  // ── answers ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** A rollback is never refused; one that was given out has been answered. */
  refuseStep(step: Write, refusal: Refusal, now: Instant): void {
    switch (kindOf(step)) {
      case "begin":
        if (step.step?.transaction.told !== true) this.refuse(step.asker, refusal);
        return;
      case "run":
        if (step.step?.silent !== true) this.refuse(step.asker, refusal);
        return;
      case "commit":
        if (step.ownKey === true) return this.lookUp(step, refusal, now);
        return this.#parts.writes.finishCommit(step, { kind: "refused", refusal }, now);
      case "rollback":
        if (step.seq === undefined) this.sayRolledBack(step.asker);
    }
  }

  /** What is stored under its key decides, and when nothing is, it is refused with this. */
  lookUp(commit: Write, refusal: Refusal, now: Instant): void {
    const { transaction } = commit.step as NonNullable<Write["step"]>;
    this.#parts.writes.submit(newLookup(transaction.session, commit, refusal, commit), now);
  }

  sayRolledBack({ connection: to, request }: Asker): void {
    this.#parts.draft.send.push({ kind: "rolled-back", to, request });
  }

  refuse({ connection: to, request }: Asker, refusal: Refusal): void {
    this.#parts.draft.send.push({ kind: "refused", to, request, refusal });
  }

  // ── the machine ───────────────────────────────────────────────────────────────────────────────────────────────────

  #rollBack(transaction: Transaction, now: Instant): void {
    const { writes } = this.#parts;
    if (transaction.state.kind === "open" && writes.state.kind === "ready")
      writes.giveStep(newStep(transaction, "rollback", { asker: transaction.begin.asker }), now);
  }

  #leave(transaction: Transaction, state: Transaction["state"] & { readonly refusal: Refusal }, now: Instant): void {
    const { begin, told, given, queue } = transaction;
    const { list, times, writes } = this.#parts;
    const { refusal } = state;
    const had = transaction.state.kind;
    // What another's end has set in motion may have been its own.
    if (had === "over") return;
    times.stop(transaction);
    transaction.state = state;
    if (state.kind === "over") list.delete(transaction);
    const hadTurn = had !== "poisoned";
    // First: the end of its commit may let others take their turns.
    if (hadTurn) writes.leaveTurn(transaction);
    // One that is running is ended soon.
    for (const step of given) step.cancelledAt ??= now;
    if (!told && !given.has(begin)) this.refuse(begin.asker, refusal);
    for (const step of queue.splice(0)) {
      this.refuseStep(step, refusal, now);
      const closes = kindOf(step) !== "run" && transaction.state.kind === "poisoned";
      if (closes) this.over(transaction, refusal, now);
    }
    if (hadTurn) writes.pump(now);
  }
}
