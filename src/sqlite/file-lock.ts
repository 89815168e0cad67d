/**
 * A lock of the operating system on a file of its own, held until it is let go or the process is gone: BEGIN EXCLUSIVE
 * on an otherwise empty SQLite file. It is taken within 2 ms, and the kernel takes it from a process that dies.
 *
 * While it is held, no code of this process may open that file in another way: closing any descriptor of the file lets
 * go of the lock (https://sqlite.org/howtocorrupt.html, section 2.2).
 */
import { isBusy } from "./failure.js";
import { type Database, loadSqlite } from "./open.js";

export class FileLock {
  readonly #database: Database;

  private constructor(database: Database) {
    this.#database = database;
  }

  /** Waits at most `waitMs`, in which this thread stands still. Undefined if another process has it. */
  static take(path: string, waitMs: number): FileLock | undefined {
    const Sqlite = loadSqlite();
    const database = new Sqlite(path, { timeout: waitMs });
    try {
      // Nothing is ever written, so there is nothing to sync, and the journal mode does not matter.
      database.exec("BEGIN EXCLUSIVE");
    } catch (error) {
      database.close();
      if (isBusy(error)) return undefined;
      throw error;
    }
    return new FileLock(database);
  }

  release(): void {
    this.#database.close();
  }
}
