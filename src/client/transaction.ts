/**
 * A transaction of the program: statements whose results decide what comes next, and one commit; or one that only reads,
 * all of it from one moment. It goes with the connection that it was begun on; a commit of what was written is asked for
 * again until its outcome is known.
 */
import type { BatchResult, StatementResult, TxBeginResult, TxCommitResult } from "../protocol/index.js";
import { HoldfastError, type Millis, outcomeOf } from "../terms/index.js";
import type { Tie } from "./conversation/index.js";
import {
  ask,
  type DatastoreParts,
  type Fence,
  failure,
  readSteps,
  type Statement,
  type Step,
  type StepResult,
  type StreamOptions,
  stepsOf,
  streamOf,
  type WriteOptions,
  wiredFences,
} from "./datastore.js";
import { Question } from "./driver.js";
import { checkOptions, type KnownOptions } from "./known-options.js";
import { onAbort } from "./on-abort.js";
import type { RowStream } from "./row-stream.js";
import { Savepoints } from "./savepoints.js";
import { templateText } from "./sql-template.js";
import { type Failed, Steps } from "./step-promise.js";
import { type Args, type Result, type Row, type RowShape, readResult, readRows, type Value, wired } from "./values.js";
import { writing } from "./writing.js";

export interface BeginOptions {
  /**
   * `write` (the default): nobody else writes until it is over. `read`: all that is read in it is of one moment, and nobody
   * waits for it; statements that write are refused (READ_ONLY). `deferred`: as `read` until the first write, as `write` from
   * then on, if nothing was committed since (else SQLITE_BUSY_SNAPSHOT).
   */
  readonly mode?: "read" | "write" | "deferred" | undefined;
  /** Locks that must be held under these tokens until it is committed; when one is lost, it is rolled back: FENCED. */
  readonly fence?: Fence | readonly Fence[] | undefined;
  /** How long it may be open (ms, up to the limit txMs; of one that reads, snapshotMs). */
  readonly timeoutMs?: Millis | undefined;
  /** Rolls it back; what is asked of it rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** How a transaction is committed. */
export type CommitOptions = Pick<WriteOptions, "key" | "keepMs" | "release">;

export interface StepOptions {
  /**
   * How long the statement may run (ms, up to the limit timeoutMsMax). Default: the limit writeMs. One that takes longer
   * is ended (STATEMENT_TIMEOUT) with its process, and with it the transaction (TX_LOST).
   */
  readonly timeoutMs?: Millis | undefined;
  /**
   * Cancels the statement; it rejects with the signal's reason. One that has not begun is taken back, and the transaction
   * goes on. One that runs already is ended with its process after the limit cancelRunningMs, and with it the
   * transaction (TX_LOST), unless it is done by then.
   */
  readonly signal?: AbortSignal | undefined;
}

export interface StepsOptions extends StepOptions {
  /** As of `broker.batch`. */
  readonly atomic?: boolean | undefined;
  /** `arrays`: rows as arrays of cells in the order of `columns`. Default `objects`. */
  readonly rows?: RowShape | undefined;
}

export interface ExecuteOptions extends StepOptions {
  /** Values by name, beside those by position. */
  readonly named?: { readonly [name: string]: Value } | undefined;
  /** `arrays`: rows as arrays of cells in the order of `columns`. Default `objects`. */
  readonly rows?: RowShape | undefined;
}

interface Begun {
  readonly fence: readonly Fence[] | undefined;
  readonly seq: number | undefined;
  readonly signal: AbortSignal | undefined;
}

const noFence: readonly Fence[] = [];

export class Transaction {
  readonly #parts: DatastoreParts;
  readonly #tie: Tie;
  readonly #fence: readonly Fence[] | undefined;
  /** Of one that reads: the last commit that it sees. */
  readonly #seq: number | undefined;
  readonly #signal: AbortSignal | undefined;
  readonly #steps = new Steps();
  readonly #savepoints = new Savepoints();
  /** Why what was done in a savepoint could not be undone: then nothing may be committed. */
  #notUndone: Failed | undefined;
  #ended: Promise<void> | undefined;
  /** Its commit was asked for, and was not surely refused. */
  #mayBeCommitted = false;
  #stopListening: (() => void) | undefined;

  private constructor(parts: DatastoreParts, tie: Tie, { fence, seq, signal }: Begun) {
    this.#parts = parts;
    this.#tie = tie;
    this.#fence = fence;
    this.#seq = seq;
    this.#signal = signal;
  }

  /** @internal */
  static async begin(parts: DatastoreParts, own: readonly Fence[], options: BeginOptions): Promise<Transaction> {
    checkOptions("begin", options, beginOptions);
    const { mode = "write", timeoutMs, signal } = options;
    signal?.throwIfAborted();
    const tie = parts.driver.tie();
    // What is only read relies on no lock that would have to be checked.
    const fence = wiredFences(mode === "read" ? noFence : own, options.fence);
    const params = { tx: tie.number, mode, fence, timeoutMs };
    const question = new Question("begin", "tx.begin", params, { tie });
    await ask(parts.driver, question, signal);
    if (question.refusal !== undefined) throw failure(question, signal);
    const seq = mode === "read" ? (question.result as TxBeginResult).seq : undefined;
    const transaction = new Transaction(parts, tie, { fence, seq, signal });
    if (signal?.aborted) await transaction.rollback();
    signal?.throwIfAborted();
    transaction.#listen();
    return transaction;
  }

  /** Whether it was committed or rolled back by the program. */
  get over(): boolean {
    return this.#ended !== undefined;
  }

  /** @internal Whether it was committed, or nobody knows. */
  get mayBeCommitted(): boolean {
    return this.#mayBeCommitted;
  }

  /**
   * Runs one statement. One that is refused is undone by itself, and the transaction goes on.
   *
   * @returns as `broker.execute`; it is on disk when the transaction is committed
   * @throws SQLITE_CONSTRAINT and the like; TX_EXPIRED, TX_LOST, TX_ROLLED_BACK, FENCED: the transaction is rolled back
   * @example const { rows: [job] } = await tx.execute("select * from job where state = 'open' limit 1");
   */
  execute(
    sql: string,
    args: Args | undefined,
    options: ExecuteOptions & { readonly rows: "arrays" },
  ): Promise<Result<Cell[]>>;
  execute<R = Row>(sql: string, args?: Args, options?: ExecuteOptions): Promise<Result<R>>;
  execute(sql: string, args?: Args, options: ExecuteOptions = {}): Promise<Result<unknown>> {
    return this.#handOut(async () => {
      checkOptions("execute", options, executeOptions);
      return readResult(await this.#statement(sql, args, options), this.#parts.spelling, options.rows);
    });
  }

  /**
   * Runs one statement and gives its rows, as objects.
   *
   * @throws as `execute`
   * @example const jobs = await tx.query("select * from job where state = ?", ["open"]);
   */
  query<R = Row>(sql: string, args?: Args, options: Omit<ExecuteOptions, "rows"> = {}): Promise<R[]> {
    return this.#handOut(async () => {
      checkOptions("query", options, queryOptions);
      return readRows(await this.#statement(sql, args, options), this.#parts.spelling) as R[];
    });
  }

  /**
   * Runs one statement, stops after its first row and gives that, or undefined when there is none.
   *
   * @throws as `execute`
   * @example const account = await tx.get("select * from account where id = ?", [7]);
   */
  get<R = Row>(sql: string, args?: Args, options: Omit<ExecuteOptions, "rows"> = {}): Promise<R | undefined> {
    return this.#handOut(async () => {
      checkOptions("get", options, queryOptions);
      const result = await this.#statement(sql, args, { ...options, rowsMax: 1 });
      return readRows(result, this.#parts.spelling)[0] as R | undefined;
    });
  }

  /**
   * Runs several statements: all of them or none, if nothing else is said. The transaction goes on either way.
   *
   * @returns one result for each statement
   * @throws as `execute`; `details.statement` is the index of the one that failed
   * @example await tx.batch([["insert into job(name) values (?)", ["index"]], "update counter set n = n + 1"]);
   */
  batch(
    statements: readonly Statement[],
    options: StepsOptions & { readonly rows: "arrays"; readonly atomic?: undefined },
  ): Promise<Result<Cell[]>[]>;
  batch<R = Row>(
    statements: readonly Statement[],
    options?: StepsOptions & { readonly atomic?: undefined },
  ): Promise<Result<R>[]>;
  batch(
    statements: readonly Step[],
    options: StepsOptions & { readonly rows: "arrays"; readonly atomic: boolean },
  ): Promise<StepResult<Cell[]>[]>;
  batch<R = Row>(
    statements: readonly Step[],
    options: StepsOptions & { readonly atomic: boolean },
  ): Promise<StepResult<R>[]>;
  batch(statements: readonly Step[], options: StepsOptions = {}): Promise<StepResult<unknown>[]> {
    const { spelling } = this.#parts;
    const { atomic, timeoutMs, signal, rows } = options;
    return this.#handOut(async () => {
      checkOptions("batch", options, stepsOptions);
      const params = { statements: stepsOf(statements, spelling), atomic, timeoutMs };
      return readSteps((await this.#step("tx.batch", params, signal)) as BatchResult, spelling, rows);
    });
  }

  /**
   * The rows of one statement, one by one, from the moment that all of this transaction sees; else as `broker.stream`. Only
   * in a transaction that reads, and one at a time; statements may run beside it.
   *
   * @throws (from the loop) as `broker.stream`; TX_LOST when the transaction is over before its last row
   * @example await broker.transaction(async (tx) => { for await (const { id } of tx.stream("select id from event")) console.log(id); }, { mode: "read" });
   */
  stream(sql: string, args: Args | undefined, options: StreamOptions & { readonly rows: "arrays" }): RowStream<Cell[]>;
  stream<R = Row>(sql: string, args?: Args, options?: StreamOptions): RowStream<R>;
  stream(sql: string, args?: Args, options: StreamOptions = {}): RowStream<unknown> {
    this.#mustBeOpen();
    const of = { method: "tx.stream", params: { tx: this.#tie.number }, tie: this.#tie };
    return streamOf(this.#parts, of, { sql, args, options });
  }

  /**
   * Runs one statement as a template, as `broker.sql`: what stands in `${}` is always a value, never SQL.
   *
   * @returns its rows
   * @throws as `execute`; MISUSE for an escape that JavaScript does not know
   * @example const [job] = await tx.sql`select * from job where id = ${id}`;
   */
  sql<R = Row>(strings: TemplateStringsArray, ...values: readonly Value[]): Promise<R[]> {
    return this.#handOut(async () => {
      return readRows(await this.#statement(templateText(strings), values, {}), this.#parts.spelling) as R[];
    });
  }

  /**
   * Runs `work`, and undoes what it has done if it throws; the transaction goes on. May be nested. What else is asked of the
   * transaction meanwhile is undone with it. Should it not be possible to undo it, the transaction commits nothing.
   *
   * @returns what `work` returns
   * @throws what `work` throws; as `execute`; MISUSE where another one is open, and this is not called by the work of that
   * @example await tx.savepoint(async () => { await tx.execute("insert into job values (?)", [1]); });
   */
  savepoint<T>(work: (transaction: Transaction) => T | Promise<T>): Promise<T> {
    return this.#savepoints.run(async (name) => {
      await this.execute(`savepoint ${name}`);
      try {
        const result = await work(this);
        await this.execute(`release ${name}`);
        return result;
      } catch (error) {
        await this.#undo(name);
        throw error;
      }
    });
  }

  /**
   * Commits: resolved means that all of it is on disk. It happens once: the library asks for it again under the same key
   * until it knows. Statements that have no outcome yet are waited for; when one of them is refused, or one before was
   * that nobody has waited for, nothing is committed.
   *
   * @returns which commit it is, in the one order of all
   * @throws what a statement that was not awaited, or the end of a savepoint, was refused with; MISUSE where a savepoint
   *   is open, then too nothing is committed; SQLITE_CONSTRAINT when a deferred constraint does not hold; TX_LOST and the
   *   like: it is not committed; outcome `unknown`: nobody knows
   * @param options `key`: a key of your own, under which a commit happens once, whoever asks for it; when one did before,
   *   this transaction is rolled back and the answer is that of the other. `keepMs` as of `broker.execute`; `release`:
   *   gives back the locks that the transaction relies on
   * @example await tx.commit();
   */
  async commit(options: CommitOptions = {}): Promise<TxCommitResult> {
    checkOptions("commit", options, commitOptions);
    this.#mustBeOpen();
    if (this.#seq !== undefined) mustNotRelease(options);
    const failed = (await this.#steps.refusedUnheard()) ?? this.#notUndone;
    const refused = failed ?? (this.over ? undefined : this.#savepoints.unfinished);
    if (refused !== undefined) {
      await this.rollback();
      throw refused.error;
    }
    this.#mustBeOpen();
    if (this.#seq !== undefined) return this.#endReading(this.#seq);
    const { driver } = this.#parts;
    const params = { tx: this.#tie.number, release: undefined };
    const question = writing(driver, "tx.commit", params, { ...options, tie: this.#tie, relies: this.#fence });
    const settled = ask(driver, question, this.#signal);
    this.#end(settled);
    this.#mayBeCommitted = true;
    await settled;
    const { refusal } = question;
    if (refusal === undefined) return question.result as TxCommitResult;
    this.#mayBeCommitted = outcomeOf(refusal) !== "none";
    // Refused by a constraint it is open all the same.
    if (refusal.outcome !== "unknown") await this.#rollBack();
    throw failure(question, this.#signal);
  }

  /**
   * Undoes all of it. Never refused; does nothing when it is over. What became of statements that were not awaited is
   * not told then.
   *
   * @example await tx.rollback();
   */
  rollback(): Promise<void> {
    if (this.#ended === undefined) this.#end(this.#rollBack());
    return this.#ended as unknown as Promise<void>;
  }

  /** `await using tx = await broker.begin()` rolls back at the end of the block what was not committed. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.rollback();
  }

  async #undo(savepoint: string): Promise<void> {
    try {
      await this.execute(`rollback to ${savepoint}`);
      await this.execute(`release ${savepoint}`);
    } catch (error) {
      this.#notUndone = { error };
    }
  }

  /** The commit tells what was refused and was not awaited. What comes after the end no commit can tell. */
  #handOut<T>(run: () => Promise<T>): Promise<T> {
    if (this.#ended !== undefined && this.#signal?.aborted !== true) return run();
    return this.#steps.handOut(run);
  }

  #statement(
    sql: string,
    args: Args | undefined,
    options: ExecuteOptions & { readonly rowsMax?: number },
  ): Promise<StatementResult> {
    const { named, timeoutMs, rowsMax, signal } = options;
    const params = { sql, ...wired(args, named, this.#parts.spelling), timeoutMs, rowsMax };
    return this.#step("tx.execute", params, signal) as Promise<StatementResult>;
  }

  async #step(method: string, params: object, own: AbortSignal | undefined): Promise<unknown> {
    this.#mustBeOpen();
    const { number } = this.#tie;
    const question = new Question("step", method, { tx: number, ...params }, { tie: this.#tie });
    await ask(this.#parts.driver, question, own);
    if (question.refusal === undefined) return question.result;
    this.#signal?.throwIfAborted();
    throw failure(question, own);
  }

  #mustBeOpen(): void {
    this.#signal?.throwIfAborted();
    if (this.#ended !== undefined) throw new HoldfastError("MISUSE", "the transaction is over");
  }

  #listen(): void {
    this.#stopListening = onAbort(this.#signal, () => void this.rollback());
  }

  #end(ended: Promise<void>): void {
    this.#ended = ended;
    this.#stopListening?.();
  }

  /** What was read was answered; there is nothing that a lost connection could leave in doubt. */
  async #endReading(seq: number): Promise<TxCommitResult> {
    const question = new Question("rollback", "tx.commit", { tx: this.#tie.number }, { tie: this.#tie });
    const ended = ask(this.#parts.driver, question, this.#signal);
    this.#end(ended);
    await ended;
    if (question.refusal !== undefined) throw failure(question, this.#signal);
    this.#mayBeCommitted = true;
    return { seq };
  }

  #rollBack(): Promise<void> {
    const question = new Question("rollback", "tx.rollback", { tx: this.#tie.number }, { tie: this.#tie });
    return this.#parts.driver.ask(question);
  }
}

type Cell = Result<Row>["rows"][number][string];

const commitOptions: KnownOptions<CommitOptions> = { key: true, keepMs: true, release: true };

export const beginOptions: KnownOptions<BeginOptions> = { mode: true, fence: true, timeoutMs: true, signal: true };
const stepsOptions: KnownOptions<StepsOptions> = { timeoutMs: true, signal: true, atomic: true, rows: true };
const queryOptions: KnownOptions<Omit<ExecuteOptions, "rows">> = { timeoutMs: true, signal: true, named: true };
const executeOptions: KnownOptions<ExecuteOptions> = { ...queryOptions, rows: true };

/** One that only reads relies on no lock, and its commit is none that could give one back. */
export function mustNotRelease({ release }: Pick<CommitOptions, "release">): void {
  if (release === true)
    throw new HoldfastError("MISUSE", "release is for transactions that may write, and this one only reads");
}
