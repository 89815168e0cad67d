/** CPU time of other processes, user and system, from /proc; where there is none, nothing is reported. */
import { readFileSync } from "node:fs";

/** Clock ticks per second of /proc/PID/stat: 100 on every Linux that Node runs on. */
const ticksPerSecond = 100;

export function cpuMsOf(pids: readonly number[]): number | undefined {
  let ticks = 0;
  for (const pid of pids) {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      ticks += Number(fields[11]) + Number(fields[12]);
    } catch {
      // The process has ended between being listed and being looked at, or there is no /proc.
      return undefined;
    }
  }
  return (ticks * 1000) / ticksPerSecond;
}
