/**
 * Which process has a number now: the operating system gives numbers again, so a pid counts only with its start time.
 * And whether somebody has stopped it.
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/**
 * Opaque text that changes when the pid is used again; undefined when there is no such process, or only what is left of
 * one that nobody has waited for.
 */
export function startTimeOf(pid: number): string | undefined {
  return process.platform === "linux" ? fromProc(pid) : fromPs(pid);
}

/** By SIGSTOP or its like, not by a debugger. False where nobody can tell. */
export function isStopped(pid: number): boolean {
  return process.platform === "linux" && statOf(pid)[0] === "T";
}

/** Field 22 of /proc/PID/stat, in clock ticks since boot. */
function fromProc(pid: number): string | undefined {
  const fields = statOf(pid);
  const state = fields[0];
  return state === "Z" || state === "X" ? undefined : fields[19];
}

/** From field 3 on, the state; the name in field 2 may hold anything, also parentheses. Nothing when there is no such process. */
function statOf(pid: number): readonly string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch {
    return [];
  }
}

function fromPs(pid: number): string | undefined {
  try {
    const [state, ...start] = execFileSync("ps", ["-o", "state=,lstart=", "-p", String(pid)], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    })
      .trim()
      .split(/\s+/);
    return state === undefined || state.startsWith("Z") ? undefined : start.join(" ");
  } catch {
    // ps says with its exit code that there is no such process.
    return undefined;
  }
}
