/**
 * The size of the write-ahead log, and when it is folded into the database. SQLite's own automatic checkpoint is off: it
 * runs inside COMMIT, before the answer, and its errors are swallowed. Here it runs after the answers have left, and a
 * failure of the disk is seen (rule 9).
 */
import { statSync } from "node:fs";
import { type Database, isBusy, isFull, type Statement } from "../../sqlite/index.js";
import { seq } from "../../terms/index.js";
import type { ProgressFile } from "../pipe/progress-file.js";

/** Frames that wait to be folded before it is done; SQLite's own measure. */
const framesMax = 1000;

const frameHeadBytes = 24;

export class WriteAheadLog {
  readonly #database: Database;
  /** How long its statements wait for another process's lock (ms). */
  readonly #busyMs: number;
  readonly #path: string;
  readonly #progress: Pick<ProgressFile, "note">;
  readonly #look: Statement;
  readonly #fold: Statement;
  readonly #truncate: Statement;
  readonly #frameBytes: number;
  /** Below so many frames in the log nothing is tried: a reader stood in the way the last time. */
  #framesNext = framesMax;

  constructor(database: Database, path: string, progress: Pick<ProgressFile, "note">) {
    this.#database = database;
    this.#busyMs = database.pragma("busy_timeout", { simple: true }) as number;
    this.#path = `${path}-wal`;
    this.#progress = progress;
    database.pragma("wal_autocheckpoint = 0");
    this.#frameBytes = (database.pragma("page_size", { simple: true }) as number) + frameHeadBytes;
    const raw = (mode: string): Statement => database.prepare<unknown[]>(`PRAGMA wal_checkpoint(${mode})`).raw(true);
    this.#look = raw("NOOP");
    this.#fold = raw("PASSIVE");
    this.#truncate = raw("TRUNCATE");
  }

  /** By stat: the file must not be opened in a process that has the database open (rule 19). */
  get bytes(): number {
    return statSync(this.#path, { throwIfNoEntry: false })?.size ?? 0;
  }

  /**
   * Whether what waits in the log to be folded comes to so many bytes, and cannot be folded now because a snapshot is in
   * the way. The file alone says nothing: a log that was folded is written from its beginning again.
   */
  isOver(bytesMax: number): boolean {
    if (this.bytes < bytesMax || this.#bytesInUse(rowOf(this.#look)) < bytesMax) return false;
    const after = this.#attempt(this.#fold);
    return after === undefined || after.folded < after.frames;
  }

  #bytesInUse({ frames }: LogState): number {
    return frames * this.#frameBytes;
  }

  /** Outside a transaction. Throws what SQLite throws when the disk fails. */
  foldIfDue(): void {
    const before = rowOf(this.#look);
    if (before.frames - before.folded < framesMax || before.frames < this.#framesNext) {
      if (before.frames < framesMax) this.#framesNext = framesMax;
      return;
    }
    const after = this.#attempt(this.#fold);
    this.#framesNext = after !== undefined && after.folded === after.frames ? framesMax : before.frames + framesMax;
  }

  /** Folds all and empties the file, and waits for who reads from it. False when a reader or a full disk stood in the way. */
  truncate(): boolean {
    const after = this.#attempt(this.#truncate);
    this.#framesNext = framesMax;
    return after !== undefined && !after.busy && after.frames === 0;
  }

  /** The same, but waits for nobody: while SQLite waits there, nothing is written. */
  truncateAtOnce(): boolean {
    this.#database.pragma("busy_timeout = 0");
    try {
      return this.truncate();
    } finally {
      this.#database.pragma(`busy_timeout = ${this.#busyMs}`);
    }
  }

  #attempt(statement: Statement): LogState | undefined {
    // A slow disk may take long for it: that is not to be taken for standing still.
    this.#progress.note(seq(0), "folding");
    try {
      return rowOf(statement);
    } catch (error) {
      // The log keeps what could not be folded; the next attempt finds it there.
      if (isFull(error) || isBusy(error)) return undefined;
      throw error;
    } finally {
      this.#progress.note(seq(0), "idle");
    }
  }
}

interface LogState {
  readonly busy: boolean;
  readonly frames: number;
  readonly folded: number;
}

function rowOf(statement: Statement): LogState {
  const [busy, frames, folded] = statement.get() as [number, number, number];
  return { busy: busy !== 0, frames, folded };
}
