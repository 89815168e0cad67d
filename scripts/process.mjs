/** What every script needs of the process it runs in: where the clone lies, a line on stderr, a program run once. */
import { spawn } from "node:child_process";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** An error whose message says all there is to say; a stack would only hide it. */
export class Stop extends Error {
  constructor(message, { exitCode = 1, cause } = {}) {
    super(message, { cause });
    this.exitCode = exitCode;
  }
}

/** Comments go to stderr: stdout belongs to what is run in the end. */
export function say(line) {
  process.stderr.write(`holdfast: ${line}\n`);
}

const endings = ["SIGINT", "SIGTERM", "SIGHUP"];

/** Calls back when this process is told to end; answers the way to stop listening. */
export function onSignal(callback) {
  for (const signal of endings) {
    process.on(signal, callback);
  }
  return () => {
    for (const signal of endings) {
      process.off(signal, callback);
    }
  };
}

/** Ends this process as the signal would have, with what it does on exit (leave the lock of the clone) done. */
export function endBy(signal) {
  process.emit("exit");
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
}

/**
 * Runs a program in the root of the clone and waits for it. Its output goes to stderr.
 *
 * It gets a process group of its own, so that a signal that reaches only this process (not the terminal's whole
 * group) ends the program together with all that it started, a compiler for instance; then this process follows.
 */
export async function run(command, args, { failure, env = process.env } = {}) {
  const child = spawn(command, args, { cwd: root, env, stdio: ["ignore", 2, 2], detached: true });
  let interrupted;
  const stopListening = onSignal((signal) => {
    interrupted = signal;
    try {
      process.kill(-child.pid, signal);
    } catch {
      // It has ended by itself; the event "exit" is on its way.
    }
  });
  try {
    const { code, signal } = await new Promise((settle, reject) => {
      child.once("error", reject);
      child.once("exit", (exitCode, exitSignal) => settle({ code: exitCode, signal: exitSignal }));
    });
    if (interrupted === undefined && code !== 0) {
      throw new Stop(failure ?? `${command} ended with ${signal ?? code}`);
    }
  } finally {
    stopListening();
    if (interrupted !== undefined) {
      endBy(interrupted);
    }
  }
}

export function runNode(args, options) {
  return run(process.execPath, args, options);
}
