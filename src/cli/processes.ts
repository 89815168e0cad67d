/** Other processes, as far as the system tells: which one it is, whether it lives, its name, its place among the others. */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

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
}

/** A snapshot of every process that may be seen and runs. */
export function allProcesses(): SeenProcess[] {
  if (process.platform !== "linux") return fromPs();
  const found: SeenProcess[] = [];
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    const [state = "", parent, group, ...more] = statFields(Number(entry)) ?? [];
    if (parent === undefined || state === "Z" || state === "X") continue;
    found.push({ pid: Number(entry), startTime: more[16] ?? "", parent: Number(parent), group: Number(group) });
  }
  return found;
}

/** What it was started with, each variable ended by a NUL; undefined where the system or its owner does not show it. */
export function environmentOf(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/environ`, "utf8");
  } catch {
    return undefined;
  }
}

function fromPs(): SeenProcess[] {
  const text = execFileSync("ps", ["-A", "-o", "pid=,ppid=,pgid=,stat="], { encoding: "utf8" });
  return text
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , , state = ""]) => !state.startsWith("Z"))
    .map(([pid, parent, group]) => ({ pid: Number(pid), startTime: "", parent: Number(parent), group: Number(group) }));
}

/** /proc/PID/stat from its third field (state) on: the second, a name in brackets, may hold blanks and brackets. */
function statFields(pid: number): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "latin1");
    return text.slice(text.lastIndexOf(")") + 2).split(" ");
  } catch {
    return undefined;
  }
}
