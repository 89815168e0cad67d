/**
 * Who is there: connections, the sessions that they speak for, and when a session without a connection is over. A
 * dead process ends its session at once; a lost connection opens a window; the end of a window is a matter of two
 * steps, due and then confirmed, so that a client that is already knocking is let in first (rules 11 and 12).
 */
import { after, type ConnectionId, type Instant, type Limits, later, type SessionId } from "../../terms/index.js";
import type { HelloCommand, ProcessIdentity, SessionIdentity } from "../command.js";
import type { Deadline, Deadlines } from "../deadlines.js";
import type { Draft } from "../draft.js";
import type { SessionEnd } from "../locks/releasing.js";
import type { SessionRow } from "../turn.js";
import { FinishedRequests } from "./finished-requests.js";
import { noLease } from "./lease.js";
import { letGo, mayRunUnder, runsUnder } from "./outers.js";
import type { Quiet } from "./quiet.js";
import type { Role } from "./role.js";
import { connectionOf, rowOf, type Session } from "./session.js";

export interface Connection {
  readonly id: ConnectionId;
  /** The session that it speaks for, or spoke for until that was over. */
  session: Session | undefined;
  handshake: Deadline<Connection> | undefined;
  /** Something that it asked was refused because the broker ends: its client has the next one asked, in the same order. */
  turnedAway: boolean;
}

export interface SessionTableParts {
  readonly limits: Limits;
  readonly draft: Draft;
  readonly deadlines: Deadlines;
  readonly quiet: Quiet;
  /** The session is over: what it held and waited for goes; called once. */
  readonly onEnd: (session: Session, end: SessionEnd, now: Instant) => void;
}

/** After a connection closed: looks at its process (ms after the close). A killed process may be a zombie for a while. */
const looksAtMs = [5, 20, 100, 500];
/** The longest window that a client may ask for. */
const windowMsMax = 3_600_000;
/** Ended ids that are remembered, so that none is taken up again. */
const endedKept = 10_000;

export class SessionTable {
  readonly #parts: SessionTableParts;
  readonly #sessions = new Map<SessionId, Session>();
  readonly #connections = new Map<ConnectionId, Connection>();
  readonly #ended = new Set<SessionId>();
  readonly #due = new Set<Session>();
  /** Sessions that a process stands for. */
  readonly #bound = new Set<Session>();

  constructor(parts: SessionTableParts) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#sessions.size;
  }

  get connections(): number {
    return this.#connections.size;
  }

  connection(id: ConnectionId): Connection | undefined {
    return this.#connections.get(id);
  }

  get(id: SessionId): Session | undefined {
    return this.#sessions.get(id);
  }

  hasEnded(id: SessionId): boolean {
    return this.#ended.has(id);
  }

  all(): Iterable<Session> {
    return this.#sessions.values();
  }

  // ── connections ───────────────────────────────────────────────────────────────────────────────────────────────────

  connected(id: ConnectionId, now: Instant): void {
    const connection: Connection = { id, session: undefined, handshake: undefined, turnedAway: false };
    connection.handshake = this.#parts.deadlines.arm("handshake", connection, after(now, this.#parts.limits.helloMs));
    this.#connections.set(id, connection);
    this.#parts.quiet.accepted(now);
  }

  /** Returns the session that nobody speaks for now. */
  disconnected(id: ConnectionId, heardAt: Instant | undefined, now: Instant): Session | undefined {
    const connection = this.#connections.get(id);
    if (connection === undefined) return undefined;
    this.#connections.delete(id);
    this.#hasSpoken(connection);
    const { session } = connection;
    if (session === undefined || connectionOf(session) !== id) return session;
    if (heardAt !== undefined) session.heardAt = later(session.heardAt, heardAt);
    this.#goAway(session, now);
    return session;
  }

  /** It may stay without a hello: it came only to ask what became of an old session. */
  hasSettled(connection: Connection): void {
    this.#hasSpoken(connection);
  }

  // ── sessions ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Whether one more may be opened. Where there are too many, one goes that is away and has nothing to lose: its client
   * will open another, and be told all the same what became of its writes.
   */
  makeRoom(now: Instant): boolean {
    if (this.#sessions.size < this.#parts.limits.sessionsMax) return true;
    const session = this.#withNothingToLose();
    if (session === undefined) return false;
    this.end(session, "there were too many sessions", now);
    return this.#sessions.size < this.#parts.limits.sessionsMax;
  }

  /** One that a process stands for only if there is no other: its client counts on it for longer. */
  #withNothingToLose(): Session | undefined {
    let bound: Session | undefined;
    for (const session of this.#sessions.values()) {
      if (!hasNothingToLose(session)) continue;
      if (!session.identity.bound) return session;
      bound ??= session;
    }
    return bound;
  }

  open(hello: HelloCommand, connection: Connection, now: Instant): Session {
    const { limits, draft } = this.#parts;
    const windowMs = Math.min(hello.windowMs ?? limits.resumeWindowMs, windowMsMax);
    const { session: id, identity, role = "admin" } = hello;
    const session = newSession({ session: id, identity, role, windowMs }, { restored: false, now });
    this.#know(session);
    const outer = hello.outer === undefined ? undefined : this.#sessions.get(hello.outer);
    if (outer !== undefined && mayRunUnder(session, outer)) runsUnder(session, outer);
    this.#speaksFor(connection, session);
    draft.ledger.push({ kind: "session-opened", row: rowOf(session) });
    return session;
  }

  /** A new connection speaks for a session that is there. The one that spoke before is told and hung up. */
  resume(session: Session, hello: HelloCommand, connection: Connection): void {
    const before = connectionOf(session);
    if (before !== undefined && before !== connection.id) {
      const old = this.#connections.get(before);
      if (old !== undefined) old.session = undefined;
      this.#parts.draft.send.push({ kind: "taken", to: before });
    }
    this.#notAway(session);
    const identified = hello.identity.process !== undefined && !session.identity.bound;
    this.#says(session, identified ? hello.identity : session.identity, hello.role ?? session.role);
    this.#speaksFor(connection, session);
  }

  /** Over: goodbye, death, or the end of its window. Its id stays until the last of its writes is settled. */
  end(session: Session, why: string, now: Instant, farewell?: () => void): void {
    if (session.state.kind === "ending") {
      if (farewell === undefined) return;
      if (this.#sessions.get(session.id) === session) session.state.farewells.push(farewell);
      else farewell();
      return;
    }
    const connection = connectionOf(session);
    this.#notAway(session);
    this.#bound.delete(session);
    session.state = { kind: "ending", farewells: farewell === undefined ? [] : [farewell] };
    if (connection !== undefined && farewell === undefined)
      this.#parts.draft.send.push({ kind: "expired", to: connection });
    this.#parts.onEnd(session, { how: farewell === undefined ? "taken" : "given back", why }, now);
    letGo(session);
    this.endIfSettled(session);
  }

  endIfSettled(session: Session): void {
    const { state, writes, grants, waits } = session;
    if (state.kind !== "ending" || writes.size + grants.size + waits.size > 0) return;
    if (!this.#sessions.delete(session.id)) return;
    this.neverAgain(session.id);
    this.#parts.draft.ledger.push({ kind: "session-ended", session: session.id });
    this.#parts.draft.dispatch.push({ to: "writer", kind: "end-session", session: session.id });
    for (const farewell of state.farewells) farewell();
  }

  /** An id that is not taken up any more, whether it was known or not: what became of it has been told for good. */
  neverAgain(id: SessionId): void {
    this.#ended.add(id);
    if (this.#ended.size <= endedKept) return;
    for (const oldest of this.#ended) {
      this.#ended.delete(oldest);
      return;
    }
  }

  restore(row: SessionRow, now: Instant): Session {
    const session = newSession(row, { restored: true, now });
    session.graceUntil = after(now, this.#parts.limits.recoveryGraceMs);
    this.#know(session);
    this.#goAway(session, now);
    return session;
  }

  /** When all are restored: which runs under which. */
  restoreOuter({ session: id, outer: outerId }: SessionRow): void {
    const [session, outer] = [this.#sessions.get(id), outerId === undefined ? undefined : this.#sessions.get(outerId)];
    if (session !== undefined && outer !== undefined && mayRunUnder(session, outer)) runsUnder(session, outer);
  }

  /** One that is gone, and whose processes still live: nobody finds it, but its grants know whose they were. */
  ghost(row: SessionRow, now: Instant): Session {
    const session = newSession(row, { restored: true, now });
    session.state = { kind: "ending", farewells: [] };
    return session;
  }

  // ── dead or alive ─────────────────────────────────────────────────────────────────────────────────────────────────

  processFate(id: SessionId, process: ProcessIdentity, fate: "alive" | "dead" | "unknown", now: Instant): void {
    const session = this.#sessions.get(id);
    const known = session?.identity.process;
    if (
      session === undefined ||
      known === undefined ||
      known.pid !== process.pid ||
      known.startTime !== process.startTime
    )
      return;
    if (fate === "dead" && session.state.kind !== "ending") this.end(session, "its process is gone", now);
  }

  look(session: Session, now: Instant): void {
    if (session.state.kind !== "away") return;
    session.state.looking = undefined;
    this.probe(session);
    this.#armLook(session, now);
  }

  /** Asks the operating system; the answer comes as a command. */
  probe(session: Session): void {
    const { process } = session.identity;
    if (process !== undefined)
      this.#parts.draft.dispatch.push({ to: "system", kind: "probe-process", session: session.id, process });
  }

  get bound(): ReadonlySet<Session> {
    return this.#bound;
  }

  // ── two-step expiry (rule 11) ─────────────────────────────────────────────────────────────────────────────────────

  windowIsDue(session: Session, now: Instant): void {
    if (session.state.kind !== "away") return;
    session.windowDue = this.#parts.quiet.due(now);
    this.#due.add(session);
  }

  /** Once a turn: those due that nobody came for are over. */
  confirmDue(now: Instant): void {
    for (const session of [...this.#due]) {
      const due = session.windowDue;
      const isOver = due !== undefined && this.#parts.quiet.confirms(due, now);
      if (isOver) this.end(session, `its client did not come back within ${session.windowMs} ms`, now);
    }
  }

  /** When to look again at those due. */
  nextConfirm(now: Instant): Instant | undefined {
    return this.#due.size === 0 ? undefined : this.#parts.quiet.nextLook(now);
  }

  paused(ms: number): void {
    for (const session of this.#due) {
      const due = session.windowDue;
      if (due !== undefined) session.windowDue = this.#parts.quiet.shifted(due, ms);
    }
  }

  check(): void {
    let helloless = 0;
    for (const connection of this.#connections.values()) {
      if (connection.handshake !== undefined) helloless++;
      const { session } = connection;
      if (session !== undefined && session.state.kind === "live" && session.state.connection !== connection.id)
        throw new Error("session table: a connection speaks for a session that another speaks for");
    }
    if (helloless !== this.#parts.quiet.silent)
      throw new Error("session table: the count of silent connections is wrong");
    for (const session of this.#sessions.values()) this.#checkSession(session);
  }

  #checkSession(session: Session): void {
    const { state, id, grants, waits, claims, listedBytes } = session;
    if (state.kind === "ending" && grants.size + waits.size > 0)
      throw new Error(`session ${id} has ended and holds locks`);
    if (grants.size + waits.size === 0 && claims + listedBytes > 0)
      throw new Error(`session ${id} has no locks, and some are counted`);
    if (state.kind === "live" && this.#connections.get(state.connection)?.session !== session)
      throw new Error(`session ${id} is live without its connection`);
    if (this.#ended.has(id)) throw new Error(`session ${id} was taken up again`);
    if (this.#bound.has(session) !== (session.identity.bound && state.kind !== "ending"))
      throw new Error(`session ${id} is wrongly listed as bound`);
    if (state.kind === "ending" && session.writes.size + grants.size + waits.size === 0)
      throw new Error(`session ${id} is over and was not let go`);
    if ((session.windowDue !== undefined) !== this.#due.has(session))
      throw new Error(`session ${id} is wrongly listed as due`);
  }

  // ── the machine ───────────────────────────────────────────────────────────────────────────────────────────────────

  #know(session: Session): void {
    this.#sessions.set(session.id, session);
    if (session.identity.bound) this.#bound.add(session);
  }

  /** The ledger must know it too: after a restart it is this process that is looked at, and the role is no wider. */
  #says(session: Session, identity: SessionIdentity, role: Role): void {
    if (isSame(session.identity, identity) && session.role === role) return;
    session.identity = identity;
    session.role = role;
    this.#know(session);
    this.#parts.draft.ledger.push({ kind: "session-opened", row: rowOf(session) });
  }

  #speaksFor(connection: Connection, session: Session): void {
    this.#hasSpoken(connection);
    connection.session = session;
    session.state = { kind: "live", connection: connection.id };
  }

  #hasSpoken(connection: Connection): void {
    if (connection.handshake === undefined) return;
    this.#parts.deadlines.cancel(connection.handshake);
    connection.handshake = undefined;
    this.#parts.quiet.heard();
  }

  #goAway(session: Session, now: Instant): void {
    const { identity } = session;
    // A bound process stands for its session; without a process to look at, only the window can end it.
    const stands = identity.bound && identity.process !== undefined;
    const window = stands
      ? undefined
      : this.#parts.deadlines.arm("resume-window", session, after(now, session.windowMs));
    session.state = { kind: "away", window, looking: undefined, looks: 0 };
    this.#armLook(session, now);
  }

  #armLook(session: Session, now: Instant): void {
    if (session.state.kind !== "away" || session.identity.process === undefined) return;
    const [done, next] = [
      session.state.looks === 0 ? 0 : looksAtMs[session.state.looks - 1],
      looksAtMs[session.state.looks],
    ];
    if (next === undefined || done === undefined) return;
    session.state.looks++;
    session.state.looking = this.#parts.deadlines.arm("after-close", session, after(now, next - done));
  }

  #notAway(session: Session): void {
    session.windowDue = undefined;
    this.#due.delete(session);
    if (session.state.kind !== "away") return;
    this.#parts.deadlines.cancel(session.state.window);
    this.#parts.deadlines.cancel(session.state.looking);
  }
}

function hasNothingToLose({ state, grants, waits, writes }: Session): boolean {
  return state.kind === "away" && grants.size + waits.size + writes.size === 0;
}

function isSame(a: SessionIdentity, b: SessionIdentity): boolean {
  const [before, after] = [a.process, b.process];
  const sameProcess = before?.pid === after?.pid && before?.startTime === after?.startTime;
  return sameProcess && a.program === b.program && a.version === b.version && a.bound === b.bound;
}

function newSession(row: Omit<SessionRow, "outer">, { restored, now }: { restored: boolean; now: Instant }): Session {
  return {
    id: row.session,
    identity: row.identity,
    role: row.role,
    windowMs: row.windowMs,
    state: { kind: "away", window: undefined, looking: undefined, looks: 0 },
    grants: new Map(),
    waits: new Map(),
    asked: undefined,
    claims: 0,
    listedBytes: 0,
    outer: undefined,
    inner: undefined,
    heardAt: now,
    lease: noLease,
    leased: 0,
    graceUntil: 0 as Instant,
    writes: new Map(),
    writesSent: 0,
    followers: [],
    transactions: undefined,
    transactionHigh: 0,
    finished: new FinishedRequests(),
    lastSeq: undefined,
    keyHigh: 0,
    restored,
    forgottenBelow: 0,
    forgottenBefore: false,
    windowDue: undefined,
  };
}
