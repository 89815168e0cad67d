/**
 * Who has a database file locked, as the kernel tells it (/proc/locks, Linux only). Files are looked at by stat and
 * never opened: closing a descriptor would let go of this process's own locks on them (rule 19).
 */
import { readFileSync, statSync } from "node:fs";

export interface LockHolder {
  readonly pid: number;
  /** The program's name, as far as the kernel tells it. */
  readonly program: string;
}

/** Other processes that hold a write lock on the database or its shared memory. */
export function writersOf(database: string): readonly LockHolder[] {
  return holdersOf(database, "WRITE");
}

/** Those that hold any lock on them: whoever has it open with a log, and whoever reads or writes it without one. */
export function usersOf(database: string): readonly LockHolder[] {
  return holdersOf(database, "READ|WRITE");
}

function holdersOf(database: string, kinds: string): readonly LockHolder[] {
  let table: string;
  try {
    table = readFileSync("/proc/locks", "latin1");
  } catch {
    // Not Linux: nobody can be named, and that is what the answer says.
    return [];
  }
  const inodes = new Set([database, `${database}-shm`].flatMap(inodeOf));
  return pidsIn(table, inodes, kinds).map((pid) => ({ pid, program: programOf(pid) }));
}

/** Lines as `3: POSIX  ADVISORY  WRITE 4711 fe:01:131 120 120`; an arrow marks one that waits and holds nothing. */
export function pidsIn(table: string, inodes: ReadonlySet<string>, kinds = "WRITE"): readonly number[] {
  const pids = new Set<number>();
  const held = new RegExp(`^\\d+:\\s+\\S+\\s+\\S+\\s+(?:${kinds})\\s+(\\d+)\\s+[0-9a-f]+:[0-9a-f]+:(\\d+)\\s`);
  for (const line of table.split("\n")) {
    const found = held.exec(line);
    const pid = Number(found?.[1] ?? 0);
    if (found !== null && inodes.has(found[2] ?? "") && pid > 0 && pid !== process.pid) pids.add(pid);
  }
  return [...pids];
}

export function told(holders: readonly LockHolder[]): string {
  if (holders.length === 0) return "another process";
  return holders.map(({ pid, program }) => `${program} (pid ${pid})`).join(", ");
}

function inodeOf(path: string): string[] {
  const stat = statSync(path, { throwIfNoEntry: false, bigint: true });
  return stat === undefined ? [] : [String(stat.ino)];
}

function programOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8").trim();
  } catch {
    // Gone in the meantime.
    return "a process";
  }
}
