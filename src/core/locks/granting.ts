/**
 * Who is next. Grants in order of arrival: from the head of a queue everybody who can go, until one cannot; a request
 * for several names when all of them can. A grant lets nobody else in, so each change of a name is one walk, and no
 * walk leads to another.
 */
import { between, type Instant, type Millis, type RequestKey, type Seq, type Token } from "../../terms/index.js";
import type { Asker, Claim } from "../command.js";
import type { Draft } from "../draft.js";
import type { Leases } from "../sessions/lease.js";
import { connectionOf } from "../sessions/session.js";
import { type Asked, Grant, type Holding, holdingsOf } from "./grant.js";
import type { Lock } from "./lock.js";
import { listedBytes } from "./lock-limits.js";
import { grantRow } from "./lock-rows.js";
import type { LockTable } from "./lock-table.js";
import { obstacleOf } from "./multi-lock.js";
import type { Conversion, LockRequest, Place, Waiting } from "./request.js";
import { printOfConvert } from "./request-print.js";
import type { TokenBlock } from "./token-block.js";
import type { Waits } from "./waits.js";

export interface GrantingParts {
  readonly draft: Draft;
  readonly table: LockTable;
  readonly waits: Waits;
  readonly leases: Leases;
  /** Nothing is granted while it is empty. */
  readonly tokens: TokenBlock;
  /** Every write up to and including this one is settled. */
  readonly settledThrough: () => Seq;
  /** No fence holds under this token from now on. */
  readonly onFenceEnds: (token: Token, now: Instant) => void;
}

export class Granting {
  readonly #parts: GrantingParts;
  /** Nothing is granted: what was held before may still be believed in by its holders (rule 13). */
  #frozen = false;
  /** Nothing is granted: it could not be written down. */
  unwritable = false;

  constructor(parts: GrantingParts) {
    this.#parts = parts;
  }

  get open(): boolean {
    return !this.#frozen && !this.unwritable && this.#parts.tokens.ready;
  }

  get frozen(): boolean {
    return this.#frozen;
  }

  freeze(): void {
    this.#frozen = true;
  }

  thaw(): void {
    this.#frozen = false;
  }

  // ── next ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Something has changed about this name: whoever can go, goes. */
  wake(lock: Lock, now: Instant): void {
    if (lock.waiting > 0 && this.open) {
      if (lock.yieldsToUpgrade && lock.conversion !== undefined) this.#upgradeWaiting(lock.conversion, now);
      let place = lock.queue?.first;
      // Those who may pass stand before all who may not.
      while (place?.lock.passes(place)) {
        const next: Place | undefined = place.presentBehind;
        this.tryRequest(place.request, now);
        place = next;
      }
    }
    this.#parts.table.forgetIfIdle(lock);
  }

  /** The same for all of these, in their order. */
  wakeAll(locks: Iterable<Lock>, now: Instant): void {
    for (const lock of new Set(locks)) this.wake(lock, now);
  }

  /** Whether all its names could be had, and now are. */
  tryRequest(request: LockRequest, now: Instant): boolean {
    const { blocked } = request;
    if (!this.open || (blocked !== undefined && !blocked.lock.passes(blocked))) return false;
    request.blocked = obstacleOf(request);
    if (request.blocked !== undefined) return false;
    this.#parts.waits.leave(request);
    const { asked, asker, session, since } = request;
    const grant = this.grant(asked, now);
    if (asker !== undefined && asker.connection === connectionOf(session))
      this.tell(grant, asked.claims, asker, between(since, now));
    return true;
  }

  /** What waits on this lock and could be granted: nothing, when all is well. */
  couldGo(lock: Lock): Waiting | undefined {
    if (!this.open || lock.waiting === 0) return undefined;
    if (lock.yieldsToUpgrade) return lock.conversion;
    for (let place = lock.queue?.first; place !== undefined; place = place.presentBehind) {
      const { blocked } = place.request;
      const obstacle = obstacleOf(place.request);
      if (obstacle === undefined) return place.request;
      if (blocked?.lock.passes(blocked)) return place.request;
    }
    return undefined;
  }

  // ── granted ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** All can be had: one token for all names. */
  grant(asked: Asked, now: Instant): Grant {
    const { draft, tokens, table, leases } = this.#parts;
    const grant = new Grant(asked, tokens.take(), now);
    this.occupy(grant);
    draft.ledger.push({ kind: "granted", row: grantRow(grant, asked.claims) });
    for (let one: Holding | undefined = grant.first; one !== undefined; one = one.next)
      table.history.noteWish(one.lock, "granted", grant, now);
    if (grant.lease !== undefined) leases.granted(grant, now);
    return grant;
  }

  /** It holds its names from here on. */
  occupy(grant: Grant): void {
    const { table } = this.#parts;
    const { session, key, terms } = grant;
    for (let one: Holding | undefined = grant.first; one !== undefined; one = one.next) {
      one.lock.occupy(one);
      session.claims++;
      session.listedBytes += listedBytes(one.lock.name);
      table.held++;
    }
    session.grants.set(key, grant);
    if (terms.tell.contended) table.toldOfContention++;
  }

  /** Its client asked for it on this connection, or asks again. */
  tell(grant: Grant, claims: readonly Claim[], asker: Asker, waitedMs: Millis): void {
    const { token, key, first } = grant;
    let { waiting } = first.lock;
    for (let other = first.next; other !== undefined; other = other.next) waiting += other.lock.waiting;
    this.#parts.draft.send.push({
      kind: "granted",
      to: asker.connection,
      request: asker.request,
      grant: { token, key, claims },
      waitedMs,
      waiting,
    });
  }

  // ── upgraded ──────────────────────────────────────────────────────────────────────────────────────────────────────

  #upgradeWaiting(conversion: Conversion, now: Instant): void {
    const { session, key, holding, asker, since } = conversion;
    this.#parts.waits.leave(conversion);
    const waitedMs = between(since, now);
    this.upgrade(holding, key, { waitedMs, now });
    if (asker === undefined || asker.connection !== connectionOf(session)) return;
    const fence = { name: holding.lock.name, token: holding.grant.token };
    this.#parts.draft.send.push({ kind: "converted", to: asker.connection, request: asker.request, fence, waitedMs });
  }

  /** It is the only one, and has the name alone from here on: under a new token, for all names of its grant. */
  upgrade(holding: Holding, key: RequestKey, { waitedMs, now }: { waitedMs: Millis; now: Instant }): void {
    const { grant, lock } = holding;
    const { draft, tokens, table } = this.#parts;
    const before = grant.token;
    grant.retoken(tokens.take(), this.#parts.settledThrough());
    for (const one of holdingsOf(grant)) one.lock.retoken(one, before);
    holding.mode = "exclusive";
    lock.mode = "exclusive";
    grant.converted = key;
    table.history.note(lock, "upgraded", grant, now);
    const fence = { name: lock.name, token: grant.token };
    grant.session.finished.add(key, printOfConvert("exclusive", lock.name), { kind: "converted", fence, waitedMs });
    draft.ledger.push({ kind: "grant-changed", was: before, row: grantRow(grant) });
    // Last: what this sets in motion must find it upgraded.
    this.#parts.onFenceEnds(before, now);
  }
}
