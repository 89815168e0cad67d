/** Which process has a number now: the operating system gives numbers again, so a pid counts only with its start time. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/**
 * Opaque text that changes when the pid is used again; undefined when there is no such process, or only what is left of
 * one that nobody has waited for.
 */
export function startTimeOf(pid: number): string | undefined {
  return process.platform === "linux" ? fromProc(pid) : fromPs(pid);
}

/** Field 22 of /proc/PID/stat, in clock ticks since boot; the name in field 2 may hold anything, also parentheses. */
function fromProc(pid: number): string | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch {
    return undefined;
  }
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const state = fields[0];
  return state === "Z" || state === "X" ? undefined : fields[19];
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
