/**
 * What is remembered of an import that has begun and not ended: under which keys its batches are stored. A file in the
 * state directory, one a source and table, gone when the import has ended.
 */
import { createHash, randomUUID } from "node:crypto";
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";

export interface ImportNote {
  readonly id: string;
  readonly file: string;
  readonly table: string;
  /** ms since 1970. */
  readonly since: number;
  /** The table is made with the first batch. */
  readonly creates: boolean;
  /** Rows that are stored, at least, and the batches in which they are. */
  readonly rows: number;
  readonly batches: number;
}

export class ImportNotes {
  readonly #path: string;
  /** That the name stands in the directory is on disk. */
  #named = false;

  /** `file`: absolute. */
  constructor(stateDir: string, { file, table, database }: { file: string; table: string; database: string }) {
    const subject = [file, table.toLowerCase(), database].join("\0");
    const name = createHash("sha256").update(subject).digest("hex").slice(0, 24);
    this.#path = join(stateDir, "imports", `${name}.json`);
  }

  /** Undefined: none has begun. */
  find(): ImportNote | undefined {
    try {
      const found = JSON.parse(readFileSync(this.#path, "utf8")) as Omit<ImportNote, "batches"> & { batches?: number };
      if (typeof found.id !== "string" || typeof found.since !== "number") return undefined;
      return { ...found, batches: found.batches ?? 0 };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT" || error instanceof SyntaxError) return undefined;
      throw error;
    }
  }

  /**
   * On disk when this returns: what is stored from here on is found again by it only. Of a later one the last of what it
   * says may be lost with the power, and then what is stored is merely asked for once more.
   */
  write(note: ImportNote): void {
    const directory = dirname(this.#path);
    const made = mkdirSync(directory, { recursive: true, mode: 0o700 });
    const draft = `${this.#path}.${process.pid}`;
    writeFileSync(draft, `${JSON.stringify(note)}\n`, { mode: 0o600 });
    syncPath(draft);
    renameSync(draft, this.#path);
    if (this.#named) return;
    syncPath(directory);
    for (let at = directory; made !== undefined && at.length >= made.length; at = dirname(at)) syncPath(dirname(at));
    this.#named = true;
  }

  /** With what an import that was killed while it wrote has left beside it. */
  remove(): void {
    const directory = dirname(this.#path);
    if (!existsSync(directory)) return;
    for (const file of readdirSync(directory))
      if (file.startsWith(basename(this.#path))) rmSync(join(directory, file), { force: true });
  }
}

/** Some file systems have no such thing for directories. */
function syncPath(path: string): void {
  const handle = openSync(path, "r");
  try {
    fsyncSync(handle);
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (!["EINVAL", "ENOTSUP", "EOPNOTSUPP"].includes(code)) throw error;
  } finally {
    closeSync(handle);
  }
}

export function newNote(file: string, table: string): ImportNote {
  return { id: randomUUID(), file, table, since: Date.now(), creates: false, rows: 0, batches: 0 };
}
