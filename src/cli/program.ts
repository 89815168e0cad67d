/**
 * One call of the command line, from the words to the exit code: finds the command, loads it, lets commander parse the
 * rest, runs it, and turns whatever it throws into words and a code. Knows no command by name.
 */
import { CommanderError, type Option, Command as Parser } from "commander";
import { type Call, type Command, type CommandEntry, Misuse } from "./command.js";
import { complain } from "./complaint.js";
import { type ExitCode, exitCodes } from "./exit-codes.js";
import type { Io } from "./io.js";
import { Output, type OutputOptions } from "./output.js";
import { nearest } from "./suggestions.js";

export interface Program {
  readonly version: string;
  readonly commands: readonly CommandEntry[];
  /** `holdfast` alone. */
  readonly bare: (call: Call) => Promise<ExitCode>;
}

export async function runProgram(program: Program, words: readonly string[], io: Io): Promise<ExitCode> {
  try {
    return await run(program, words, io);
  } catch (error) {
    return complain(error, io);
  }
}

async function run(program: Program, words: readonly string[], io: Io): Promise<ExitCode> {
  const at = commandAt(words);
  const name = words[at];
  if (name === undefined || name === "help") return withoutCommand(program, words, io);
  const entry = program.commands.find((one) => one.name === name);
  if (entry === undefined) throw new Misuse(unknownCommand(program, name));
  const command = await entry.load();
  const args = [...words.slice(0, at), ...words.slice(at + 1)];
  const parsed = parse(parserFor(entry, command), command, args, io);
  return typeof parsed === "number" ? parsed : command.run(parsed);
}

/** `holdfast`, `holdfast --help`, `holdfast help NAME`, `holdfast --version`. */
async function withoutCommand(program: Program, words: readonly string[], io: Io): Promise<ExitCode> {
  const [first, second] = words.slice(commandAt(words));
  if (first === "help" && second !== undefined) return run(program, [second, "--help"], io);
  if (first === "help" || words.includes("--help") || words.includes("-h")) {
    io.write(helpText(program));
    return exitCodes.ok;
  }
  if (words.includes("--version") || words.includes("-V")) {
    io.write(`${program.version}\n`);
    return exitCodes.ok;
  }
  const parsed = parse(withGlobalOptions(new Parser("holdfast")), undefined, words, io);
  return typeof parsed === "number" ? parsed : program.bare(parsed);
}

/** Where the name of the command stands: after global options and their values. */
function commandAt(words: readonly string[]): number {
  const { options } = withGlobalOptions(new Parser());
  return operandAt(words, options, 0);
}

/**
 * The index of the operand number `skip`, or of the `--` before it; not below the number of words when there are not so
 * many. `--` ends the options and is no operand: what comes behind it are operands, whatever they look like.
 */
function operandAt(words: readonly string[], options: readonly Option[], skip: number): number {
  let seen = 0;
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? "";
    if (word === "--") return seen === skip ? i : i + 1 + skip - seen;
    if (word.startsWith("-") && word.length > 1) {
      if (takesNext(word, options)) i++;
      continue;
    }
    if (seen === skip) return i;
    seen++;
  }
  return words.length;
}

/** Whether the word after this option is its value. */
function takesNext(word: string, options: readonly Option[]): boolean {
  if (word.startsWith("--")) return !word.includes("=") && options.some((one) => one.long === word && one.required);
  for (let i = 1; i < word.length; i++) {
    const option = options.find((one) => one.short === `-${word[i]}`);
    if (option?.required === true) return i === word.length - 1;
  }
  return false;
}

function parserFor(entry: CommandEntry, command: Command): Parser {
  const parser = new Parser(`holdfast ${entry.name}`);
  parser.description(`${entry.summary[0]?.toUpperCase()}${entry.summary.slice(1)}.`);
  parser.optionsGroup("Options:");
  parser.helpOption("-h, --help", "show this");
  command.define(parser);
  if (command.prints) withFormats(parser);
  return withGlobalOptions(parser);
}

function withFormats(parser: Parser): Parser {
  return parser
    .optionsGroup("Form of the result (a table on a terminal, tabs without header when piped):")
    .option("--json", "one JSON array or object; integers as bare digits, never rounded")
    .option("--jsonl", "one JSON object a line")
    .option("--csv", "comma-separated, with a header")
    .option("--table", "the table, also when piped")
    .option("--header", "with a header")
    .option("--no-header", "without a header");
}

function withGlobalOptions(parser: Parser): Parser {
  return parser
    .optionsGroup("Everywhere:")
    .option("--dir <dir>", "all files of the broker below this directory (HOLDFAST_DIR)")
    .option("--socket <path>", "the broker's socket (HOLDFAST_SOCKET)")
    .option("--no-start", "start no broker if none runs (HOLDFAST_START=never)")
    .option("-q, --quiet", "no comments on stderr");
}

/** The parsed call, or the exit code of a call that has been answered (--help). */
function parse(parser: Parser, command: Command | undefined, args: readonly string[], io: Io): Call | ExitCode {
  const limit = command?.operandsMax;
  const end = limit === undefined ? args.length : operandAt(args, parser.options, limit);
  let rest = args.slice(end);
  if (limit !== undefined && rest[0] === "--") rest = rest.slice(1);
  parser.exitOverride();
  parser.configureOutput({ writeOut: (text) => io.write(text), writeErr: () => {}, outputError: () => {} });
  try {
    parser.parse([...args.slice(0, end)], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return exitCodes.ok;
    throw misuse(parser, error.message.replace(/^error: /, "").replaceAll("'", '"'));
  }
  const options = { start: true, ...parser.opts<OutputOptions>() };
  return {
    operands: parser.args,
    rest,
    options,
    io,
    output: new Output(io, options),
    misused: (message) => {
      throw misuse(parser, message);
    },
  };
}

function misuse(parser: Parser, message: string): Misuse {
  return new Misuse(`${message}\n${parser.name()} --help tells what it takes`);
}

function unknownCommand(program: Program, name: string): string {
  const names = program.commands.map((one) => one.name);
  const meant = nearest(name, names);
  const hint = meant === undefined ? `the commands are ${names.join(", ")}` : `did you mean "${meant}"?`;
  return `there is no command "${name}"; ${hint}\nholdfast --help tells what there is`;
}

function helpText({ commands }: Program): string {
  const width = Math.max(...commands.map((one) => one.name.length));
  const lines = commands.map((one) => `  ${one.name.padEnd(width)}  ${one.summary}`);
  return `${[
    "holdfast: one broker that owns a shared SQLite database and named locks",
    "",
    "usage: holdfast COMMAND [options]",
    "",
    ...lines,
    "",
    "holdfast COMMAND --help tells more. Everywhere: --dir DIR, --socket PATH, --no-start, -q.",
    "",
    "exit codes  0 done · 1 refused · 64 usage · 69 no broker · 75 lock not got",
    "            77 permission · 78 configuration",
  ].join("\n")}\n`;
}
