/**
 * What was answered under each request key, stored in the transaction of the write itself (rule 6): a key is there if
 * and only if its write is. So a key that is sent again finds its answer, and one that is not there was never applied,
 * as long as nothing was forgotten; what was forgotten is remembered as a mark, `below`, and is never run again.
 *
 *   key stored                  answered with what is stored
 *   not stored, below the mark  RETRY_TOO_OLD: it may have been applied
 *   not stored, session ended   RETRY_TOO_OLD: it was told that it never will be
 *   not stored, else            never applied; may run
 *
 * A row whose key is acknowledged is written over by the session's next answer, which then carries the mark: a session
 * that writes steadily keeps as many rows as it has writes under way, and many sessions share few pages. With a row more
 * for each write, and those below the mark deleted now and then, a group of 35 writes from 64 sessions wrote 25 pages;
 * so it writes 7.
 *
 * A session's tombstone is kept for a month after its answers were forgotten. A client that was away for longer and
 * settles then hears "never" of keys that nobody knows any more. One that has never had an answer needs none: that nothing
 * was applied under its keys stays true. Its end leaves no row either, unless somebody was told "never" of its keys, which must
 * not be run later (never-told.ts).
 */
import type { Database } from "../../sqlite/index.js";
import { type Limits, type Refusal, type RequestKey, refuse, type SessionId } from "../../terms/index.js";
import { NeverTold } from "./never-told.js";
import { prepareReplies, type RepliesSql } from "./replies.sql.js";
import { hourMs, SessionSweep } from "./session-sweep.js";

/** How `result` is to be read. */
export const replyKinds = {
  /** Too large to be kept; the write was applied. */
  notKept: 0,
  json: 1,
  msgpack: 2,
  /** Text `rowsAffected,lastInsertRowid` of a statement without columns: most writes, in a tenth of the bytes. */
  change: 3,
  /** JSON of the refusal that ended a script of which a part was applied. */
  refusal: 4,
  /** A script of several transactions that has begun: how many statements were applied. */
  begun: 5,
} as const;
export type ReplyKind = (typeof replyKinds)[keyof typeof replyKinds];

export interface Reply {
  readonly kind: ReplyKind;
  readonly result: string | Uint8Array | bigint | null;
}

interface StoredReply extends Reply {
  readonly hash: number;
}

export type Lookup =
  | { readonly state: "stored"; readonly reply: StoredReply }
  | { readonly state: "forgotten" }
  | { readonly state: "never" };

interface Row {
  readonly key: number;
  /** Of its result; undefined: as the table has it. */
  readonly bytes: number | undefined;
}

interface SessionState {
  readonly session: SessionId;
  readonly id: Buffer;
  /** No stored key is above it. May be too high after a rollback, never too low. */
  keyMax: number;
  /** What is not stored below it has been forgotten. */
  below: number;
  /** Keys below it are settled for the client. */
  acked: number;
  /** What is stored, by key but for what came out of order. */
  rows: Row[];
  /** The lowest key that waits to be written; Infinity for none. */
  pendingFrom: number;
  /** ms since 1970, at most an hour old; 0 when the session has no row yet. */
  seen: number;
  ended: boolean;
}

interface Pending {
  readonly state: SessionState;
  readonly key: number;
  readonly reply: StoredReply;
  /** Of its result. */
  readonly bytes: number;
  /** There may be a row already: a script of several transactions writes its row in each. */
  readonly again: boolean;
}

/** An answer to be kept. */
export interface Kept {
  readonly session: SessionId;
  readonly key: RequestKey;
  readonly hash: number;
  readonly reply: Reply;
  /** Below it all is settled for the client, as far as is known. */
  readonly ackedBelow?: number;
  /** The key may have a row. */
  readonly again: boolean;
}

/** What a row takes beside its result: the session, the key, the hash and what the tree adds. */
const rowBytes = 64;
const statesMax = 20_000;
/** So many rows that nobody needs are worth a deletion: a session had many writes under way at once. */
const forgetKeysMin = 32;
const sessionsPerGroupMax = 64;
/** Once a minute: more than programs come and go. About 20 ms when there are so many; then the next are soon to follow. */
const sessionsPrunedMax = 512;
const pruneEveryMs = 60_000;
const pruneOnMs = 1000;

export class RepliesKept {
  readonly #limits: Limits;
  readonly #nowWall: () => number;
  readonly #sql: RepliesSql;
  /** In order of first use; what it forgets is read from the tables again. */
  readonly #states = new Map<SessionId, SessionState>();
  /** Whose state the open transaction has changed: that of others is as the tables have it. */
  readonly #changed = new Set<SessionId>();
  /** Of the open transaction, written at its end. */
  #pending: Pending[] = [];
  /** Marks that are known and not yet carried out. */
  readonly #forget = new Map<SessionId, number>();
  readonly #ends: SessionId[] = [];
  /** Those of them that are not in the tables yet. */
  readonly #endsWaiting = new Set<SessionId>();
  /** Committed, and as the open transaction would leave it. */
  #bytes: number;
  #bytesNext: number;
  #endsNext = 0;
  #endsStored = 0;
  #pruneAt = 0;
  readonly #neverTold: NeverTold;
  readonly #sweep: SessionSweep;

  constructor(database: Database, limits: Limits, repliesBytes: number, nowWall: () => number = Date.now) {
    this.#limits = limits;
    this.#nowWall = nowWall;
    this.#sql = prepareReplies(database);
    this.#neverTold = new NeverTold(this.#sql);
    this.#sweep = new SessionSweep(this.#sql, (id) => this.#pruneEnded(id));
    this.#bytes = repliesBytes;
    this.#bytesNext = repliesBytes;
  }

  /** What is known of this key, the open transaction included. */
  find(session: SessionId, key: RequestKey): Lookup {
    const state = this.#state(session);
    if (key <= state.keyMax) {
      const reply = this.#waiting(state, key) ?? this.#read(state, key);
      if (reply !== undefined) return { state: "stored", reply };
    }
    return key < state.below || state.ended ? { state: "forgotten" } : { state: "never" };
  }

  /** As `find`, for a request that wants to run: its stored reply, or why it must not run, or nothing. */
  admit(session: SessionId, key: RequestKey, hash: number): Reply | Refusal | undefined {
    const found = this.find(session, key);
    if (found.state === "never") return undefined;
    if (found.state === "forgotten")
      return refuse("RETRY_TOO_OLD", `request key ${key} is no longer known; it is not run again`, { key });
    if (found.reply.hash === hash) return found.reply;
    return refuse("KEY_REUSED", `request key ${key} was used for a different request`, { key });
  }

  /** Keeps the reply with the open transaction. */
  keep({ session, key, hash, reply, ackedBelow = 0, again }: Kept): void {
    const state = this.#state(session);
    this.#changed.add(session);
    if (ackedBelow > state.acked) state.acked = ackedBelow;
    if (key > state.keyMax) state.keyMax = key;
    const whole = sizeOf(reply.result);
    const isKept = whole <= this.#limits.replyBytesKeptMax;
    const { kind, result } = isKept ? reply : { kind: replyKinds.notKept, result: null };
    if (key < state.pendingFrom) state.pendingFrom = key;
    this.#pending.push({ state, key, reply: { kind, result, hash }, bytes: isKept ? whole : 0, again });
  }

  /** Writes what was kept so far; a script of several transactions does so in each. */
  write(): void {
    for (const { state, key, reply, bytes, again } of this.#pending) {
      state.pendingFrom = Infinity;
      this.#touch(state);
      const over = takeRow(state, key, again);
      if (over === undefined) this.#put(state, key, reply);
      else this.#putOver(state, over, key, reply);
      if (state.acked > state.below) state.below = state.acked;
      state.rows.push({ key, bytes });
      this.#bytesNext += rowBytes + bytes;
    }
    this.#pending = [];
  }

  /** A session's keys below this one may go; they are settled for its client. */
  forget(session: SessionId, below: number): void {
    const state = this.#state(session);
    if (below <= state.below) return;
    this.#forget.set(session, Math.max(below, this.#forget.get(session) ?? 0));
  }

  endSession(session: SessionId): void {
    this.#ends.push(session);
    this.#endsWaiting.add(session);
    const state = this.#states.get(session);
    if (state !== undefined) state.ended = true;
  }

  /** For good: also a session that nobody knew is marked, so that what was answered stays true. */
  settle(
    session: SessionId,
    keys: readonly RequestKey[],
  ): readonly { readonly key: RequestKey; readonly found: Lookup }[] {
    const state = this.#state(session);
    state.ended = false;
    const outcomes = keys.map((key) => ({ key, found: this.find(session, key) }));
    if (!this.#hasRow(state)) this.#neverTold.add(state.id);
    state.ended = true;
    this.#markEnded(state);
    return outcomes;
  }

  /** Whether a transaction is worth while for this alone. */
  get housekeepingDue(): boolean {
    return this.#ends.length > 0;
  }

  /** In the transaction, after `write`: carries out what was forgotten and ended, within bounds, and what is too old. */
  housekeep(): void {
    this.#carryOutForgets();
    this.#endsNext = this.#ends.length;
    for (const session of this.#ends) {
      const state = this.#state(session);
      if (unneededIn(state) > 0) this.#drop(state, state.acked);
      if (this.#hasRow(state)) this.#markEnded(state);
      else this.#states.delete(session);
    }
    for (const id of this.#neverTold.bound()) this.#states.delete(id.toString("hex") as SessionId);
    const now = this.#nowWall();
    if (now < this.#pruneAt && this.#bytesNext <= this.#limits.repliesBytesAllMax) return;
    this.#pruneAt = now + (this.#prune(now) ? pruneOnMs : pruneEveryMs);
  }

  /** What the meta row is to say in this transaction. */
  get bytes(): number {
    return this.#bytesNext;
  }

  /** After COMMIT. */
  committed(): void {
    for (const session of this.#ends.splice(0, this.#endsNext)) this.#endsWaiting.delete(session);
    this.#endsStored += this.#endsNext;
    this.#endsNext = 0;
    this.#bytes = this.#bytesNext;
    this.#neverTold.committed();
    this.#changed.clear();
  }

  /** How many ended sessions have come to disk, in the order in which they were told, since this was last asked. */
  takeEndsStored(): number {
    const stored = this.#endsStored;
    this.#endsStored = 0;
    return stored;
  }

  /**
   * After ROLLBACK: what is remembered of the sessions that were changed may be ahead of the tables, so it is read again.
   * No more than that: a session that acknowledges nothing has hundreds of thousands of rows, and each statement that is
   * refused alone in its group would have them read.
   */
  rolledBack(): void {
    this.#pending = [];
    this.#bytesNext = this.#bytes;
    this.#endsNext = 0;
    this.#neverTold.rolledBack();
    for (const session of this.#changed) this.#states.delete(session);
    this.#changed.clear();
  }

  #state(session: SessionId): SessionState {
    const known = this.#states.get(session);
    if (known !== undefined) return known;
    const id = Buffer.from(session, "hex");
    const row = this.#sql.session.get(id) as [bigint, bigint, bigint | null] | undefined;
    let below = Number(row?.[0] ?? 0);
    const rows: Row[] = [];
    for (const [key, mark] of this.#sql.keys.iterate(id) as Iterable<[bigint, bigint]>) {
      rows.push({ key: Number(key), bytes: undefined });
      below = Math.max(below, Number(mark));
    }
    const state = {
      session,
      id,
      keyMax: rows.at(-1)?.key ?? 0,
      below,
      acked: below,
      rows,
      pendingFrom: Infinity,
      seen: Number(row?.[1] ?? 0),
      ended: (row?.[2] ?? null) !== null || this.#endsWaiting.has(session),
    };
    // What is not in the tables yet is kept.
    if (this.#states.size >= statesMax && this.#pending.length === 0) this.#states.clear();
    this.#states.set(session, state);
    return state;
  }

  /** Of this very transaction: only a request that came twice in one group is looked for here. */
  #waiting(state: SessionState, key: number): StoredReply | undefined {
    if (key < state.pendingFrom) return undefined;
    return this.#pending.find((one) => one.state === state && one.key === key)?.reply;
  }

  #read(state: SessionState, key: number): StoredReply | undefined {
    const row = this.#sql.reply.get(state.id, BigInt(key)) as [bigint, bigint, Reply["result"]] | undefined;
    return row === undefined ? undefined : { hash: Number(row[0]), kind: Number(row[1]) as ReplyKind, result: row[2] };
  }

  #put(state: SessionState, key: number, { hash, kind, result }: StoredReply): void {
    this.#sql.put.run(state.id, BigInt(key), BigInt(hash), BigInt(kind), result, BigInt(state.acked));
  }

  #putOver(state: SessionState, over: Row, key: number, { hash, kind, result }: StoredReply): void {
    const before = over.bytes ?? this.#sizeIn(state, over.key);
    const values = [BigInt(key), BigInt(hash), BigInt(kind), result, BigInt(state.acked)];
    const { changes } = this.#sql.putOver.run(...values, state.id, BigInt(over.key));
    if (changes !== 1)
      throw new Error(`impossible: the answer under key ${over.key} was to be written over and is gone`);
    this.#bytesNext -= rowBytes + before;
  }

  #sizeIn(state: SessionState, key: number): number {
    return sizeOf(this.#read(state, key)?.result ?? null);
  }

  #touch(state: SessionState): void {
    const now = this.#nowWall();
    if (state.seen !== 0 && now - state.seen < hourMs) return;
    state.seen = now;
    this.#sql.touch.run(state.id, BigInt(now));
  }

  #markEnded(state: SessionState): void {
    this.#changed.add(state.session);
    state.ended = true;
    const now = BigInt(this.#nowWall());
    this.#sql.end.run(state.id, now, now);
  }

  /** A row of its own, or an answer. */
  #hasRow({ id, rows, seen, below }: SessionState): boolean {
    return rows.length > 0 || seen > 0 || below > 0 || this.#sql.session.get(id) !== undefined;
  }

  #carryOutForgets(): void {
    let sessions = 0;
    for (const [session, below] of this.#forget) {
      this.#forget.delete(session);
      const state = this.#state(session);
      if (below > state.acked) state.acked = below;
      const unneeded = unneededIn(state);
      if (unneeded === 0 || (unneeded < forgetKeysMin && !state.ended)) continue;
      this.#drop(state, state.acked);
      if (++sessions >= sessionsPerGroupMax) return;
    }
  }

  /** Deletes the keys below, and remembers that they are gone; also what a row among them had remembered. */
  #drop(state: SessionState, below: number): void {
    this.#changed.add(state.session);
    const [bytes] = this.#sql.size.get(BigInt(rowBytes), state.id, BigInt(below)) as [bigint];
    this.#bytesNext -= Number(bytes);
    this.#sql.drop.run(state.id, BigInt(below));
    state.rows = state.rows.filter(({ key }) => key >= below);
    state.below = Math.max(state.below, below);
    this.#sql.mark.run(state.id, BigInt(state.below), BigInt(this.#nowWall()));
  }

  /** Whether there is more of it to be done. */
  #prune(now: number): boolean {
    const endedBefore = BigInt(now - this.#limits.endedKeysMs);
    const ended = this.#sql.endedBefore.all(endedBefore, BigInt(sessionsPrunedMax)) as [Buffer][];
    for (const [id] of ended) this.#pruneEnded(id);
    if (this.#sweep.step(now)) this.#states.clear();
    if (this.#bytesNext > this.#limits.repliesBytesAllMax) this.#pruneToSize();
    return ended.length === sessionsPrunedMax || this.#sweep.goesOn;
  }

  /** The oldest ended sessions first; when none is left, the older half of what the sessions seen longest ago have. */
  #pruneToSize(): void {
    const enough = this.#limits.repliesBytesAllMax * 0.875;
    while (this.#bytesNext > enough) {
      const oldest = this.#sql.endedBefore.get(BigInt(Number.MAX_SAFE_INTEGER), 1n) as [Buffer] | undefined;
      if (oldest === undefined) break;
      this.#pruneEnded(oldest[0]);
    }
    if (this.#bytesNext <= enough) return;
    for (const [id] of this.#sql.bySeen.all() as [Buffer][]) {
      const middle = this.#sql.middle.get(id, id) as [bigint] | undefined;
      if (middle !== undefined) this.#drop(this.#state(id.toString("hex") as SessionId), Number(middle[0]) + 1);
      if (this.#bytesNext <= enough) return;
    }
  }

  /** Its answers go; whether a tombstone is left. */
  #pruneEnded(id: Buffer): boolean {
    const session = id.toString("hex") as SessionId;
    const state = this.#state(session);
    const keyMax = (this.#sql.keyMax.get(id) as [bigint | null])[0];
    if (keyMax !== null) this.#drop(state, Math.max(Number(keyMax) + 1, state.below));
    if (state.below > 0) this.#sql.pruned.run(id);
    else {
      this.#sql.dropSession.run(id);
      this.#states.delete(session);
    }
    return state.below > 0;
  }
}

export function sizeOf(result: Reply["result"]): number {
  if (result === null) return 0;
  if (typeof result === "bigint") return String(result).length;
  return typeof result === "string" ? Buffer.byteLength(result) : result.length;
}

/** How many of its rows its client has no use for. */
function unneededIn({ rows, acked }: SessionState): number {
  let count = 0;
  for (const { key } of rows) if (key < acked) count++;
  return count;
}

/** The row that the reply for this key is written over, if there is one. */
function takeRow({ rows, acked }: SessionState, key: number, again: boolean): Row | undefined {
  if (again) {
    const at = rows.findIndex((row) => row.key === key);
    if (at >= 0) return rows.splice(at, 1)[0];
  }
  const [first] = rows;
  return first !== undefined && first.key < acked ? rows.shift() : undefined;
}
