/**
 * What was answered under keys of the callers' own making: texts that hold in all sessions, over restarts of programs,
 * the broker and the machine, for as long as the caller has asked for. As with the keys of sessions (replies-kept.ts) a row
 * is there if and only if its write is.
 *
 *   key stored, not over its time   answered with what is stored, or refused when it is another request
 *   not stored, or over its time    runs
 *
 * There is room for `ownKeysBytesMax` of them; beyond that the ones whose time is over soonest go first.
 */
import type { Database, Statement } from "../../sqlite/index.js";
import { type Limits, type Refusal, refuse } from "../../terms/index.js";
import { type Reply, type ReplyKind, replyKinds, sizeOf } from "./replies-kept.js";

export interface OwnKey {
  readonly key: string;
  /** For so long its answer is kept (ms). */
  readonly keepMs: number;
}

interface Row {
  readonly reply: Reply;
  readonly hash: number;
  /** ms since 1970. */
  readonly until: number;
}

/** What a row takes beside its key and its result. */
const rowBytes = 64;
const pruneEveryMs = 60_000;
const prunedAtOnce = 4096;

export class OwnKeys {
  readonly #limits: Limits;
  readonly #nowWall: () => number;
  readonly #sql: Sql;
  /** Of the open transaction, written at its end. */
  readonly #pending = new Map<string, Row>();
  /** About: counted when it was first needed, and from then on as rows come and go. As the open transaction would leave it. */
  #bytes: number | undefined;
  /** As the last COMMIT has left it: counting anew reads every row. */
  #bytesStored: number | undefined;
  #prunedAt = 0;

  constructor(database: Database, limits: Limits, nowWall: () => number = Date.now) {
    this.#limits = limits;
    this.#nowWall = nowWall;
    this.#sql = prepare(database);
  }

  /** The stored reply of a request that wants to run, or why it must not run, or nothing. */
  admit(key: string, hash: number): Reply | Refusal | undefined {
    const row = this.#pending.get(key) ?? this.#read(key);
    if (row === undefined || row.until <= this.#nowWall()) return undefined;
    if (row.hash === hash) return row.reply;
    return refuse("KEY_REUSED", `request key ${JSON.stringify(key)} was used for a different request`, { key });
  }

  /** Keeps the reply with the open transaction. */
  keep({ key, keepMs }: OwnKey, hash: number, reply: Reply): void {
    const kept =
      sizeOf(reply.result) > this.#limits.replyBytesKeptMax ? { kind: replyKinds.notKept, result: null } : reply;
    this.#pending.set(key, { reply: kept, hash, until: this.#nowWall() + keepMs });
  }

  /** In the transaction, before COMMIT. */
  write(): void {
    if (this.#pending.size === 0) return;
    // Nothing of the open transaction is in it yet.
    this.#bytesStored ??= this.#count();
    let bytes = this.#bytes ?? this.#bytesStored;
    for (const [key, { reply, hash, until }] of this.#pending) {
      this.#sql.put.run(key, BigInt(hash), BigInt(reply.kind), reply.result, BigInt(until));
      bytes += rowBytes + Buffer.byteLength(key) + sizeOf(reply.result);
    }
    this.#pending.clear();
    this.#bytes = bytes;
    this.#prune();
  }

  /** After COMMIT. */
  committed(): void {
    this.#bytesStored = this.#bytes;
  }

  /** After ROLLBACK. */
  rolledBack(): void {
    this.#pending.clear();
    this.#bytes = this.#bytesStored;
  }

  #prune(): void {
    const now = this.#nowWall();
    const { ownKeysBytesMax } = this.#limits;
    if (now - this.#prunedAt >= pruneEveryMs) {
      this.#prunedAt = now;
      if (this.#sql.dropOver.run(BigInt(now), BigInt(prunedAtOnce)).changes > 0) this.#bytes = this.#count();
    }
    while ((this.#bytes ?? 0) > ownKeysBytesMax) {
      // An eighth at a time, so that it is not done again for the next one.
      const enough = ownKeysBytesMax * 0.875;
      let dropped = 0;
      for (const [key, bytes] of this.#sql.soonest.all(BigInt(rowBytes), BigInt(prunedAtOnce)) as [string, bigint][]) {
        if ((this.#bytes ?? 0) - dropped <= enough) break;
        this.#sql.drop.run(key);
        dropped += Number(bytes);
      }
      this.#bytes = dropped === 0 ? 0 : (this.#bytes ?? 0) - dropped;
    }
  }

  #read(key: string): Row | undefined {
    const row = this.#sql.get.get(key) as [bigint, bigint, Reply["result"], bigint] | undefined;
    if (row === undefined) return undefined;
    const [hash, kind, result, until] = row;
    return { hash: Number(hash), reply: { kind: Number(kind) as ReplyKind, result }, until: Number(until) };
  }

  #count(): number {
    return Number((this.#sql.count.get(BigInt(rowBytes)) as [bigint])[0]);
  }
}

type Sql = ReturnType<typeof prepare>;

function prepare(database: Database) {
  const to = (sql: string): Statement => database.prepare<unknown[]>(sql);
  const from = (sql: string): Statement => to(sql).raw(true).safeIntegers(true);
  const size = "? + length(CAST(key AS BLOB)) + coalesce(length(CAST(result AS BLOB)), 0)";
  return {
    get: from("SELECT hash, kind, result, until FROM _holdfast_keys WHERE key = ?"),
    put: to("INSERT OR REPLACE INTO _holdfast_keys VALUES (?, ?, ?, ?, ?)"),
    count: from(`SELECT coalesce(sum(${size}), 0) FROM _holdfast_keys`),
    soonest: from(`SELECT key, ${size} FROM _holdfast_keys ORDER BY until LIMIT ?`),
    drop: to("DELETE FROM _holdfast_keys WHERE key = ?"),
    dropOver: to(
      "DELETE FROM _holdfast_keys WHERE key IN (SELECT key FROM _holdfast_keys WHERE until <= ? ORDER BY until LIMIT ?)",
    ),
  };
}
