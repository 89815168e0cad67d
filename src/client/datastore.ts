/**
 * SQL through the broker, as the broker handle and a held lock offer it. The two differ in one thing: what is written
 * through a lock is applied only while that lock is held.
 */
import {
  type BatchResult,
  type Condition,
  refusalOf,
  type ScriptResult as ScriptWire,
  type StatementResult,
} from "../protocol/index.js";
import { HoldfastError, isHoldfastError, type Millis } from "../terms/index.js";
import type { Tie } from "./conversation/index.js";
import { type Driver, Question } from "./driver.js";
import { checkOptions, type KnownOptions } from "./known-options.js";
import { ask, failure } from "./outcome.js";
import { orAborted } from "./pulse.js";
import { creditStandard, RowStream } from "./row-stream.js";
import { templateText } from "./sql-template.js";
import {
  type Args,
  type Result,
  type Row,
  type RowShape,
  readResult,
  readRows,
  type ScriptResult,
  type Spelling,
  type Value,
  wired,
} from "./values.js";
import { writing } from "./writing.js";

/** A lock and the token under which it is held; a LockHandle is one. */
export interface Fence {
  readonly name: string;
  readonly token: number;
}

export interface ReadOptions {
  /** How long the statement may run (ms, up to the limit timeoutMsMax). Default: the limit readMs or writeMs. */
  readonly timeoutMs?: Millis | undefined;
  /** Cancels the request; it rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Values by name, beside those by position. */
  readonly named?: { readonly [name: string]: Value } | undefined;
}

export interface WriteOptions extends ReadOptions {
  /** Applied only while these locks are held under these tokens; else FENCED. */
  readonly fence?: Fence | readonly Fence[] | undefined;
  /**
   * Gives back the locks that it relies on (the lock that it is written through, those of `fence`) in the moment in which
   * it is on disk: one round trip, and nobody gets them sooner or later than that. From when it is asked the locks count
   * as given back for this program; when it is refused, they are held as before, and lost when its outcome was never heard. Only for what writes.
   */
  readonly release?: boolean | undefined;
  /**
   * A key of your own, up to 128 bytes, instead of the one that the library makes: the same request under it happens once,
   * whoever sends it, also after the program was started anew; another request under it is refused (KEY_REUSED).
   */
  readonly key?: string | undefined;
  /** How long the broker remembers `key` (ms, up to the limit keepMsMax). Default: a day. */
  readonly keepMs?: Millis | undefined;
  /** `arrays`: rows as arrays of cells in the order of `columns`. Default `objects`. */
  readonly rows?: RowShape | undefined;
}

export interface StreamOptions extends ReadOptions {
  /** Bytes of rows that may be on the way before the program has taken them. Default 1 MiB. */
  readonly credit?: number | undefined;
  /** `arrays`: rows as arrays of cells in the order of the columns. Default `objects`. */
  readonly rows?: RowShape | undefined;
}

export interface BatchOptions extends Omit<WriteOptions, "named"> {
  /**
   * True: all statements or none; false: one that is refused is undone by itself, and the rest goes on. When it is given,
   * statements may have conditions, and the result of one may be null (it was passed over) or a HoldfastError.
   */
  readonly atomic?: boolean | undefined;
}

export interface ScriptOptions extends BatchOptions {
  /** True (the default): all statements or none. False: each a transaction of its own, ending at the first error. */
  readonly atomic?: boolean | undefined;
  /**
   * How long it may run while other programs wait to write (ms, up to the limit timeoutMsMax, and no longer than
   * `timeoutMs`). Default: the limit writeContendedMs. Needs the role "admin": nobody else writes meanwhile.
   */
  readonly contendedMs?: Millis | undefined;
}

/** One statement of a batch. */
export type Statement =
  | string
  | readonly [sql: string, args?: Args]
  | {
      readonly sql: string;
      readonly args?: Args | undefined;
      readonly named?: { readonly [name: string]: Value } | undefined;
    };

/** One statement of a batch, with the condition under which it runs. */
export type Step =
  | Statement
  | {
      readonly sql: string;
      readonly args?: Args | undefined;
      readonly named?: { readonly [name: string]: Value } | undefined;
      /** By what became of statements before it: `{ ok: 0 }`, `{ error: 0 }`, `{ not }`, `{ and: […] }`, `{ or: […] }`. */
      readonly if?: Condition | undefined;
    };

/** What became of a statement of a batch: its result, why it was refused, or null when it was passed over. */
export type StepResult<R = Row> = Result<R> | HoldfastError | null;

export interface DatastoreParts {
  readonly driver: Driver;
  readonly spelling: Spelling;
}

export { ask, failure } from "./outcome.js";

export abstract class Datastore {
  readonly #driver: Driver;
  readonly #spelling: Spelling;

  /** @internal */
  constructor({ driver, spelling }: DatastoreParts) {
    this.#driver = driver;
    this.#spelling = spelling;
  }

  /** What every write relies on; throws when that is known to be gone. */
  protected abstract ownFence(): readonly Fence[];

  /** The fence is about to change: what is written waits for that. */
  protected get fenceChanges(): Promise<void> | undefined {
    return undefined;
  }

  /**
   * Runs one statement, in a transaction of its own. It happens exactly once, also when the connection or the broker
   * breaks in between: the library sends it again under the same key until it knows.
   *
   * @param args values by position (`?`, `?1`) or by name (`:name`); `options.named` for both at once
   * @returns columns, rows as objects, rowsAffected, lastInsertRowid. Resolved means: on disk.
   * @throws SQLITE_CONSTRAINT, SQLITE_ERROR and the like, PARAMETER_INVALID, FENCED, STATEMENT_TIMEOUT,
   *   CONNECTION_LOST (outcome `unknown` if it was sent); MISUSE for an option that there is not, and with outcome `unknown`
   *   when `integers` is "number" and the result holds an INTEGER beyond 2^53: then it was done, and only the result is lost
   * @example const { lastInsertRowid } = await broker.execute("insert into job(name) values (?)", ["index"]);
   */
  execute(
    sql: string,
    args: Args | undefined,
    options: WriteOptions & { readonly rows: "arrays" },
  ): Promise<Result<Cell[]>>;
  execute<R = Row>(sql: string, args?: Args, options?: WriteOptions): Promise<Result<R>>;
  async execute(sql: string, args?: Args, options: WriteOptions = noOptions): Promise<Result<unknown>> {
    if (options !== noOptions) checkOptions("execute", options, writeOptions);
    const values = wired(args, options.named, this.#spelling);
    if (this.fenceChanges !== undefined) await settled(this.fenceChanges, options.signal);
    const { timeoutMs } = options;
    // One shape for all: what is undefined is not sent.
    const fence = this.#fence(options.fence);
    const params = { sql, args: values.args, named: values.named, fence, release: undefined, timeoutMs };
    const question = writing(this.#driver, "db.execute", params, options);
    await ask(this.#driver, question, options.signal);
    if (question.refusal !== undefined) throw failure(question, options.signal);
    return readDone(() => readResult(question.result as StatementResult, this.#spelling, options.rows));
  }

  /**
   * Runs one statement that only reads. It sees every write that was acknowledged before, by anyone, and every write
   * that this program sent before.
   *
   * @returns the rows, as objects
   * @throws READ_ONLY when the statement writes, SQLITE_ERROR and the like, STATEMENT_TIMEOUT; MISUSE for an option that
   *   there is not, and for an INTEGER beyond 2^53 when `integers` is "number"
   * @example const open = await broker.query("select * from job where state = ?", ["open"]);
   */
  async query<R = Row>(sql: string, args?: Args, options: ReadOptions = noOptions): Promise<R[]> {
    if (options !== noOptions) checkOptions("query", options, readOptions);
    const question = this.#question(sql, args, options, undefined);
    await ask(this.#driver, question, options.signal);
    if (question.refusal !== undefined) throw failure(question, options.signal);
    return readRows(question.result as StatementResult, this.#spelling) as R[];
  }

  /**
   * Runs one statement that only reads, and stops after its first row.
   *
   * @returns the row, or undefined when there is none
   * @throws as `query`
   * @example const job = await broker.get("select * from job where id = ?", [7]);
   */
  async get<R = Row>(sql: string, args?: Args, options: ReadOptions = noOptions): Promise<R | undefined> {
    if (options !== noOptions) checkOptions("get", options, readOptions);
    const question = this.#question(sql, args, options, 1);
    await ask(this.#driver, question, options.signal);
    if (question.refusal !== undefined) throw failure(question, options.signal);
    return readRows(question.result as StatementResult, this.#spelling)[0] as R | undefined;
  }

  /**
   * The rows of one statement that only reads, one by one, from one snapshot; a result of any size takes a bounded amount
   * of memory, here and in the broker. Begins with the first row that is asked for. `timeoutMs` is the time that the
   * statement may run without a row.
   *
   * @param options `credit`: bytes on the way, at least 1; a slow program slows only its own stream
   * @returns an async iterable, to be read once; leaving the loop ends the stream
   * @throws (from the loop) as `query`; SNAPSHOT_ENDED when the snapshot was too old, or in the way of the log;
   *   CONNECTION_LOST when the connection broke in the middle: it is never taken up from another snapshot
   * @example for await (const { id, body } of broker.stream("select id, body from event")) console.log(id, body);
   */
  stream(sql: string, args: Args | undefined, options: StreamOptions & { readonly rows: "arrays" }): RowStream<Cell[]>;
  stream<R = Row>(sql: string, args?: Args, options?: StreamOptions): RowStream<R>;
  stream(sql: string, args?: Args, options: StreamOptions = {}): RowStream<unknown> {
    const parts = { driver: this.#driver, spelling: this.#spelling };
    return streamOf(parts, { method: "db.stream" }, { sql, args, options });
  }

  /**
   * Runs up to 1024 statements in one transaction, exactly once: all of them or none, if nothing else is said.
   *
   * @param statements each as text, as `[sql, args]`, or as `{ sql, args, named }`; with `atomic` also `{ sql, if }`
   * @returns one result for each statement; with `atomic` given also an error, or null for one that was passed over
   * @throws as `execute`; `details.statement` is the index of the one that failed
   * @example await broker.batch([["update account set sum = sum - ? where id = 1", [5]], ["update account set sum = sum + ? where id = 2", [5]]]);
   */
  batch(
    statements: readonly Statement[],
    options: BatchOptions & { readonly rows: "arrays"; readonly atomic?: undefined },
  ): Promise<Result<Cell[]>[]>;
  batch<R = Row>(
    statements: readonly Statement[],
    options?: BatchOptions & { readonly atomic?: undefined },
  ): Promise<Result<R>[]>;
  batch(
    statements: readonly Step[],
    options: BatchOptions & { readonly rows: "arrays"; readonly atomic: boolean },
  ): Promise<StepResult<Cell[]>[]>;
  batch<R = Row>(
    statements: readonly Step[],
    options: BatchOptions & { readonly atomic: boolean },
  ): Promise<StepResult<R>[]>;
  async batch(statements: readonly Step[], options: BatchOptions = {}): Promise<StepResult<unknown>[]> {
    checkOptions("batch", options, batchOptions);
    const { atomic, timeoutMs } = options;
    const steps = stepsOf(statements, this.#spelling);
    if (this.fenceChanges !== undefined) await settled(this.fenceChanges, options.signal);
    const fence = this.#fence(options.fence);
    const params = { statements: steps, atomic, fence, release: undefined, timeoutMs };
    const question = writing(this.#driver, "db.batch", params, options);
    await ask(this.#driver, question, options.signal);
    if (question.refusal !== undefined) throw failure(question, options.signal);
    return readDone(() => readSteps(question.result as BatchResult, this.#spelling, options.rows));
  }

  /**
   * Runs a text of many statements, without values: a schema, a migration. Nothing else is written meanwhile.
   *
   * @returns one result for each statement, with its position in the text
   * @throws as `execute`; `details.statement` is the index of the one that failed, `details.applied` how many are done
   * @example await broker.script("create table if not exists job(id integer primary key, name text); create index …");
   */
  script(sql: string, options: ScriptOptions & { readonly rows: "arrays" }): Promise<ScriptResult<Cell[]>[]>;
  script<R = Row>(sql: string, options?: ScriptOptions): Promise<ScriptResult<R>[]>;
  async script(sql: string, options: ScriptOptions = {}): Promise<ScriptResult<unknown>[]> {
    checkOptions("script", options, scriptOptions);
    const { atomic, timeoutMs, contendedMs } = options;
    if (this.fenceChanges !== undefined) await settled(this.fenceChanges, options.signal);
    const params = { sql, atomic, fence: this.#fence(options.fence), release: undefined, timeoutMs, contendedMs };
    const question = writing(this.#driver, "db.script", params, options);
    await ask(this.#driver, question, options.signal);
    if (question.refusal !== undefined) throw failure(question, options.signal);
    const { results } = question.result as ScriptWire;
    return readDone(() =>
      results.map((one) => ({ ...readResult(one, this.#spelling, options.rows), position: one.position })),
    );
  }

  /**
   * Runs one statement as a template: what stands in `${}` is always a value, never SQL. Else it is a text as any other:
   * a backslash is written as `\\`.
   *
   * @returns its rows; of a statement that writes, those of RETURNING
   * @throws as `execute`; MISUSE for an escape that JavaScript does not know, such as `\users`
   * @example const [job] = await broker.sql`select * from job where id = ${id}`;
   */
  async sql<R = Row>(strings: TemplateStringsArray, ...values: readonly Value[]): Promise<R[]> {
    const text = templateText(strings);
    const { args, named } = wired(values, undefined, this.#spelling);
    if (this.fenceChanges !== undefined) await this.fenceChanges;
    const params = { sql: text, args, named, fence: this.#fence(undefined), timeoutMs: undefined };
    const question = new Question("write", "db.execute", params);
    await ask(this.#driver, question, undefined);
    if (question.refusal !== undefined) throw failure(question, undefined);
    return readDone(() => readRows(question.result as StatementResult, this.#spelling) as R[]);
  }

  #question(sql: string, args: Args | undefined, options: ReadOptions, rowsMax: number | undefined): Question {
    const values = wired(args, options.named, this.#spelling);
    const { timeoutMs } = options;
    return new Question("read", "db.query", { sql, args: values.args, named: values.named, timeoutMs, rowsMax });
  }

  #fence(given: WriteOptions["fence"]): readonly Fence[] | undefined {
    return wiredFences(this.ownFence(), given);
  }
}

const noOptions: WriteOptions = {};

const readOptions: KnownOptions<ReadOptions> = { timeoutMs: true, signal: true, named: true };
const streamOptions: KnownOptions<StreamOptions> = { ...readOptions, credit: true, rows: true };
const batchOptions: KnownOptions<BatchOptions> = {
  ...{ timeoutMs: true, signal: true },
  ...{ fence: true, release: true, key: true, keepMs: true, rows: true, atomic: true },
};
const scriptOptions: KnownOptions<ScriptOptions> = { ...batchOptions, contendedMs: true };
const { atomic: _atomic, ...statementOptions } = batchOptions;
const writeOptions: KnownOptions<WriteOptions> = { ...statementOptions, named: true };

/** When the lock has its new token, or has kept the old one; what a signal ends before was never sent. */
export function settled(change: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  return signal === undefined ? change : orAborted(change, signal, () => undefined);
}

/** The result of what was done, whatever becomes of it here: nobody may take it for a statement that was not. */
function readDone<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw doneAndUnreadable(error);
  }
}

function doneAndUnreadable(error: unknown): unknown {
  if (!isHoldfastError(error)) return error;
  const { code, message, details } = error;
  const text = `the statement was done, and what it writes is applied, but its result cannot be given: ${message}`;
  return new HoldfastError(code, text, { details, outcome: "unknown", cause: error });
}

/** A stream of its own, or one of a transaction. */
export function streamOf(
  { driver, spelling }: DatastoreParts,
  { method, params: own, tie }: { readonly method: string; readonly params?: object; readonly tie?: Tie },
  asked: { readonly sql: string; readonly args: Args | undefined; readonly options: StreamOptions },
): RowStream<unknown> {
  const { sql, args, options } = asked;
  checkOptions("stream", options, streamOptions);
  const { named, timeoutMs, credit = creditStandard, rows: shape, signal } = options;
  if (!Number.isSafeInteger(credit) || credit < 1)
    throw new HoldfastError("MISUSE", `credit must be a whole number of bytes above 0, not ${String(credit)}`);
  const params = { ...own, sql, ...wired(args, named, spelling), timeoutMs, credit };
  const question = new Question("stream", method, params, { tie });
  return new RowStream({ driver, spelling, question, credit, shape, signal });
}

const stepFields: KnownOptions<Exclude<Step, string | readonly unknown[]>> = {
  sql: true,
  args: true,
  named: true,
  if: true,
};

type Cell = Result<Row>["rows"][number][string];

function isPair(statement: Exclude<Step, string>): statement is readonly [sql: string, args?: Args] {
  return Array.isArray(statement);
}

/** The statements of a batch as they go over the wire. Throws MISUSE, naming the one that is none. */
export function stepsOf(statements: readonly Step[], spelling: Spelling): object[] {
  if (!Array.isArray(statements)) throw new HoldfastError("MISUSE", "a batch is an array of statements");
  return statements.map((one: Step, index) => statementOf(one, index, spelling));
}

function statementOf(one: Step, index: number, spelling: Spelling): object {
  if (typeof one === "string") return { sql: one };
  if (typeof one !== "object" || one === null) {
    const message = `statement ${index} of a batch is a text, [sql, args] or { sql, args, named }, not ${String(one)}`;
    throw new HoldfastError("MISUSE", message, { details: { statement: index } });
  }
  if (isPair(one)) return { sql: one[0], ...wired(one[1], undefined, spelling) };
  checkOptions("a statement of a batch", one, stepFields);
  const condition = "if" in one ? { if: one.if } : undefined;
  return { sql: one.sql, ...wired(one.args, one.named, spelling), ...condition };
}

/** Of a batch that was answered: what became of each statement. */
export function readSteps(
  { results }: BatchResult,
  spelling: Spelling,
  shape: RowShape | undefined,
): StepResult<unknown>[] {
  return results.map((one) => {
    if (one === null) return null;
    return "error" in one ? HoldfastError.from(refusalOf(one.error)) : readResult(one, spelling, shape);
  });
}

const none: readonly Fence[] = [];

/** As they go over the wire: none at all when there are none. */
export function wiredFences(
  own: readonly Fence[],
  given: Fence | readonly Fence[] | undefined,
): readonly Fence[] | undefined {
  if (given === undefined && own.length === 0) return undefined;
  let more = none;
  if (given !== undefined) more = Array.isArray(given) ? given : [given as Fence];
  const all = [...own, ...more].map(({ name, token }) => ({ name, token }));
  return all.length === 0 ? undefined : all;
}
