/**
 * A command run for somebody: it has our streams, gets the signals that are meant for it exactly once, and its end is
 * told as a shell tells it.
 *
 * With a terminal on stdin the command stays in our process group: the terminal itself sends Ctrl-C and Ctrl-\ to both
 * of us, so those are not passed on. Without one it has a group of its own, and all is passed on to the whole group.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { constants } from "node:os";
import { type ExitCode, exitCodes } from "./exit-codes.js";
import { descendantsOf } from "./processes.js";

export interface CommandEnd {
  readonly exitCode: ExitCode;
  /** Set when the command could not be started at all. */
  readonly complaint?: string;
}

export interface RunningCommand {
  readonly ended: Promise<CommandEnd>;
  /** TERM to the command and all that it started, KILL after `graceMs`; resolves when it is gone. */
  readonly stop: (graceMs: number) => Promise<void>;
}

const passedOn = ["SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGINT", "SIGQUIT"] as const;
const fromTerminal: ReadonlySet<string> = new Set(["SIGINT", "SIGQUIT"]);

export interface CommandSurroundings {
  readonly env: { readonly [name: string]: string | undefined };
  readonly ownGroup: boolean;
}

export function startCommand(words: readonly string[], { env, ownGroup }: CommandSurroundings): RunningCommand {
  const [file = "", ...args] = words;
  const handlers = new Map<NodeJS.Signals, () => void>();
  // Before the command starts: a signal in between must not end us and leave it.
  let child: ChildProcess | undefined;
  for (const signal of passedOn) {
    const handler = () => {
      if (child !== undefined && (ownGroup || !fromTerminal.has(signal))) signalTo(child, ownGroup, signal);
    };
    handlers.set(signal, handler);
    process.on(signal, handler);
  }
  const ended = new Promise<CommandEnd>((resolve) => {
    const settle = (end: CommandEnd) => {
      for (const [signal, handler] of handlers) process.off(signal, handler);
      resolve(end);
    };
    try {
      child = spawn(file, args, { stdio: "inherit", env, detached: ownGroup });
    } catch (error) {
      settle(couldNotStart(file, error as NodeJS.ErrnoException));
      return;
    }
    child.once("error", (error: NodeJS.ErrnoException) => {
      if (child?.pid === undefined) settle(couldNotStart(file, error));
    });
    child.once("exit", (code, signal) => settle({ exitCode: endOf(code, signal) }));
  });
  return { ended, stop: (graceMs) => stop(child, { ended, ownGroup, graceMs }) };
}

function couldNotStart(file: string, error: NodeJS.ErrnoException): CommandEnd {
  if (error.code === "ENOENT" || error.code === "ENOTDIR")
    return { exitCode: exitCodes.commandNotFound, complaint: `${file}: command not found` };
  const why = error.code === "EACCES" ? "permission denied" : error.message;
  return { exitCode: exitCodes.cannotExecute, complaint: `${file}: cannot be executed: ${why}` };
}

function endOf(code: number | null, signal: NodeJS.Signals | null): ExitCode {
  if (signal === null) return code ?? exitCodes.refused;
  return signalExitCode(signal);
}

export function signalExitCode(signal: NodeJS.Signals): ExitCode {
  return exitCodes.signalBase + (constants.signals[signal] ?? 0);
}

function signalTo(child: ChildProcess, wholeGroup: boolean, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  kill(wholeGroup ? -child.pid : child.pid, signal);
}

const lookAgainMs = 20;

async function stop(
  child: ChildProcess | undefined,
  { ended, ownGroup, graceMs }: { ended: Promise<unknown>; ownGroup: boolean; graceMs: number },
): Promise<void> {
  if (child?.pid === undefined) return;
  const { pid } = child;
  // A terminal's group is shared with the shell that called us: there the family is found by descent.
  const targets = ownGroup ? [-pid] : [pid, ...descendantsOf(pid)];
  for (const target of targets) kill(target, "SIGTERM");
  for (let waitedMs = 0; targets.some(isThere) && waitedMs < graceMs; waitedMs += lookAgainMs)
    await new Promise((resolve) => setTimeout(resolve, lookAgainMs));
  for (const target of targets) kill(target, "SIGKILL");
  await ended;
}

function isThere(target: number): boolean {
  try {
    process.kill(target, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended by itself; that is what was wanted.
  }
}
