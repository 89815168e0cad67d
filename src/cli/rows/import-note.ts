/**
 * What is remembered of an import that has begun and not ended: under which keys its batches are stored. A file in the
 * state directory, one a source and table, gone when the import has ended.
 */
import { createHash, randomUUID } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
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

  write(note: ImportNote): void {
    mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
    const draft = `${this.#path}.${process.pid}`;
    writeFileSync(draft, `${JSON.stringify(note)}\n`, { mode: 0o600 });
    renameSync(draft, this.#path);
  }

  /** With what an import that was killed while it wrote has left beside it. */
  remove(): void {
    const directory = dirname(this.#path);
    if (!existsSync(directory)) return;
    for (const file of readdirSync(directory))
      if (file.startsWith(basename(this.#path))) rmSync(join(directory, file), { force: true });
  }
}

export function newNote(file: string, table: string): ImportNote {
  return { id: randomUUID(), file, table, since: Date.now(), creates: false, rows: 0, batches: 0 };
}
