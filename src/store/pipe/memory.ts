/**
 * How much of the memory that this process may have is taken. What a hungry statement has given back may stay with the
 * process, counted against its limit, and then the next small thing that Node needs may be what ends it: at a limit of
 * 256 MiB a value of 100 MB, a sort and a large temporary table, each refused with SQLITE_NOMEM, left all of the 256
 * taken (Node 20, glibc; thresholds given to malloc changed nothing). So such a process is replaced between two pieces of
 * work.
 */
import { readFileSync } from "node:fs";

/** Less than so long a piece of work (ms) cannot fill what is looked for here, and the look costs 10 µs. */
export const worthALookMs = 20;
const takenMax = 3 / 4;
const pageBytes = 4096;

/** Says how much, in words, when it is so much that the process is better replaced. Only on Linux; elsewhere nothing. */
export function memoryTaken(bytesMax: number, dataBytes = dataBytesOfProcess()): string | undefined {
  if (dataBytes === undefined || dataBytes < bytesMax * takenMax) return undefined;
  const [taken, most] = [dataBytes, bytesMax].map((bytes) => Math.round(bytes / (1024 * 1024)));
  return `${taken} of the ${most} MiB that it may have are taken: it is replaced`;
}

/** What counts against RLIMIT_DATA: the sixth number of /proc/self/statm, in pages (`man 5 proc`). */
function dataBytesOfProcess(): number | undefined {
  if (process.platform !== "linux") return undefined;
  try {
    const pages = Number(readFileSync("/proc/self/statm", "latin1").split(" ")[5]);
    return Number.isFinite(pages) ? pages * pageBytes : undefined;
  } catch {
    return undefined;
  }
}
