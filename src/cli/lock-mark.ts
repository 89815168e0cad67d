/**
 * The second sign by which a process is known to run under locks: an open file, which its children inherit. The first,
 * the environment, is lost where a command clears it (`env -i`), or writes its title over it as some servers do.
 *
 * The file has the text of HOLDFAST_LOCKS and no name any more, so that nobody can have it open who was not given it.
 */
import { randomUUID } from "node:crypto";
import { closeSync, openSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * Where a command has it. Up to 9 belongs to shell scripts; Node closes up to 15 in the children of a program, so that a
 * broker that is started under a lock is not taken for a part of the command.
 */
export const markDescriptor = 15;

const inherited = `/proc/self/fd/${markDescriptor}`;
/** Of one without a name Linux tells the name that it had. */
const unnamed = /\/holdfast-locks-[0-9a-f-]{36} \(deleted\)$/;

/** What the mark says that we were given ourselves; undefined without one. */
export function inheritedMark(): string | undefined {
  try {
    // By its path: who reads a descriptor that others have too moves it on for them.
    return unnamed.test(readlinkSync(inherited)) ? readFileSync(inherited, "utf8") : undefined;
  } catch {
    return undefined;
  }
}

/** Undefined where nobody looks for it, or none can be made; then there is the environment alone. To be closed by the caller. */
export function openMark(text: string): number | undefined {
  if (process.platform !== "linux") return undefined;
  const path = join(tmpdir(), `holdfast-locks-${randomUUID()}`);
  try {
    writeFileSync(path, text, { flag: "wx", mode: 0o600 });
    return openSync(path, "r");
  } catch {
    return undefined;
  } finally {
    rmSync(path, { force: true });
  }
}

export function closeMark(mark: number | undefined): void {
  if (mark !== undefined) closeSync(mark);
}
