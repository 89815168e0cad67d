import type { Instant } from "../../terms/index.js";
import type { StoreAnswer } from "../command.js";
import type { Death } from "./settlement.js";
import type { Transaction } from "./transaction.js";
import type { Write } from "./write.js";

/** What the line tells of transactions; it knows nothing of them but their turns and the steps that it carries. */
export interface TurnTaker {
  /** The writer is its own. */
  hasTurn(transaction: Transaction, now: Instant): void;
  /** There is room for more of what the owner has to do. */
  goOn(owner: Transaction, now: Instant): void;
  /** Somebody waits for the owner to end. */
  othersWait(owner: Transaction, now: Instant): void;
  stepSettled(step: Write, answer: StoreAnswer, now: Instant): void;
  /** The writer died, its successor is ready. `steps`: what it had in its hands and has not answered, in order. */
  writerReplaced(steps: readonly Write[], death: Death, now: Instant): void;
  /** No writer can be had: `steps` as above, `waiting` had a turn or waited for one. */
  writerLost(steps: readonly Write[], waiting: readonly Transaction[], now: Instant): void;
}
