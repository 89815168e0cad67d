/**
 * Errors in words: what happened first, then the way out. One place, so that every command complains alike.
 */
import { type HoldfastError, isHoldfastError, type RefusalCode, refusals } from "../terms/index.js";
import { ExitWith, Misuse } from "./command.js";
import { type ExitCode, exitCodeOf, exitCodes } from "./exit-codes.js";
import type { Io } from "./io.js";
import { ReaderGone } from "./standard-output.js";

/** Says it on stderr and gives the exit code. */
export function complain(error: unknown, io: Io): ExitCode {
  if (isHoldfastError(error)) {
    io.say(`${complaintLines(error).join("\n")}\n`);
    return optionOf(error) === undefined ? exitCodeOf(error.code) : exitCodes.usage;
  }
  if (error instanceof Misuse) return said(io, error.message, exitCodes.usage);
  if (error instanceof ReaderGone) return error.exitCode;
  if (error instanceof ExitWith) return error.message === "" ? error.exitCode : said(io, error.message, error.exitCode);
  return system(error, io);
}

function said(io: Io, message: string, exitCode: ExitCode): ExitCode {
  const [first = "", ...more] = message.split("\n");
  io.say(`${[`holdfast: ${first}`, ...more.map((line) => `  ${line}`)].join("\n")}\n`);
  return exitCode;
}

/** The sentence, and below it the way out where the sentence has none. */
export function complaintLines(error: HoldfastError): string[] {
  const [first = "", ...more] = inOptions(error).split("\n");
  const lines = [`holdfast: ${first}`, ...more.map((line) => `  ${line}`)];
  const hint = wayOut(error);
  return hint === undefined || error.message.includes(hint) ? lines : [...lines, `  ${hint}`];
}

/** A parameter as it was typed. */
const optionFor: { readonly [parameter: string]: string } = { "params.ttlMs": "--ttl (ms)" };

function optionOf({ details }: HoldfastError): string | undefined {
  const parameter = String(details["path"]);
  return Object.hasOwn(optionFor, parameter) ? optionFor[parameter] : undefined;
}

function inOptions(error: HoldfastError): string {
  return error.message.replace(String(error.details["path"]), (parameter) => optionOf(error) ?? parameter);
}

/** What to type, where the table's remedy speaks to programmers. */
const commandsFor: Partial<Record<RefusalCode, string>> = {
  NO_BROKER: "`holdfast serve` starts one",
  WRITER_UNAVAILABLE: "`holdfast status` says why",
  READER_UNAVAILABLE: "`holdfast logs` says why",
  SESSIONS_FULL: "end some programs, or start the broker with a larger --limit sessionsMax",
  START_FAILED: "`holdfast logs` has the broker's own words; `holdfast serve` starts it in the foreground",
  ALREADY_RUNNING: "`holdfast status` tells about it, `holdfast stop` ends it",
  STATEMENT_TIMEOUT: "make it faster, or give it longer with --timeout",
  SQLITE_BUSY_SNAPSHOT: "begin anew; BEGIN IMMEDIATE lets nobody else write from its beginning on",
  SQLITE_BUSY: "programs should use the broker, not the file",
  RESULT_TOO_LARGE: "LIMIT, or fewer columns",
  PARAMETER_MISSING: "values follow the statement in the order of its `?`, or --arg NAME=VALUE",
  INTERNAL: "`holdfast logs` may tell more",
  STATEMENT_CRASHED: "`holdfast logs` may tell more",
  FENCED: "the lock it relied on was released or lost",
  CONNECTIONS_FULL: "close some programs, or start the broker with a larger --limit connectionsMax",
};

/** The time that was asked for does not count then. */
const whileOthersWait =
  "--timeout does not change that: run it when nobody else writes, or start the broker with a larger --limit writeContendedMs";
const whileOthersRead = "--timeout does not change that: make it faster, or run it when fewer long reads run";

/** The table's remedies that say something to somebody at a shell. */
const remedied: ReadonlySet<RefusalCode> = new Set([
  "PROTOCOL_VERSION",
  "OTHER_DATABASE",
  "SQL_TOO_LONG",
  "VALUE_TOO_LARGE",
  "SQLITE_CORRUPT",
  "SQLITE_TOOBIG",
  "DISK_FULL",
  "DISK_FAILED",
  "OUTCOME_UNKNOWN",
  "CONNECTION_LOST",
  "META_TOO_LARGE",
  "NAME_INVALID",
  "QUEUE_FULL",
  "LOCKS_FULL",
]);

function wayOut({ code, details }: HoldfastError): string | undefined {
  if (code === "STATEMENT_TIMEOUT" && details["limit"] === "writeContendedMs") return whileOthersWait;
  if (code === "STATEMENT_TIMEOUT" && details["why"] === "crowded") return whileOthersRead;
  return commandsFor[code] ?? (remedied.has(code) ? refusals[code].remedy : undefined);
}

/** Errors of the operating system name their file; anything else is a fault of this program and is shown whole. */
function system(error: unknown, io: Io): ExitCode {
  if (!(error instanceof Error)) return said(io, `unexpected: ${String(error)}`, exitCodes.refused);
  const { code } = error as NodeJS.ErrnoException;
  if (typeof code !== "string" || (error as NodeJS.ErrnoException).syscall === undefined)
    return said(io, `this should not happen\n${error.stack ?? error.message}`, exitCodes.refused);
  const exitCode = code === "EACCES" || code === "EPERM" ? exitCodes.permission : exitCodes.refused;
  return said(io, error.message.replace(/^[A-Z0-9]+: /, ""), exitCode);
}
