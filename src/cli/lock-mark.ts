/**
 * The second sign by which a process is known to run under locks: an open file, which its children inherit. The first,
 * the environment, is lost where a command clears it (`env -i`), or writes its title over it as some servers do.
 *
 * The file has the text of HOLDFAST_LOCKS and no name any more, so that nobody can have it open who was not given it.
 */
import { randomUUID } from "node:crypto";
import { closeSync, lstatSync, openSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { contentsOf } from "./processes.js";

/**
 * Where a command has it. Up to 9 belongs to shell scripts; Node closes up to 15 in the children of a program, so that a
 * broker that is started under a lock is not taken for a part of the command.
 */
export const markDescriptor = 15;

/** Of one without a name Linux tells the name that it had. */
const unnamed = /\/holdfast-locks-[0-9a-f-]{36} \(deleted\)$/;

/** What the mark says that we were given ourselves; undefined without one. */
export function inheritedMark(): string | undefined {
  return markOf("self");
}

/** What the mark of a process says; undefined without one, or where it may not be seen. */
export function markOf(pid: number | "self"): string | undefined {
  const path = `/proc/${pid}/fd/${markDescriptor}`;
  try {
    // Most have none, and an error that is thrown costs more than all the rest.
    if (lstatSync(path, { throwIfNoEntry: false }) === undefined || !unnamed.test(readlinkSync(path))) return undefined;
    // By its path: who reads a descriptor that others have too moves it on for them.
    return contentsOf(path);
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
