/** Which file lies at a path, by stat only (rule 19). */
import { type BigIntStats, statSync } from "node:fs";

/** The same for all paths to one file of this machine; undefined where there is none, or nobody may look. */
export function fileIdAt(path: string): string | undefined {
  const stats = lookAt(path);
  return stats === undefined ? undefined : `${stats.dev}:${stats.ino}`;
}

/** A number of a file may be larger than a JavaScript number is exact. */
function lookAt(path: string): BigIntStats | undefined {
  try {
    return statSync(path, { bigint: true, throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}
