/**
 * A command run for somebody: it has our streams, gets the signals that are meant for it exactly once, and its end is
 * told as a shell tells it.
 *
 * With a terminal on stdin the command stays in our process group: the terminal itself sends Ctrl-C and Ctrl-\ to both
 * of us, so those are not passed on. Without one it has a group of its own, and all is passed on to the whole group:
 * also Ctrl-Z, with which it stands still as long as we do. What a further `holdfast lock` in it runs has a group of its
 * own again, and goes on meanwhile.
 */
import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import { constants } from "node:os";
import { type ExitCode, exitCodes } from "./exit-codes.js";
import { endFamily, type FamilyOf } from "./family.js";
import { markDescriptor } from "./lock-mark.js";
import { allProcesses, type ProcessIdentity } from "./processes.js";

export interface CommandEnd {
  readonly exitCode: ExitCode;
  /** Set when the command could not be started at all. */
  readonly complaint?: string;
}

export interface RunningCommand {
  readonly ended: Promise<CommandEnd>;
  /**
   * TERM to the command and all its family, KILL after `graceMs`; resolves when they are gone, with those that stay. Of a
   * command that has ended, what is left of it is ended so; who has got our TERM with it gets no second one.
   */
  readonly stop: (graceMs: number) => Promise<readonly ProcessIdentity[]>;
  /** The last signal by which somebody wanted us, and with us the command, to end. */
  readonly wantedEnd: () => NodeJS.Signals | undefined;
  /** It has ended because of that: at a terminal a program may go on after a Ctrl-C, as a shell does. */
  readonly isInterrupted: () => boolean;
}

const passedOn = ["SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGINT", "SIGQUIT"] as const;
const fromTerminal: ReadonlySet<string> = new Set(["SIGINT", "SIGQUIT"]);
const toEnd: ReadonlySet<string> = new Set(["SIGTERM", "SIGHUP", "SIGINT", "SIGQUIT"]);

export interface CommandSurroundings {
  readonly env: { readonly [name: string]: string | undefined };
  readonly ownGroup: boolean;
  /** Under which it runs. */
  readonly lock?: FamilyOf["lock"];
  /** An open file; see lock-mark.ts. */
  readonly mark?: number | undefined;
}

export function startCommand(
  words: readonly string[],
  { env, ownGroup, lock, mark }: CommandSurroundings,
): RunningCommand {
  const [file = "", ...args] = words;
  const handlers = new Map<NodeJS.Signals, () => void>();
  // Before the command starts: a signal in between must not end us and leave it.
  let child: ChildProcess | undefined;
  let wantedEnd: NodeJS.Signals | undefined;
  let told: readonly ProcessIdentity[] = [];
  const pass = (signal: NodeJS.Signals) => {
    if (child === undefined) return;
    if (ownGroup && signal === "SIGTERM")
      told = [...told, ...allProcesses().filter(({ group }) => group === child?.pid)];
    signalTo(child, ownGroup, signal);
  };
  for (const signal of passedOn)
    handlers.set(signal, () => {
      if (toEnd.has(signal)) wantedEnd = signal;
      if (ownGroup || !fromTerminal.has(signal)) pass(signal);
    });
  if (ownGroup) handlers.set("SIGTSTP", stoppingWith(pass));
  for (const [signal, handler] of handlers) process.on(signal, handler);
  const ended = new Promise<CommandEnd>((resolve) => {
    const settle = (end: CommandEnd) => {
      for (const [signal, handler] of handlers) process.off(signal, handler);
      resolve(end);
    };
    try {
      child = spawn(file, args, { stdio: streamsWith(mark), env, detached: ownGroup });
    } catch (error) {
      settle(couldNotStart(file, error as NodeJS.ErrnoException));
      return;
    }
    child.once("error", (error: NodeJS.ErrnoException) => {
      if (child?.pid === undefined) settle(couldNotStart(file, error));
    });
    child.once("exit", (code, signal) => settle({ exitCode: endOf(code, signal) }));
  });
  return {
    ended,
    wantedEnd: () => wantedEnd,
    isInterrupted: () => {
      if (wantedEnd === undefined) return false;
      return !fromTerminal.has(wantedEnd) || (child?.signalCode ?? null) !== null;
    },
    stop: async (graceMs) => {
      if (child?.pid === undefined) return [];
      const isOver = child.exitCode !== null || child.signalCode !== null;
      // Where it led no group, its number may be another's by now.
      const pid = isOver && !ownGroup ? -1 : child.pid;
      const left = await endFamily({ pid, ownGroup, lock, told: isOver ? told : [] }, graceMs);
      // Of a command that cannot be ended there is no end to be waited for.
      if (!left.some(({ pid }) => pid === child?.pid)) await ended;
      return left;
    },
  };
}

/** Stops the group and us, and lets it go on when we do. */
function stoppingWith(toGroup: (signal: NodeJS.Signals) => void): () => void {
  const stop = () => {
    // In a session of its own, as the group is, SIGTSTP stops nobody who does not see to it himself.
    toGroup("SIGSTOP");
    process.off("SIGTSTP", stop);
    // We stand still in here, until SIGCONT; where no shell is that could send that, we are not stopped.
    process.kill(process.pid, "SIGTSTP");
    process.on("SIGTSTP", stop);
    toGroup("SIGCONT");
  };
  return stop;
}

/** Ours, and the mark; in between is nothing. */
function streamsWith(mark: number | undefined): StdioOptions {
  if (mark === undefined) return "inherit";
  const between = new Array<"ignore">(markDescriptor - 3).fill("ignore");
  return ["inherit", "inherit", "inherit", ...between, mark];
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

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended by itself; that is what was wanted.
  }
}
