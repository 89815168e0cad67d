/**
 * What is remembered of an import that has begun and not ended: under which keys its batches are stored. A file in the
 * state directory, one a source and table, gone when the import has ended.
 */
import { createHash, randomUUID } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

export interface ImportNote {
  readonly id: string;
  readonly file: string;
  readonly table: string;
  /** ms since 1970. */
  readonly since: number;
  /** The table is made with the first batch. */
  readonly creates: boolean;
  /** Rows that are stored, at least. */
  readonly rows: number;
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
      const found = JSON.parse(readFileSync(this.#path, "utf8")) as ImportNote;
      return typeof found.id === "string" && typeof found.since === "number" ? found : undefined;
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

  remove(): void {
    rmSync(this.#path, { force: true });
  }
}

export function newNote(file: string, table: string): ImportNote {
  return { id: randomUUID(), file, table, since: Date.now(), creates: false, rows: 0 };
}
