/**
 * The savepoints of a transaction that only reads. There is nothing that one could undo, so none is set in SQLite, by
 * whose binding none could be while the rows of a stream are being read; but their names are to be known, as they are
 * there (https://sqlite.org/lang_savepoint.html): the same name may be set again, and the latest is meant.
 */
import { type Refusal, refuse } from "../../terms/index.js";
import type { SavepointControl } from "../statement/plan.js";

export class Savepoints {
  /** Folded, the latest at the end. */
  readonly #names: string[] = [];

  take({ action, savepoint }: SavepointControl): Refusal | undefined {
    const name = savepoint.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
    if (action === "savepoint") {
      this.#names.push(name);
      return undefined;
    }
    const place = this.#names.lastIndexOf(name);
    if (place < 0) return refuse("SQLITE_ERROR", `no such savepoint: ${savepoint}`, { sqliteCode: "SQLITE_ERROR" });
    this.#names.length = action === "release" ? place : place + 1;
    return undefined;
  }

  clear(): void {
    this.#names.length = 0;
  }
}
