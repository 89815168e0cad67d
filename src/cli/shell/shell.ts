/**
 * `holdfast sql` at a terminal: statements as they are typed, with the habits of sqlite3. Reads a line, runs what is
 * whole, says what came of it; until Ctrl-D or .quit.
 */
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { ReadStream, WriteStream } from "node:tty";
import type { Broker, ConnectOptions, Fence } from "../../client/index.js";
import { isHoldfastError } from "../../terms/index.js";
import { type Call, ExitWith } from "../command.js";
import { complain } from "../complaint.js";
import { count, formatDuration } from "../durations.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { Output } from "../output.js";
import { reach } from "../reach.js";
import { importFileRows, rowFormOf } from "../rows/file-import.js";
import { complainOfSql, showResult, showStream } from "../sql-results.js";
import { ReaderGone } from "../standard-output.js";
import { placesOf } from "../surroundings.js";
import { textOfBytes } from "../utf8.js";
import { quoted } from "../words.js";
import { type Completion, completeSql } from "./completion.js";
import { type DotHost, runDotCommand, type View } from "./dot-commands.js";
import { completeDot } from "./dot-completion.js";
import { dotWords } from "./dot-words.js";
import { type Gathered, Gatherer } from "./gatherer.js";
import { entriesMax, TypedHistory } from "./history.js";
import { Interrupted, LineEditor } from "./line-editor.js";
import { type TableNames, tableNames } from "./schema-names.js";
import { type Answer, SqlSession, type TransactionState } from "./sql-session.js";
import { oneLine, statementsIn, type TypedStatement } from "./statements.js";

export interface ShellOptions {
  readonly fence: readonly Fence[];
  readonly timeoutMs: number | undefined;
  readonly role: ConnectOptions["role"];
}

/** By what stands before the prompt's mark one sees whether a COMMIT is due. */
const prompts: { readonly [State in TransactionState]: string } = {
  none: "holdfast> ",
  open: "holdfast*> ",
  lost: "holdfast!> ",
};
/** Tab does not wait longer for the names of tables. */
const namesMs = 2000;
const nestedReadsMax = 16;

/** `input` and `output` are the terminal. */
export async function runShell(
  call: Call,
  options: ShellOptions,
  { input, output }: { readonly input: ReadStream; readonly output: WriteStream },
): Promise<ExitCode> {
  const broker = await connected(call, options);
  const shell = new Shell(call, options, broker);
  const editor = new LineEditor({
    input,
    output,
    history: shell.history.entries,
    historyMax: entriesMax,
    complete: (line) => shell.complete(line),
  });
  try {
    await shell.greet();
    await shell.run(editor);
    return exitCodes.ok;
  } finally {
    editor.close();
    await shell.close();
  }
}

function connected(call: Call, { role }: ShellOptions): Promise<Broker> {
  return reach(call, { start: true, integers: "bigint", role });
}

class Shell {
  readonly history: TypedHistory;
  readonly #call: Call;
  readonly #options: ShellOptions;
  readonly #gatherer = new Gatherer();
  #broker: Broker;
  #session: SqlSession;
  #view: View;
  #historyFails = false;

  constructor(call: Call, options: ShellOptions, broker: Broker) {
    this.#call = call;
    this.#options = options;
    this.#broker = broker;
    this.#session = new SqlSession({ ...options, broker });
    this.history = new TypedHistory(join(placesOf(call.options, call.io).logDir, "sql-history"));
    const { header } = call.options as { readonly header?: boolean };
    this.#view = { mode: call.output.format, header, timer: false };
  }

  async greet(): Promise<void> {
    this.#call.output.comment(await this.#whatIsThere());
    this.#call.output.comment(".help tells what there is; a statement ends with a semicolon; Ctrl-D leaves");
  }

  /** Not every role is told. */
  async #whatIsThere(): Promise<string> {
    try {
      const { version, sqlite, database } = await this.#broker.status();
      return `Holdfast ${version}, SQLite ${sqlite}, ${database.path}`;
    } catch (error) {
      if (!isHoldfastError(error) || error.code !== "FORBIDDEN") throw error;
      return `Holdfast, with the role ${this.#options.role}`;
    }
  }

  async run(editor: LineEditor): Promise<void> {
    for (;;) {
      const typed = await editor.read(this.#prompt());
      if (typed.kind === "end") {
        this.#call.io.say("\n");
        return;
      }
      if (typed.kind === "interrupt") this.#gatherer.drop();
      else {
        const gathered = this.#gatherer.add(bareWord(typed.text, this.#gatherer.begun));
        if (gathered === undefined) continue;
        this.#remember(gathered);
        if ((await editor.interruptible((signal) => this.#obey(gathered, signal))) === "quit") return;
      }
      editor.recall(this.history.entries);
    }
  }

  async close(): Promise<void> {
    if (this.#session.state === "open") this.#call.output.comment("the open transaction is undone");
    try {
      await this.#session.close();
    } finally {
      await this.#broker.close();
    }
  }

  async complete(line: string): Promise<[candidates: string[], end: string]> {
    const before = this.#gatherer.pending;
    const tables = await this.#tables();
    const isDot = !this.#gatherer.begun && line.trimStart().startsWith(".");
    const [candidates, end]: Completion = isDot
      ? completeDot(line, tables, this.#call.io.cwd)
      : completeSql({ before, line, tables });
    return [candidates, end];
  }

  /** Without the names when they cannot be had just now. */
  async #tables(): Promise<TableNames[]> {
    const signal = AbortSignal.timeout(namesMs);
    try {
      return await tableNames((sql, args) => this.#session.ask(sql, args, signal));
    } catch {
      return [];
    }
  }

  #prompt(): string {
    const prompt = prompts[this.#session.state];
    return this.#gatherer.begun ? "...> ".padStart(prompt.length) : prompt;
  }

  #remember(gathered: Gathered): void {
    const whole = gathered.kind === "dot" ? gathered.line : oneLine(gathered.text);
    try {
      for (const line of whole === undefined && gathered.kind === "sql" ? gathered.text.split("\n") : [whole ?? ""])
        this.history.add(line);
    } catch (error) {
      if (!this.#historyFails) this.#call.output.warn(`what is typed is not kept: ${(error as Error).message}`);
      this.#historyFails = true;
    }
  }

  async #obey(gathered: Gathered, signal: AbortSignal): Promise<"quit" | "on" | "failed"> {
    if (gathered.kind === "dot") {
      try {
        return await this.#dot(gathered.line, signal, 0);
      } catch (error) {
        this.#complain(error, gathered.line);
        await this.#session.lookAgain();
        return "failed";
      }
    }
    return (await this.#runAll(gathered.text, signal)) === undefined ? "on" : "failed";
  }

  /** Up to the first that is refused, which is answered. */
  async #runAll(text: string, signal: AbortSignal): Promise<TypedStatement | undefined> {
    await this.#connectAgain();
    for (const statement of statementsIn(text)) if (!(await this.#runOne(statement, signal))) return statement;
    return undefined;
  }

  async #runOne(statement: TypedStatement, signal: AbortSignal): Promise<boolean> {
    const before = this.#session.state;
    const start = performance.now();
    try {
      signal.throwIfAborted();
      await this.#show(await this.#session.run(statement, signal), statement.text, signal);
      return true;
    } catch (error) {
      this.#complain(error, statement.text);
      if (error instanceof Interrupted) await this.#session.lookAgain();
      this.#explain(error, before);
      return false;
    } finally {
      if (this.#view.timer) this.#call.output.comment(formatDuration(performance.now() - start));
    }
  }

  async #show(answer: Answer, text: string, signal: AbortSignal): Promise<void> {
    const output = this.#output();
    const counted = output.forPeople;
    const flushed = () => this.#call.io.flushed(signal);
    if (answer.kind === "result") showResult(output, answer.result, text, counted);
    if (answer.kind === "stream") await showStream(output, answer.rows, { counted, flushed });
  }

  #output(): Output {
    const { mode, header } = this.#view;
    const { quiet } = this.#call.options;
    return new Output(this.#call.io, {
      [mode]: true,
      ...(header === undefined ? {} : { header }),
      ...(quiet === undefined ? {} : { quiet }),
    });
  }

  /** Whose reader has gone has nobody to go on for. */
  #complain(error: unknown, text: string): void {
    if (error instanceof ReaderGone) throw error;
    if (error instanceof Interrupted) this.#call.io.say("\ninterrupted\n");
    else if (isHoldfastError(error)) complainOfSql(error, text, this.#call.io);
    else complain(error, this.#call.io);
  }

  /** What became of the transaction. */
  #explain(error: unknown, before: TransactionState): void {
    const { state } = this.#session;
    const { io } = this.#call;
    if (state === "lost") io.say("  the transaction is undone, nothing of it is stored; ROLLBACK; closes it\n");
    else if (before !== "none" && state === "none" && isHoldfastError(error) && error.outcome === "none")
      io.say("  the transaction is undone, nothing of it is stored\n");
  }

  /** One that could not be had for too long has closed for good; another try is made for each statement. */
  async #connectAgain(): Promise<void> {
    if (!this.#broker.closed) return;
    this.#broker = await connected(this.#call, this.#options);
    this.#session = new SqlSession({ ...this.#options, broker: this.#broker });
  }

  async #dot(line: string, signal: AbortSignal, depth: number): Promise<"quit" | "on"> {
    try {
      return await runDotCommand(this.#host(signal, depth), dotWords(line));
    } catch (error) {
      if (error instanceof RangeError) throw new ExitWith(error.message, { exitCode: exitCodes.usage, cause: error });
      throw error;
    }
  }

  #host(signal: AbortSignal, depth: number): DotHost {
    const { io } = this.#call;
    return {
      show: (view) => {
        this.#view = { ...this.#view, ...view };
      },
      view: this.#view,
      columns: io.columns,
      ask: (sql, args) => this.#session.ask(sql, args, signal),
      line: (text) => io.write(`${text}\n`),
      read: (file) => this.#read(file, signal, depth),
      importFile: (file, table) => this.#import(file, table, signal),
    };
  }

  async #import(file: string, table: string, signal: AbortSignal): Promise<void> {
    const { rows, created } = await importFileRows(this.#call, {
      ...{ broker: this.#broker, open: this.#session.transaction, fence: this.#options.fence, signal },
      ...{ file, table, form: rowFormOf(file, undefined) ?? "csv", asText: false, resume: false, anew: false },
    });
    this.#call.output.comment(`${count(rows, "row")} into ${quoted(table)}${created ? ", which is new" : ""}`);
  }

  /** Runs what is in the file, as if it was typed; throws at the first statement that is refused. */
  async #read(file: string, signal: AbortSignal, depth: number): Promise<void> {
    if (depth >= nestedReadsMax)
      throw new ExitWith(`${file}: files that .read one another end at ${nestedReadsMax}`, {
        exitCode: exitCodes.refused,
      });
    const gatherer = new Gatherer();
    const lines = textOfBytes(readFileSync(resolve(this.#call.io.cwd, file)), file).split(/\r?\n/);
    for (const line of [...lines, undefined]) {
      const gathered = line === undefined ? gatherer.rest() : gatherer.add(line);
      if (gathered?.kind === "dot" && (await this.#dot(gathered.line, signal, depth + 1)) === "quit") return;
      const failed = gathered?.kind === "sql" ? await this.#runAll(gathered.text, signal) : undefined;
      if (failed === undefined || gathered === undefined) continue;
      const at = gathered.at + failed.line - 1;
      throw new ExitWith(`${file}, line ${at}: what comes after it was not run`, { exitCode: exitCodes.refused });
    }
  }
}

/** Who does not know of the dot types the word alone. */
function bareWord(line: string, begun: boolean): string {
  return !begun && /^\s*(?:help|quit|exit)\s*;?\s*$/i.test(line) ? `.${line.trim().replace(/\s*;$/, "")}` : line;
}
