/**
 * What was answered under keys of the callers' own making: texts that hold in all sessions, over restarts of programs,
 * the broker and the machine, for as long as the caller has asked for. As with the keys of sessions (replies-kept.ts) a row
 * is there if and only if its write is.
 *
 *   key stored, not over its time   answered with what is stored, or refused when it is another request
 *   not stored, or over its time    runs
 *
 * There is room for `ownKeysBytesMax` of them. Beyond that the largest answers go first, whoever has them: their keys stay and
 * are answered as applied. A key that went before its time would have its write applied twice, so none goes: when the keys
 * themselves fill their part, a new one is refused.
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

/** What the rows take, about (bytes). */
interface Taken {
  /** Those rows without the answers that can go. */
  readonly keys: number;
  readonly answers: number;
}

/** Of a key, of its answer (bytes). */
type Sizes = readonly [key: bigint, answer: bigint];

/** What a row takes beside its key and its result. */
const rowBytes = 64;
/** An answer of so many bytes, most are smaller, goes only with its key: there would be little to gain. */
const smallBytes = 256;
/** Of `ownKeysBytesMax`: up to here new keys are taken. */
const keysPart = 0.75;
/** So much of it is left when answers have gone. An eighth at a time, so that it is not done again for the next one. */
const leftPart = 0.875;
const pruneEveryMs = 60_000;
const prunedAtOnce = 4096;
const nothing: Taken = { keys: 0, answers: 0 };

export class OwnKeys {
  readonly #limits: Limits;
  readonly #nowWall: () => number;
  readonly #sql: Sql;
  /** Of the open transaction, written at its end. */
  readonly #pending = new Map<string, Row>();
  /** What the pending ones will take. */
  #added = nothing;
  /** Counted when it was first needed, and from then on as rows come and go. As the open transaction would leave it. */
  #taken: Taken | undefined;
  /** As the last COMMIT has left it: counting anew reads every row. */
  #takenStored: Taken | undefined;
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

  /** Of a request whose key is new: why it must not run, if its key could not be kept. */
  refusalOfNew(key: string): Refusal | undefined {
    const { ownKeysBytesMax } = this.#limits;
    const { keys } = this.#takenNow();
    const added = this.#added.keys + rowBytes + Buffer.byteLength(key) + smallBytes;
    if (keys + added <= ownKeysBytesMax * keysPart) return undefined;
    // What is over its time goes when this is written.
    const [over] = this.#sql.over.get(BigInt(this.#nowWall()), BigInt(prunedAtOnce)) as [bigint];
    if (Number(over) >= added) return undefined;
    const message = `there is no room for another request key of a caller's own: those that are kept take ${keys} bytes of ownKeysBytesMax, ${ownKeysBytesMax}, of which a quarter is for their answers; the request was not applied. A key goes when its keepMs is over; a key of the session needs no such room`;
    return refuse("DISK_FULL", message, { key, limit: "ownKeysBytesMax", ownKeysBytesMax, keysBytes: keys });
  }

  /** Keeps the reply with the open transaction. */
  keep({ key, keepMs }: OwnKey, hash: number, reply: Reply): void {
    const kept =
      sizeOf(reply.result) > this.#limits.replyBytesKeptMax ? { kind: replyKinds.notKept, result: null } : reply;
    this.#pending.set(key, { reply: kept, hash, until: this.#nowWall() + keepMs });
    this.#added = plus(this.#added, takenBy(Buffer.byteLength(key), sizeOf(kept.result)));
  }

  /** In the transaction, before COMMIT. */
  write(): void {
    if (this.#pending.size === 0) return;
    let taken = plus(this.#takenNow(), this.#added);
    for (const [key, { reply, hash, until }] of this.#pending) {
      // One over its time may be there still.
      const before = this.#sql.sizes.get(key) as Sizes | undefined;
      if (before !== undefined) taken = minus(taken, takenByAll([before]));
      this.#sql.put.run(key, BigInt(hash), BigInt(reply.kind), reply.result, BigInt(until));
    }
    this.#forgetPending();
    taken = this.#prune(taken);
    this.#taken = this.#dropAnswers(taken);
  }

  /** After COMMIT. */
  committed(): void {
    this.#takenStored = this.#taken;
  }

  /** After ROLLBACK. */
  rolledBack(): void {
    this.#forgetPending();
    this.#taken = this.#takenStored;
  }

  #forgetPending(): void {
    this.#pending.clear();
    this.#added = nothing;
  }

  /** Removes what is over its time. */
  #prune(taken: Taken): Taken {
    const now = this.#nowWall();
    const isFull = taken.keys > this.#limits.ownKeysBytesMax * keysPart;
    if (now - this.#prunedAt < pruneEveryMs && !isFull) return taken;
    this.#prunedAt = now;
    return minus(taken, takenByAll(this.#sql.dropOver.all(BigInt(now), BigInt(prunedAtOnce)) as Sizes[]));
  }

  /** Makes room by the largest answers. Each of them gives more than `smallBytes`, so it is known how many suffice. */
  #dropAnswers(taken: Taken): Taken {
    const { ownKeysBytesMax } = this.#limits;
    if (taken.keys + taken.answers <= ownKeysBytesMax) return taken;
    let surplus = taken.keys + taken.answers - ownKeysBytesMax * leftPart;
    let { answers } = taken;
    const largest = this.#sql.largest.all(BigInt(Math.ceil(surplus / smallBytes))) as [string, bigint][];
    for (const [key, bytes] of largest) {
      if (surplus <= 0) break;
      this.#sql.dropAnswer.run(key);
      surplus -= Number(bytes);
      answers -= Number(bytes);
    }
    return { keys: taken.keys, answers };
  }

  #read(key: string): Row | undefined {
    const row = this.#sql.get.get(key) as [bigint, bigint, Reply["result"], bigint] | undefined;
    if (row === undefined) return undefined;
    const [hash, kind, result, until] = row;
    return { hash: Number(hash), reply: { kind: Number(kind) as ReplyKind, result }, until: Number(until) };
  }

  #takenNow(): Taken {
    // When it is counted nothing of the open transaction is in the table yet.
    this.#takenStored ??= this.#count();
    this.#taken ??= this.#takenStored;
    return this.#taken;
  }

  #count(): Taken {
    const [keys, answers] = this.#sql.count.get() as [bigint, bigint];
    return { keys: Number(keys), answers: Number(answers) };
  }
}

function takenBy(keyBytes: number, answerBytes: number): Taken {
  const isSmall = answerBytes <= smallBytes;
  return { keys: rowBytes + keyBytes + (isSmall ? answerBytes : 0), answers: isSmall ? 0 : answerBytes };
}

function takenByAll(rows: readonly Sizes[]): Taken {
  return rows.reduce((sum, [key, answer]) => plus(sum, takenBy(Number(key), Number(answer))), nothing);
}

function plus(one: Taken, other: Taken): Taken {
  return { keys: one.keys + other.keys, answers: one.answers + other.answers };
}

function minus(one: Taken, other: Taken): Taken {
  return { keys: one.keys - other.keys, answers: one.answers - other.answers };
}

type Sql = ReturnType<typeof prepare>;

/** The bytes of a value are told without reading it, where it is long. */
function prepare(database: Database) {
  const to = (sql: string): Statement => database.prepare<unknown[]>(sql);
  const from = (sql: string): Statement => to(sql).raw(true).safeIntegers(true);
  const answer = "coalesce(octet_length(result), 0)";
  const sizes = `octet_length(key), ${answer}`;
  const keys = `coalesce(sum(${rowBytes} + octet_length(key) + iif(${answer} <= ${smallBytes}, ${answer}, 0)), 0)`;
  const answers = `coalesce(sum(iif(${answer} > ${smallBytes}, ${answer}, 0)), 0)`;
  const overTime = "FROM _holdfast_keys WHERE until <= ? ORDER BY until LIMIT ?";
  return {
    get: from("SELECT hash, kind, result, until FROM _holdfast_keys WHERE key = ?"),
    sizes: from(`SELECT ${sizes} FROM _holdfast_keys WHERE key = ?`),
    put: to("INSERT OR REPLACE INTO _holdfast_keys VALUES (?, ?, ?, ?, ?)"),
    count: from(`SELECT ${keys}, ${answers} FROM _holdfast_keys`),
    over: from(`SELECT ${keys} FROM (SELECT key, result ${overTime})`),
    largest: from(
      `SELECT key, octet_length(result) AS bytes FROM _holdfast_keys WHERE bytes > ${smallBytes} ORDER BY bytes DESC LIMIT ?`,
    ),
    dropAnswer: to(`UPDATE _holdfast_keys SET kind = ${replyKinds.notKept}, result = NULL WHERE key = ?`),
    dropOver: from(`DELETE FROM _holdfast_keys WHERE key IN (SELECT key ${overTime}) RETURNING ${sizes}`),
  };
}
