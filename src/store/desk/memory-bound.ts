/**
 * How a child is started so that it cannot have more memory than it may: a statement that builds gigabytes fails in its
 * own process, and the system does not have to choose whom to end.
 *
 * SQLite's own bound (PRAGMA hard_heap_limit) needs memory statistics, which better-sqlite3 leaves out, and it would not
 * know of what Node takes. So the system counts (RLIMIT_DATA): a shell sets the limit and then becomes the child, which
 * keeps its number and its pipes. Where the system does not hold to it (macOS), nothing is bounded and all else is the same.
 */
import { reservedBytes } from "../pipe/memory.js";

export interface Invocation {
  readonly file: string;
  readonly args: readonly string[];
}

const shell = "/bin/sh";
/** `$0` is the limit in KiB. One that may not be set, because a lower one is in force already, is not. */
const line = 'ulimit -d "$0" 2>/dev/null; exec "$@"';

export function withinMemory(bytesMax: number, { file, args }: Invocation): Invocation {
  return { file: shell, args: ["-c", line, String(Math.floor((bytesMax + reservedBytes) / 1024)), file, ...args] };
}
