/**
 * A held lock: its token, a signal that fires when it is lost, and SQL whose writes the database refuses once it is.
 */
import { HoldfastError } from "../terms/index.js";
import type { Grant } from "./conversation/index.js";
import { Datastore, type DatastoreParts, type Fence, failure } from "./datastore.js";
import { Question } from "./driver.js";
import { Transaction, type TransactionOptions, transact } from "./transaction.js";

export class LockHandle extends Datastore {
  readonly name: string;
  /** Rises with every grant of any lock, for ever: what was done under a smaller one came before. */
  readonly token: number;
  /** How long it was waited for (ms). */
  readonly waitedMs: number;
  readonly mode = "exclusive";
  readonly #parts: DatastoreParts;
  readonly #grant: Grant;
  readonly #fence: readonly Fence[];
  #controller: AbortController | undefined;
  #release: Promise<void> | undefined;

  /** @internal */
  constructor(parts: DatastoreParts, grant: Grant, waitedMs: number) {
    super(parts);
    this.#parts = parts;
    this.#grant = grant;
    this.name = grant.name;
    this.token = grant.token;
    this.waitedMs = waitedMs;
    this.#fence = [{ name: grant.name, token: grant.token }];
  }

  /** Whether it is held, as far as this program knows. Only a fenced write can be sure. */
  get held(): boolean {
    return this.#grant.state === "held";
  }

  /** Aborted when the lock is lost (never by `release`); the reason is a HoldfastError LOCK_LOST. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#grant.state === "lost") this.#controller.abort(this.lossError());
    return this.#controller.signal;
  }

  /**
   * Runs `work` in a transaction that relies on this lock until its commit; else as `broker.transaction`.
   *
   * @throws FENCED when the lock is lost: all of it is rolled back; as `broker.transaction`
   * @example await lock.transaction(async (tx) => { await tx.execute("update page set done = 1"); });
   */
  transaction<T>(work: (transaction: Transaction) => T | Promise<T>, options: TransactionOptions = {}): Promise<T> {
    return transact(async () => Transaction.begin(this.#parts, this.ownFence(), options), work, options);
  }

  /**
   * Gives the lock back. Writes that were sent through it before are still applied under it. May be called any number
   * of times, and when the lock is lost: then there is nothing to give back.
   *
   * @example await lock.release();
   */
  release(): Promise<void> {
    this.#release ??= this.#giveBack();
    return this.#release;
  }

  /** `await using lock = await broker.acquire("index")` releases at the end of the block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.release();
  }

  /** @internal */
  onLost(): void {
    this.#controller?.abort(this.lossError());
  }

  /** @internal */
  lossError(): HoldfastError {
    const { name, token } = this;
    const message = `the lock ${JSON.stringify(name)} (token ${token}) was lost: ${this.#grant.reason}`;
    return new HoldfastError("LOCK_LOST", message, { details: { name, token, reason: this.#grant.reason } });
  }

  /** Whether it went away without having been given back. */
  get lost(): boolean {
    return this.#grant.state === "lost";
  }

  protected override ownFence(): readonly Fence[] {
    if (this.held) return this.#fence;
    const { name, token } = this;
    const why = this.lost ? `was lost: ${this.#grant.reason}` : "was released";
    throw new HoldfastError("FENCED", `the lock ${JSON.stringify(name)} (token ${token}) ${why}`, {
      details: { name, token },
    });
  }

  async #giveBack(): Promise<void> {
    const { name, token } = this;
    const release = new Question("release", "lock.release", { name, token }, { grant: this.#grant });
    await this.#parts.driver.ask(release);
    if (release.refusal === undefined) return;
    this.#release = undefined;
    throw failure(release, undefined);
  }
}
