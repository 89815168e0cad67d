/**
 * The program's handle to the broker: SQL, locks, and the life of the connection. Reconnects by itself, takes its
 * session up again, and starts the broker when it is gone and that is allowed; requests wait meanwhile.
 */
import type {
  DescribeResult,
  HelloResult,
  MethodName,
  ParamsOf,
  PingResult,
  ResultOf,
  StatementDescription,
  StatusResult,
} from "../protocol/index.js";
import { HoldfastError, type Refusal } from "../terms/index.js";
import type { Welcome } from "./conversation/index.js";
import { ask, Datastore, type DatastoreParts, type Fence, failure, type ReadOptions } from "./datastore.js";
import { Driver, Question } from "./driver.js";
import { Elections } from "./elections.js";
import { HeldLocks, type LockWork, workOf } from "./held-locks.js";
import { checkOptions, type KnownOptions } from "./known-options.js";
import { errorFrom } from "./lock-errors.js";
import type { LockHandle } from "./lock-handle.js";
import type { AcquireOptions } from "./lock-request.js";
import { Locks } from "./locks.js";
import { type MigrateOptions, type Migration, migrate } from "./migrate.js";
import { onAbort } from "./on-abort.js";
import type { ConnectOptions, Settings } from "./options.js";
import { wallNow } from "./pulse.js";
import { Scopes } from "./scopes.js";
import { TableChanges, type TableWatchOptions } from "./table-changes.js";
import { type TransactionOptions, transact } from "./transact.js";
import { type BeginOptions, Transaction } from "./transaction.js";
import { writing } from "./writing.js";

export interface BrokerEvents {
  /** There is a connection again. `resumed`: the session lives on, with its locks. */
  readonly reconnected: (event: { readonly resumed: boolean }) => void;
  /** The session is over and a new one has begun; its locks are lost, and their signals have fired. */
  readonly "session-lost": (event: { readonly reason: string }) => void;
  /** The last event. `error` is there unless the program closed the handle itself. */
  readonly closed: (event: { readonly error: HoldfastError | undefined }) => void;
}

export type DescribeOptions = Pick<ReadOptions, "timeoutMs" | "signal">;

const describeOptions: KnownOptions<DescribeOptions> = { timeoutMs: true, signal: true };

export class Broker extends Datastore {
  /** Locks in the shape of the Web Locks API; and to look, step in, watch. */
  readonly locks: Locks;
  /** Who of many does what only one may do. */
  readonly elections: Elections;
  readonly #parts: DatastoreParts;
  readonly #driver: Driver;
  readonly #held: HeldLocks;
  readonly #listeners: { [Name in keyof BrokerEvents]: Set<BrokerEvents[Name]> } = {
    reconnected: new Set(),
    "session-lost": new Set(),
    closed: new Set(),
  };
  #hello: HelloResult | undefined;
  #opened: { readonly resolve: () => void; readonly reject: (error: HoldfastError) => void } | undefined;
  #closed = false;
  #parted = false;
  readonly #whenClosed: Promise<void>;
  #resolveClosed!: () => void;

  private constructor(parts: DatastoreParts) {
    super(parts);
    this.#parts = parts;
    this.#driver = parts.driver;
    this.#held = new HeldLocks({ ...parts, scopes: new Scopes() });
    this.locks = new Locks({ held: this.#held, driver: parts.driver });
    this.elections = new Elections(parts, this.#held);
    this.#whenClosed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
  }

  /** @internal Use `connect`. */
  static async open(
    settings: Settings,
    { signal, session }: Pick<ConnectOptions, "signal" | "session">,
  ): Promise<Broker> {
    signal?.throwIfAborted();
    const driver = new Driver(
      {
        conversation: {
          introduction: settings.introduction,
          resumeWindowMs: settings.resumeWindowMs,
          openMs: settings.startTimeoutMs,
          patienceMs: settings.reconnectTimeoutMs,
          bound: session?.boundTo !== undefined,
          takenUp: session?.resume && { held: session.resume.held, keysUsed: keysUsedByNow() },
        },
        secret: session?.secret,
        encoding: settings.encoding,
        plan: settings.plan,
      },
      {
        onOpened: (welcome, first) => broker.#onOpened(welcome, first),
        onLost: (grant) => broker.#held.of(grant)?.onLost(),
        onGivenBack: (grant) => broker.#held.forget(grant),
        onJeopardy: (grant) => broker.#held.of(grant)?.onJeopardy(),
        onContended: (grant, waiting) => broker.#held.of(grant)?.onContended(waiting),
        onRevoking: (grant, news) => broker.#held.of(grant)?.onRevoking(news),
        onSessionLost: (reason) => broker.#tell("session-lost", { reason }),
        onEnded: (refusal, parted) => broker.#onEnded(refusal, parted),
      },
    );
    const broker = new Broker({ driver, spelling: settings });
    await broker.#open(signal);
    return broker;
  }

  /** The session's id: what others see as the holder. Changes when the session was lost. */
  get session(): string {
    return this.#hello?.session ?? "";
  }

  /**
   * What proves that a request is this session's: for tools that start a program under a lock, which says it on with
   * HOLDFAST_LOCK_SESSION. Whoever knows it speaks for the session. Changes when the session was lost.
   */
  get sessionSecret(): string {
    return this.#hello?.secret ?? "";
  }

  /** Whether `close` was called, be it still under way, or the broker could not be had any more. */
  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Of a handle that has been closed: whether the broker has confirmed that the session is over. If not, it may have it
   * still, with its locks, for its window, or as long as the process that it is bound to.
   */
  get parted(): boolean {
    return this.#parted;
  }

  /**
   * Runs `work` in a transaction: commits when it has returned, rolls back when it has thrown. While it runs nobody else
   * writes, and others wait for it for ten seconds at most: what can be said at once is better said by `batch`. When the
   * transaction is lost without its doing (the connection broke, the writer died) and surely not committed, `work` is run
   * again. Statements that were not awaited are waited for; when one is refused, nothing is committed.
   *
   * With `mode: "read"` nobody waits for it: all that it reads, streams too, is of one moment, in a process of its own.
   *
   * @returns what `work` returns. Resolved means: on disk, once.
   * @throws what `work` throws; TX_EXPIRED, FENCED, TX_ROLLED_BACK: it is rolled back; outcome `unknown`: nobody knows
   * @example await broker.transaction(async (tx) => { const a = await tx.get("select sum from a"); await tx.execute("update a set sum = ?", [a.sum - 5]); });
   */
  transaction<T>(work: (transaction: Transaction) => T | Promise<T>, options: TransactionOptions = {}): Promise<T> {
    return transact((begun) => this.begin(begun), work, options);
  }

  /**
   * Begins a transaction and gives it as a handle, to be committed or rolled back.
   *
   * @throws FENCED, TRANSACTIONS_FULL, WRITER_UNAVAILABLE, TX_LOST, the reason of `signal`
   * @example await using tx = await broker.begin(); await tx.execute("delete from job"); await tx.commit();
   */
  begin(options: BeginOptions = {}): Promise<Transaction> {
    return Transaction.begin(this.#parts, noFence, options);
  }

  /**
   * Takes a lock and gives it as a handle. Waits in order of arrival; nobody overtakes. It is not re-entrant: a program
   * that acquires what it holds waits for itself.
   *
   * Two programs that acquire the same two locks in opposite order would wait for each other for ever: the one that would
   * close the circle is refused with DEADLOCK. For that every lock that was acquired is taken to be given back only after
   * those that are asked for meanwhile. In a program with tasks beside each other this may not be so: let each use
   * `withLock`, which knows what belongs to which task, or say with `under` what a request is made under (`[]`: nothing).
   *
   * @param name 1 to 512 bytes, without control characters; compared byte by byte
   * @throws LockHeldError (waitMs 0), LockTimeoutError with holder and place, DeadlockError with the circle,
   *   LockLimitError, SLOTS_MISMATCH, NAME_INVALID, the reason of `signal`
   * @example await using lock = await broker.acquire("deploy/prod", { waitMs: 10_000, reason: "release 1.4" });
   * @example await using pages = await broker.acquire("page/7", { mode: "shared", also: [{ name: "index", mode: "exclusive" }] });
   * @example await using gpu = await broker.acquire("gpu", { slots: 4, take: 2 });
   * @example await using beside = await broker.acquire("beside", { under: [] }); // whatever else is held is given back meanwhile
   */
  async acquire(name: string, options: AcquireOptions = {}): Promise<LockHandle> {
    return this.#held.acquire(name, options);
  }

  /**
   * Runs `work` while the lock is held, and gives it back when `work` has ended. What `work` writes through the handle
   * is applied only while the lock is held. What is asked for inside is known to be asked for under this lock, so that a
   * wait that could never end is refused with DEADLOCK; tasks beside each other are not taken for one.
   *
   * @returns what `work` returns
   * @throws what `work` throws, what `acquire` throws, LockLostError when the lock was lost before `work` had ended
   * @example await broker.withLock("index", async (lock) => { await lock.execute("update page set done = 1"); });
   */
  withLock<T>(name: string, work: LockWork<T>): Promise<T>;
  withLock<T>(name: string, options: AcquireOptions, work: LockWork<T>): Promise<T>;
  async withLock<T>(name: string, options: AcquireOptions | LockWork<T>, work?: LockWork<T>): Promise<T> {
    const [wishes, what] = workOf<AcquireOptions, LockWork<T>>("withLock", options, work);
    return this.#held.run(name, wishes, {}, what);
  }

  /**
   * The locks that this program holds through this handle.
   *
   * @example for (const lock of broker.heldLocks()) console.log(lock.name, lock.token);
   */
  heldLocks(): LockHandle[] {
    return this.#held.all();
  }

  /**
   * Brings the database's schema up to date: runs each migration once, in order, also when many programs start with it
   * at the same time. Each is one transaction together with the note that it was done (table `holdfast_migrations`).
   *
   * @returns the names of those that were run now
   * @param options `timeoutMs`: how long each may run, while other programs wait to write as well; `waitMs`: how long to wait while another program migrates; `signal`
   * @throws MISUSE when one that was run has another text now, or a new one stands before one that was run; what
   *   `script` throws; LockHeldError (waitMs 0), LockTimeoutError, the reason of `signal`
   * @example await broker.migrate([{ name: "001-jobs", sql: "create table job(id integer primary key, name text)" }]);
   * @example await broker.migrate([{ name: "002-names", sql: "create index name on job(name)" }], { waitMs: 60_000 });
   */
  migrate(migrations: readonly Migration[], options: MigrateOptions = {}): Promise<string[]> {
    return migrate(this, migrations, options, {
      timeoutMsMax: this.#hello?.limits["timeoutMsMax"],
      role: this.#hello?.role,
    });
  }

  /**
   * What is committed to these tables from now on, by whichever program: after each commit one change for each table
   * that it has touched, numbered. After a lost connection it goes on where it was; where that cannot be, because the
   * broker or its writer was replaced, a gap is told. Changes by programs that open the file past the broker are not seen.
   *
   * @param tables one name or several; a table need not exist yet
   * @throws PARAMS_INVALID for views and tables of SQLite's own, WATCHES_FULL (while it is read)
   * @example for await (const news of broker.watch(["job"], { keys: true })) { if (!news.gap) console.log(news.keys); break; }
   */
  watch(tables: string | readonly string[], options: TableWatchOptions = {}): TableChanges {
    const names = typeof tables === "string" ? [tables] : tables;
    if (!Array.isArray(names))
      throw new HoldfastError("MISUSE", "watch needs the name of a table, or an array of names");
    return new TableChanges(this.#parts, [...names], options);
  }

  /**
   * What the statements of a text are, without running one of them: verb, whether it writes, parameters, columns, and
   * where each lies in the text. Columns are those of the schema as it is now.
   *
   * @param sql any number of statements, none at all included
   * @returns one description for each statement; `columns` is null where it needs what a statement before it creates
   * @throws STATEMENT_REFUSED for what no broker would run, SQLITE_ERROR and the like, with `details.position`
   * @example const [{ access, parameters }] = await broker.describe("delete from job where id = :id");
   */
  async describe(sql: string, options: DescribeOptions = {}): Promise<readonly StatementDescription[]> {
    checkOptions("describe", options, describeOptions);
    const { timeoutMs, signal } = options;
    const question = new Question("read", "db.describe", { sql, timeoutMs });
    await ask(this.#driver, question, signal);
    if (question.refusal !== undefined) throw failure(question, signal);
    return (question.result as DescribeResult).statements;
  }

  /**
   * How the broker is: versions, files, processes, locks, queues, limits.
   *
   * @example const { pid, uptimeMs } = await broker.status();
   */
  status(): Promise<StatusResult> {
    return this.call("admin.status", {});
  }

  /**
   * One round trip.
   *
   * @returns the broker's wall clock (ms since 1970)
   * @example await broker.ping();
   */
  ping(): Promise<PingResult> {
    return this.call("session.ping", {});
  }

  /**
   * Any method of the protocol that has no session state of its own, with parameters and result as they go over the
   * wire. For tools; locks and the session itself have their own methods here. What writes is sent under a key of the
   * library's, or under `key` if that is a text: a key of your own, as of `execute`. Locks in `release` count as given
   * back as there.
   *
   * @throws MISUSE for the methods that the library must make itself, and for `ack` and a `key` that is a number, which
   *   are the library's to count; else as the method is refused
   * @example const { locks } = await broker.call("lock.list", { prefix: "deploy/" });
   */
  async call<Name extends MethodName>(method: Name, params: ParamsOf<Name>): Promise<ResultOf<Name>> {
    if (isOwn(method)) throw new HoldfastError("MISUSE", `${method} is called by the library itself`);
    const question = isWrite(method)
      ? writeCalled(this.#driver, method, params as WriteParams)
      : new Question(method === "admin.stop" ? "once" : "read", method, { ...params });
    await this.#driver.ask(question);
    if (question.refusal !== undefined) throw failure(question, undefined);
    return question.result as ResultOf<Name>;
  }

  /**
   * Calls `listener` whenever it happens. Returns a function that ends that.
   *
   * @example broker.on("session-lost", ({ reason }) => console.error(`locks are gone: ${reason}`));
   */
  on<Name extends keyof BrokerEvents>(name: Name, listener: BrokerEvents[Name]): () => void {
    if (!Object.hasOwn(this.#listeners, name)) {
      const known = Object.keys(this.#listeners).join(", ");
      throw new HoldfastError("MISUSE", `there is no event ${JSON.stringify(name)}; there are ${known}`);
    }
    if (typeof listener !== "function") throw new HoldfastError("MISUSE", "on(name, listener) needs a function");
    this.#listeners[name].add(listener);
    return () => {
      this.#listeners[name].delete(listener);
    };
  }

  /** An open handle keeps the program alive; after this it does not. */
  unref(): void {
    this.#driver.keep(false);
  }

  /** Takes `unref` back. */
  ref(): void {
    this.#driver.keep(true);
  }

  /**
   * Waits for what is in flight, ends the session and with it all its locks; a transaction that is open is rolled back.
   * Requests that come after it fail with CLOSED, and so do waits for locks and for the turn of a transaction. May be
   * called any number of times.
   *
   * @example await broker.close();
   */
  close(): Promise<void> {
    this.#closed = true;
    this.#driver.close();
    return this.#whenClosed;
  }

  /** `await using broker = await connect()` closes at the end of the block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /**
   * Lets go of the session without ending it: it lives on for its window, or as long as the process that it is bound to.
   * For tools that hand it to somebody else.
   *
   * @example broker.detach();
   */
  detach(): void {
    this.#driver.detach();
  }

  protected override ownFence(): readonly Fence[] {
    return noFence;
  }

  #open(signal: AbortSignal | undefined): Promise<void> {
    const opened = new Promise<void>((resolve, reject) => {
      this.#opened = { resolve, reject };
    });
    const stopWaiting = onAbort(signal, () => this.#driver.detach());
    this.#driver.open();
    return opened.finally(() => {
      stopWaiting();
      if (this.#closed) signal?.throwIfAborted();
    });
  }

  #onOpened(welcome: Welcome, first: boolean): void {
    this.#hello = welcome.whole as unknown as HelloResult;
    if (first) this.#opened?.resolve();
    else this.#tell("reconnected", { resumed: welcome.resumed });
  }

  #onEnded(refusal: Refusal | undefined, parted: boolean): void {
    this.#closed = true;
    this.#parted = parted;
    const error = refusal === undefined ? undefined : errorFrom(refusal);
    this.#opened?.reject(error ?? new HoldfastError("CLOSED", "the broker handle was closed"));
    this.#resolveClosed();
    this.#tell("closed", { error });
  }

  /** Listeners run when the library is done with what happened; what they throw is the program's. */
  #tell<Name extends keyof BrokerEvents>(name: Name, event: Parameters<BrokerEvents[Name]>[0]): void {
    for (const listener of this.#listeners[name]) queueMicrotask(() => (listener as (event: unknown) => void)(event));
  }
}

const noFence: readonly Fence[] = [];

const own = new Set<MethodName>([
  "session.hello",
  "session.goodbye",
  "session.settle",
  "db.stream",
  "tx.begin",
  "tx.execute",
  "tx.batch",
  "tx.stream",
  "tx.commit",
  "tx.rollback",
  "lock.acquire",
  "lock.upgrade",
  "lock.downgrade",
  "lock.cancel",
  "lock.release",
  "lock.break",
  "lock.transfer",
  "lock.resize",
  "lock.watch",
  "lock.unwatch",
  "watch.open",
  "watch.close",
]);

function isOwn(method: MethodName): boolean {
  return own.has(method);
}

type WriteMethod = "db.execute" | "db.batch" | "db.script";
type WriteParams = ParamsOf<WriteMethod>;

function isWrite(method: MethodName): method is WriteMethod {
  return method === "db.execute" || method === "db.batch" || method === "db.script";
}

/** A write whose parameters the program has made itself. */
function writeCalled(driver: Driver, method: WriteMethod, { key, ack, release, ...params }: WriteParams): Question {
  if (ack !== undefined || (key !== undefined && typeof key !== "string")) {
    const [name, value] = ack === undefined ? ["key", key] : ["ack", ack];
    const message = `${name} ${String(value)} of ${method} is the library's to count: leave it out, or give a text as key, which is a key of your own`;
    throw new HoldfastError("MISUSE", message, { details: { method, [name]: value } });
  }
  const wishes = { key, keepMs: params.keepMs, release: release !== undefined, relies: release };
  return writing(driver, method, { ...params, release: undefined }, wishes);
}

/** A session that is taken up has used request keys before, nobody knows how many: more than so many it were not by now. */
function keysUsedByNow(): number {
  return Math.floor((wallNow() - 1_700_000_000_000) * 16);
}
