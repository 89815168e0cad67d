/**
 * The core's entries as statements with values, and rows as the core's words again. What comes back is checked: a file
 * that was written by something else throws here, and then the ledger counts as damaged.
 */
import type { GrantRow, LedgerEntry, SessionRow, WaiterRow } from "../core/index.js";
import type { Database, Statement } from "../sqlite/index.js";
import {
  impossible,
  instant,
  type LockName,
  lockName,
  requestKey,
  type Seq,
  seq,
  sessionId,
  token,
} from "../terms/index.js";

export interface LedgerMark {
  readonly tokensTo: number;
  readonly seq: Seq;
  readonly incarnation: string;
}

export interface LedgerContents {
  readonly sessions: readonly SessionRow[];
  /** By token. */
  readonly grants: readonly GrantRow[];
  /** By arrival. */
  readonly waiters: readonly WaiterRow[];
  /** Absent in a ledger that was never written. */
  readonly mark: LedgerMark | undefined;
}

/** Writes one entry of a turn by a statement prepared before. */
export class RowWriter {
  readonly #openSession: Statement;
  readonly #endSession: Statement;
  readonly #grant: Statement;
  readonly #endGrant: Statement;
  readonly #queue: Statement;
  readonly #unqueue: Statement;
  readonly #mark: Statement;

  constructor(database: Database) {
    const prepare = (sql: string) => database.prepare<unknown[]>(sql);
    // A resumed session is written again, with what it said at its latest hello.
    this.#openSession = prepare("insert or replace into sessions values (?, ?, ?, ?, ?, ?, ?)");
    this.#endSession = prepare("delete from sessions where session = ?");
    this.#grant = prepare("insert into grants values (?, ?, ?, ?, ?, ?)");
    this.#endGrant = prepare("delete from grants where token = ?");
    this.#queue = prepare("insert into waiters values (?, ?, ?, ?, ?, ?)");
    this.#unqueue = prepare("delete from waiters where arrival = ?");
    this.#mark = prepare("insert or replace into mark values (1, ?, ?, ?)");
  }

  write(entry: LedgerEntry): void {
    switch (entry.kind) {
      case "granted": {
        const { token, name, session, key, since, reason } = entry.row;
        this.#grant.run(token, name, session, key, since, reason);
        return;
      }
      case "grant-ended":
        this.#endGrant.run(entry.token);
        return;
      case "queued": {
        const { arrival, name, session, key, since, reason } = entry.row;
        this.#queue.run(arrival, name, session, key, since, reason);
        return;
      }
      case "unqueued":
        this.#unqueue.run(entry.arrival);
        return;
      case "session-opened":
        this.#writeSession(entry.row);
        return;
      case "session-ended":
        this.#endSession.run(entry.session);
        return;
      case "mark":
        this.#mark.run(entry.tokensTo, entry.seq, entry.incarnation);
        return;
      default:
        impossible(entry, "ledger entry");
    }
  }

  #writeSession({ session, identity, windowMs }: SessionRow): void {
    const { program, version, process, bound } = identity;
    const [pid, startTime] = process === undefined ? [null, null] : [process.pid, process.startTime];
    this.#openSession.run(session, program, version, pid, startTime, bound ? 1 : 0, windowMs);
  }
}

/** Everything in the ledger. Throws RangeError on a row that no ledger of ours can hold. */
export function readRows(database: Database): LedgerContents {
  const all = (sql: string) => database.prepare<unknown[]>(sql).raw().all() as Column[][];
  return {
    sessions: all("select session, program, version, pid, start_time, bound, window_ms from sessions").map(sessionRow),
    grants: all("select token, name, session, key, since, reason from grants order by token").map(
      ([first, ...rest]) => ({
        token: token(number(first)),
        ...lockColumns(rest),
      }),
    ),
    waiters: all("select arrival, name, session, key, since, reason from waiters order by arrival").map(
      ([first, ...rest]) => ({ arrival: number(first), ...lockColumns(rest) }),
    ),
    mark: all("select tokens_to, seq, incarnation from mark").map(([tokensTo, last, incarnation]) => ({
      tokensTo: number(tokensTo),
      seq: seq(number(last)),
      incarnation: text(incarnation),
    }))[0],
  };
}

type Column = string | number | null;

function sessionRow([session, program, version, pid, startTime, bound, windowMs]: readonly (
  | Column
  | undefined
)[]): SessionRow {
  const process = pid === null ? undefined : { pid: number(pid), startTime: text(startTime) };
  return {
    session: sessionId(text(session)),
    identity: { program: text(program), version: text(version), process, bound: number(bound) === 1 },
    windowMs: number(windowMs),
  };
}

function lockColumns([name, session, key, since, reason]: readonly (Column | undefined)[]) {
  return {
    name: storedName(text(name)),
    session: sessionId(text(session)),
    key: requestKey(number(key)),
    since: instant(number(since)),
    reason: text(reason),
  };
}

/** A name was checked against its limit when it came in; the limit may have been lowered since. */
function storedName(stored: string): LockName {
  const name = lockName(stored, Number.MAX_SAFE_INTEGER);
  if (typeof name === "string") return name;
  throw new RangeError(`a lock name in the ledger ${name.wrong}`);
}

function number(column: Column | undefined): number {
  if (typeof column !== "number") throw new RangeError(`a number was expected in the ledger, not ${typeof column}`);
  return column;
}

function text(column: Column | undefined): string {
  if (typeof column !== "string") throw new RangeError(`a text was expected in the ledger, not ${typeof column}`);
  return column;
}
