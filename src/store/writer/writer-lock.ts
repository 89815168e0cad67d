/**
 * Rule 2: at most one writer of a database, whatever became of the front that started it. The lock is the kernel's, on
 * a file of its own, taken before the database is opened and never let go: it ends with the process.
 */
import { FileLock } from "../../sqlite/index.js";
import { told, writersOf } from "./lock-holders.js";

/** One try; the thread stands still meanwhile, and the next try follows at once. */
const tryMs = 500;
const triesMax = 20;

/** Another process has the lock: an orphan inside a system call that does not return, or somebody who has no business here. */
export class WriterLockHeld extends Error {
  override readonly name = "WriterLockHeld";
}

/** Throws WriterLockHeld when another process still has it after 10 s. `report` hears once a second who that is. */
export function takeWriterLock(path: string, report: (text: string) => void): FileLock {
  for (let turn = 1; turn <= triesMax; turn++) {
    const lock = FileLock.take(path, tryMs);
    if (lock !== undefined) return lock;
    if (turn % 2 === 0) report(`waiting for the writer's lock ${path}, held by ${told(writersOf(path))}`);
  }
  throw new WriterLockHeld(
    `another writer is still there: ${told(writersOf(path))} holds ${path}; its broker may listen at another socket (HOLDFAST_DIR, HOLDFAST_SOCKET or XDG_RUNTIME_DIR differ)`,
  );
}
