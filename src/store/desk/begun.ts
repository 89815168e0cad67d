/**
 * Children that are begun before the front has loaded its own code: the start of Node takes as long as all that the
 * broker does until it is ready, and on a second processor it costs no time. What is begun has its code and no orders; the
 * store takes it over, or it ends with the pipes of the process that began it.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { withinMemory } from "./memory-bound.js";

export interface ChildStart {
  readonly node: string;
  readonly entry: string;
  readonly execArgv: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** The memory that it may have. */
  readonly bytesMax: number;
}

export interface BegunChild {
  readonly entry: string;
  readonly bytesMax: number;
  readonly process: ChildProcess;
}

/** What it prints is read from 1 and 2; it is told on 3 and answers on 4. */
export function startChild({ node, entry, execArgv, env, bytesMax }: ChildStart): ChildProcess {
  const { file, args } = withinMemory(bytesMax, { file: node, args: [...execArgv, entry] });
  return spawn(file, args, { stdio: ["ignore", "pipe", "pipe", "pipe", "pipe"], env });
}

/** The first writer and the first reader of a broker; whatever goes wrong with them, the store starts others. */
export function beginChildren(
  entries: { readonly writer: string; readonly reader: string },
  bytesMax: number,
): BegunChild[] {
  const { HOLDFAST_READY_FD: _, ...env } = process.env;
  return [entries.writer, entries.reader].map((entry) => {
    const child = startChild({ node: process.execPath, entry, execArgv: [], env, bytesMax });
    child.on("error", () => {});
    return { entry, bytesMax, process: child };
  });
}

/** One that is as it is wanted and lives is taken from those that are there. */
export function takeBegun(begun: BegunChild[], { entry, bytesMax }: ChildStart): ChildProcess | undefined {
  const at = begun.findIndex((one) => one.entry === entry);
  const [one] = at < 0 ? [] : begun.splice(at, 1);
  if (one === undefined) return undefined;
  if (one.bytesMax !== bytesMax) endBegun([one]);
  const { pid, exitCode, signalCode, killed } = one.process;
  return pid === undefined || killed || exitCode !== null || signalCode !== null ? undefined : one.process;
}

/** Nobody has wanted them. */
export function endBegun(begun: BegunChild[]): void {
  for (const { process: child } of begun.splice(0)) child.kill("SIGKILL");
}
