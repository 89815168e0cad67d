/**
 * Processes as the operating system tells them apart: a pid with the time at which it was started, since pids are used
 * again. Linux says it in /proc; elsewhere `ps` is asked.
 */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import type { ProcessIdentity } from "../core/index.js";
import type { ProcessTable } from "../front/index.js";

export interface ProcessFacts {
  /** Opaque; of one process always the same, of a later one with its pid another. */
  readonly startTime: string;
  /** One letter, as `ps` shows it: Z is a zombie, X is being taken apart. */
  readonly state: string;
  readonly ppid: number;
  /** The short name of the program. */
  readonly program: string;
}

/** `gone`: surely no such process. `unknown`: it could not be found out. */
export function readProcess(pid: number): ProcessFacts | "gone" | "unknown" {
  return process.platform === "linux" ? readProc(pid) : askPs(pid);
}

export const processTable: ProcessTable = {
  pidNamespace: readPidNamespace(),

  startTimeOf(pid) {
    const facts = readProcess(pid);
    return typeof facts === "string" || isDead(pid, facts) ? undefined : facts.startTime;
  },

  fateOf({ pid, startTime }: ProcessIdentity) {
    const facts = readProcess(pid);
    if (facts === "unknown") return "unknown";
    return facts === "gone" || facts.startTime !== startTime || isDead(pid, facts) ? "dead" : "alive";
  },

  residentBytesOf(pid) {
    const found = /^VmRSS:\s+(\d+) kB$/m.exec(readText(`/proc/${pid}/status`) ?? "");
    return found === null ? undefined : Number(found[1]) * 1024;
  },
};

/** `man 5 proc`: field 2 is the name in brackets and may hold brackets and blanks itself, so it ends at the last one. */
function readProc(pid: number): ProcessFacts | "gone" | "unknown" {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // ESRCH: it ended while it was read.
    return code === "ENOENT" || code === "ESRCH" ? "gone" : "unknown";
  }
  const nameEnd = text.lastIndexOf(")");
  const [state, ppid, ...later] = text.slice(nameEnd + 2).split(" ");
  const startTime = later[22 - 5];
  if (state === undefined || startTime === undefined) return "unknown";
  return { state, ppid: Number(ppid), startTime, program: text.slice(text.indexOf("(") + 1, nameEnd) };
}

function askPs(pid: number): ProcessFacts | "gone" | "unknown" {
  const args = ["-o", "stat=", "-o", "ppid=", "-o", "lstart=", "-o", "comm=", "-p", String(pid)];
  const { status, stdout } = spawnSync("ps", args, { encoding: "utf8", env: { LC_ALL: "C", PATH: "/bin:/usr/bin" } });
  if (status === 1 && stdout.trim() === "") return "gone";
  // `Ss 1 Mon Nov 23 08:57:01 2026 /usr/bin/thing`
  const found = /^\s*(\S)\S*\s+(\d+)\s+(\w{3}\s+\w{3}\s+\d+\s+[\d:]+\s+\d{4})\s+(.*?)\s*$/.exec(stdout ?? "");
  if (status !== 0 || found === null) return "unknown";
  const [, state = "", ppid, startTime = "", program = ""] = found;
  return { state, ppid: Number(ppid), startTime: startTime.replaceAll(/\s+/g, " "), program };
}

/** A zombie runs no more, unless only its first thread has ended: then the others are still in the list of its tasks. */
function isDead(pid: number, { state }: ProcessFacts): boolean {
  if (state === "X" || state === "x") return true;
  return state === "Z" && !hasOtherThreads(pid);
}

function hasOtherThreads(pid: number): boolean {
  try {
    return readdirSync(`/proc/${pid}/task`).length > 1;
  } catch {
    return false;
  }
}

/** A pid that was claimed in another namespace means nothing here. */
function readPidNamespace(): string | undefined {
  try {
    return readlinkSync("/proc/self/ns/pid");
  } catch {
    return undefined;
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
