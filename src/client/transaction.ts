/**
 * A transaction of the program: statements whose results decide what comes next, and one commit. It goes with the
 * connection that it was begun on; its commit is asked for again until its outcome is known.
 */
import type { BatchResult, StatementResult, TxCommitResult } from "../protocol/index.js";
import { HoldfastError, isHoldfastError, type Millis } from "../terms/index.js";
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
  statementOf,
  type WriteOptions,
  wiredFences,
  writing,
} from "./datastore.js";
import { Question } from "./driver.js";
import { type Args, type Result, type Row, type RowShape, readResult, readRows, type Value, wired } from "./values.js";

export interface BeginOptions {
  /** `write` (the default): nobody else writes until it is over. */
  readonly mode?: "write" | undefined;
  /** Locks that must be held under these tokens until it is committed; when one is lost, it is rolled back: FENCED. */
  readonly fence?: Fence | readonly Fence[] | undefined;
  /** How long it may be open (ms, up to the limit txMs). */
  readonly timeoutMs?: Millis | undefined;
  /** Rolls it back; what is asked of it rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

export interface TransactionOptions extends BeginOptions {
  /** How often `work` is run again when the transaction was lost without its doing. Default 3. */
  readonly retries?: number | undefined;
}

export interface StepOptions {
  /** How long the statement may run (ms, up to the limit timeoutMsMax). Default: the limit writeMs. */
  readonly timeoutMs?: Millis | undefined;
  /** Cancels the statement; the transaction goes on. */
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

export class Transaction {
  readonly #parts: DatastoreParts;
  readonly #tie: Tie;
  readonly #signal: AbortSignal | undefined;
  /** Statements that have no outcome yet, in order. */
  readonly #open = new Set<Promise<Question>>();
  #savepoints = 0;
  #ended: Promise<void> | undefined;
  #stopListening: (() => void) | undefined;

  private constructor(parts: DatastoreParts, tie: Tie, signal: AbortSignal | undefined) {
    this.#parts = parts;
    this.#tie = tie;
    this.#signal = signal;
  }

  /** @internal */
  static async begin(parts: DatastoreParts, own: readonly Fence[], options: BeginOptions): Promise<Transaction> {
    const { mode = "write", timeoutMs, signal } = options;
    signal?.throwIfAborted();
    const tie = parts.driver.tie();
    const params = { tx: tie.number, mode, fence: wiredFences(own, options.fence), timeoutMs };
    const question = new Question("begin", "tx.begin", params, { tie });
    await ask(parts.driver, question, signal);
    if (question.refusal !== undefined) throw failure(question, signal);
    const transaction = new Transaction(parts, tie, signal);
    if (signal?.aborted) await transaction.rollback();
    signal?.throwIfAborted();
    transaction.#listen();
    return transaction;
  }

  /** Whether it was committed or rolled back by the program. */
  get over(): boolean {
    return this.#ended !== undefined;
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
  async execute(sql: string, args?: Args, options: ExecuteOptions = {}): Promise<Result<unknown>> {
    return readResult(await this.#statement(sql, args, options), this.#parts.spelling, options.rows);
  }

  /**
   * Runs one statement and gives its rows, as objects.
   *
   * @throws as `execute`
   * @example const jobs = await tx.query("select * from job where state = ?", ["open"]);
   */
  async query<R = Row>(sql: string, args?: Args, options: Omit<ExecuteOptions, "rows"> = {}): Promise<R[]> {
    return readRows(await this.#statement(sql, args, options), this.#parts.spelling) as R[];
  }

  /**
   * Runs one statement, stops after its first row and gives that, or undefined when there is none.
   *
   * @throws as `execute`
   * @example const account = await tx.get("select * from account where id = ?", [7]);
   */
  async get<R = Row>(sql: string, args?: Args, options: Omit<ExecuteOptions, "rows"> = {}): Promise<R | undefined> {
    const result = await this.#statement(sql, args, { ...options, rowsMax: 1 });
    return readRows(result, this.#parts.spelling)[0] as R | undefined;
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
  batch<R = Row>(
    statements: readonly Step[],
    options: StepsOptions & { readonly atomic: boolean },
  ): Promise<StepResult<R>[]>;
  async batch(statements: readonly Step[], options: StepsOptions = {}): Promise<StepResult<unknown>[]> {
    const { spelling } = this.#parts;
    const { atomic, timeoutMs, signal, rows } = options;
    const params = { statements: statements.map((one) => statementOf(one, spelling)), atomic, timeoutMs };
    return readSteps((await this.#step("tx.batch", params, signal)) as BatchResult, spelling, rows);
  }

  /**
   * Runs one statement as a template: what stands in `${}` is always a value, never SQL.
   *
   * @returns its rows
   * @throws as `execute`
   * @example const [job] = await tx.sql`select * from job where id = ${id}`;
   */
  sql<R = Row>(strings: TemplateStringsArray, ...values: readonly Value[]): Promise<R[]> {
    return this.query(strings.join("?"), values);
  }

  /**
   * Runs `work`, and undoes what it has done if it throws; the transaction goes on. May be nested.
   *
   * @returns what `work` returns
   * @throws what `work` throws; as `execute`
   * @example await tx.savepoint(async () => { await tx.execute("insert into job values (?)", [1]); });
   */
  async savepoint<T>(work: (transaction: Transaction) => T | Promise<T>): Promise<T> {
    const name = `savepoint_${++this.#savepoints}`;
    await this.execute(`savepoint ${name}`);
    try {
      const result = await work(this);
      await this.execute(`release ${name}`);
      return result;
    } catch (error) {
      // Of a transaction that is gone nothing is left that could be undone.
      await this.execute(`rollback to ${name}`).then(
        () => this.execute(`release ${name}`),
        () => undefined,
      );
      throw error;
    }
  }

  /**
   * Commits: resolved means that all of it is on disk. It happens once: the library asks for it again under the same key
   * until it knows. Statements that have no outcome yet are waited for; when one of them is refused, nothing is committed.
   *
   * @returns which commit it is, in the one order of all
   * @throws what a statement that was not awaited was refused with; SQLITE_CONSTRAINT when a deferred constraint does
   *   not hold; TX_LOST and the like: it is not committed; outcome `unknown`: nobody knows
   * @param options `key`: a key of your own, under which a commit happens once, whoever asks for it; when one did before,
   *   this transaction is rolled back and the answer is that of the other. `keepMs` as of `broker.execute`
   * @example await tx.commit();
   */
  async commit(options: Pick<WriteOptions, "key" | "keepMs"> = {}): Promise<TxCommitResult> {
    this.#mustBeOpen();
    for (const unanswered of [...this.#open]) {
      const question = await unanswered;
      if (question.refusal === undefined) continue;
      await this.rollback();
      throw failure(question, this.#signal);
    }
    this.#mustBeOpen();
    const question = writing("tx.commit", { tx: this.#tie.number }, options, { tie: this.#tie });
    const settled = ask(this.#parts.driver, question, this.#signal);
    this.#end(settled);
    await settled;
    if (question.refusal === undefined) return question.result as TxCommitResult;
    // Refused by a constraint it is open all the same.
    if (question.refusal.outcome !== "unknown") await this.#rollBack();
    throw failure(question, this.#signal);
  }

  /**
   * Undoes all of it. Never refused; does nothing when it is over.
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
    const answered = ask(this.#parts.driver, question, own).then(() => question);
    this.#open.add(answered);
    await answered;
    this.#open.delete(answered);
    if (question.refusal === undefined) return question.result;
    this.#signal?.throwIfAborted();
    throw failure(question, own);
  }

  #mustBeOpen(): void {
    this.#signal?.throwIfAborted();
    if (this.#ended !== undefined) throw new HoldfastError("MISUSE", "the transaction is over");
  }

  #listen(): void {
    const signal = this.#signal;
    if (signal === undefined) return;
    const stop = () => void this.rollback();
    signal.addEventListener("abort", stop, { once: true });
    this.#stopListening = () => signal.removeEventListener("abort", stop);
  }

  #end(ended: Promise<void>): void {
    this.#ended = ended;
    this.#stopListening?.();
  }

  #rollBack(): Promise<void> {
    const question = new Question("rollback", "tx.rollback", { tx: this.#tie.number }, { tie: this.#tie });
    return this.#parts.driver.ask(question);
  }
}

type Cell = Result<Row>["rows"][number][string];

/** A transaction that was refused with one of these is not committed, and may succeed when it is done anew. */
const passing: ReadonlySet<string> = new Set(["TX_LOST", "SQLITE_BUSY_SNAPSHOT", "WRITER_UNAVAILABLE"]);

export const retriesDefault = 3;

/** Begins, runs `work`, commits; again when that is safe and may help. */
export async function transact<T>(
  begin: () => Promise<Transaction>,
  work: (transaction: Transaction) => T | Promise<T>,
  { retries = retriesDefault, signal }: TransactionOptions,
): Promise<T> {
  for (let left = retries; ; left--) {
    try {
      return await attempt(await begin(), work);
    } catch (error) {
      if (left <= 0 || signal?.aborted || !isPassing(error)) throw error;
    }
  }
}

async function attempt<T>(transaction: Transaction, work: (transaction: Transaction) => T | Promise<T>): Promise<T> {
  let result: T;
  try {
    result = await work(transaction);
  } catch (error) {
    await transaction.rollback();
    throw error;
  }
  if (!transaction.over) await transaction.commit();
  return result;
}

/** Whether it, or what it came of, is the loss of a transaction of which nothing was applied. */
function isPassing(error: unknown, depth = 8): boolean {
  if (depth === 0 || !(error instanceof Error)) return false;
  if (isHoldfastError(error)) return error.outcome === "none" && passing.has(error.code);
  return isPassing(error.cause, depth - 1);
}
