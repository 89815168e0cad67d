/**
 * A directory of a test's own, gone when the test ends.
 *
 * It lies directly under the system's temporary directory and has a short name: a Unix socket path may
 * have no more than 104 bytes (macOS) or 108 (Linux), and tests put sockets here.
 */
import { appendFileSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** What this needs of node:test's context: the promise to run something when the test is over. */
export interface TestLife {
  after(clean: () => void): void;
}

/** Makes the directory (mode 0700) and removes it, with all that is in it, when the test ends. */
export function tempDir(test: TestLife): string {
  // The real path: macOS reaches its temporary directory through a symbolic link, and paths are compared in tests.
  const path = realpathSync(mkdtempSync(join(tmpdir(), "hf-")));
  test.after(() => remove(path));
  noteMaker(path);
  return path;
}

/** So that a run of all tests can say whose a directory is that somebody made again after it was removed. */
function noteMaker(path: string): void {
  const { HOLDFAST_TEST_MADE: list } = process.env;
  if (list !== undefined) appendFileSync(list, `${path} ${process.argv[1]}\n`);
}

const triesMax = 50;
const pauseMs = 100;

/** A process that is just ending may still make a file in a directory that is being emptied. */
function remove(path: string): void {
  for (let tries = 1; ; tries++) {
    try {
      rmSync(path, { recursive: true, force: true });
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOTEMPTY" || tries === triesMax) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, pauseMs);
    }
  }
}
