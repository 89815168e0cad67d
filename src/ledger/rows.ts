/**
 * The core's entries as statements with values, and rows as the core's words again. What comes back is checked: a file
 * that was written by something else throws here, and then the ledger counts as damaged.
 */
import type { CapacityRow, GrantRow, LedgerEntry, SessionRow, WaiterRow } from "../core/index.js";
import type { Database, Statement } from "../sqlite/index.js";
import { impossible, instant, requestKey, type Seq, seq, sessionId, token } from "../terms/index.js";
import { number, storedName, text } from "./checked.js";
import { claimsOf, grantMore, waiterMore, writtenGrantMore, writtenWaiterMore } from "./more.js";

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
  readonly capacities: readonly CapacityRow[];
  /** Absent in a ledger that was never written. */
  readonly mark: LedgerMark | undefined;
}

/** Writes one entry of a turn by a statement prepared before. */
export class RowWriter {
  readonly #openSession: Statement;
  readonly #endSession: Statement;
  readonly #grant: Statement;
  readonly #changeGrant: Statement;
  readonly #endGrant: Statement;
  readonly #queue: Statement;
  readonly #unqueue: Statement;
  readonly #capacity: Statement;
  readonly #mark: Statement;
  readonly #unmark: Statement;

  constructor(database: Database) {
    const prepare = (sql: string) => database.prepare<unknown[]>(sql);
    // A resumed session is written again, with what it said at its latest hello.
    this.#openSession = prepare("insert or replace into sessions values (?, ?, ?, ?, ?, ?, ?, ?, ?)");
    this.#endSession = prepare("delete from sessions where session = ?");
    this.#grant = prepare("insert into grants values (?, ?, ?, ?, ?, ?, ?)");
    this.#changeGrant = prepare("update grants set token = ?, more = ? where token = ?");
    this.#endGrant = prepare("delete from grants where token = ?");
    this.#queue = prepare("insert into waiters values (?, ?, ?, ?, ?, ?, ?)");
    this.#unqueue = prepare("delete from waiters where arrival = ?");
    this.#capacity = prepare("insert or replace into capacities values (?, ?)");
    this.#mark = prepare("insert or replace into mark values (1, ?, ?, ?)");
    this.#unmark = prepare("delete from mark");
  }

  write(entry: LedgerEntry): void {
    switch (entry.kind) {
      case "granted": {
        const { token, session, key, since, reason, claims } = entry.row;
        this.#grant.run(token, firstOf(claims).name, session, key, since, reason, writtenGrantMore(entry.row));
        return;
      }
      case "grant-changed":
        this.#changeGrant.run(entry.row.token, writtenGrantMore(entry.row), entry.was);
        return;
      case "grant-ended":
        this.#endGrant.run(entry.token);
        return;
      case "queued": {
        const { arrival, session, key, since, reason, claims } = entry.row;
        this.#queue.run(arrival, firstOf(claims).name, session, key, since, reason, writtenWaiterMore(entry.row));
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
      case "capacity":
        this.#capacity.run(entry.row.name, entry.row.slots);
        return;
      case "mark":
        this.#mark.run(entry.tokensTo, entry.seq, entry.incarnation);
        return;
      case "unmarked":
        this.#unmark.run();
        return;
      default:
        impossible(entry, "ledger entry");
    }
  }

  #writeSession({ session, identity, windowMs, outer, role }: SessionRow): void {
    const { program, version, process, bound } = identity;
    const [pid, startTime] = process === undefined ? [null, null] : [process.pid, process.startTime];
    const claimed = [program, version, pid, startTime, bound ? 1 : 0];
    this.#openSession.run(session, ...claimed, windowMs, outer ?? null, role);
  }
}

/** Everything in the ledger. Throws RangeError on a row that no ledger of ours can hold. */
export function readRows(database: Database): LedgerContents {
  const read = <Row>(sql: string, row: (columns: Columns) => Row): Row[] =>
    (database.prepare<unknown[]>(sql).raw().all() as Column[][]).map(row);
  const sessions = "select session, program, version, pid, start_time, bound, window_ms, outer_session, role";
  return {
    sessions: read(`${sessions} from sessions`, sessionRow),
    grants: read("select token, name, session, key, since, reason, more from grants order by token", grantRow),
    waiters: read("select arrival, name, session, key, since, reason, more from waiters order by arrival", waiterRow),
    capacities: read("select name, slots from capacities", ([name, slots]) => ({
      name: storedName(text(name)),
      slots: number(slots),
    })),
    mark: read("select tokens_to, seq, incarnation from mark", ([tokensTo, last, incarnation]) => ({
      tokensTo: number(tokensTo),
      seq: seq(number(last)),
      incarnation: text(incarnation),
    }))[0],
  };
}

type Column = string | number | null;
type Columns = readonly (Column | undefined)[];

function sessionRow([session, program, version, pid, startTime, bound, windowMs, outer, role]: Columns): SessionRow {
  const process = pid === null ? undefined : { pid: number(pid), startTime: text(startTime) };
  return {
    session: sessionId(text(session)),
    identity: { program: text(program), version: text(version), process, bound: number(bound) === 1 },
    role: storedRole(role),
    windowMs: number(windowMs),
    outer: outer === null ? undefined : sessionId(text(outer)),
  };
}

function storedRole(stored: unknown): SessionRow["role"] {
  if (stored === "read" || stored === "write" || stored === "admin") return stored;
  throw new RangeError(`${JSON.stringify(stored)} in the ledger is not a role`);
}

// Each is made in one piece: what is put together from others costs several times as much.

function grantRow([given, name, session, key, since, reason, more]: Columns): GrantRow {
  const stored = more === null ? undefined : text(more);
  const { ttlMs, guarded, tell, converted, former, ending } = grantMore(stored);
  return {
    token: token(number(given)),
    session: sessionId(text(session)),
    key: requestKey(number(key)),
    since: instant(number(since)),
    reason: text(reason),
    claims: claimsOf(storedName(text(name)), stored),
    ttlMs,
    guarded,
    tell,
    converted,
    former,
    ending,
  };
}

function waiterRow([arrival, name, session, key, since, reason, more]: Columns): WaiterRow {
  const stored = more === null ? undefined : text(more);
  const { ttlMs, guarded, tell, under, beside, convertOf } = waiterMore(stored);
  return {
    arrival: number(arrival),
    session: sessionId(text(session)),
    key: requestKey(number(key)),
    since: instant(number(since)),
    reason: text(reason),
    claims: claimsOf(storedName(text(name)), stored),
    ttlMs,
    guarded,
    tell,
    under,
    beside,
    convertOf,
  };
}

function firstOf<One>([first]: readonly One[]): One {
  if (first === undefined) throw new Error("impossible: a grant or a wait without a name");
  return first;
}
