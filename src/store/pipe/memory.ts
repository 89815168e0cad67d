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
/** Less is the difference between what a process of Node has asked for and what it uses when it begins. */
const reserveBytesMin = 128 * 1024 * 1024;

/**
 * What Node has taken at its start and does not use: Node 24 makes 512 MiB writable for code that it may compile, which
 * costs no memory and counts against the limit all the same. It is no part of what a process may have.
 */
export const reservedBytes = reserveOf(memoryOfProcess());

export function reserveOf(memory: Memory | undefined): number {
  if (memory === undefined) return 0;
  const unused = memory.dataBytes - memory.residentBytes;
  return unused < reserveBytesMin ? 0 : unused;
}

interface Memory {
  /** What counts against RLIMIT_DATA. */
  readonly dataBytes: number;
  readonly residentBytes: number;
}

/** Says how much, in words, when it is so much that the process is better replaced. Only on Linux; elsewhere nothing. */
export function memoryTaken(bytesMax: number, dataBytes = memoryOfProcess()?.dataBytes): string | undefined {
  if (dataBytes === undefined || dataBytes - reservedBytes < bytesMax * takenMax) return undefined;
  const [taken, most] = [dataBytes - reservedBytes, bytesMax].map((bytes) => Math.round(bytes / (1024 * 1024)));
  return `${taken} of the ${most} MiB that it may have are taken: it is replaced`;
}

/** The sixth and the second number of /proc/self/statm, in pages (`man 5 proc`). */
function memoryOfProcess(): Memory | undefined {
  if (process.platform !== "linux") return undefined;
  try {
    const [, resident, , , , data] = readFileSync("/proc/self/statm", "latin1").split(" ").map(Number);
    if (!(resident !== undefined && resident > 0 && data !== undefined && data > 0)) return undefined;
    return { dataBytes: data * pageBytes, residentBytes: resident * pageBytes };
  } catch {
    return undefined;
  }
}
