/**
 * Whether a running broker is still the one that clients reach, and its database still the file it has open. Cleaners of
 * /tmp, `rm -r`, a restored backup, a replaced directory: each leaves a broker that nobody finds, or one that writes
 * into a file that nobody will read. Such a broker must end.
 *
 * By stat only: to open and close a SQLite file here would drop the locks on it (rule 19).
 */
import { type Stats, statSync } from "node:fs";

export interface SelfCheckParts {
  readonly runDir: string;
  readonly database: string;
  readonly stillPublished: () => boolean;
}

/** `unreachable`: what was promised is kept, but nobody new can come. `detached`: what is written now is lost. */
export interface Verdict {
  readonly kind: "unreachable" | "detached";
  readonly reason: string;
}

export class SelfCheck {
  readonly #parts: SelfCheckParts;
  readonly #runDir: FileIdentity;
  /** As it was when it was first seen. */
  #database: FileIdentity;

  constructor(parts: SelfCheckParts) {
    this.#parts = parts;
    this.#runDir = look(parts.runDir);
    this.#database = look(parts.database);
  }

  /** What is wrong, or nothing. */
  look(): Verdict | undefined {
    const { runDir, database, stillPublished } = this.#parts;
    const now = look(database);
    if (typeof this.#database === "string") this.#database = now;
    if (differs(this.#database, now))
      return { kind: "detached", reason: `the database ${database} is gone or was replaced` };
    if (differs(this.#runDir, look(runDir)))
      return { kind: "unreachable", reason: `the directory ${runDir} is gone or was replaced` };
    if (!stillPublished()) return { kind: "unreachable", reason: "the socket is gone or leads to somebody else" };
    return undefined;
  }
}

type FileIdentity = Pick<Stats, "dev" | "ino"> | "gone" | "unknown";

function look(path: string): FileIdentity {
  try {
    return statSync(path, { throwIfNoEntry: false }) ?? "gone";
  } catch (error) {
    // No right to look any more: that proves nothing.
    return (error as NodeJS.ErrnoException).code === "ENOTDIR" ? "gone" : "unknown";
  }
}

function differs(before: FileIdentity, now: FileIdentity): boolean {
  if (typeof before === "string" || now === "unknown") return false;
  return now === "gone" || before.dev !== now.dev || before.ino !== now.ino;
}
