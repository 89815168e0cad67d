/**
 * A held lock, or several that were granted together: its token, a signal that fires when it is lost, and SQL whose
 * writes the database refuses once it is.
 */
import { guardedStartMs, type LockMode } from "../protocol/index.js";
import { HoldfastError, type Millis } from "../terms/index.js";
import type { Grant, LeaseState, RevocationNews } from "./conversation/index.js";
import { ask, Datastore, type DatastoreParts, type Fence, failure, settled } from "./datastore.js";
import { Question } from "./driver.js";
import { checkOptions, type KnownOptions } from "./known-options.js";
import { errorFrom, FencedError, LockLostError } from "./lock-errors.js";
import { type AcquireOptions, type RevokingInfo, wireWait } from "./lock-request.js";
import type { Scopes } from "./scopes.js";
import { type TransactionOptions, transact } from "./transact.js";
import { type BeginOptions, Transaction } from "./transaction.js";

export interface UpgradeOptions {
  /** How long to wait for the others that share it (ms). 0: not at all (LOCK_HELD). Default: for ever. */
  readonly waitMs?: Millis | undefined;
  /** Ends the wait; the promise rejects with its reason, and the lock is shared as before. */
  readonly signal?: AbortSignal | undefined;
}

export interface ConfirmOptions {
  /** Cancels the request; it rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

export interface TransferOptions {
  /** Why; shown in the lock's history. */
  readonly reason?: string | undefined;
}

const upgradeOptions: KnownOptions<UpgradeOptions> = { waitMs: true, signal: true };
const confirmOptions: KnownOptions<ConfirmOptions> = { signal: true };
const transferOptions: KnownOptions<TransferOptions> = { reason: true };

export interface HandleParts extends DatastoreParts {
  readonly scopes: Scopes;
}

/** How a grant came about, and whom to tell of it. */
export interface HandleOrigin {
  readonly waitedMs: Millis;
  readonly mode: LockMode;
  readonly options: Pick<AcquireOptions, "onContended" | "onRevoking" | "onJeopardy">;
}

export class LockHandle extends Datastore {
  readonly name: string;
  /** All names that were granted together, each once; the first is `name`. */
  readonly names: readonly string[];
  /** How long it was waited for (ms). */
  readonly waitedMs: number;
  readonly #parts: HandleParts;
  readonly #grant: Grant;
  readonly #listeners: HandleOrigin["options"];
  #mode: LockMode;
  #controller: AbortController | undefined;
  #release: Promise<void> | undefined;
  /** Settles with the upgrade that is under way. */
  #upgrade: Promise<void> | undefined;

  /** @internal */
  constructor(parts: HandleParts, grant: Grant, { waitedMs, mode, options }: HandleOrigin) {
    super(parts);
    this.#parts = parts;
    this.#grant = grant;
    this.#mode = mode;
    this.#listeners = options;
    this.name = grant.name;
    this.names = grant.names;
    this.waitedMs = waitedMs;
  }

  /**
   * Rises with every grant of any lock, for ever: what was done under a smaller one came before. An upgrade gives the
   * lock a new one.
   */
  get token(): number {
    return this.#grant.token;
  }

  /** How `name` is held now; `upgrade` and `downgrade` change it. */
  get mode(): LockMode {
    return this.#mode;
  }

  /**
   * Whether it is held, as far as this program knows, and is not being given back. Only a fenced write can be sure.
   */
  get held(): boolean {
    this.#look();
    return this.#grant.state === "held" && this.#grant.leaving === 0;
  }

  /** Whether it went away without having been given back. */
  get lost(): boolean {
    this.#look();
    return this.#grant.state === "lost";
  }

  /**
   * How sure that is. `none`: it has no lease and lives as the session does. `safe`: the broker has answered lately.
   * `jeopardy`: not for half of the lease; do not begin anything that cannot be stopped. `lost`: it is over.
   */
  get lease(): LeaseState {
    this.#look();
    return this.#grant.lease;
  }

  /** How long this program may still rely on it without a further answer of the broker (ms). Infinity without a lease. */
  get leaseLeftMs(): Millis {
    this.#look();
    if (this.#grant.state !== "held") return 0;
    return this.#grant.ttlMs === undefined ? Number.POSITIVE_INFINITY : this.#parts.driver.leaseLeftMs(this.#grant);
  }

  /** Aborted when the lock is lost (never by `release`); the reason is a LockLostError. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.lost) this.#controller.abort(this.lossError());
    return this.#controller.signal;
  }

  /**
   * Makes a shared lock exclusive, before all who wait for it, as soon as nobody else shares it. Its token changes, and
   * what is written through it meanwhile waits for the outcome; a transaction that began before is rolled back. Of several names `name` is upgraded.
   *
   * @throws DeadlockError when another that shares it wants the same and was first (release, and acquire it anew),
   *   LockHeldError (waitMs 0), LockTimeoutError, LockLostError, the reason of `signal`; then it is shared as before.
   *   MISUSE when it is exclusive, or on its way to be by an upgrade before
   * @example
   * await using lock = await broker.acquire("index", { mode: "shared" });
   * if ((await broker.get("select 1 from stale")) !== undefined) await lock.upgrade({ waitMs: 5000 });
   */
  async upgrade(options: UpgradeOptions = {}): Promise<void> {
    checkOptions("upgrade", options, upgradeOptions);
    this.#mustBe("shared", "upgrade");
    const { name, token } = this;
    if (this.#upgrade !== undefined) {
      const message = `an upgrade of the lock ${JSON.stringify(name)} is under way: wait for it, or end it by its signal`;
      throw new HoldfastError("MISUSE", message, { details: { name } });
    }
    const { signal } = options;
    const under = this.#parts.scopes.under([name]);
    const params = { name, token, waitMs: wireWait(options.waitMs), ...(under === undefined ? {} : { under }) };
    const question = new Question("upgrade", "lock.upgrade", params, { grant: this.#grant });
    const done = ask(this.#parts.driver, question, signal);
    this.#upgrade = done.catch(() => {});
    try {
      await done;
    } finally {
      this.#upgrade = undefined;
    }
    if (question.refusal !== undefined) throw this.#failure(question, signal);
    this.#mode = "exclusive";
  }

  /**
   * Makes an exclusive lock shared, at once and under the same token; those who wait to share it get it. Of several names
   * `name` is downgraded.
   *
   * @throws LockLostError
   * @example await lock.downgrade(); // the rest only reads
   */
  async downgrade(): Promise<void> {
    this.#mustBe("exclusive", "downgrade");
    const { name, token } = this;
    const question = new Question("change", "lock.downgrade", { name, token }, { grant: this.#grant });
    await this.#parts.driver.ask(question);
    if (question.refusal !== undefined) throw this.#failure(question, undefined);
    this.#mode = "shared";
  }

  /**
   * For tools that run something under a lock with `guard`: resolves when the broker has said within the last second
   * that the lock is held, and asks it if it has not. What is started right then the broker finds and ends, should the
   * lock end otherwise than by `release`; what is started later may come after the next grant. So may a second command
   * under the same lock, if the broker has found the first by then: it does not look out for another.
   *
   * @throws LockLostError, LOCK_NOT_HELD when it was given back, CONNECTION_LOST, the reason of `signal`
   * @example await lock.confirm(); // and start it
   */
  async confirm(options: ConfirmOptions = {}): Promise<void> {
    checkOptions("confirm", options, confirmOptions);
    const { signal } = options;
    const { driver } = this.#parts;
    for (this.#mustBeHeld(); driver.seenMsAgo(this.#grant) > guardedStartMs; this.#mustBeHeld()) {
      const question = new Question("read", "session.ping", {});
      await ask(driver, question, signal);
      if (question.refusal !== undefined) throw failure(question, signal);
    }
  }

  /**
   * Hands it to a session that waits for it, before all others and in one step: nobody gets it in between.
   *
   * @param session the id of a session that waits for `name`; `broker.locks.list` shows who does
   * @throws NOT_WAITING when that one does not wait (the lock is held as before), LockLostError
   * @example
   * const [row] = await broker.locks.list({ name: lock.name });
   * if (row?.waiters[0] !== undefined) await lock.transfer(row.waiters[0].session, { reason: "your turn" });
   */
  async transfer(session: string, options: TransferOptions = {}): Promise<void> {
    checkOptions("transfer", options, transferOptions);
    this.#mustBeHeld();
    const { name, token } = this;
    const { reason } = options;
    const params = { name, token, to: session, reason };
    const question = new Question("transfer", "lock.transfer", params, { grant: this.#grant });
    await this.#parts.driver.ask(question);
    if (question.refusal !== undefined) throw this.#failure(question, undefined);
    this.#parts.scopes.forget(this.#grant);
  }

  /**
   * Runs `work` in a transaction that relies on this lock until its commit; else as `broker.transaction`. With `release`
   * the commit gives the lock back.
   *
   * @throws FENCED when the lock is lost: all of it is rolled back; as `broker.transaction`
   * @example await lock.transaction(async (tx) => { await tx.execute("update page set done = 1"); });
   */
  transaction<T>(work: (transaction: Transaction) => T | Promise<T>, options: TransactionOptions = {}): Promise<T> {
    const begin = async (begun: BeginOptions) => {
      if (this.fenceChanges !== undefined) await settled(this.fenceChanges, begun.signal);
      return Transaction.begin(this.#parts, this.ownFence(), begun);
    };
    return transact(begin, work, options);
  }

  /**
   * Gives the lock back, with all its names. Writes that were sent through it before are still applied under it. May be
   * called any number of times, and when the lock is lost: then there is nothing to give back.
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

  /** @internal What ran under it has ended: gives it back, and throws if it was lost before the broker heard of that. */
  async end(): Promise<void> {
    await this.release();
    const { gone } = this.#grant;
    if (gone?.taken === true) throw this.lossError(gone.reason);
  }

  /** @internal Held, or on its way to be given back by a write that may be refused, or to one who may not take it. */
  get mayStay(): boolean {
    this.#look();
    return this.#grant.mayStay;
  }

  /** @internal */
  get fence(): readonly Fence[] {
    return this.ownFence();
  }

  /** @internal */
  onLost(): void {
    this.#parts.scopes.forget(this.#grant);
    this.#controller?.abort(this.lossError());
  }

  /** @internal */
  onContended(waiting: number): void {
    tell(this.#listeners.onContended, { waiting });
  }

  /** @internal */
  onRevoking({ graceMs, reason, by }: RevocationNews): void {
    tell(this.#listeners.onRevoking, { graceMs, reason, by: by as RevokingInfo["by"] });
  }

  /** @internal */
  onJeopardy(): void {
    tell(this.#listeners.onJeopardy, undefined);
  }

  /** @internal */
  lossError(reason: string = this.#grant.reason): LockLostError {
    const { name, token } = this;
    const message = `the lock ${JSON.stringify(name)} (token ${token}) was lost: ${reason}`;
    return new LockLostError("LOCK_LOST", message, { details: { name, token, reason } });
  }

  /** A grant ends as a whole, so that one of its names stands for all. */
  protected override ownFence(): readonly Fence[] {
    const { name, token } = this;
    if (this.held) return [{ name, token }];
    const why = this.lost ? `was lost: ${this.#grant.reason}` : "was released";
    throw new FencedError("FENCED", `the lock ${JSON.stringify(name)} (token ${token}) ${why}`, {
      details: { name, token },
    });
  }

  protected override get fenceChanges(): Promise<void> | undefined {
    return this.#upgrade;
  }

  /** A program that was stopped beyond its lease must not find it held because no timer has come to tell. */
  #look(): void {
    if (this.#grant.ttlMs !== undefined && this.#grant.state === "held") this.#parts.driver.look();
  }

  #mustBe(mode: LockMode, what: string): void {
    this.#mustBeHeld();
    if (this.#mode === mode) return;
    throw new HoldfastError(
      "MISUSE",
      `${what} is for ${mode} locks, and ${JSON.stringify(this.name)} is ${this.#mode}`,
    );
  }

  #mustBeHeld(): void {
    if (this.lost) throw this.lossError();
    if (this.held && this.#release === undefined) return;
    const { name, token } = this;
    throw new HoldfastError("LOCK_NOT_HELD", `the lock ${JSON.stringify(name)} (token ${token}) was given back`, {
      details: { name, token },
    });
  }

  async #giveBack(): Promise<void> {
    const { name, token } = this;
    this.#parts.scopes.forget(this.#grant);
    // With room for what the conversation adds.
    const params = { name, token, key: undefined, ack: undefined };
    const release = new Question("release", "lock.release", params, { grant: this.#grant });
    await this.#parts.driver.ask(release);
    if (release.refusal === undefined) return;
    this.#release = undefined;
    throw failure(release, undefined);
  }

  /** That the broker does not have it is for the program the loss of it. */
  #failure(question: Question, signal: AbortSignal | undefined): unknown {
    const { refusal } = question;
    if (refusal?.refused !== "LOCK_NOT_HELD" && refusal?.refused !== "LOCK_LOST") return failure(question, signal);
    return this.lost ? this.lossError() : errorFrom({ ...refusal, refused: "LOCK_LOST" });
  }
}

/** When the library is done with what happened; what the listener throws is the program's. */
function tell<Info>(listener: ((info: Info) => void) | undefined, info: Info): void {
  if (listener !== undefined) queueMicrotask(() => listener(info));
}
