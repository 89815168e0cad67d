/**
 * A word beside the database: the disk has failed under a writer, and none has written the log anew since (rule 9). It
 * outlives the front, which may end before its next writer has done so. It is not synced: what it speaks of is what the
 * system's memory has and the disk has not, and both are gone with the power.
 */
import { existsSync, rmSync, writeFileSync } from "node:fs";

export function noteFailedDisk(database: string): void {
  try {
    writeFileSync(noteOf(database), "", { mode: 0o600 });
  } catch {
    // The disk has failed. The next writer still folds the log where nobody is in the way.
  }
}

export function hasFailedDisk(database: string): boolean {
  return existsSync(noteOf(database));
}

/** The log was written anew. */
export function forgetFailedDisk(database: string): void {
  rmSync(noteOf(database), { force: true });
}

function noteOf(database: string): string {
  return `${database}.disk-failed`;
}
