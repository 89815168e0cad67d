/**
 * Who of many programs starts the broker. Without it fifty programs that begin together would start fifty; one of
 * them would live (the broker's own lock sees to that), and the machine would be busy for seconds.
 *
 * The library has no native code, so the lock is a file that is linked into place whole: it exists or it does not, and
 * says who made it. A dead owner's file is moved aside, and whoever moved it looks at what he moved: if it was another
 * one by then, it is put back. Should two owners ever come about, two brokers are started and one of them steps back.
 *
 * Beside it lies the note of the last start that failed: those who waited for it fail with it, instead of trying in turn.
 */
import { randomUUID } from "node:crypto";
import { linkSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { isRefusalCode, type Refusal } from "../terms/index.js";
import { isDead, startTimeOf } from "./process-identity.js";
import { wallNow } from "./pulse.js";

/**
 * An owner that looks alive (a reused pid, a stopped process) is passed over after so long: those who wait for it have
 * time left to start a broker themselves. A start takes less than a second; should one take longer, one of two brokers
 * steps back.
 */
const ownedMsMax = 20_000;

interface Owner {
  readonly pid: number;
  readonly startTime: string | undefined;
  readonly mark: string;
}

export class SpawnLock {
  readonly #path: string;
  readonly #notePath: string;
  readonly #mark = randomUUID();
  /** The note as it was when we came: a different one is about a start that we have waited for. */
  readonly #oldNote: string | undefined;

  constructor(path: string) {
    this.#path = path;
    this.#notePath = `${path}.failed`;
    this.#oldNote = readText(this.#notePath);
  }

  /** Takes it if it is free, or if its owner is gone. Throws what the file system says when it cannot be taken at all. */
  tryTake(): boolean {
    const draft = `${this.#path}.${this.#mark}`;
    const owner: Owner = { pid: process.pid, startTime: startTimeOf(process.pid), mark: this.#mark };
    writeFileSync(draft, JSON.stringify(owner), { mode: 0o600 });
    try {
      if (this.#link(draft)) return true;
      return this.#moveDeadOwner() && this.#link(draft);
    } finally {
      rmSync(draft, { force: true });
    }
  }

  free(): void {
    if (readOwner(this.#path)?.mark === this.#mark) rmSync(this.#path, { force: true });
  }

  noteFailure(refusal: Refusal): void {
    const draft = `${this.#notePath}.${this.#mark}`;
    writeFileSync(draft, JSON.stringify({ mark: this.#mark, refusal }), { mode: 0o600 });
    renameSync(draft, this.#notePath);
  }

  /** Why the start failed that another program made while we waited. */
  failureOfOther(): Refusal | undefined {
    const note = readText(this.#notePath);
    if (note === undefined || note === this.#oldNote) return undefined;
    try {
      const { refusal } = JSON.parse(note) as { refusal?: Partial<Refusal> };
      const known =
        refusal?.refused !== undefined && isRefusalCode(refusal.refused) && typeof refusal.message === "string";
      return known ? (refusal as Refusal) : undefined;
    } catch {
      return undefined;
    }
  }

  #link(draft: string): boolean {
    try {
      linkSync(draft, this.#path);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
      throw error;
    }
  }

  /** Whether the way is free now. */
  #moveDeadOwner(): boolean {
    const before = readText(this.#path);
    if (before === undefined) return true;
    if (!isAbandoned(parseOwner(before), this.#path)) return false;
    const aside = `${this.#path}.${this.#mark}.aside`;
    try {
      renameSync(this.#path, aside);
      // Somebody was quicker, and what we moved is his: he gets it back, unless a third has come.
      if (readText(aside) !== before) this.#link(aside);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return true;
      throw error;
    } finally {
      rmSync(aside, { force: true });
    }
  }
}

function isAbandoned(owner: Owner | undefined, path: string): boolean {
  if (owner === undefined || isDead(owner.pid, owner.startTime)) return true;
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat !== undefined && wallNow() - stat.mtimeMs > ownedMsMax;
}

function readOwner(path: string): Owner | undefined {
  const text = readText(path);
  return text === undefined ? undefined : parseOwner(text);
}

function parseOwner(text: string): Owner | undefined {
  try {
    const { pid, startTime, mark } = JSON.parse(text) as Partial<Owner>;
    return typeof pid === "number" && typeof mark === "string" ? { pid, startTime, mark } : undefined;
  } catch {
    return undefined;
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
