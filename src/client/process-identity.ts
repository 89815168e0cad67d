/** Processes as the operating system tells them apart: pid and start time, where it gives one (Linux). */
import { readFileSync, readlinkSync } from "node:fs";
import type { ProcessClaim } from "../protocol/index.js";

/** Nothing where the start time cannot be read: then only the connection vouches for this process. */
export function processClaim(pid: number): ProcessClaim | undefined {
  const startTime = startTimeOf(pid);
  if (startTime === undefined) return undefined;
  try {
    return { pid, startTime, pidNamespace: readlinkSync("/proc/self/ns/pid") };
  } catch {
    return { pid, startTime };
  }
}

/** Field 22 of /proc/PID/stat, in clock ticks since boot; the name in field 2 may hold blanks and brackets. */
export function startTimeOf(pid: number): string | undefined {
  return statFields(pid)?.[19];
}

/** Dead, or a zombie: nothing of it runs any more. */
export function isDead(pid: number, startTime: string | undefined): boolean {
  const fields = statFields(pid);
  if (fields !== undefined) {
    const state = fields[0];
    return state === "Z" || state === "X" || (startTime !== undefined && fields[19] !== startTime);
  }
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
}

/** From field 3 (state) on. */
function statFields(pid: number): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "latin1");
    return text.slice(text.lastIndexOf(")") + 2).split(" ");
  } catch {
    return undefined;
  }
}
