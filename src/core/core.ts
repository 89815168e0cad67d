/**
 * The judge: what happened goes in, with the time; what must be written, sent to the store and told to clients comes
 * out, once a turn. Only the switch and the calls are here; each machine has its own file.
 */
import {
  after,
  type ConnectionId,
  type Instant,
  impossible,
  type Limits,
  type Millis,
  refuse,
  type Seq,
  type SessionId,
  seq,
  type Token,
} from "../terms/index.js";
import { ClientRequests, type ClientRequestsParts } from "./client-requests.js";
import type { Command, Fence } from "./command.js";
import { type Counts, countsOf } from "./counts.js";
import { type Deadline, Deadlines } from "./deadlines.js";
import { Draft } from "./draft.js";
import { LockService } from "./locks/lock-service.js";
import type { SessionEnd } from "./locks/releasing.js";
import { TokenBlock } from "./locks/token-block.js";
import { Reads, type ReadsParts } from "./reads/reads.js";
import { type Memory, recall } from "./recall.js";
import { Quiet } from "./sessions/quiet.js";
import type { Role } from "./sessions/role.js";
import { isPresent, rowOf, type Session } from "./sessions/session.js";
import { type Connection, SessionTable } from "./sessions/session-table.js";
import { StoreEvents } from "./store-events.js";
import type { SessionRow, Turn } from "./turn.js";
import { TableWatches } from "./watches/table-watches.js";
import type { Transaction } from "./writes/transaction.js";
import { Transactions } from "./writes/transactions.js";
import { WriteLine } from "./writes/write-line.js";

const holderPollMs = 1000;

export class Core {
  readonly #limits: Limits;
  readonly #draft = new Draft();
  readonly #deadlines = new Deadlines();
  readonly #tokens = new TokenBlock();
  readonly #quiet = new Quiet();
  readonly #sessions: SessionTable;
  readonly #locks: LockService;
  readonly #writes: WriteLine;
  readonly #reads: Reads;
  readonly #transactions: Transactions;
  readonly #machines: ClientRequestsParts;
  readonly #tables: TableWatches;
  readonly #requests: ClientRequests;
  readonly #storeEvents: StoreEvents;
  #poll: Deadline | undefined;

  /** `storedSeq`: the highest sequence in data.db; new writes come after it. */
  constructor(limits: Limits, storedSeq: Seq) {
    this.#limits = limits;
    const shared = { limits, draft: this.#draft, deadlines: this.#deadlines };
    const fenceHeld = (fence: Fence, again: boolean) =>
      again ? this.#locks.fenceHeldBefore(fence) : this.#locks.fenceHeld(fence);
    const onAnswered = (session: Session, now: Instant) => this.#writeAnswered(session, now);
    const giveBack = (session: Session, locks: readonly Fence[], now: Instant) =>
      this.#locks.giveBack(session, locks, now);
    const transactions = (): Transactions => this.#transactions;
    const mayOwn = () => !this.#reads.fold.wanted;
    const occupantUnder = (fence: Fence) => this.#locks.occupantUnder(fence);
    const line = { ...shared, fenceHeld, occupantUnder, giveBack, onAnswered, transactions, mayOwn };
    this.#writes = new WriteLine(line, seq(storedSeq + 1));
    const watchesWaiting = () => this.#tables.waiting;
    this.#transactions = new Transactions({ ...shared, writes: this.#writes, fenceHeld, watchesWaiting });
    const onFenceEnds = (token: Token, now: Instant) => this.#transactions.fenceEnds(token, now);
    const { settledThrough } = this.#writes;
    const sessionOf = (id: SessionId) => this.#sessions.get(id);
    const apart = { ...shared, quiet: this.#quiet };
    this.#locks = new LockService({ ...apart, tokens: this.#tokens, settledThrough, sessionOf, onFenceEnds });
    const writerOwned = () => this.#writes.owner !== undefined;
    const giveBackAfter: ReadsParts["giveBack"] = (sent, fences, now) => this.#writes.giveBack(sent, fences, now);
    this.#reads = new Reads({ ...shared, writerOwned, writer: transactions, giveBack: giveBackAfter });
    this.#tables = new TableWatches(shared);
    const onEnd = (session: Session, end: SessionEnd, now: Instant) => this.#sessionOver(session, end, now);
    this.#sessions = new SessionTable({ ...apart, onEnd });
    const stores = { writes: this.#writes, reads: this.#reads, tables: this.#tables };
    const machines = { ...shared, ...stores, tokens: this.#tokens, locks: this.#locks };
    this.#machines = { ...machines, sessions: this.#sessions, transactions: this.#transactions };
    this.#requests = new ClientRequests(this.#machines);
    this.#storeEvents = new StoreEvents({ ...machines, sessions: this.#sessions }, storedSeq);
  }

  get counts(): Counts {
    return countsOf(this.#machines);
  }

  /** As they must stand in the ledger. */
  get sessionRows(): SessionRow[] {
    return [...this.#sessions.all()].map(rowOf);
  }

  /** Of the session that this connection speaks for, if it does. */
  roleOf(connection: ConnectionId): Role | undefined {
    const session = this.#sessions.connection(connection)?.session;
    return session !== undefined && isPresent(session) ? session.role : undefined;
  }

  get writer(): WriteLine["state"] {
    return this.#writes.state;
  }

  /** A writer has settled what was in doubt and tokens are at hand: clients may come. */
  get ready(): boolean {
    return this.#writes.state.kind === "ready" && this.#tokens.ready;
  }

  /** Nothing is under way in the store. */
  get idle(): boolean {
    return this.#writes.idle && this.#reads.idle;
  }

  /** There is no writer to say what became of these sessions, and there will be none soon; `restore` tells it later. */
  awaitPast(sessions: ReadonlySet<SessionId>): void {
    this.#requests.unsettled = sessions;
  }

  /** Takes up what was before a restart; before the writer's first word, so that no token is taken that may be in use. */
  restore(memory: Memory, now: Instant): void {
    this.#requests.unsettled = undefined;
    this.#storeEvents.tokensAbove = memory.tokensAbove;
    recall(memory, { ...this.#machines, deadlines: this.#deadlines, mark: this.#storeEvents.mark }, now);
    this.#armPoll(now);
  }

  handle(command: Command, now: Instant): void {
    switch (command.kind) {
      case "connected":
        return this.#sessions.connected(command.connection, now);
      case "disconnected":
        this.#disconnected(command, now);
        return this.#armPoll(now);
      case "process-fate":
        return this.#sessions.processFate(command.session, command.process, command.fate, now);
      case "connection-seen":
        return this.#locks.connectionSeen(command, now);
      case "processes-gone":
        return this.#locks.processesGone(command, now);
      case "paused":
        return this.#paused(command.ms, now);
      case "snapshot-held":
        return this.#reads.snapshots.heldBack(command.process, command.held, now);
      case "client-takes":
        return this.#reads.line.clientTakes(this.#sessions.connection(command.connection)?.session, command.takes, now);
      case "ledger":
        this.#requests.ledgerFull = command.full;
        // Something must be owed: by that it is seen when there is room again.
        if (command.full) this.#storeEvents.mark.write();
        return this.#locks.ledger(command, now);
      case "drain":
        this.#requests.ending = true;
        this.#reads.close(now);
        this.#transactions.drain(now);
        return this.#storeEvents.mark.end();
      case "end":
        return this.#storeEvents.end();
      default:
        if (!("connection" in command)) return this.#storeEvents.handle(command, now);
        this.#requests.handle(command, now);
        return this.#armPoll(now);
    }
  }

  /** Time passed: what is due happens. */
  expire(now: Instant): void {
    for (let due = this.#deadlines.takeDue(now); due !== undefined; due = this.#deadlines.takeDue(now))
      this.#due(due, now);
    this.#sessions.confirmDue(now);
    this.#locks.confirmDue(now);
  }

  nextDeadline(now: Instant): Instant | undefined {
    const all = [this.#deadlines.next(), this.#sessions.nextConfirm(now), this.#locks.nextConfirm(now)];
    return all.reduce((first, at) => (first === undefined || (at !== undefined && at < first) ? at : first));
  }

  /** Everything since the last call, once. */
  takeTurn(): Turn {
    this.#quiet.turnEnded();
    this.#locks.turnEnded();
    this.#transactions.turnEnded();
    this.#tables.turnEnded();
    if (this.#tokens.mustReserve())
      this.#draft.dispatch.push({ to: "writer", kind: "reserve", above: this.#tokens.end - 1, newIncarnation: false });
    return this.#draft.take();
  }

  check(): void {
    this.#deadlines.check();
    this.#sessions.check();
    this.#locks.check();
    this.#writes.check();
    this.#transactions.check();
    this.#reads.check();
    this.#tables.check();
  }

  // ── time ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  #due(deadline: Deadline, now: Instant): void {
    switch (deadline.kind) {
      case "handshake": {
        const { id } = deadline.owner as Connection;
        const refusal = refuse("HELLO_TIMEOUT", `no hello within ${this.#limits.helloMs} ms`);
        this.#draft.send.push({ kind: "hangup", to: id, refusal });
        return;
      }
      case "resume-window":
        return this.#sessions.windowIsDue(deadline.owner as Session, now);
      case "after-close":
        return this.#sessions.look(deadline.owner as Session, now);
      case "holder-poll":
        return this.#pollHolders(now);
      case "wait-timeout":
      case "lease-due":
      case "break-grace":
      case "place-news":
        return this.#locks.due(deadline, now);
      case "recovery-grace":
        this.#storeEvents.mark.begin();
        return this.#locks.due(deadline, now);
      case "read-watch":
      case "snapshot-watch":
      case "log-fold":
        return this.#reads.due(deadline.kind, now);
      case "watch-linger":
        return this.#tables.lingered(now);
      case "write-watch":
        return this.#writes.watch(now);
      case "transaction-limit":
        return this.#transactions.limitDue(deadline.owner as Transaction, now);
      case "writer-late":
        return this.#storeEvents.writerLate(now);
      case "writer-retry":
        return this.#writes.retryWriter();
      case "ledger-mark":
        return this.#storeEvents.mark.write();
      default:
        return impossible(deadline.kind, "deadline");
    }
  }

  #paused(ms: Millis, now: Instant): void {
    this.#deadlines.shift(ms);
    this.#writes.paused(ms, now);
    this.#transactions.paused(ms);
    this.#reads.paused(ms);
    this.#sessions.paused(ms);
    this.#locks.paused(ms);
    this.#tables.paused(ms);
  }

  #pollHolders(now: Instant): void {
    this.#poll = undefined;
    const polled = new Set<Session>([...this.#locks.holdersInTheWay(), ...this.#sessions.bound]);
    for (const session of polled) this.#sessions.probe(session);
    this.#armPoll(now);
  }

  #armPoll(now: Instant): void {
    if (this.#poll?.armed) return;
    const needed = this.#locks.contended || this.#sessions.bound.size > 0;
    this.#poll = needed ? this.#deadlines.arm("holder-poll", undefined, after(now, holderPollMs)) : undefined;
  }

  // ── joints ────────────────────────────────────────────────────────────────────────────────────────────────────────

  #disconnected({ connection, heardAt }: Extract<Command, { kind: "disconnected" }>, now: Instant): void {
    const session = this.#sessions.disconnected(connection, heardAt, now);
    this.#locks.connectionLost(connection);
    this.#writes.dropSettles(connection);
    this.#tables.connectionLost(connection, session?.windowMs ?? this.#limits.resumeWindowMs, now);
    if (session === undefined) return;
    this.#requests.connectionLost(session, now);
    if (!isPresent(session)) this.#locks.sessionAway(session, now);
  }

  /** Reads may have waited for it, and the session's end. */
  #writeAnswered(session: Session, now: Instant): void {
    this.#reads.writesSettled(session, now);
    this.#sessions.endIfSettled(session);
  }

  #sessionOver(session: Session, end: SessionEnd, now: Instant): void {
    const over = refuse("SESSION_EXPIRED", "the session ended before the request was served");
    this.#transactions.connectionLost(session, now);
    this.#writes.dropQueued(session, over, now);
    this.#reads.sessionEnds(session, over, now);
    this.#locks.sessionEnds(session, end, over, now);
  }
}
