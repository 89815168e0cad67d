/**
 * What the shell's statements run in: each in a transaction of its own, or in the one that BEGIN or SAVEPOINT has opened
 * and that the broker keeps for it.
 *
 *   none ──BEGIN, SAVEPOINT──► open ──COMMIT, END, ROLLBACK, RELEASE of the savepoint that opened it──► none
 *                                │
 *                                └──too long, lock lost, writer or connection lost──► lost ──ROLLBACK, COMMIT──► none
 *
 * What is asked of a lost one is refused with the reason, as the broker does it. Unlike with SQLite a COMMIT that is refused
 * ends the transaction: the broker lets others write then.
 */
import type { Broker, ConnectOptions, Fence, Result, RowStream, Transaction } from "../../client/index.js";
import { isHoldfastError, type RefusalCode } from "../../terms/index.js";
import type { Cell } from "../cells.js";
import { ExitWith } from "../command.js";
import { exitCodes } from "../exit-codes.js";
import type { TypedStatement } from "./statements.js";

export type TransactionState = "none" | "open" | "lost";

export type Answer =
  | { readonly kind: "result"; readonly result: Result<Cell[]> }
  /** More than is answered at once. */
  | { readonly kind: "stream"; readonly rows: RowStream<Cell[]> }
  /** Of BEGIN, COMMIT and their kin. */
  | { readonly kind: "done" };

export interface SqlSessionParts {
  readonly broker: Broker;
  readonly fence: readonly Fence[];
  readonly timeoutMs: number | undefined;
  readonly role: ConnectOptions["role"];
}

interface Open {
  readonly transaction: Transaction;
  /** `deferred` until its first write. */
  mode: "read" | "write" | "deferred";
  readonly openedBy: "begin" | "savepoint";
  /** In order; the outermost first. */
  readonly savepoints: string[];
  lost: boolean;
}

type Control = NonNullable<TypedStatement["control"]>;

/** After these nothing is left of a transaction. */
const losses: ReadonlySet<RefusalCode> = new Set([
  "TX_EXPIRED",
  "TX_LOST",
  "TX_ROLLED_BACK",
  "FENCED",
  "SNAPSHOT_ENDED",
  "SQLITE_BUSY_SNAPSHOT",
  "CONNECTION_LOST",
]);

const done: Answer = { kind: "done" };

export class SqlSession {
  readonly #parts: SqlSessionParts;
  #open: Open | undefined;

  constructor(parts: SqlSessionParts) {
    this.#parts = parts;
  }

  get state(): TransactionState {
    if (this.#open === undefined) return "none";
    return this.#open.lost ? "lost" : "open";
  }

  async run(statement: TypedStatement, signal: AbortSignal): Promise<Answer> {
    const open = this.#open;
    try {
      if (statement.control !== undefined) return await this.#control(statement.control, statement.text, signal);
      if (open === undefined) return await this.#alone(statement, signal);
      if (open.mode === "deferred" && !statement.reads) open.mode = "write";
      return await this.#step(open, statement.text, signal);
    } catch (error) {
      if (isHoldfastError(error) && losses.has(error.code) && open !== undefined) open.lost = true;
      throw error;
    }
  }

  /** A question of the shell's own; inside the transaction, so that it shows what that has done. */
  async ask(sql: string, args: readonly string[] = [], signal?: AbortSignal): Promise<readonly Cell[][]> {
    const options = { rows: "arrays", signal } as const;
    const open = this.#open?.lost === false ? this.#open.transaction : undefined;
    const { rows } = await (open?.execute(sql, args, options) ?? this.#parts.broker.execute(sql, args, options));
    return rows;
  }

  /** The transaction that is open, for who writes in it. */
  get transaction(): Transaction | undefined {
    return this.#open?.transaction;
  }

  /** Whether the transaction is still there: what was interrupted may have taken it along. */
  async lookAgain(): Promise<void> {
    const open = this.#open;
    if (open === undefined || open.lost) return;
    try {
      await open.transaction.execute("select 1");
    } catch {
      open.lost = true;
    }
  }

  /** Undoes what is not committed. */
  async close(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    await open?.transaction.rollback();
  }

  async #alone({ text, reads }: TypedStatement, signal: AbortSignal): Promise<Answer> {
    const { broker, fence, timeoutMs } = this.#parts;
    const options = { timeoutMs, signal, rows: "arrays" } as const;
    try {
      return { kind: "result", result: await broker.execute(text, undefined, { ...options, fence }) };
    } catch (error) {
      if (!reads || !isTooLarge(error)) throw error;
      return { kind: "stream", rows: broker.stream(text, undefined, options) };
    }
  }

  async #step({ transaction, mode }: Open, text: string, signal: AbortSignal): Promise<Answer> {
    const options = { timeoutMs: this.#parts.timeoutMs, signal, rows: "arrays" } as const;
    try {
      return { kind: "result", result: await transaction.execute(text, undefined, options) };
    } catch (error) {
      if (mode === "write" || !isTooLarge(error)) throw error;
      return { kind: "stream", rows: transaction.stream(text, undefined, options) };
    }
  }

  #control(control: Control, text: string, signal: AbortSignal): Promise<Answer> {
    switch (control.action) {
      case "begin":
        return this.#begin("begin", signal, modeOf(control));
      case "commit":
        return this.#commit();
      case "rollback":
        return this.#rollback();
      case "savepoint":
        return this.#savepoint(control.savepoint, text, signal);
      case "release":
        return this.#release(control.savepoint, text, signal);
      case "rollback-to":
        return this.#rollbackTo(control.savepoint, text, signal);
    }
  }

  /** Who may only read asks for no more. */
  async #begin(openedBy: Open["openedBy"], signal: AbortSignal, asked: Open["mode"]): Promise<Answer> {
    if (this.#open !== undefined) throw refused("cannot start a transaction within a transaction");
    // The transaction outlives the statement that began it, and so does the signal that it is given.
    const wait = new AbortController();
    const stop = () => wait.abort(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
    try {
      const { broker, fence, role } = this.#parts;
      const mode = role === "read" ? "read" : asked;
      const transaction = await broker.begin({ mode, fence: mode === "read" ? [] : fence, signal: wait.signal });
      this.#open = { transaction, mode, openedBy, savepoints: [], lost: false };
    } finally {
      signal.removeEventListener("abort", stop);
    }
    return done;
  }

  async #commit(): Promise<Answer> {
    const open = this.#open;
    if (open === undefined) throw refused("cannot commit - no transaction is active");
    this.#open = undefined;
    await open.transaction.commit();
    return done;
  }

  async #rollback(): Promise<Answer> {
    const open = this.#open;
    if (open === undefined) throw refused("cannot rollback - no transaction is active");
    this.#open = undefined;
    await open.transaction.rollback();
    return done;
  }

  async #savepoint(name: string, text: string, signal: AbortSignal): Promise<Answer> {
    if (this.#open === undefined) await this.#begin("savepoint", signal, "deferred");
    const open = this.#mustBeOpen(name);
    await this.#step(open, text, signal);
    open.savepoints.push(name);
    return done;
  }

  async #release(name: string, text: string, signal: AbortSignal): Promise<Answer> {
    const open = this.#mustBeOpen(name);
    await this.#step(open, text, signal);
    open.savepoints.splice(placeOf(name, open));
    return open.openedBy === "savepoint" && open.savepoints.length === 0 ? this.#commit() : done;
  }

  async #rollbackTo(name: string, text: string, signal: AbortSignal): Promise<Answer> {
    const open = this.#mustBeOpen(name);
    await this.#step(open, text, signal);
    open.savepoints.splice(placeOf(name, open) + 1);
    return done;
  }

  #mustBeOpen(savepoint: string): Open {
    if (this.#open === undefined) throw refused(`no such savepoint: ${savepoint}`);
    return this.#open;
  }
}

/** As SQLite has it: a plain BEGIN is in nobody's way before its first write. */
function modeOf({ mode, readonly }: Extract<Control, { readonly action: "begin" }>): Open["mode"] {
  if (readonly) return "read";
  return mode === "deferred" ? "deferred" : "write";
}

/** For one answer: as a stream it may have any size. */
function isTooLarge(error: unknown): boolean {
  return isHoldfastError(error) && error.code === "RESULT_TOO_LARGE";
}

/** Of several with one name the innermost counts. */
function placeOf(name: string, { savepoints }: Open): number {
  const place = savepoints.findLastIndex((one) => one.toLowerCase() === name.toLowerCase());
  return place === -1 ? savepoints.length : place;
}

/** In SQLite's own words. */
function refused(message: string): ExitWith {
  return new ExitWith(message, { exitCode: exitCodes.refused });
}
