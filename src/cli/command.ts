/**
 * What a command is: a name and a sentence that are always there, and a module that is loaded only when the command
 * is called, so that `holdfast lock` does not pay for the code of `holdfast demo`.
 */
import type { Command as Parser } from "commander";
import type { ExitCode } from "./exit-codes.js";
import type { Io } from "./io.js";
import type { Output } from "./output.js";

/** One line of `holdfast --help`. */
export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<Command>;
}

export interface Command {
  /** Adds arguments, options, examples. Global options are added by who calls. */
  readonly define: (parser: Parser) => void;
  readonly run: (call: Call) => Promise<ExitCode>;
  /** Takes --json and the like. */
  readonly prints: boolean;
  /** What comes after so many operands is somebody else's command line and not looked into (`lock NAME make -j4`). */
  readonly operandsMax?: number;
}

/** The options that every command has. */
export interface GlobalOptions {
  readonly dir?: string;
  readonly socket?: string;
  /** False by --no-start. */
  readonly start: boolean;
  readonly quiet?: boolean;
}

/** One call of one command, parsed. */
export interface Call {
  readonly operands: readonly string[];
  /** What came after `operandsMax` operands, or after a `--` that follows them. */
  readonly rest: readonly string[];
  /** As the parser found them; `optionsOf` gives them their type. */
  readonly options: GlobalOptions & { readonly [name: string]: unknown };
  readonly io: Io;
  readonly output: Output;
  /** Ends the call with a hint to --help and exit code 64. */
  readonly misused: (message: string) => never;
}

/** Takes the parser's word for the types: `define` of the same file has said what they are. */
export function optionsOf<Options>(call: Call): Options & GlobalOptions {
  return call.options as Options & GlobalOptions;
}

/** The command line is wrong: said, with a hint to --help, and exit code 64. */
export class Misuse extends Error {}

/** Carries an exit code of its own past the table of refusals (`lock -E`). Without a message the code says it all. */
export class ExitWith extends Error {
  readonly exitCode: ExitCode;

  constructor(message: string, options: { exitCode: ExitCode; cause?: unknown }) {
    super(message, options);
    this.exitCode = options.exitCode;
  }
}
