/** Other processes, as far as the system tells: which one it is, whether it lives, its name, its place among the others. */
import { execFileSync } from "node:child_process";
import { closeSync, constants, openSync, readdirSync, readFileSync, readSync } from "node:fs";

export interface ProcessIdentity {
  readonly pid: number;
  /** Tells it from a later process with the same number; empty where the system does not tell. */
  readonly startTime: string;
}

/** Undefined: there is no such process, or it is a zombie. */
export function identityOf(pid: number): ProcessIdentity | undefined {
  const fields = statFields(pid);
  if (fields !== undefined) {
    const [state = ""] = fields;
    return state === "Z" || state === "X" ? undefined : { pid, startTime: fields[19] ?? "" };
  }
  return process.platform !== "linux" && exists(pid) ? { pid, startTime: "" } : undefined;
}

export function isAlive({ pid, startTime }: ProcessIdentity): boolean {
  return identityOf(pid)?.startTime === startTime;
}

/** The name of the program that it runs. */
export function nameOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8").trim();
  } catch {
    return "";
  }
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

export interface SeenProcess extends ProcessIdentity {
  readonly parent: number;
  readonly group: number;
  /** It began a session of its own (`man 2 setsid`), as daemons do. */
  readonly leadsSession: boolean;
}

/** A snapshot of every process that may be seen and runs. */
export function allProcesses(): SeenProcess[] {
  if (process.platform !== "linux") return fromPs();
  const found: SeenProcess[] = [];
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    const pid = Number(entry);
    const [state = "", parent, group, session, ...more] = statFields(pid) ?? [];
    if (parent === undefined || state === "Z" || state === "X") continue;
    const leadsSession = session === entry;
    found.push({ pid, startTime: more[15] ?? "", parent: Number(parent), group: Number(group), leadsSession });
  }
  return found;
}

/**
 * What it was started with, each variable ended by a NUL. Empty where there is nothing to be seen: it is gone, or the
 * system does not tell. Undefined: not known, since it is another user's.
 */
export function environmentOf(pid: number): string | undefined {
  try {
    return contentsOf(`/proc/${pid}/environ`);
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    return code === "ENOENT" || code === "ESRCH" ? "" : undefined;
  }
}

let scratch = Buffer.alloc(64 * 1024);
/** An environment has 6 MiB at most (`man 2 execve`). */
const bytesMax = 8 * 1024 * 1024;

/** Of a file in /proc: into one buffer for all it takes a third of the time of `readFileSync`. */
export function contentsOf(path: string): string {
  // Whatever it is that a process has open: nothing is waited for.
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    for (let length = 0; ; ) {
      const read = readSync(file, scratch, length, scratch.length - length, null);
      if (read === 0 || length + read > bytesMax) return scratch.toString("utf8", 0, length);
      length += read;
      if (length === scratch.length) scratch = Buffer.concat([scratch, Buffer.alloc(length)]);
    }
  } finally {
    closeSync(file);
  }
}

function fromPs(): SeenProcess[] {
  const text = execFileSync("ps", ["-A", "-o", "pid=,ppid=,pgid=,stat="], { encoding: "utf8" });
  return text
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , , state = ""]) => !state.startsWith("Z"))
    .map(([pid, parent, group, state = ""]) => ({
      ...{ pid: Number(pid), startTime: "", parent: Number(parent), group: Number(group) },
      leadsSession: state.includes("s"),
    }));
}

/** /proc/PID/stat from its third field (state) on: the second, a name in brackets, may hold blanks and brackets. */
function statFields(pid: number): string[] | undefined {
  try {
    const text = contentsOf(`/proc/${pid}/stat`);
    return text.slice(text.lastIndexOf(")") + 2).split(" ");
  } catch {
    return undefined;
  }
}
