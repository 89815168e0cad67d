/** Work that is one transaction: begun, committed when the work has returned, run again when that is safe and may help. */
import { HoldfastError, isHoldfastError } from "../terms/index.js";
import { checkOptions, type KnownOptions } from "./known-options.js";
import { type BeginOptions, beginOptions, mustNotRelease, type Transaction } from "./transaction.js";

export interface TransactionOptions extends BeginOptions {
  /** The commit gives back the locks that it relies on (`fence`, the lock that it was begun under), as of `broker.execute`. Not in mode `read`: MISUSE. */
  readonly release?: boolean | undefined;
  /** How often `work` is run again when the transaction was lost without its doing. Default 3. */
  readonly retries?: number | undefined;
}

/** A transaction that was refused with one of these is not committed, and may succeed when it is done anew. */
const passing: ReadonlySet<string> = new Set([
  "TX_LOST",
  "SNAPSHOT_ENDED",
  "SQLITE_BUSY_SNAPSHOT",
  "WRITER_UNAVAILABLE",
  "SHUTTING_DOWN",
]);

export const retriesDefault = 3;

const transactionOptions: KnownOptions<TransactionOptions> = { ...beginOptions, release: true, retries: true };

/** Begins, runs `work`, commits; again when that is safe and may help. */
export async function transact<T>(
  begin: (options: BeginOptions) => Promise<Transaction>,
  work: (transaction: Transaction) => T | Promise<T>,
  options: TransactionOptions,
): Promise<T> {
  if (typeof work !== "function") throw new HoldfastError("MISUSE", "transaction(work, options) needs a function");
  checkOptions("transaction", options, transactionOptions);
  const { retries = retriesDefault, release: _release, ...begun } = options;
  if (begun.mode === "read") mustNotRelease(options);
  for (let left = retries; ; left--) {
    let transaction: Transaction | undefined;
    try {
      transaction = await begin(begun);
      return await attempt(transaction, work, options);
    } catch (error) {
      // What the work has committed itself would be committed twice.
      if (left <= 0 || begun.signal?.aborted || transaction?.mayBeCommitted || !isPassing(error)) throw error;
    }
  }
}

/**
 * Whatever throws, the transaction is over: open, it would keep the writer from everybody. Work that has ended it itself
 * knows how; what the signal has rolled back it need not have noticed.
 */
async function attempt<T>(
  transaction: Transaction,
  work: (transaction: Transaction) => T | Promise<T>,
  { release, signal }: TransactionOptions,
): Promise<T> {
  try {
    const result = await work(transaction);
    if (!transaction.over) await transaction.commit({ release });
    else if (!transaction.mayBeCommitted) signal?.throwIfAborted();
    return result;
  } catch (error) {
    await transaction.rollback();
    throw error;
  }
}

/** Whether it, or what it came of, is the loss of a transaction of which nothing was applied. */
function isPassing(error: unknown, depth = 8): boolean {
  if (depth === 0 || !(error instanceof Error)) return false;
  if (isHoldfastError(error)) return error.outcome === "none" && passing.has(error.code);
  return isPassing(error.cause, depth - 1);
}
