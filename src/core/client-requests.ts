/**
 * What a client asked, and what it sets in motion: who may ask, under which key, after which of its own earlier
 * requests. The machines do the rest.
 */
import { type ConnectionId, type Instant, impossible, type Limits, type Refusal, type RequestId, type RequestKey, refuse } from "../terms/index.js";
import type { Asker, ClientCommand, HelloCommand, ReadCommand, WriteCommand } from "./command.js";
import type { Draft } from "./draft.js";
import type { LockTable } from "./locks/lock-table.js";
import type { Read } from "./reads/read.js";
import type { ReadLine } from "./reads/read-line.js";
import { judgeKey } from "./sessions/request-keys.js";
import { isPresent, type Session } from "./sessions/session.js";
import type { Connection, SessionTable } from "./sessions/session-table.js";
import { newWrite } from "./writes/write.js";
import type { WriteLine } from "./writes/write-line.js";

export interface ClientRequestsParts {
  readonly limits: Limits;
  readonly draft: Draft;
  readonly sessions: SessionTable;
  readonly locks: LockTable;
  readonly writes: WriteLine;
  readonly reads: ReadLine;
}

/** Stored replies are given up in bundles of so many keys: one job for each would cost more than the rows. */
const forgetEvery = 64;

export class ClientRequests {
  readonly #parts: ClientRequestsParts;
  /** The broker is ending: nothing new is begun. */
  ending = false;
  /** The ledger cannot be written: nothing new is begun, what is held can be given back. */
  ledgerFull = false;

  constructor(parts: ClientRequestsParts) {
    this.#parts = parts;
  }

  handle(command: ClientCommand, now: Instant): void {
    const connection = this.#parts.sessions.connection(command.connection);
    if (connection === undefined) return;
    if (command.kind === "hello") return this.#hello(command, connection, now);
    if (command.kind === "settle") return this.#settle(command, connection, now);
    const { session } = connection;
    if (session === undefined || !isPresent(session)) {
      if ("request" in command && command.kind !== "cancel") this.#refuse(command, refuse("NOT_READY", "session.hello must come first"));
      return;
    }
    this.#fromSession(command, connection, session, now);
  }

  #fromSession(command: Exclude<ClientCommand, { kind: "hello" | "settle" }>, connection: Connection, session: Session, now: Instant): void {
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
        return this.#read(session, command, connection, now);
      case "acquire":
        if (this.#refusedNow(command)) return;
        return this.#parts.locks.acquire(session, command, now);
      case "cancel-acquire":
        return this.#parts.locks.cancelAcquire(session, command);
      case "release":
        return this.#afterSent(session, () => this.#parts.locks.release(session, command, now));
      case "list":
        this.#parts.draft.send.push({ kind: "listing", to: command.connection, request: command.request, locks: this.#parts.locks.list(command), now });
        return;
      default:
        return impossible(command, "client command");
    }
  }

  #hello(hello: HelloCommand, connection: Connection, now: Instant): void {
    if (connection.session !== undefined) return this.#refuse(hello, refuse("INVALID_REQUEST", "this connection has said hello before"));
    const known = this.#parts.sessions.get(hello.session);
    if (known?.state.kind === "ending" || this.#parts.sessions.hasEnded(hello.session) || (known === undefined && hello.mode === "resume"))
      return this.#refuse(hello, refuse("SESSION_EXPIRED", `session ${hello.session} has ended, or this broker never knew it`));
    if (known === undefined && this.#refusedNow(hello)) return;
    if (known !== undefined && hello.mode === "new") return this.#refuse(hello, refuse("PARAMS_INVALID", "this session is there already"));
    const session = known ?? this.#parts.sessions.open(hello, connection);
    let lost = hello.grants;
    if (known !== undefined) {
      this.#parts.sessions.resume(known, hello, connection);
      this.#parts.writes.dropQueued(known, refuse("CANCELLED", "the connection was replaced before the write was sent to the writer"));
      lost = this.#parts.locks.reconcile(known, hello.grants, hello.pending, now);
    }
    if (hello.ackedBelow !== undefined) this.#acknowledge(session, hello.ackedBelow);
    const grants = [...session.grants.values()].map(({ lock, token, key }) => ({ name: lock.name, token, key }));
    const { windowMs } = session;
    this.#parts.draft.send.push({ kind: "welcome", to: hello.connection, request: hello.request, session: session.id, resumed: known !== undefined, grants, lost, windowMs });
    this.#parts.locks.sessionBack(session, now);
  }

  /** What became of the keys of a session that is over; one that is not is ended by the question (rule 6). */
  #settle(command: Extract<ClientCommand, { kind: "settle" }>, connection: Connection, now: Instant): void {
    this.#parts.sessions.hasSettled(connection);
    const old = this.#parts.sessions.get(command.session);
    if (old !== undefined) this.#parts.sessions.end(old, now);
    const { connection: to, request, session: owner, keys, parcel } = command;
    const asker: Asker = { connection: to, request };
    this.#parts.writes.submit(
      newWrite({ session: undefined, owner, asker, key: undefined, fences: [], alone: true, timeoutMs: undefined, parcel, settles: keys, seenBefore: true }),
      now,
    );
  }

  #acknowledge(session: Session, below: RequestKey): void {
    session.finished.acknowledge(below);
    if (below - session.forgottenBelow < forgetEvery) return;
    session.forgottenBelow = below;
    this.#parts.draft.dispatch.push({ to: "writer", kind: "forget", session: session.id, below });
  }

  #goodbye(session: Session, asker: Asker, now: Instant): void {
    const farewell = () => this.#parts.draft.send.push({ kind: "farewell", to: asker.connection, request: asker.request });
    this.#afterSent(session, () => this.#parts.sessions.end(session, now, farewell));
  }

  #write(session: Session, command: WriteCommand, connection: Connection, now: Instant): void {
    if (this.#refusedNow(command)) return;
    const verdict = judgeKey(session, command.key);
    if (verdict.kind === "refused") return this.#refuse(command, verdict.refusal);
    const seenBefore = verdict.kind === "seen";
    const earlier = seenBefore && command.key !== undefined ? this.#parts.writes.find(session, command.key) : undefined;
    // The same key is under way: this one waits, and is answered from what is stored then.
    if (earlier !== undefined) {
      earlier.settled.push(() => this.#write(session, command, connection, now));
      return;
    }
    const { key, fences, alone, timeoutMs, parcel } = command;
    const asker = { connection: command.connection, request: command.request };
    const write = newWrite({ session, owner: session.id, asker, key, fences, alone, timeoutMs, parcel, settles: undefined, seenBefore });
    connection.lastWrite = write;
    this.#parts.writes.submit(write, now);
  }

  #read(session: Session, command: ReadCommand, connection: Connection, now: Instant): void {
    const { timeoutMs, parcel } = command;
    const asker = { connection: command.connection, request: command.request };
    const read: Read = { session, asker, timeoutMs, parcel, cancelledAt: undefined, deaths: 0 };
    const before = connection.lastWrite;
    if (before === undefined || before.done) this.#parts.reads.submit(read, now);
    else before.settled.push(() => this.#parts.reads.submit(read, now));
  }

  #cancel(session: Session, asker: { connection: ConnectionId; request: RequestId }, now: Instant): void {
    if (this.#parts.locks.cancelByAsker(session, asker)) return;
    if (this.#parts.writes.cancel(asker, now)) return;
    this.#parts.reads.cancel(asker, now);
  }

  /** Does something when the writes that the session sent before are all with the writer (rule 5). */
  #afterSent(session: Session, go: () => void): void {
    const last = this.#parts.writes.lastQueued(session);
    if (last === undefined) go();
    else last.sent.push(go);
  }

  #refusedNow(asker: Asker): boolean {
    if (this.ending) this.#refuse(asker, refuse("SHUTTING_DOWN", "the broker is ending"));
    else if (this.ledgerFull) this.#refuse(asker, refuse("DISK_FULL", "the broker's ledger cannot be written; nothing new is begun"));
    return this.ending || this.ledgerFull;
  }

  #refuse(asker: Asker, refusal: Refusal): void {
    this.#parts.draft.send.push({ kind: "refused", to: asker.connection, request: asker.request, refusal });
  }
}
