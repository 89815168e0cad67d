/**
 * The ledger's file as it lies on a disk: the real statements on a database in memory, and a process that can be killed
 * before, within and after a transaction. What was committed is also kept as the rows were, and must read the same.
 */
import assert from "node:assert/strict";
import type { LedgerEntry } from "../../src/core/index.js";
import { type LedgerContents, LedgerFull } from "../../src/ledger/index.js";
import { RowWriter, readRows } from "../../src/ledger/rows.js";
import { schema } from "../../src/ledger/schema.sql.js";
import { type Database, loadSqlite, type Statement } from "../../src/sqlite/open.js";
import { LedgerRows } from "../core/support/ledger-rows.js";

/** The broker's process ends here: thrown through whatever it was doing. */
export class Killed extends Error {
  override readonly name = "Killed";
}

/** Where in its next turn the broker is killed. */
export type Doom = "before-rows" | "within-rows" | "after-rows" | "after-jobs" | "after-letters";

interface File {
  readonly database: Database;
  readonly rows: RowWriter;
  readonly begin: Statement;
  readonly commit: Statement;
  readonly rollback: Statement;
  readonly clear: readonly Statement[];
}

/** One for all lives of this process: to make one costs more than a life. */
let file: File | undefined;

function openFile(): File {
  const Sqlite = loadSqlite();
  const database = new Sqlite(":memory:");
  database.exec(schema);
  const tables = database.prepare("select name from sqlite_schema where type = 'table'").pluck().all() as string[];
  const prepare = (sql: string) => database.prepare<unknown[]>(sql);
  return {
    database,
    rows: new RowWriter(database),
    begin: prepare("begin"),
    commit: prepare("commit"),
    rollback: prepare("rollback"),
    clear: tables.map((table) => prepare(`delete from ${table}`)),
  };
}

export class Disk {
  doom: Doom | undefined;
  full = false;
  /** As a bystander keeps them. */
  rows = new LedgerRows();
  #damaged = false;
  #untouched = true;
  readonly #file: File;
  /** Hears of each transaction. */
  onCommitted: (entries: readonly LedgerEntry[]) => void = () => undefined;

  constructor() {
    file ??= openFile();
    this.#file = file;
    this.discard();
  }

  // ── as the front has it ───────────────────────────────────────────────────────────────────────────────────────────

  read(): LedgerContents | "damaged" {
    if (this.#damaged) {
      this.discard();
      return "damaged";
    }
    // Nothing was ever written: most lives begin so, and to look would cost as much as ten requests.
    if (this.#untouched) return this.rows.contents();
    const contents = readRows(this.#file.database);
    assert.deepEqual(contents, this.rows.contents(), "the ledger reads other rows than were written");
    return contents;
  }

  commit(entries: readonly LedgerEntry[]): void {
    if (entries.length === 0) return;
    if (this.full) throw new LedgerFull("no room");
    this.#dies("before-rows");
    this.#untouched = false;
    const { begin, commit, rollback } = this.#file;
    begin.run();
    const torn = this.doom === "within-rows" ? Math.ceil(entries.length / 2) : undefined;
    for (const entry of entries.slice(0, torn)) this.#file.rows.write(entry);
    if (torn !== undefined) {
      // The end of the log is not whole: the next who opens the file does not see this transaction.
      rollback.run();
      this.#dies("within-rows");
    }
    commit.run();
    this.rows.commit(entries);
    this.onCommitted(entries);
    this.#dies("after-rows");
  }

  /** Called by whoever stands at this point of a turn. */
  passes(point: Doom): void {
    this.#dies(point);
  }

  // ── as the world has it ───────────────────────────────────────────────────────────────────────────────────────────

  damage(): void {
    this.#damaged = true;
  }

  /** Deleted, unread. */
  discard(): void {
    for (const clear of this.#file.clear) clear.run();
    this.rows = new LedgerRows();
    this.#damaged = false;
    this.#untouched = true;
  }

  #dies(point: Doom): void {
    if (this.doom !== point) return;
    this.doom = undefined;
    throw new Killed(point);
  }
}
