/**
 * BEGIN and COMMIT as the writer uses them: every transaction moves the meta row under this writer's epoch (rule 2) and
 * carries the replies of its requests; between COMMIT and its return the progress file says so (rule 8).
 */
import { type Database, isBusy, isSqliteFailure, type Statement } from "../../sqlite/index.js";
import { type Refusal, refuse, type Seq, seq } from "../../terms/index.js";
import { exitCodes } from "../pipe/parent.js";
import type { ProgressFile } from "../pipe/progress-file.js";
import { refusalOf } from "../statement/sqlite-refusal.js";
import { told, writersOf } from "./lock-holders.js";
import type { MetaRow } from "./meta-row.js";
import { endOnDiskFailure, ProcessMustEnd } from "./process-end.js";
import type { RepliesKept } from "./replies-kept.js";
import type { SchemaWatch } from "./schema-watch.js";

export interface TransactionParts {
  readonly database: Database;
  readonly meta: MetaRow;
  readonly replies: RepliesKept;
  readonly progress: ProgressFile;
  readonly schema: SchemaWatch;
}

export interface CommitOptions {
  /** The highest sequence that is settled by this commit; 0 when there is more of the same request to come. */
  readonly upTo: Seq;
  /** What the progress file names meanwhile. */
  readonly noted: Seq;
  readonly housekeeping: boolean;
  readonly schemaChange: boolean;
}

export class Transaction {
  readonly #parts: TransactionParts;
  readonly #begin: Statement;
  readonly #commit: Statement;
  readonly #rollback: Statement;
  #storedSeq = seq(0);

  constructor(parts: TransactionParts) {
    this.#parts = parts;
    this.#begin = parts.database.prepare("BEGIN IMMEDIATE");
    this.#commit = parts.database.prepare("COMMIT");
    this.#rollback = parts.database.prepare("ROLLBACK");
  }

  /** The highest sequence that this writer has on disk, 0 for none. */
  get storedSeq(): Seq {
    return this.#storedSeq;
  }

  /** False when SQLite has ended the transaction by itself: nothing of it is left. */
  get open(): boolean {
    return this.#parts.database.inTransaction;
  }

  /** Only a process outside of the house can be in the way (rule 26): then a refusal that names it. */
  begin(): Refusal | undefined {
    try {
      this.#begin.run();
      return undefined;
    } catch (error) {
      endOnDiskFailure(error);
      if (!isBusy(error)) return refusalOf(error);
      const holders = writersOf(this.#parts.database.name);
      const pids = holders.map(({ pid }) => pid);
      const details = { sqliteCode: error.code, ...(pids[0] === undefined ? {} : { pid: pids[0], pids }) };
      return refuse(
        "SQLITE_BUSY",
        `the database is locked by ${told(holders)}, which does not go through the broker`,
        details,
      );
    }
  }

  /**
   * The replies, the meta row, COMMIT. Everything since BEGIN counts when this returns nothing, and nothing of it when
   * it returns a refusal. Throws ProcessMustEnd.
   */
  commit({ upTo, noted, housekeeping, schemaChange }: CommitOptions): Refusal | undefined {
    const { replies, meta, progress, schema } = this.#parts;
    try {
      const stranger = schemaChange ? schema.temporary() : undefined;
      // The gate refuses all ways to get there; a connection that is not like the others must not go on.
      if (stranger !== undefined) throw new ProcessMustEnd(exitCodes.impossible, `the schema temp holds ${stranger}`);
      replies.write();
      if (housekeeping) replies.housekeep();
      // rule 2: another epoch means another writer
      if (!meta.advance(upTo, replies.bytes))
        throw new ProcessMustEnd(exitCodes.superseded, "another writer has taken over the database");
      progress.note(noted, "committing");
      this.#commit.run();
    } catch (error) {
      if (error instanceof ProcessMustEnd) throw error;
      endOnDiskFailure(error);
      // A fault of our own: what this process believes of the replies may be wrong.
      if (!isSqliteFailure(error)) throw error;
      this.abandon();
      return refusalOf(error);
    }
    if (upTo > this.#storedSeq) this.#storedSeq = upTo;
    replies.committed();
    if (schemaChange) schema.refresh();
    return undefined;
  }

  /** COMMIT of what has nothing to do with requests. */
  commitPlain(): Refusal | undefined {
    const refusal = this.commit({ upTo: seq(0), noted: seq(0), housekeeping: false, schemaChange: false });
    this.idle();
    return refusal;
  }

  /** What was done since BEGIN is undone, by this or by SQLite before. */
  abandon(): void {
    if (this.open) this.#rollback.run();
    this.#parts.replies.rolledBack();
  }

  running(at: Seq): void {
    this.#parts.progress.note(at, "running");
  }

  idle(): void {
    this.#parts.progress.note(seq(0), "idle");
  }
}
