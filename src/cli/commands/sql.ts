/**
 * `holdfast sql`: one statement with values, or a script; rows on stdout, what was changed on stderr. Alone at a terminal
 * it is a shell.
 */
import { readFileSync } from "node:fs";
import { type Broker, type ConnectOptions, real, type Value } from "../../client/index.js";
import { isHoldfastError } from "../../terms/index.js";
import { type Call, type Command, optionsOf } from "../command.js";
import { showDescriptions } from "../descriptions.js";
import { count, formatDuration, parseDuration } from "../durations.js";
import { type ExitCode, exitCodeOf, exitCodes } from "../exit-codes.js";
import { reach } from "../reach.js";
import { complainOfSql, showResult } from "../sql-results.js";
import { fenceOf, type NamedValue, namedValue, type TypedValue, valueOfWord } from "../sql-values.js";
import { textOfBytes } from "../utf8.js";

interface SqlOptions {
  readonly file?: string;
  readonly arg?: readonly string[];
  readonly text?: boolean;
  readonly atomic: boolean;
  readonly fence?: readonly string[];
  readonly fenced?: boolean;
  readonly timeout?: string;
  readonly describe?: boolean;
  readonly role?: string;
}

/** How whatever is asked for is to run. */
interface Manner {
  readonly fence: readonly { name: string; token: number }[];
  readonly timeoutMs: number | undefined;
  readonly role: ConnectOptions["role"];
}

interface Wish extends Manner {
  readonly sql: string;
  /** From a file or stdin: several statements are meant. */
  readonly script: boolean;
  readonly values: readonly TypedValue[];
  readonly named: readonly NamedValue[];
  readonly atomic: boolean;
  /** Nothing is run. */
  readonly describe: boolean;
}

const collect = (word: string, before: readonly string[] = []) => [...before, word];

export const sql: Command = {
  prints: true,
  define(parser) {
    parser
      .usage(
        '[options] "STATEMENT" [VALUE…]\n       holdfast sql [options] -f FILE | < FILE\n       holdfast sql [options]',
      )
      .argument("[statement]")
      .argument("[values...]")
      .option("-f, --file <file>", "run the statements of this file (- is stdin)")
      .option("--arg <name=value>", "a value for :name; name:TYPE=value with int, real, text, blob; name:null", collect)
      .option("--text", "bind all values as text")
      .option("--no-atomic", "each statement of a script its own transaction")
      .option("--fence <name:token>", "write only while this lock is held under this token", collect)
      .option("--fenced", "the same, for the lock of the `holdfast lock` that runs us")
      .option("--timeout <time>", "how long a statement may run: 30 (seconds), 500ms, 2m")
      .option("--describe", "run nothing: say what each statement is, its parameters and columns")
      .option("--role <role>", "read: nothing can be changed; write, admin: as said (HOLDFAST_ROLE)")
      .option("--raw", "values as they are: no escapes, blobs as bytes, no newline at the end")
      .addHelpText(
        "after",
        "\nA VALUE that reads as SQLite prints a number (12, -3, 2.5) is bound as a number, all\n" +
          "else as text (also 007 and 1e5). NULL: --arg n:null. A blob: --arg b:blob=@FILE, or\n" +
          "hexadecimal digits. Several statements run as a script, in one transaction.\n" +
          "Piped rows have tabs between values; in a value tab, newline and \\ are \\t, \\n and\n" +
          "\\\\; NULL is empty.\n\n" +
          "Alone at a terminal it is a shell: statements over several lines, BEGIN and COMMIT, Tab,\n" +
          "the arrows, .help for more. Ctrl-C ends the statement that runs.\n" +
          '\n  holdfast sql "select * from job where state = ? and tries < :n" open --arg n=3\n' +
          "  holdfast sql < schema.sql",
      );
  },

  async run(call) {
    const manner = mannerOf(call);
    const { terminal } = call.io;
    const { file, arg = [], describe: described } = optionsOf<SqlOptions>(call);
    if (call.operands.length === 0 && file === undefined && terminal !== undefined) {
      if (arg.length > 0 || described === true) call.misused("values and --describe go with a statement");
      return (await import("../shell/shell.js")).runShell(call, manner, terminal);
    }
    const wish = await wishOf(call, manner);
    const broker = await reach(call, { start: true, integers: "bigint", role: manner.role });
    try {
      return await runWish(call, broker, wish);
    } finally {
      await broker.close();
    }
  },
};

function mannerOf(call: Call): Manner {
  const { fence = [], fenced, timeout, role } = optionsOf<SqlOptions>(call);
  const timeoutMs = timeout === undefined ? undefined : parseDuration(timeout);
  if (timeout !== undefined && timeoutMs === undefined)
    call.misused(`"${timeout}" is not a length of time: 30 (seconds), 500ms, 2m`);
  return {
    fence: typed(call, () => [...fence.map(fenceOf), ...(fenced === true ? [fenceOfSurroundings(call)] : [])]),
    timeoutMs,
    // The library knows what a role may be.
    role: role as ConnectOptions["role"],
  };
}

async function wishOf(call: Call, manner: Manner): Promise<Wish> {
  const options = optionsOf<SqlOptions>(call);
  const [statement, ...words] = call.operands;
  const { text, fromArgument } = await textOf(call, statement, options.file);
  if (!fromArgument && words.length + (options.arg?.length ?? 0) > 0)
    call.misused("values go with a statement, not with a script");
  return typed(call, () => ({
    ...manner,
    sql: text,
    script: !fromArgument,
    values: words.map((word) => valueOfWord(word, options.text === true)),
    named: (options.arg ?? []).map((word) => namedValue(word, { asText: options.text === true })),
    atomic: options.atomic,
    describe: options.describe === true,
  }));
}

/** What is wrong with a word ends the call. */
function typed<T>(call: Call, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof RangeError) return call.misused(error.message);
    throw error;
  }
}

async function textOf(
  call: Call,
  statement: string | undefined,
  file: string | undefined,
): Promise<{ text: string; fromArgument: boolean }> {
  if (file !== undefined && statement !== undefined) call.misused("either a statement or -f FILE, not both");
  if (file !== undefined && file !== "-") return { text: textOfBytes(readFileSync(file), file), fromArgument: false };
  if (statement !== undefined && statement !== "-") return { text: statement, fromArgument: true };
  if (file === undefined && statement === undefined && call.io.stdin.isTerminal)
    call.misused('sql wants a statement, a file (-f FILE) or SQL on stdin\nfor example: holdfast sql "select 1"');
  return { text: await call.io.stdin.read(), fromArgument: false };
}

function fenceOfSurroundings({ io, misused }: Call): { name: string; token: number } {
  const name = io.env["HOLDFAST_LOCK_NAME"];
  const token = io.env["HOLDFAST_LOCK_TOKEN"];
  if (name === undefined || token === undefined)
    return misused("--fenced works inside `holdfast lock NAME -- COMMAND`");
  return fenceOf(`${name}:${token}`);
}

async function runWish(call: Call, broker: Broker, wish: Wish): Promise<ExitCode> {
  const start = performance.now();
  try {
    if (wish.describe) await describe(call, broker, wish);
    else if (wish.script) await runScript(call, broker, wish);
    else await runStatement(call, broker, wish);
    if (call.output.forPeople && call.io.stderrIsTerminal)
      call.output.comment(formatDuration(performance.now() - start));
    return exitCodes.ok;
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
    complainOfSql(error, wish.sql, call.io);
    return exitCodeOf(error.code);
  }
}

async function describe(call: Call, broker: Broker, { sql: text, timeoutMs }: Wish): Promise<void> {
  showDescriptions(await broker.describe(text, { timeoutMs }), text, call.output);
}

/** Several statements in the argument are a script: found out by asking, since only the broker reads SQL. */
async function runStatement(call: Call, broker: Broker, wish: Wish): Promise<void> {
  const { sql: text, fence, timeoutMs } = wish;
  const values = wish.values.map(valueFor);
  const named = Object.fromEntries(wish.named.map(({ name, value }) => [name, valueFor(value)]));
  try {
    const result = await broker.execute(text, values, { named, fence, timeoutMs, rows: "arrays" });
    showResult(call.output, result, text, call.output.forPeople && call.io.stderrIsTerminal);
  } catch (error) {
    const many = isHoldfastError(error) && error.code === "SQL_MANY";
    if (!many || wish.values.length + wish.named.length > 0) throw error;
    await runScript(call, broker, wish);
  }
}

function valueFor(value: TypedValue): Value {
  return typeof value === "object" && value !== null && "real" in value ? real(value.real) : value;
}

async function runScript(call: Call, broker: Broker, { sql: text, fence, timeoutMs, atomic }: Wish): Promise<void> {
  const results = await broker.script(text, { atomic, fence, timeoutMs, rows: "arrays" });
  let shown = 0;
  let changed = 0;
  for (const { columns, rows, rowsAffected } of results) {
    changed += rowsAffected;
    if (columns.length === 0) continue;
    if (shown > 0 && call.output.forPeople) call.output.line("");
    call.output.rows({ columns, rows });
    shown++;
  }
  call.output.comment(`${count(results.length, "statement")}, ${count(changed, "row")} changed`);
}
