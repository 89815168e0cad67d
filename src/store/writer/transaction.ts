/**
 * BEGIN and COMMIT as the writer uses them: every transaction moves the meta row under this writer's epoch (rule 2) and
 * carries the replies of its requests; between COMMIT and its return the progress file says so (rule 8).
 */
import type { ChangedTable } from "../../core/index.js";
import {
  type Database,
  isBusy,
  isSqliteFailure,
  primaryCode,
  type SqliteFailure,
  type Statement,
} from "../../sqlite/index.js";
import { type Refusal, refuse, type Seq, seq } from "../../terms/index.js";
import { exitCodes } from "../pipe/parent.js";
import type { ProgressFile } from "../pipe/progress-file.js";
import { refusalOf } from "../statement/sqlite-refusal.js";
import { told, writersOf } from "./lock-holders.js";
import type { MetaRow } from "./meta-row.js";
import type { OwnKeys } from "./own-keys.js";
import { endOnDiskFailure, ProcessMustEnd } from "./process-end.js";
import type { RepliesKept } from "./replies-kept.js";
import type { SchemaWatch } from "./schema-watch.js";
import type { ToldChanges } from "./told-changes.js";
import type { WatchTriggers } from "./watch-triggers.js";

export interface TransactionParts {
  readonly database: Database;
  readonly meta: MetaRow;
  readonly replies: RepliesKept;
  readonly ownKeys: OwnKeys;
  readonly progress: ProgressFile;
  readonly schema: SchemaWatch;
  readonly watches: WatchTriggers;
  readonly told: ToldChanges;
  /** Milliseconds on a clock that only runs forward. */
  readonly now: () => number;
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
  readonly #mark: Statement;
  readonly #unmark: readonly Statement[];
  readonly #commit: Statement;
  readonly #rollback: Statement;
  #storedSeq = seq(0);
  #committedMs = 0;
  /** Another process has written since the last commit. */
  #outside = false;
  /** The same, and who watches has not been told: that goes with a commit that has a number. */
  #untold = false;

  constructor(parts: TransactionParts) {
    this.#parts = parts;
    this.#begin = parts.database.prepare("BEGIN IMMEDIATE");
    this.#mark = parts.database.prepare("SAVEPOINT _holdfast_commit");
    this.#unmark = ["ROLLBACK TO _holdfast_commit", "RELEASE _holdfast_commit"].map((sql) =>
      parts.database.prepare<unknown[]>(sql),
    );
    this.#commit = parts.database.prepare("COMMIT");
    this.#rollback = parts.database.prepare("ROLLBACK");
  }

  /** How long COMMIT took since this was last asked. */
  takeCommittedMs(): number {
    const committedMs = this.#committedMs;
    this.#committedMs = 0;
    return committedMs;
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
  commit(options: CommitOptions): Refusal | undefined {
    return this.#attempt(options, () => this.abandon());
  }

  /**
   * The same for a transaction that is a client's own. As SQLite has it, a constraint that waited for COMMIT leaves the
   * transaction open when it is refused, so that it can be mended; `open` tells.
   */
  commitOpen(options: CommitOptions): Refusal | undefined {
    this.#mark.run();
    return this.#attempt(options, (failure) => {
      if (primaryCode(failure) !== "SQLITE_CONSTRAINT" || !this.open) return this.abandon();
      for (const statement of this.#unmark) statement.run();
      this.#forget();
    });
  }

  #attempt(options: CommitOptions, undo: (failure: SqliteFailure) => void): Refusal | undefined {
    const { replies, ownKeys, schema, watches, told: changed } = this.#parts;
    let changes: readonly ChangedTable[];
    try {
      changes = this.#finish(options);
    } catch (error) {
      if (error instanceof ProcessMustEnd) throw error;
      endOnDiskFailure(error);
      // A fault of our own: what this process believes of the replies may be wrong.
      if (!isSqliteFailure(error)) throw error;
      undo(error);
      return refusalOf(error);
    }
    if (options.upTo > this.#storedSeq) this.#storedSeq = options.upTo;
    replies.committed();
    ownKeys.committed();
    changed.add(options.noted, changes, watches.active && this.#untold && options.noted > 0);
    this.#outside = false;
    if (options.noted > 0) this.#untold = false;
    if (options.schemaChange) schema.refresh();
    return undefined;
  }

  /** COMMIT and what goes with it; gives what it has changed in tables that are watched. */
  #finish({ upTo, noted, housekeeping, schemaChange }: CommitOptions): readonly ChangedTable[] {
    const { replies, ownKeys, meta, progress, schema, watches, now } = this.#parts;
    const stranger = schemaChange ? schema.temporary() : undefined;
    // The gate refuses all ways to get there; a connection that is not like the others must not go on.
    if (stranger !== undefined) throw new ProcessMustEnd(exitCodes.impossible, `the schema temp holds ${stranger}`);
    replies.write();
    ownKeys.write();
    if (housekeeping) replies.housekeep();
    // rule 2: another epoch means another writer
    if (!meta.advance(upTo, replies.bytes))
      throw new ProcessMustEnd(exitCodes.superseded, "another writer has taken over the database");
    // What another process has made of tables that are watched is seen now at the latest.
    if (this.#untold && noted > 0) watches.schemaChanged();
    const changes = watches.take();
    progress.note(noted, "committing");
    const begun = now();
    this.#commit.run();
    this.#committedMs += now() - begun;
    return changes;
  }

  /** COMMIT of what has nothing to do with requests. */
  commitPlain(): Refusal | undefined {
    const refusal = this.commit({ upTo: seq(0), noted: seq(0), housekeeping: false, schemaChange: false });
    this.idle();
    return refusal;
  }

  /** Another process has written to the database since the last commit (rule 26): the next one says so. */
  strangerWrote(): void {
    this.#outside = true;
    this.#untold = true;
  }

  /**
   * In a transaction that has just begun: a refusal, and the end of it, when something was committed since a snapshot that
   * had seen so many commits. What another process has committed is not counted; a commit of ours behind it is.
   */
  goOnFrom(commits: number): Refusal | undefined {
    if (!this.#outside && this.#parts.meta.commits === commits) return undefined;
    if (this.#outside) this.commitPlain();
    else this.abandon();
    const message =
      "something was committed since the transaction began to read; what it has read may not hold any more";
    return refuse("SQLITE_BUSY_SNAPSHOT", message);
  }

  /** What was done since BEGIN is undone, by this or by SQLite before. */
  abandon(): void {
    if (this.open) this.#rollback.run();
    this.#forget();
  }

  #forget(): void {
    this.#parts.replies.rolledBack();
    this.#parts.ownKeys.rolledBack();
  }

  running(at: Seq): void {
    this.#parts.progress.note(at, "running");
  }

  idle(): void {
    this.#parts.progress.note(seq(0), "idle");
  }
}
