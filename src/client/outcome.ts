/** A question of the program on its way to its outcome, and what it throws when there is none. */
import { HoldfastError } from "../terms/index.js";
import type { Driver, Question } from "./driver.js";
import { errorFrom } from "./lock-errors.js";
import { onAbort } from "./on-abort.js";

/** Hands the question in and waits for its outcome. An abort takes it back; what became of it is still waited for. */
export function ask(driver: Driver, question: Question, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return driver.ask(question);
  signal.throwIfAborted();
  const stopWaiting = onAbort(signal, () => driver.cancel(question));
  return driver.ask(question).finally(stopWaiting);
}

/** Made where the program waits, so that the stack is the program's. */
export function failure({ refusal }: Question, signal: AbortSignal | undefined): unknown {
  if (refusal === undefined) return new HoldfastError("INTERNAL", "a request ended without an outcome");
  if (refusal.refused === "CANCELLED" && signal?.aborted === true) return signal.reason;
  return errorFrom(refusal);
}
