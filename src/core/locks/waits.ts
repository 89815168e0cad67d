/**
 * The bookkeeping of those who wait: their places in the queues, their rows in the ledger, their deadlines, and what
 * they and the holders are told of it. Who is granted when is decided in granting.ts.
 */
import { after, type Instant, type Millis, type Refusal } from "../../terms/index.js";
import type { Asker } from "../command.js";
import type { Deadlines } from "../deadlines.js";
import type { Draft } from "../draft.js";
import { connectionOf, isPresent, type Session } from "../sessions/session.js";
import { type Holding, holdingsOf, isHeld } from "./grant.js";
import type { Lock } from "./lock.js";
import { listedBytesOf } from "./lock-limits.js";
import { waiterRow } from "./lock-rows.js";
import type { LockTable } from "./lock-table.js";
import type { PlaceNews } from "./place-news.js";
import { type LockRequest, locksOf, placesOf, type Waiting } from "./request.js";
import { type KeyedLockCommand, printOf, printOfWaiting } from "./request-print.js";

export interface WaitsParts {
  readonly draft: Draft;
  readonly deadlines: Deadlines;
  readonly table: LockTable;
  readonly news: PlaceNews;
}

export class Waits {
  readonly #parts: WaitsParts;
  #arrivalLast = 0;
  #arrivalFirst = 0;

  constructor(parts: WaitsParts) {
    this.#parts = parts;
  }

  /** Behind all that have come. */
  nextArrival(): number {
    this.#arrivalLast++;
    return this.#arrivalLast;
  }

  /** Before all that have come. */
  firstArrival(): number {
    this.#arrivalFirst--;
    return this.#arrivalFirst;
  }

  /** Takes its places. Nobody is told yet: it may still be refused. */
  join(waiting: Waiting): void {
    const { table } = this.#parts;
    const { session, arrival } = waiting;
    this.#arrivalLast = Math.max(this.#arrivalLast, arrival);
    this.#arrivalFirst = Math.min(this.#arrivalFirst, arrival);
    if (waiting.kind === "conversion") waiting.holding.lock.conversion = waiting;
    else {
      const present = isPresent(session);
      for (const place of placesOf(waiting)) place.lock.queueOf().push(place, present);
      const { claims } = waiting.asked;
      session.claims += claims.length;
      session.listedBytes += listedBytesOf(claims);
    }
    session.waits.set(waiting.key, waiting);
    if (waiting.asker !== undefined) this.asks(waiting, waiting.asker);
    for (const lock of locksOf(waiting)) table.noteWaiting(lock);
    table.waiting++;
  }

  /** The answer goes to this request from now on. */
  asks(waiting: Waiting, { connection, request }: Asker): void {
    const { session } = waiting;
    this.#asksNoMore(waiting);
    waiting.asker = { connection, request };
    session.asked ??= new Map();
    session.asked.set(request, waiting);
  }

  /** What waits for the answer to this request: found without a look at all that waits, for a client may ask very often. */
  askedBy(session: Session, { connection, request }: Asker): Waiting | undefined {
    const waiting = session.asked?.get(request);
    return waiting?.asker?.connection === connection ? waiting : undefined;
  }

  /** Of two under one id, against the rules, the last is known by it. */
  #asksNoMore(waiting: Waiting): void {
    const { session, asker } = waiting;
    if (asker !== undefined && session.asked?.get(asker.request) === waiting) session.asked.delete(asker.request);
  }

  /** It waits for good: the ledger knows it, and who wants to is told. */
  settle(waiting: Waiting, waitMs: Millis | undefined, now: Instant): void {
    const { draft, table, news } = this.#parts;
    draft.ledger.push({ kind: "queued", row: waiterRow(waiting) });
    this.limit(waiting, waitMs, now);
    for (const lock of locksOf(waiting)) {
      table.history.noteWish(lock, "queued", waiting, now);
      if (lock.waiting === 1 && table.toldOfContention > 0) this.#tellHolders(lock);
    }
    news.joined(waiting, now);
  }

  /** Gives its places up, unknown to the ledger. */
  withdraw(waiting: Waiting): void {
    const { table, deadlines, news } = this.#parts;
    const { session } = waiting;
    if (waiting.kind === "conversion") waiting.holding.lock.conversion = undefined;
    else {
      for (const place of placesOf(waiting)) place.lock.queue?.remove(place);
      const { claims } = waiting.asked;
      session.claims -= claims.length;
      session.listedBytes -= listedBytesOf(claims);
    }
    session.waits.delete(waiting.key);
    this.#asksNoMore(waiting);
    deadlines.cancel(waiting.timeout);
    for (const lock of locksOf(waiting)) table.noteWaiting(lock);
    table.waiting--;
    news.left(waiting);
  }

  /** The same for one that the ledger knows. */
  leave(waiting: Waiting): void {
    this.withdraw(waiting);
    this.#parts.draft.ledger.push({ kind: "unqueued", arrival: waiting.arrival });
  }

  /**
   * Before all others in each of its queues: in one only, two requests could wait for each other for ever. Unless
   * `refuses` gives a reason when it has seen it there: then it is where it was.
   */
  toHead(waiting: LockRequest, refuses: () => Refusal | undefined): Refusal | undefined {
    const { arrival: before } = waiting;
    this.#moveTo(waiting, this.firstArrival());
    const refusal = refuses();
    if (refusal !== undefined) {
      this.#moveTo(waiting, before);
      return refusal;
    }
    const { ledger } = this.#parts.draft;
    ledger.push({ kind: "unqueued", arrival: before }, { kind: "queued", row: waiterRow(waiting) });
    return undefined;
  }

  #moveTo(waiting: LockRequest, arrival: number): void {
    const places = [...placesOf(waiting)];
    for (const place of places) place.lock.queue?.remove(place);
    waiting.arrival = arrival;
    waiting.blocked = undefined;
    for (const place of places) place.lock.queueOf().push(place, isPresent(waiting.session));
  }

  limit(waiting: Waiting, waitMs: Millis | undefined, now: Instant): void {
    const { deadlines } = this.#parts;
    deadlines.cancel(waiting.timeout);
    waiting.timeout = waitMs === undefined ? undefined : deadlines.arm("wait-timeout", waiting, after(now, waitMs));
  }

  /** Its client is there again, or is not any more: it keeps its places. */
  presence(session: Session): void {
    const present = isPresent(session);
    for (const waiting of session.waits.values()) {
      if (waiting.kind === "conversion") continue;
      waiting.blocked = undefined;
      for (const place of placesOf(waiting)) {
        if (present) place.lock.queue?.appear(place);
        else place.lock.queue?.vanish(place);
      }
    }
  }

  // ── answers ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The outcome of this request. */
  refuse(session: Session, ask: KeyedLockCommand, refusal: Refusal): void {
    session.finished.add(ask.key, printOf(ask), { kind: "refused", refusal });
    this.answerRefused(ask, refusal);
  }

  /** The outcome of what has waited. */
  refuseWaiting(waiting: Waiting, refusal: Refusal): void {
    const { session, key, asker } = waiting;
    session.finished.add(key, printOfWaiting(waiting), { kind: "refused", refusal });
    if (asker !== undefined) this.answerRefused(asker, refusal);
  }

  /** Nothing is kept under its key. */
  answerRefused({ connection: to, request }: Asker, refusal: Refusal): void {
    this.#parts.draft.send.push({ kind: "refused", to, request, refusal });
  }

  /** The first has come to wait for what they hold. */
  #tellHolders(lock: Lock): void {
    for (const holding of lock.holdings())
      if (holding.grant.terms.tell.contended && isHeld(holding.grant)) this.#tellHolder(holding);
  }

  /** Its client is there again: that somebody waits it may not have heard. */
  tellOfContention(session: Session): void {
    if (this.#parts.table.toldOfContention === 0) return;
    for (const grant of session.grants.values()) {
      if (!grant.terms.tell.contended) continue;
      for (const holding of holdingsOf(grant)) if (holding.lock.waiting > 0) this.#tellHolder(holding);
    }
  }

  #tellHolder({ grant, lock }: Holding): void {
    const to = connectionOf(grant.session);
    if (to === undefined) return;
    const fence = { name: lock.name, token: grant.token };
    this.#parts.draft.send.push({ kind: "contended", to, fence, waiting: lock.waiting });
  }
}
