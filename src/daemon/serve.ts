/**
 * Being the broker, from the options of a call to an exit code: what both `holdfast serve` and `front.js` do.
 */
import { type BegunChild, compileEarly } from "../store/index.js";
import { HoldfastError, isHoldfastError } from "../terms/index.js";
import { openParent } from "../transport/index.js";
import { Broker, type Stop } from "./broker.js";
import { type Config, configFrom, readyFdFrom, type ServeOptions } from "./config.js";
import { prepareDirectories } from "./directories.js";
import { greetingLines } from "./greeting.js";
import { keepHeapLean } from "./lean-heap.js";
import { type Log, type LogTarget, openLog } from "./log.js";
import { Readiness } from "./readiness.js";
import { surroundings } from "./surroundings.js";

/** What the process has done before this code was loaded. */
export interface Begun {
  readonly children?: readonly BegunChild[] | undefined;
  /** Keeps what was compiled for the start, for the next one. */
  readonly keepCode?: () => void;
}

/**
 * Resolves with the exit code when the broker has ended. Rejects with a HoldfastError when it cannot be started; a
 * client that waits has been told by then.
 */
export async function serve(options: ServeOptions, begun: Begun = {}): Promise<number> {
  const readiness = new Readiness(readyFdFrom(process.env, options.spawned ?? false));
  delete process.env["HOLDFAST_READY_FD"];
  // Nothing that the broker or its children make is for others.
  process.umask(0o077);
  try {
    return await serveAsConfigured(options, readiness, begun);
  } catch (cause) {
    const error = startFailure(cause);
    readiness.failed(error);
    throw error;
  }
}

/** What the system refuses while the broker starts is no fault of the program's: told in a sentence, with the call and the file. */
function startFailure(cause: unknown): unknown {
  if (!(cause instanceof Error) || isHoldfastError(cause) || !("syscall" in cause)) return cause;
  const full = "code" in cause && (cause.code === "ENOSPC" || cause.code === "EDQUOT");
  return new HoldfastError(full ? "DISK_FULL" : "START_FAILED", `the broker cannot start: ${cause.message}`, { cause });
}

async function serveAsConfigured(
  options: ServeOptions,
  readiness: Readiness,
  { children, keepCode }: Begun,
): Promise<number> {
  const around = surroundings();
  const { uid } = around;
  const wanted = configFrom(options, around);
  const places = prepareDirectories(wanted.places, {
    uid,
    logs: wanted.spawned,
    allowed: wanted.allowFilesystem,
  });
  const config: Config = { ...wanted, places };
  const log = openLog(logTarget(config), config.logLevel);
  const forget = endOnFault(log, readiness);
  try {
    warnOfOpenParent(places.runDir, log);
    const onReady = () => {
      readiness.ready();
      keepCode?.();
      compileEarly();
      keepHeapLean();
      greet(config);
    };
    const broker = new Broker({ config, log, uid, begun: children, onReady });
    const stop = await broker.run();
    log.line("info", { ...stop }, "stopped");
    sayFarewell(config, stop);
    return stop.exitCode;
  } catch (error) {
    tellFailure(error, config, log);
    throw error;
  } finally {
    forget();
    log.close();
  }
}

/**
 * A refusal is told in a sentence by whoever called; only a spawned broker has nobody but its log to tell it to. A fault
 * is told whole.
 */
function tellFailure(error: unknown, { spawned }: Config, log: Log): void {
  if (!isHoldfastError(error)) log.line("error", { error }, "the broker could not be started");
  else if (spawned) {
    const { code, message, details } = error;
    log.line("error", { code, details }, `the broker could not be started: ${message}`);
  }
}

function logTarget({ spawned, places }: Config): LogTarget {
  if (spawned) return { kind: "file", path: places.logFile };
  return process.stderr.isTTY ? { kind: "terminal" } : { kind: "stderr" };
}

function warnOfOpenParent(runDir: string, log: Log): void {
  const open = openParent(runDir);
  if (open === undefined) return;
  const text = "everybody may rename what lies in a directory above the broker's; on a shared machine that is not safe";
  log.line("warn", { directory: open, remedy: `chmod o-w ${open}` }, text);
}

/** A broker that goes on after a fault is worse than one that is started again. */
function endOnFault(log: Log, readiness: Readiness): () => void {
  const end = (error: unknown) => {
    log.line("error", { error }, "a fault in the broker: ending at once");
    readiness.failed(error);
    process.exit(1);
  };
  process.on("uncaughtException", end);
  return () => process.off("uncaughtException", end);
}

function greet({ spawned, version, places }: Config): void {
  if (spawned) return;
  const underNpm = (process.env["npm_lifecycle_event"] ?? "") !== "";
  process.stdout.write(`${greetingLines(version, places, underNpm).join("\n")}\n`);
}

function sayFarewell({ spawned }: Config, { reason }: Stop): void {
  if (!spawned) process.stdout.write(`stopped (${reason})\n`);
}
