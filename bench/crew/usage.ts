/** CPU time and memory of other processes, from /proc; where there is none, nothing is reported. */
import { readdirSync, readFileSync } from "node:fs";

/** Clock ticks per second of /proc/PID/stat: 100 on every Linux that Node runs on. */
const ticksPerSecond = 100;

export interface CpuTime {
  readonly userMs: number;
  readonly systemMs: number;
}

interface Look extends CpuTime {
  /** Both together, to the nanosecond; the ticks above are coarse for a server of many processes. */
  readonly runMs: number;
}

/** Of each process that is there. */
export function cpuOf(pids: readonly number[]): ReadonlyMap<number, Look> {
  const times = new Map<number, Look>();
  for (const pid of pids) {
    const fields = statFields(pid);
    if (fields === undefined) continue;
    const toMs = (ticks: string | undefined) => (Number(ticks) * 1000) / ticksPerSecond;
    const [userMs, systemMs] = [toMs(fields[11]), toMs(fields[12])];
    times.set(pid, { userMs, systemMs, runMs: runMsOf(pid) ?? userMs + systemMs });
  }
  return times;
}

/** What they used between two looks; those that began or ended between them are left out. */
export function cpuBetween(before: ReadonlyMap<number, Look>, after: ReadonlyMap<number, Look>): CpuTime {
  let [userMs, systemMs, runMs] = [0, 0, 0];
  for (const [pid, now] of after) {
    const then = before.get(pid);
    if (then === undefined) continue;
    userMs += now.userMs - then.userMs;
    systemMs += now.systemMs - then.systemMs;
    runMs += now.runMs - then.runMs;
  }
  // The ticks say how it is divided, if there were any.
  const userShare = userMs + systemMs === 0 ? 1 : userMs / (userMs + systemMs);
  return { userMs: runMs * userShare, systemMs: runMs * (1 - userShare) };
}

/** The process and all that come from it. */
export function treeOf(pid: number): number[] {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number);
    return [pid, ...children.flatMap(treeOf)];
  } catch {
    return [];
  }
}

/** VmRSS: resident now. VmHWM: the most that was ever resident. */
export function memoryBytesOf(pid: number, field: "VmRSS" | "VmHWM"): number | undefined {
  try {
    const found = new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8"));
    return found === null ? undefined : Number(found[1]) * 1024;
  } catch {
    return undefined;
  }
}

function statFields(pid: number): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    return text.slice(text.lastIndexOf(")") + 2).split(" ");
  } catch {
    return undefined;
  }
}

/** Of all its threads; those that have ended are left out. */
function runMsOf(pid: number): number | undefined {
  try {
    const threads = readdirSync(`/proc/${pid}/task`);
    const runs = threads.map((id) => Number(readFileSync(`/proc/${pid}/task/${id}/schedstat`, "utf8").split(" ")[0]));
    return runs.reduce((sum, run) => sum + run, 0) / 1e6;
  } catch {
    return undefined;
  }
}
