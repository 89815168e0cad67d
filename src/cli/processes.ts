/** Other processes, as far as the system tells: which one it is, whether it lives, its name, who descends from it. */
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

/** A snapshot: children, their children, and so on. */
export function descendantsOf(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const [child, parent] of parentage()) children.set(parent, [...(children.get(parent) ?? []), child]);
  const found: number[] = [];
  const waiting = [pid];
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    for (const child of children.get(at) ?? []) {
      found.push(child);
      waiting.push(child);
    }
  }
  return found;
}

/** [pid, parent's pid] of every process that may be seen. */
function parentage(): [number, number][] {
  if (process.platform !== "linux") return fromPs();
  const pairs: [number, number][] = [];
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    const parent = statFields(Number(entry))?.[1];
    if (parent !== undefined) pairs.push([Number(entry), Number(parent)]);
  }
  return pairs;
}

function fromPs(): [number, number][] {
  const text = execFileSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" });
  return text
    .trim()
    .split("\n")
    .map((line): [number, number] => {
      const [pid, parent] = line.trim().split(/\s+/);
      return [Number(pid), Number(parent)];
    });
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
