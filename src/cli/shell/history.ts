/**
 * What was typed before, newest first: a file of one entry a line that its owner alone can read. It is bounded; several
 * shells at the same time add to it without losing what the others have added.
 */
import { appendFileSync, chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

export const entriesMax = 1000;
/** A longer one is not kept (UTF-16 units): nobody edits it in a line. */
const entryUnitsMax = 10_000;

export class TypedHistory {
  readonly #path: string;
  #entries: string[];
  /** In the file. */
  #lines: number;

  /** Throws what the system says when the file is there and cannot be read. */
  constructor(path: string) {
    this.#path = path;
    const lines = readLines(path);
    this.#lines = lines.length;
    this.#entries = newestFirst(lines);
  }

  get entries(): readonly string[] {
    return this.#entries;
  }

  /** Throws what the system says; it is remembered all the same until the shell ends. */
  add(entry: string): void {
    if (entry.trim() === "" || entry.includes("\n") || entry.length > entryUnitsMax || entry === this.#entries[0])
      return;
    this.#entries = [entry, ...this.#entries.filter((one) => one !== entry)].slice(0, entriesMax);
    mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
    appendFileSync(this.#path, `${entry}\n`, { mode: 0o600 });
    this.#lines++;
    if (this.#lines >= 2 * entriesMax) this.#shorten();
  }

  /** Read anew before, since other shells have added to it. */
  #shorten(): void {
    const kept = newestFirst(readLines(this.#path)).toReversed();
    const draft = `${this.#path}.${process.pid}`;
    writeFileSync(draft, kept.map((entry) => `${entry}\n`).join(""), { mode: 0o600 });
    renameSync(draft, this.#path);
    this.#lines = kept.length;
  }
}

function readLines(path: string): string[] {
  try {
    const text = readFileSync(path, "utf8");
    // One that was made by somebody else's hand may be readable by others.
    chmodSync(path, 0o600);
    return text.split("\n").filter((line) => line !== "");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

/** Each once, at the place where it was typed last. */
function newestFirst(lines: readonly string[]): string[] {
  return [...new Set(lines.toReversed())].slice(0, entriesMax);
}
