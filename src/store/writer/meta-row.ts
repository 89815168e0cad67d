/**
 * The one row that says which writer the database belongs to and how far it has come.
 *
 * - Rule 1: the first act of every writer is a durable write of this row. Before it has returned nobody may be told
 *   anything about the past: only this commit decides what of the log counts.
 * - Rule 2: every later transaction changes the row under the writer's own epoch. A writer that finds another epoch has
 *   been superseded and must end without answering.
 */
import { randomBytes } from "node:crypto";
import { assertDurable, type Database, type Statement, sqliteVersion } from "../../sqlite/index.js";
import { HoldfastError, tokensByClock, wallTime } from "../../terms/index.js";
import type { WriterReady } from "../pipe/messages.js";
import {
  createKeys,
  createKeysUntil,
  createMeta,
  createReplies,
  createSessions,
  createSessionsEnded,
  migrations,
  tablesVersion,
} from "./internal-tables.sql.js";

/** Lock tokens that one reservation sets aside: never in the path of a grant, and 2^27 reservations fit below 2^53. */
export const tokenBlock = 2 ** 26;

interface Stored {
  readonly epoch: number;
  readonly seq: number;
  readonly boot_id: string | null;
  readonly held: number;
  readonly incarnation: string;
  readonly tokens_to: number;
  readonly replies_bytes: number;
  readonly place: string | null;
}

interface StartOptions {
  /** Milliseconds since 1970. */
  readonly nowWall?: number;
  readonly place?: string;
}

interface Started {
  readonly ready: WriterReady;
  readonly repliesBytes: number;
  readonly place: string;
}

export interface Reservation {
  readonly tokensFrom: number;
  readonly tokensTo: number;
  readonly incarnation: string;
}

export class MetaRow {
  /** As the start write left it, for the front. */
  readonly ready: WriterReady;
  readonly #database: Database;
  readonly #advance: Statement;
  readonly #commits: Statement;
  readonly #epoch: bigint;
  readonly #place: string;
  /** Bytes of stored answers when this writer began. */
  readonly repliesBytes: number;

  private constructor(database: Database, { ready, repliesBytes, place }: Started) {
    this.ready = ready;
    this.#place = place;
    this.repliesBytes = repliesBytes;
    this.#database = database;
    this.#epoch = BigInt(ready.epoch);
    this.#advance = database.prepare(
      "UPDATE _holdfast_meta SET seq = max(seq, ?), commits = commits + 1, replies_bytes = ? WHERE id = 1 AND epoch = ?",
    );
    this.#commits = database.prepare<unknown[]>("SELECT commits FROM _holdfast_meta WHERE id = 1").pluck();
  }

  /** How many transactions were committed in this file, by all its writers. */
  get commits(): number {
    return this.#commits.get() as number;
  }

  /**
   * The start write: a new epoch and a block of tokens, on disk when this returns. Throws DATA_FOREIGN.
   *
   * `place`: the run directory of the broker. One that was served from another place stays noted as that one's until
   *   tokens are reserved: the front asks for them when it has made what its own ledger says void, and not before.
   */
  static start(database: Database, bootId: string, { nowWall = Date.now(), place = "" }: StartOptions = {}): MetaRow {
    database.exec("BEGIN IMMEDIATE");
    try {
      const before = readOrCreate(database);
      const epoch = before.epoch + 1;
      // rule 14: after a reboot the ledger is gone, and this file may be an older one that was put back
      const floor = before.boot_id === null || before.boot_id === bootId ? 1 : tokensByClock(wallTime(nowWall));
      const tokensFrom = Math.max(before.tokens_to, floor);
      const tokensTo = checkedTokens(tokensFrom + tokenBlock);
      database
        .prepare(
          "UPDATE _holdfast_meta SET epoch = ?, boot_id = ?, tokens_to = ?, held = 1, place = coalesce(place, ?) WHERE id = 1",
        )
        .run(epoch, bootId, tokensTo, place);
      database.exec("COMMIT");
      assertDurable(database);
      const { seq: storedSeq, boot_id: previousBootId, incarnation } = before;
      const heldBefore = before.held !== 0;
      const movedFrom = before.place === place ? null : before.place;
      const sqlite = sqliteVersion(database);
      const known = { epoch, storedSeq, previousBootId, heldBefore, movedFrom, incarnation };
      const ready = { ...known, tokensFrom, tokensTo, sqlite };
      return new MetaRow(database, { ready, repliesBytes: before.replies_bytes, place });
    } catch (error) {
      if (database.inTransaction) database.exec("ROLLBACK");
      throw error;
    }
  }

  /** In a transaction, before its COMMIT. False: this writer's epoch has passed. */
  advance(seq: number, repliesBytes: number): boolean {
    return this.#advance.run(BigInt(seq), BigInt(repliesBytes), this.#epoch).changes === 1;
  }

  /** A transaction of its own, and the last one: from the next start write on locks may be held again. */
  nothingHeld(): void {
    this.#database.prepare("UPDATE _holdfast_meta SET held = 0 WHERE epoch = ? AND id = 1").run(this.#epoch);
  }

  /** In a transaction: the next block of tokens, none of which is at or below `above`. */
  reserve(above: number, newIncarnation: boolean): Reservation | undefined {
    const row = readRow(this.#database);
    if (row.epoch !== Number(this.#epoch)) return undefined;
    const tokensFrom = Math.max(row.tokens_to, above + 1);
    const tokensTo = checkedTokens(tokensFrom + tokenBlock);
    const incarnation = newIncarnation ? makeIncarnation() : row.incarnation;
    this.#database
      .prepare("UPDATE _holdfast_meta SET tokens_to = ?, incarnation = ?, place = ? WHERE id = 1")
      .run(tokensTo, incarnation, this.#place);
    return { tokensFrom, tokensTo, incarnation };
  }
}

function readOrCreate(database: Database): Stored {
  const known = database.prepare("SELECT 1 FROM sqlite_schema WHERE name = '_holdfast_meta'").get() !== undefined;
  if (known) bringUpToDate(database);
  else createTables(database);
  return readRow(database);
}

/**
 * In the transaction that makes the file another's, or a new writer's: the tables have the new version, and with it all
 * that belongs to it, or neither. Throws DATA_FOREIGN.
 */
export function bringUpToDate(database: Database): void {
  const version = database.prepare<unknown[]>("SELECT version FROM _holdfast_meta WHERE id = 1").pluck().get();
  if (typeof version !== "number") throw new Error("the table _holdfast_meta has lost its row");
  if (version > tablesVersion)
    throw new HoldfastError(
      "DATA_FOREIGN",
      `the database was last used by a newer version of holdfast (its tables have version ${version}, this program knows ${tablesVersion}); update holdfast`,
    );
  if (version === tablesVersion) return;
  for (const { version: newer, sql } of migrations) if (newer > version) for (const one of sql) database.exec(one);
  database.prepare("UPDATE _holdfast_meta SET version = ? WHERE id = 1").run(tablesVersion);
}

/** What a file that takes the place of another must know of that one. */
export interface TakenOver {
  readonly bootId?: string | null;
  readonly tokensTo?: number;
  readonly held?: boolean;
  readonly place?: string | null;
}

/** In a transaction. */
export function createTables(database: Database, taken: TakenOver = {}): void {
  const { bootId = null, tokensTo = 1, held = false, place = null } = taken;
  const tables = [createMeta, createReplies, createSessions, createSessionsEnded, createKeys, createKeysUntil];
  for (const sql of tables) database.exec(sql);
  database
    .prepare("INSERT INTO _holdfast_meta VALUES (1, ?, 0, 0, ?, ?, ?, 0, 0, ?, ?)")
    .run(tablesVersion, bootId, makeIncarnation(), tokensTo, held ? 1 : 0, place);
}

function readRow(database: Database): Stored {
  const row = database
    .prepare(
      "SELECT epoch, seq, boot_id, held, incarnation, tokens_to, replies_bytes, place FROM _holdfast_meta WHERE id = 1",
    )
    .get();
  return row as Stored;
}

/** Names this lineage of the data: a file that was put back gets another one. */
export function makeIncarnation(): string {
  return randomBytes(16).toString("hex");
}

function checkedTokens(to: number): number {
  if (!Number.isSafeInteger(to)) throw new Error(`lock tokens have run out at ${to}`);
  return to;
}
