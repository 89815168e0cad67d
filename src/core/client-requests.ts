/**
 * What a client asked, and what it sets in motion: who may ask, under which key, after which of its own earlier
 * requests. The machines do the rest.
 */
import {
  type Instant,
  type Limits,
  type Refusal,
  type RequestKey,
  refuse,
  requestKey,
  type SessionId,
} from "../terms/index.js";
import type {
  AcquireCommand,
  Asker,
  BeginCommand,
  ClientCommand,
  CommitCommand,
  ConvertCommand,
  HelloCommand,
  LockCommand,
  ResizeCommand,
  TransactionCommand,
  WatchTablesCommand,
  WriteCommand,
} from "./command.js";
import type { Draft } from "./draft.js";
import { keepsItsPlace } from "./keeping-order.js";
import type { LockService } from "./locks/lock-service.js";
import { grantView } from "./locks/lock-view.js";
import type { Reads } from "./reads/reads.js";
import { ending, followersMax, ledgerFull, tooManyFollow, waitsForWriter } from "./request-refusals.js";
import { judgeKey } from "./sessions/request-keys.js";
import { forbidden, includes, roleFor } from "./sessions/role.js";
import { isPresent, type Session } from "./sessions/session.js";
import type { Connection, SessionTable } from "./sessions/session-table.js";
import type { TableWatches } from "./watches/table-watches.js";
import { notRun } from "./writes/settlement.js";
import { notBegun } from "./writes/transaction-refusals.js";
import type { Transactions } from "./writes/transactions.js";
import { newWrite } from "./writes/write.js";
import type { WriteLine } from "./writes/write-line.js";

export interface ClientRequestsParts {
  readonly limits: Limits;
  readonly draft: Draft;
  readonly sessions: SessionTable;
  readonly locks: LockService;
  readonly writes: WriteLine;
  readonly reads: Reads;
  readonly transactions: Transactions;
  readonly tables: TableWatches;
}

/** Stored replies are given up in bundles of so many keys: one job for each would cost more than the rows. */
const forgetEvery = 64;

export class ClientRequests {
  readonly #parts: ClientRequestsParts;
  /** The broker is ending: nothing new is begun. */
  ending = false;
  /**
   * The ledger cannot be written: no lock is granted that it would not know. What is held can be given back, SQL needs
   * nothing of it, and a new session has nothing yet that it could lose with this process.
   */
  ledgerFull = false;

  /**
   * Sessions of which it is not known yet what became of them: no writer has said so far whether what the ledger tells
   * may be believed. Absent when it is known, as it nearly always is before anybody asks.
   */
  unsettled: ReadonlySet<SessionId> | undefined;

  constructor(parts: ClientRequestsParts) {
    this.#parts = parts;
  }

  handle(command: ClientCommand, now: Instant): void {
    const connection = this.#parts.sessions.connection(command.connection);
    if (connection === undefined) return;
    if (command.kind === "hello") return this.#hello(command, connection, now);
    if (command.kind === "settle") return this.#settle(command, connection, now);
    const { session } = connection;
    if (session !== undefined) session.heardAt = now;
    if (command.kind === "ping") return this.#pong(command);
    if (session === undefined || !isPresent(session)) {
      if ("request" in command && command.kind !== "cancel")
        this.#refuse(command, refuse("NOT_READY", "session.hello must come first"));
      return;
    }
    if (this.#forbidden(session, command)) return;
    if (connection.turnedAway && keepsItsPlace(command))
      this.#refusedAtEnd(command, command.kind !== "read" && session.restored);
    else this.#fromSession(command, connection, session, now);
  }

  #fromSession(
    command: Exclude<ClientCommand, { kind: "hello" | "settle" | "ping" }>,
    connection: Connection,
    session: Session,
    now: Instant,
  ): void {
    switch (command.kind) {
      case "goodbye":
        return this.#goodbye(session, command, now);
      case "ack":
        return this.#acknowledge(session, command.below);
      case "cancel":
        return this.#cancel(session, command, now);
      case "write":
        return this.#write(session, command, connection, now);
      case "read":
        return this.#parts.reads.read(session, command, now);
      case "stream":
        return this.#parts.reads.stream(session, command, now);
      case "watch-tables":
        return this.#watchTables(command, now);
      case "unwatch-tables":
        return this.#parts.tables.unwatch(command, now);
      case "stream-credit":
        return this.#parts.reads.streams.credit(command.connection, command.stream, command.bytes, now);
      case "stream-close":
        return this.#parts.reads.streams.close(command.connection, command.stream, now);
      case "tx-begin":
      case "tx-step":
      case "tx-commit":
      case "tx-rollback":
        return this.#transaction(session, command, connection, now);
      default:
        return this.#lock(session, command, now);
    }
  }

  /** The writer takes up no tables while a transaction has it: who waits for that counts as one who waits to write. */
  #watchTables(command: WatchTablesCommand, now: Instant): void {
    const { tables, writes, transactions } = this.#parts;
    const { waiting } = tables;
    tables.watch(command);
    if (tables.waiting > waiting && writes.owner !== undefined) transactions.othersWait(writes.owner, now);
  }

  #transaction(session: Session, command: TransactionCommand, connection: Connection, now: Instant): void {
    const { reads, transactions } = this.#parts;
    const onlyReads = reads.transactions.has(session, command.transaction);
    switch (command.kind) {
      case "tx-begin":
        return this.#begin(session, command, now);
      case "tx-step":
        return onlyReads ? reads.transactions.step(session, command, now) : transactions.step(session, command, now);
      case "tx-commit":
        return onlyReads
          ? reads.transactions.end(session, command, now)
          : this.#commit(session, command, connection, now);
      case "tx-rollback":
        return onlyReads ? reads.transactions.end(session, command, now) : transactions.rollback(session, command, now);
    }
  }

  /** One that reads, at first at least, needs neither ledger nor writer. */
  #begin(session: Session, command: BeginCommand, now: Instant): void {
    const { limits, reads, transactions } = this.#parts;
    const { transaction, mode } = command;
    if (mode === "write" ? this.#refusedNow(command) : this.#refusedAtEnd(command, false)) return;
    const open = (session.transactions?.size ?? 0) + reads.transactions.countOf(session);
    const refusal = notBegun(transaction, { high: session.transactionHigh, open, max: limits.transactionsMax });
    if (refusal !== undefined) return this.#refuse(command, refusal);
    if (mode === "write") transactions.begin(session, command, now);
    else reads.transactions.begin(session, command, now);
  }

  #lock(session: Session, command: LockCommand, now: Instant): void {
    const { locks, writes } = this.#parts;
    switch (command.kind) {
      case "acquire":
        return this.#refusedGrant(session, command) ? undefined : locks.handle(session, command, now);
      // What ends or changes a grant takes effect after the writes that were sent before it (rule 5).
      case "convert":
      case "release":
      case "transfer":
        if (command.kind === "convert" && command.to === "exclusive") return this.#upgrade(session, command, now);
        return writes.afterSent(session, (sent) => locks.handle(session, command, sent), now);
      case "resize":
        return this.#refusedAnew(session, command) ? undefined : locks.handle(session, command, now);
      default:
        return locks.handle(session, command, now);
    }
  }

  /**
   * It is not counted among the requests under way, which hold their connection back; nor does it wait for a lock yet
   * while it waits behind writes, so that no limit of locks counts it.
   */
  #upgrade(session: Session, command: ConvertCommand, now: Instant): void {
    const { locks, writes } = this.#parts;
    if (this.#refusedGrant(session, command)) return;
    if (session.followers.length >= followersMax) return this.#refuse(command, tooManyFollow);
    locks.upgrade(session, command, (go) => writes.afterSent(session, go, now), now);
  }

  #hello(hello: HelloCommand, connection: Connection, now: Instant): void {
    if (connection.session !== undefined && isPresent(connection.session))
      return this.#refuse(hello, refuse("INVALID_REQUEST", "this connection has said hello before"));
    const known = this.#parts.sessions.get(hello.session);
    if (known === undefined && this.#isUnsettled(hello)) return;
    if (
      known?.state.kind === "ending" ||
      this.#parts.sessions.hasEnded(hello.session) ||
      (known === undefined && hello.mode === "resume")
    )
      return this.#refuse(
        hello,
        refuse("SESSION_EXPIRED", `session ${hello.session} has ended, or this broker never knew it`),
      );
    if (known === undefined && (this.#refusedAtEnd(hello, false) || this.#tooManySessions(hello, now))) return;
    if (known !== undefined && hello.mode === "new")
      return this.#refuse(hello, refuse("PARAMS_INVALID", "this session is there already"));
    const { role: wanted } = hello;
    if (known !== undefined && wanted !== undefined && !includes(known.role, wanted))
      return this.#refuse(hello, forbidden(known.role, wanted));
    const session = known ?? this.#parts.sessions.open(hello, connection, now);
    let lost = hello.grants;
    if (known !== undefined) {
      this.#parts.sessions.resume(known, hello, connection);
      this.connectionLost(known, now);
      lost = this.#parts.locks.reconcile(known, hello.grants, hello.pending, now);
    }
    if (hello.ackedBelow !== undefined) this.#acknowledge(session, hello.ackedBelow);
    const grants = [...session.grants.values()].map(grantView);
    const { windowMs, role } = session;
    this.#parts.draft.send.push({
      kind: "welcome",
      to: hello.connection,
      request: hello.request,
      session: session.id,
      role,
      resumed: known !== undefined,
      grants,
      lost,
      windowMs,
    });
    this.#parts.locks.sessionBack(session, now);
  }

  /** What became of the keys of a session that is over; one that is not is ended by the question (rule 6). */
  #settle(command: Extract<ClientCommand, { kind: "settle" }>, connection: Connection, now: Instant): void {
    this.#parts.sessions.hasSettled(connection);
    if (this.unsettled !== undefined) return this.#refuse(command, waitsForWriter("what became of its writes"));
    const old = this.#parts.sessions.get(command.session);
    if (old !== undefined) this.#parts.sessions.end(old, "it was asked what became of it", now);
    else this.#parts.sessions.neverAgain(command.session);
    const { connection: to, request, session: owner, keys, parcel } = command;
    const asker: Asker = { connection: to, request };
    this.#parts.writes.submit(
      newWrite({
        session: undefined,
        owner,
        asker,
        order: 0,
        key: undefined,
        fences: [],
        alone: true,
        timeoutMs: undefined,
        parcel,
        settles: keys,
        ofStranger: connection.session === undefined,
        seenBefore: true,
      }),
      now,
    );
  }

  #acknowledge(session: Session, below: RequestKey): void {
    session.finished.acknowledge(below);
    // Of keys that it was never given the writer has nothing to forget, and a busy one does not read what it is sent.
    // Those of before a restart are said once, mostly with the hello; what is acknowledged of them later goes with a write.
    const given = requestKey(Math.min(below, session.keyHigh + 1));
    const known = session.restored && !session.forgottenBefore ? below : given;
    if (known - session.forgottenBelow < forgetEvery) return;
    if (known > given) session.forgottenBefore = true;
    session.forgottenBelow = known;
    this.#parts.draft.dispatch.push({ to: "writer", kind: "forget", session: session.id, below: known });
  }

  #goodbye(session: Session, asker: Asker, now: Instant): void {
    const farewell = () =>
      this.#parts.draft.send.push({ kind: "farewell", to: asker.connection, request: asker.request });
    this.#parts.writes.afterSent(
      session,
      (sent) => this.#parts.sessions.end(session, "it said goodbye", sent, farewell),
      now,
    );
  }

  #write(session: Session, command: WriteCommand, connection: Connection, now: Instant): void {
    const seenBefore = this.#seenBefore(session, command, connection);
    if (seenBefore === undefined || this.#refusedAtEnd(command, seenBefore)) return;
    this.#submit(session, command, seenBefore, now);
  }

  /** What is stored under its key counts before its transaction does: that is over when it was committed (rule 15). */
  #commit(session: Session, command: CommitCommand, connection: Connection, now: Instant): void {
    const seenBefore = this.#seenBefore(session, command, connection);
    if (seenBefore === undefined) return;
    const { transactions } = this.#parts;
    if (connection.turnedAway && command.release !== undefined)
      return transactions.turnAway(session, command, seenBefore, now);
    transactions.commit(session, command, seenBefore, now);
  }

  /** Whether it may have been applied before; undefined: it has its answer, or waits for the one of the same key. */
  #seenBefore(session: Session, command: WriteCommand | CommitCommand, connection: Connection): boolean | undefined {
    const { key, ownKey } = command;
    const verdict = judgeKey(session, key);
    const before = key === undefined ? undefined : session.finished.refusalOfWrite(key);
    if (verdict.kind === "refused") this.#refuse(command, verdict.refusal);
    else if (before !== undefined) this.#refuse(command, before);
    // Whether a key of the caller's own was used before, in whatever session, is for the store to say.
    else if (!this.#joins(session, command, connection)) return verdict.kind === "seen" || ownKey === true;
    return undefined;
  }

  #submit(session: Session, command: WriteCommand, seenBefore: boolean, now: Instant): void {
    const { connection, request, key, ownKey, fences, release, alone, piecewise, parcel } = command;
    session.writesSent++;
    const write = newWrite({
      session,
      owner: session.id,
      asker: { connection, request },
      order: session.writesSent,
      key,
      ownKey,
      fences,
      release,
      alone,
      piecewise,
      timeoutMs: command.timeoutMs,
      contendedMs: command.contendedMs,
      parcel,
      settles: undefined,
      seenBefore,
    });
    this.#parts.writes.submit(write, now);
  }

  /**
   * Whether the same key is under way: then this one waits. One key, one outcome: a refusal is this one's too, and a
   * result is what is stored then.
   */
  #joins(session: Session, command: WriteCommand | CommitCommand, connection: Connection): boolean {
    const earlier = command.key === undefined ? undefined : session.writes.get(command.key);
    earlier?.repeats.push((answer, now) => {
      if (answer.kind === "refused") return this.#refuse(command, answer.refusal);
      if (!isPresent(session) || connection.session !== session) {
        const over = refuse("SESSION_EXPIRED", "the session ended before the write was looked up");
        return this.#refuse(command, { ...over, outcome: "unknown" });
      }
      if (this.#joins(session, command, connection)) return;
      if (command.kind === "write") this.#submit(session, command, true, now);
      else this.#parts.transactions.commit(session, command, true, now);
    });
    return earlier !== undefined;
  }

  /**
   * Nobody hears any more what its connection had asked, or another one speaks: what is not begun is dropped. Its client
   * will ask again, in the first order, so what followed a write goes with it (rules 5 and 6); and what nobody may ever
   * come for takes no memory.
   */
  connectionLost(session: Session, now: Instant): void {
    session.followers.length = 0;
    this.#parts.locks.dropDeferred(session);
    for (const { repeats } of session.writes.values()) repeats.length = 0;
    this.#parts.transactions.connectionLost(session, now);
    const lost = refuse("CONNECTION_LOST", "the connection was lost before the write was sent to the writer");
    this.#parts.writes.dropQueued(session, { ...lost, outcome: "none" }, now);
    this.#parts.reads.connectionLost(session, now);
  }

  #cancel(session: Session, asker: Asker, now: Instant): void {
    if (this.#parts.locks.cancelByAsker(session, asker, now)) return;
    if (this.#parts.transactions.cancel(session, asker, now)) return;
    if (this.#parts.writes.cancel(session, asker, now)) return;
    this.#parts.reads.cancel(session, asker, now);
  }

  /** A write that comes again may have been applied while the session had a wider role. */
  #forbidden(session: Session, command: ClientCommand): boolean {
    const { role } = session;
    const needed = roleFor(command);
    if (includes(role, needed)) return false;
    const seenBefore =
      command.kind === "write" && (command.ownKey === true || judgeKey(session, command.key).kind === "seen");
    if ("request" in command) this.#refuse(command, notRun({ seenBefore }, forbidden(role, needed)));
    return true;
  }

  /** What the ledger must know cannot be begun now. */
  #refusedNow(asker: Asker): boolean {
    if (this.#refusedAtEnd(asker, false)) return true;
    if (this.ledgerFull) this.#refuse(asker, ledgerFull);
    return this.ledgerFull;
  }

  /** What was granted before, and is asked again under its key, is in the ledger already: it is answered. */
  #refusedGrant(session: Session, command: AcquireCommand | ConvertCommand): boolean {
    return this.#refusedAtEnd(command, false) || this.#refusedAnew(session, command);
  }

  #refusedAnew(session: Session, command: AcquireCommand | ConvertCommand | ResizeCommand): boolean {
    // Only where it matters: for a new key it looks at all that the session holds.
    const isRefused = this.ledgerFull && !this.#parts.locks.hasBegun(session, command.key);
    if (isRefused) this.#refuse(command, ledgerFull);
    return isRefused;
  }

  /** `seenBefore`: the request may have been applied when it was sent before. */
  #refusedAtEnd(asker: Asker, seenBefore: boolean): boolean {
    if (!this.ending) return false;
    const connection = this.#parts.sessions.connection(asker.connection);
    if (connection !== undefined) connection.turnedAway = true;
    this.#refuse(asker, ending(seenBefore));
    return true;
  }

  /** An answer for good must wait; somebody who was never here before need not. */
  #isUnsettled(hello: HelloCommand): boolean {
    if (this.unsettled === undefined || (hello.mode !== "resume" && !this.unsettled.has(hello.session))) return false;
    this.#refuse(hello, waitsForWriter(`whether session ${hello.session} lives`));
    return true;
  }

  #tooManySessions(hello: Asker, now: Instant): boolean {
    if (this.#parts.sessions.makeRoom(now)) return false;
    const { sessionsMax } = this.#parts.limits;
    this.#refuse(hello, refuse("SESSIONS_FULL", `there are ${sessionsMax} sessions already`, { limit: "sessionsMax" }));
    return true;
  }

  #pong(asker: Asker): void {
    this.#parts.draft.send.push({ kind: "pong", to: asker.connection, request: asker.request });
  }

  #refuse(asker: Asker, refusal: Refusal): void {
    this.#parts.draft.send.push({ kind: "refused", to: asker.connection, request: asker.request, refusal });
  }
}
