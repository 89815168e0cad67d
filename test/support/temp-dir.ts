/**
 * A directory of a test's own, gone when the test ends.
 *
 * It lies directly under the system's temporary directory and has a short name: a Unix socket path may
 * have no more than 104 bytes (macOS) or 108 (Linux), and tests put sockets here.
 */
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
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
  test.after(() => {
    rmSync(path, { recursive: true, force: true, maxRetries: 3 });
  });
  return path;
}
