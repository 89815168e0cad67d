/**
 * The same work without a broker: every process opens the database file itself, in WAL, synchronous=FULL, with a
 * busy_timeout of 5 seconds, as SQLite's documentation advises. A claims table takes the place of the locks.
 *
 * This is the one file of the command line that opens SQLite, because opening it is what is to be compared; the
 * package is loaded only when `demo --direct` runs.
 */

import { join } from "node:path";
import type { Database } from "better-sqlite3";
import { AskerTally, askEveryMs, countFiles } from "./asker.js";
import { insertDirectory, insertFile } from "./indexer.js";
import { Latencies, machineMs } from "./latencies.js";
import { type Assignment, type IndexerCounts, listen, tell } from "./messages.js";
import { demoTables } from "./tables.js";
import { hashFile, listDirectories, listFiles } from "./tree.js";

const busyTimeoutMs = 5000;
const tellMs = 200;

function directDatabase(home: string): string {
  return join(home, "direct.db");
}

export async function openDirect(home: string): Promise<Database> {
  const { default: Sqlite } = await import("better-sqlite3");
  const db = new Sqlite(directDatabase(home), { timeout: busyTimeoutMs });
  // better-sqlite3 is built to fall back to NORMAL in WAL; FULL is what the broker does as well.
  db.pragma("journal_mode = WAL");
  db.pragma("synchronous = FULL");
  return db;
}

export function prepareDirect(db: Database): void {
  for (const sql of demoTables) db.exec(sql);
  db.exec("CREATE TABLE claims(path TEXT PRIMARY KEY, indexer INTEGER NOT NULL) WITHOUT ROWID");
}

export async function runDirectIndexer(): Promise<void> {
  listen((message) => {
    if (message.kind === "begin") void new DirectIndexer(message).run().catch(fail);
  });
  tell({ kind: "ready" });
}

function fail(error: unknown): void {
  process.stderr.write(
    `holdfast demo: direct ${process.pid}: ${error instanceof Error ? error.message : String(error)}\n`,
  );
  process.exit(1);
}

class DirectIndexer {
  readonly #assignment: Assignment;
  readonly #writes = new Latencies();
  #db!: Database;
  #files = 0;
  #bytes = 0;
  #directories = 0;
  #busy = 0;
  #toldAt = 0;

  constructor(assignment: Assignment) {
    this.#assignment = assignment;
  }

  async run(): Promise<void> {
    const { tree, home, number, numberMax } = this.#assignment;
    this.#db = await openDirect(home);
    const all = listDirectories(tree);
    const start = Math.floor((all.length * number) / numberMax);
    for (const directory of [...all.slice(start), ...all.slice(0, start)]) {
      if (this.#claim(directory)) await this.#index(directory);
      this.#tellNowAndThen();
    }
    tell({ kind: "counts", counts: this.#counts() });
    this.#db.close();
    tell({ kind: "done" });
  }

  #claim(directory: string): boolean {
    // Looked at first: a claim that is taken needs no write lock to be seen.
    if (this.#db.prepare("SELECT 1 FROM claims WHERE path = ?").get(directory) !== undefined) return false;
    const { changes } = this.#write("INSERT INTO claims(path, indexer) VALUES (?, ?) ON CONFLICT(path) DO NOTHING", [
      directory,
      this.#assignment.number + 1,
    ]);
    return changes === 1;
  }

  async #index(directory: string): Promise<void> {
    const { tree, number } = this.#assignment;
    let written = 0;
    for (const path of listFiles(tree, directory)) {
      const file = await hashFile(tree, path);
      if (file === undefined) continue;
      const start = machineMs();
      this.#write(insertFile, [file.path, file.bytes, file.sha256]);
      this.#writes.add(machineMs() - start);
      this.#files++;
      this.#bytes += file.bytes;
      written++;
      this.#tellNowAndThen();
    }
    this.#write(insertDirectory, [directory, written, number + 1]);
    this.#directories++;
  }

  /** SQLITE_BUSY is what the caller gets after the whole busy_timeout; a program can only try again. */
  #write(sql: string, values: readonly (string | number)[]): { changes: number } {
    for (;;) {
      try {
        return this.#db.prepare(sql).run(...values);
      } catch (error) {
        if (!String((error as { code?: unknown }).code).startsWith("SQLITE_BUSY")) throw error;
        this.#busy++;
      }
    }
  }

  #tellNowAndThen(): void {
    if (machineMs() - this.#toldAt < tellMs) return;
    this.#toldAt = machineMs();
    tell({ kind: "counts", counts: this.#counts() });
  }

  #counts(): IndexerCounts {
    return {
      files: this.#files,
      bytes: this.#bytes,
      directories: this.#directories,
      waits: 0,
      waitedMs: 0,
      writes: this.#writes.summary(),
      busy: this.#busy,
    };
  }
}

export async function runDirectAsker(): Promise<void> {
  let finish = false;
  listen((message) => {
    if (message.kind === "finish") finish = true;
    if (message.kind === "begin") void askDirect(message.home, () => finish).catch(fail);
  });
  tell({ kind: "ready" });
}

async function askDirect(home: string, finished: () => boolean): Promise<void> {
  const db = await openDirect(home);
  const tally = new AskerTally();
  while (!finished()) {
    const start = machineMs();
    const row = db.prepare(countFiles).get() as { files: number };
    tally.add(row.files, machineMs() - start);
    tell({ kind: "asked", counts: tally.counts() });
    await new Promise((resolve) => setTimeout(resolve, askEveryMs));
  }
  db.close();
  tell({ kind: "done" });
}
