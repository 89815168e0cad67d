/**
 * The locks as the rest of the core sees them: what is asked, what happens to sessions and to the store, what is due.
 * Only the switch and the calls are here; each machine has its own file.
 */
import {
  type ConnectionId,
  type Instant,
  impossible,
  type Limits,
  type Millis,
  type Refusal,
  type RequestKey,
  type Seq,
  type SessionId,
  type Token,
} from "../../terms/index.js";
import type { Command, ConvertCommand, Fence, LedgerCommand, LockCommand } from "../command.js";
import type { Deadline, Deadlines } from "../deadlines.js";
import type { Draft } from "../draft.js";
import type { RequestPrint } from "../sessions/finished-requests.js";
import { Leases } from "../sessions/lease.js";
import type { Quiet } from "../sessions/quiet.js";
import { reused } from "../sessions/request-keys.js";
import type { Session } from "../sessions/session.js";
import type { CapacityRow, GrantRow, WaiterRow } from "../turn.js";
import { LockWatches } from "../watches/lock-watches.js";
import { Acquiring } from "./acquiring.js";
import { type DeferredUpgrade, DeferredUpgrades } from "./deferred-upgrades.js";
import { type End, Ends, lost, neverTold } from "./ends.js";
import { claimsOf, type Grant, isHeld } from "./grant.js";
import { Granting } from "./granting.js";
import { Listing } from "./listing.js";
import { LockLimits } from "./lock-limits.js";
import { LockTable } from "./lock-table.js";
import { PlaceNews } from "./place-news.js";
import { Releasing } from "./releasing.js";
import type { LockRequest, Waiting } from "./request.js";
import { type KeyedLockCommand, printOf, printOfAcquire, printOfWaiting } from "./request-print.js";
import { Resizing } from "./resizing.js";
import { Restoring } from "./restoring.js";
import { type Break, Revoking } from "./revoking.js";
import type { TokenBlock } from "./token-block.js";
import { Upgrades } from "./upgrade.js";
import { Waits } from "./waits.js";

export interface LockServiceParts {
  readonly limits: Limits;
  readonly draft: Draft;
  readonly deadlines: Deadlines;
  readonly tokens: TokenBlock;
  readonly quiet: Quiet;
  /** Every write up to and including this one is settled. */
  readonly settledThrough: () => Seq;
  readonly sessionOf: (id: SessionId) => Session | undefined;
  /** No fence holds under this token from now on: who relies on it must not come to pass. */
  readonly onFenceEnds: (token: Token, now: Instant) => void;
}

export class LockService {
  readonly #parts: LockServiceParts;
  readonly #table: LockTable;
  readonly #news: PlaceNews;
  readonly #waits: Waits;
  readonly #leases: Leases;
  readonly #granting: Granting;
  readonly #ends: Ends;
  readonly #deferred: DeferredUpgrades;
  readonly #acquiring: Acquiring;
  readonly #upgrades: Upgrades;
  readonly #releasing: Releasing;
  readonly #revoking: Revoking;
  readonly #resizing: Resizing;
  readonly #restoring: Restoring;
  readonly #listing: Listing;
  readonly #watches: LockWatches;

  constructor(parts: LockServiceParts) {
    this.#parts = parts;
    const { limits, draft } = parts;
    this.#table = new LockTable(limits);
    this.#news = new PlaceNews(parts);
    const table = this.#table;
    const onLost = (grant: Grant, now: Instant) => this.#leaseOver(grant, now);
    this.#leases = new Leases({ ...parts, onLost });
    this.#waits = new Waits({ ...parts, table, news: this.#news });
    const base = { ...parts, table, waits: this.#waits, leases: this.#leases };
    this.#granting = new Granting(base);
    const onEnd = (grant: Grant, how: End, now: Instant) => this.#grantEnds(grant, how, now);
    this.#ends = new Ends({ ...base, granting: this.#granting, onEnd });
    const machines = { ...base, granting: this.#granting, ends: this.#ends, news: this.#news };
    const isKnown = (session: Session, key: RequestKey) =>
      this.hasBegun(session, key) || this.#printUnder(session, key) !== undefined;
    this.#deferred = new DeferredUpgrades({ ...base, isKnown, begin: this.handle.bind(this) });
    const asked = { ...machines, deferred: this.#deferred };
    this.#acquiring = new Acquiring({ ...asked, limits: new LockLimits(limits, parts.tokens) });
    const all = { ...machines, acquiring: this.#acquiring };
    this.#upgrades = new Upgrades(all);
    this.#releasing = new Releasing(all);
    this.#revoking = new Revoking(all);
    this.#resizing = new Resizing(all);
    this.#restoring = new Restoring(all);
    this.#listing = new Listing(draft, table);
    const shown = this.#listing.shown.bind(this.#listing);
    this.#watches = new LockWatches({ limits, draft, history: table.history, shown });
  }

  get held(): number {
    return this.#table.held;
  }

  get waiting(): number {
    return this.#table.waiting;
  }

  get contended(): boolean {
    return this.#table.contended.size > 0;
  }

  // ── what is asked ─────────────────────────────────────────────────────────────────────────────────────────────────

  handle(session: Session, command: LockCommand, now: Instant): void {
    if ("key" in command && this.#isReused(session, command)) return;
    switch (command.kind) {
      case "acquire":
        return this.#acquiring.acquire(session, command, now);
      case "cancel-acquire":
        return this.#acquiring.cancel(session, command, now);
      case "convert":
        return this.#upgrades.convert(session, command, now);
      case "release":
        return this.#releasing.release(session, command, now);
      case "break":
        return this.#revoking.break(session, command, now);
      case "transfer":
        return this.#revoking.transfer(session, command, this.#parts.sessionOf(command.to), now);
      case "resize":
        return this.#resizing.resize(session, command, now);
      case "list": {
        const { session: of } = command;
        return this.#listing.list(command, of === undefined ? undefined : this.#parts.sessionOf(of), now);
      }
      case "history":
        return this.#listing.history(command, now);
      case "watch":
        return this.#watches.watch(command, now);
      case "unwatch":
        return this.#watches.unwatch(command);
      default:
        return impossible(command, "lock command");
    }
  }

  /** An upgrade, which takes effect after the writes that its session has sent before it: `follow` does. */
  upgrade(session: Session, ask: ConvertCommand, follow: Parameters<DeferredUpgrades["ask"]>[2], now: Instant): void {
    this.#deferred.ask(session, ask, follow, now);
  }

  /** What its connection had asked is not heard of any more. */
  dropDeferred(session: Session): void {
    this.#deferred.connectionLost(session);
  }

  /** Another request was asked for under its key, of which something is known still: then it is refused. */
  #isReused(session: Session, ask: KeyedLockCommand): boolean {
    const first = this.#printUnder(session, ask.key);
    if (first === undefined || first === printOf(ask)) return false;
    this.#waits.answerRefused(ask, reused(ask.key));
    return true;
  }

  #printUnder(session: Session, key: RequestKey): RequestPrint | undefined {
    const grant = session.grants.get(key);
    if (grant !== undefined) return printOfAcquire(claimsOf(grant));
    const waiting = session.waits.get(key);
    if (waiting !== undefined) return printOfWaiting(waiting);
    return this.#revoking.breakUnder(session, key)?.print ?? session.finished.printUnder(key);
  }

  /** Whether a lock, or an upgrade, was asked for under this key before and has its outcome or waits for it. */
  hasBegun({ grants, waits, finished }: Session, key: RequestKey): boolean {
    if (grants.has(key) || waits.has(key) || finished.get(key) !== undefined) return true;
    for (const { converted } of grants.values()) if (converted === key) return true;
    return false;
  }

  /** Ends a wait by the id of its JSON-RPC request. Returns whether there was such a wait. */
  cancelByAsker(session: Session, asker: Parameters<Acquiring["cancelByAsker"]>[1], now: Instant): boolean {
    return this.#acquiring.cancelByAsker(session, asker, now);
  }

  /** What came with a write that is on disk now. */
  giveBack(session: Session, locks: readonly Fence[], now: Instant): void {
    this.#releasing.giveBack(session, locks, now);
  }

  // ── sessions come and go ──────────────────────────────────────────────────────────────────────────────────────────

  /** It speaks again. What it does not believe in is given back; what it believes and is not so is told as lost. */
  reconcile(
    session: Session,
    believed: readonly Fence[],
    pending: readonly RequestKey[],
    now: Instant,
  ): readonly Fence[] {
    this.#leases.back(session, now);
    return this.#releasing.reconcile(session, believed, pending, now);
  }

  /** It was told what it holds: what it waits for can be its own now, and what concerns it is told again. */
  sessionBack(session: Session, now: Instant): void {
    this.#acquiring.sessionBack(session, now);
    this.#waits.tellOfContention(session);
    this.#revoking.sessionBack(session, now);
  }

  /** Nobody speaks for it: it is passed over. */
  sessionAway(session: Session, now: Instant): void {
    this.#leases.away(session, now);
    this.#acquiring.sessionAway(session, now);
  }

  sessionEnds(session: Session, end: Parameters<Releasing["sessionEnds"]>[1], over: Refusal, now: Instant): void {
    this.#revoking.sessionEnds(session);
    this.#releasing.sessionEnds(session, end, over, now);
  }

  connectionLost(connection: ConnectionId): void {
    this.#watches.connectionLost(connection);
  }

  // ── what is answered, what is due ─────────────────────────────────────────────────────────────────────────────────

  connectionSeen(
    { session: id, connection, heardAt }: Extract<Command, { kind: "connection-seen" }>,
    now: Instant,
  ): void {
    const session = this.#parts.sessionOf(id);
    if (session !== undefined) this.#leases.seen(session, connection, heardAt, now);
  }

  processesGone({ token }: Extract<Command, { kind: "processes-gone" }>, now: Instant): void {
    this.#ends.processesGone(token, now);
  }

  due(deadline: Deadline, now: Instant): void {
    switch (deadline.kind) {
      case "wait-timeout":
        return this.#acquiring.timedOut(deadline.owner as Waiting | DeferredUpgrade, now);
      case "lease-due":
        return this.#leases.fired(deadline.owner as Session, now);
      case "break-grace":
        return this.#revoking.graceOver(deadline.owner as Break, now);
      case "place-news":
        return this.#news.tick(now);
      case "recovery-grace":
        this.#granting.thaw();
        return this.grantAll(now);
      default:
        throw new Error(`locks: ${deadline.kind} is no deadline of theirs`);
    }
  }

  /** Time passed: leases that are due and were confirmed are over. */
  confirmDue(now: Instant): void {
    this.#leases.confirm(now);
  }

  nextConfirm(now: Instant): Instant | undefined {
    return this.#leases.nextConfirm(now);
  }

  paused(ms: Millis): void {
    this.#leases.paused(ms);
  }

  /** Once a turn: who watches is told. */
  turnEnded(): void {
    this.#watches.flush();
  }

  // ── the store ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The first writer of this life of the broker. */
  begin(epoch: number): void {
    this.#table.history.begin(epoch);
  }

  writesSettled(now: Instant): void {
    this.#ends.writesSettled(now);
  }

  /** It may be granted again: all that are next and there. */
  grantAll(now: Instant): void {
    for (const lock of [...this.#table.contended]) this.#granting.wake(lock, now);
  }

  /** The grant under which this fence holds, if it does. */
  fenceHeld(fence: Fence): Grant | undefined {
    return this.#table.holdingUnder(fence)?.grant;
  }

  /** What occupies the name under this token, held or ending. */
  occupantUnder(fence: Fence): Grant | undefined {
    return this.#table.occupantUnder(fence);
  }

  /** The same as the first for a write that was sent under it before and goes once more. */
  fenceHeldBefore(fence: Fence): Grant | undefined {
    return this.#table.grantBefore(fence);
  }

  /** Sessions that hold what others wait for. */
  holdersInTheWay(): Iterable<Session> {
    return this.#table.holdersInTheWay();
  }

  /** While it is full nothing is granted, and what it did not take is taken back. */
  ledger(command: LedgerCommand, now: Instant): void {
    this.#granting.unwritable = command.full;
    if (!command.full) return this.grantAll(now);
    const unwritten = new Set(command.unwritten);
    if (unwritten.size === 0) return;
    const grants = new Set<Grant>();
    for (const lock of this.#table.all())
      for (const { grant } of lock.holdings()) if (unwritten.has(grant.token) && isHeld(grant)) grants.add(grant);
    for (const grant of grants) this.#ends.end(grant, neverTold, now);
  }

  // ── after a restart ───────────────────────────────────────────────────────────────────────────────────────────────

  /** Grants nothing until its deadline: the memory of who holds what was lost while the holders lived on. */
  freeze(): void {
    this.#granting.freeze();
  }

  /** Nothing is granted any more. True: nobody holds anything, and nobody is left who may believe so. */
  end(): boolean {
    const free = this.held === 0 && !this.#ends.isEnding && !this.#granting.frozen;
    this.#granting.freeze();
    return free;
  }

  restoreCapacity(row: CapacityRow): void {
    this.#table.capacities.restore(row);
  }

  restoreGrant(row: GrantRow, session: Session, now: Instant): void {
    this.#restoring.grant(row, session, now);
  }

  restoreWaiter(row: WaiterRow, session: Session): void {
    this.#restoring.waiter(row, session);
  }

  check(): void {
    this.#table.check((lock) => this.#granting.couldGo(lock));
    this.#deferred.check();
    this.#ends.check();
    this.#leases.check();
    this.#revoking.check();
    this.#news.check((request: LockRequest) => request.session.waits.get(request.key) === request);
    this.#watches.check();
  }

  // ── joints ────────────────────────────────────────────────────────────────────────────────────────────────────────

  #leaseOver(grant: Grant, now: Instant): void {
    this.#ends.end(grant, lost(`its lease of ${grant.terms.ttlMs} ms ran out`), now);
  }

  #grantEnds(grant: Grant, how: End, now: Instant): void {
    this.#parts.onFenceEnds(grant.token, now);
    this.#upgrades.grantEnds(grant, how.givenBack ? undefined : how.reason, now);
    this.#revoking.grantEnds(grant, how);
  }
}
