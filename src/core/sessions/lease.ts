/**
 * The leases of a session: grants that it loses when nothing is heard of it for as long as each of them says. Any sign
 * of life renews all of them; none brings back what is lost.
 *
 *             a grant with a lease              its time seems over
 *   none ────────────────────────────► safe ──────────────────────────► asked (its connection: when was it heard?)
 *    ▲                                 ▲  ▲                                │ so long ago, or there is no connection
 *    │ the last one ended              │  │ heard                         ▼
 *    └─────────────────────────────────┘  └─────────────────────────────── due ──quiet (rule 11)──► asked again
 *                                                                          ▲                          │ still so long ago
 *                                      those whose time is over are lost ◄─┼──────────────────────────┘
 *
 * | state       | what holds                                                    | who may end it                         |
 * |-------------|---------------------------------------------------------------|----------------------------------------|
 * | none        | it holds nothing with a lease                                 | a grant                                |
 * | safe        | a deadline is armed, at the end of the first lease or before  | the deadline, the last lease's end     |
 * | asked       | the front looks when the connection was heard                 | its answer, the connection's end       |
 * | due         | over by all that is known; somebody may still be on his way   | a sign of life, quiet                  |
 * | asked again | the last look at its connection, or it had none               | its answer, the connection's end       |
 */
import { after, type ConnectionId, type Instant, later, type Millis } from "../../terms/index.js";
import type { Deadline, Deadlines } from "../deadlines.js";
import type { Draft } from "../draft.js";
import type { Grant } from "../locks/grant.js";
import type { Due, Quiet } from "./quiet.js";
import { connectionOf, type Session } from "./session.js";

export type Lease =
  | { readonly kind: "none" }
  | { readonly kind: "safe"; readonly deadline: Deadline<Session> }
  | { readonly kind: "asked" }
  | { readonly kind: "due"; readonly due: Due }
  | { readonly kind: "asked-again"; readonly due: Due };

/** Sums of the same times in another order may differ by so much. */
const roundingMs = 1e-6;

export const noLease: Lease = { kind: "none" };

export interface LeasesParts {
  readonly draft: Draft;
  readonly deadlines: Deadlines;
  readonly quiet: Quiet;
  /** Its lease is over. */
  readonly onLost: (grant: Grant, now: Instant) => void;
}

export class Leases {
  readonly #parts: LeasesParts;
  /** Sessions that hold something with a lease. */
  readonly #leased = new Set<Session>();
  /** Those of them that are due or asked again. */
  readonly #due = new Set<Session>();

  constructor(parts: LeasesParts) {
    this.#parts = parts;
  }

  // ── grants come and go ────────────────────────────────────────────────────────────────────────────────────────────

  granted(grant: Grant, now: Instant): void {
    const { session } = grant;
    session.leased++;
    this.#leased.add(session);
    const over = overAt(grant);
    if (session.lease.kind === "none") this.#arm(session, over);
    else if (session.lease.kind === "safe" && session.lease.deadline.at > over) {
      this.#parts.deadlines.cancel(session.lease.deadline);
      this.#arm(session, over);
    }
    if (over <= now) throw new Error(`lease of grant ${grant.token}: over before it began`);
  }

  /** A grant of it with a lease has ended. */
  ended(session: Session): void {
    session.leased--;
    if (session.leased > 0) return;
    if (session.lease.kind === "safe") this.#parts.deadlines.cancel(session.lease.deadline);
    this.#leased.delete(session);
    this.#due.delete(session);
    session.lease = noLease;
  }

  // ── signs of life ─────────────────────────────────────────────────────────────────────────────────────────────────

  /** It speaks again, on this connection or another one. */
  back(session: Session, now: Instant): void {
    session.heardAt = now;
    session.graceUntil = 0 as Instant;
    const { lease } = session;
    if (lease.kind === "asked" || lease.kind === "asked-again") this.#judge(session, now);
    // It was armed for the end of the grace.
    if (lease.kind !== "safe" || lease.deadline.at <= firstOver(session)) return;
    this.#parts.deadlines.cancel(lease.deadline);
    this.#arm(session, firstOver(session));
  }

  /** Nobody speaks for it: there is nothing to look at. */
  away(session: Session, now: Instant): void {
    if (session.lease.kind === "asked") this.#isDue(session, this.#parts.quiet.due(now));
    else if (session.lease.kind === "asked-again") this.#isDue(session, session.lease.due);
  }

  /** The front has looked when the connection was heard. */
  seen(session: Session, connection: ConnectionId, heardAt: Instant, now: Instant): void {
    session.heardAt = later(session.heardAt, heardAt);
    if (connectionOf(session) !== connection) return;
    const { lease } = session;
    if (lease.kind === "asked") this.#judge(session, now);
    else if (lease.kind === "asked-again") this.#lose(session, now);
  }

  // ── time ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The deadline of a safe one has come; it may have been heard since that was armed. */
  fired(session: Session, now: Instant): void {
    if (session.lease.kind !== "safe") throw new Error(`lease of ${session.id}: ${session.lease.kind} and fired`);
    const first = firstOver(session);
    if (first > now) return this.#arm(session, first);
    const connection = connectionOf(session);
    if (connection === undefined) return this.#isDue(session, this.#parts.quiet.due(now));
    session.lease = { kind: "asked" };
    this.#look(session, connection);
  }

  /** Once a turn: those due of whom nothing has come are looked at for the last time. */
  confirm(now: Instant): void {
    for (const session of [...this.#due]) {
      const { lease } = session;
      if (lease.kind !== "due" || !this.#parts.quiet.confirms(lease.due, now)) continue;
      const connection = connectionOf(session);
      if (connection === undefined) this.#lose(session, now);
      else {
        session.lease = { kind: "asked-again", due: lease.due };
        this.#look(session, connection);
      }
    }
  }

  nextConfirm(now: Instant): Instant | undefined {
    return this.#due.size === 0 ? undefined : this.#parts.quiet.nextLook(now);
  }

  /** The broker stood still for so long: nobody could be heard. */
  paused(ms: Millis): void {
    for (const session of this.#leased) {
      session.heardAt = after(session.heardAt, ms);
      if (session.graceUntil > 0) session.graceUntil = after(session.graceUntil, ms);
      for (const { lease } of session.grants.values()) if (lease !== undefined) lease.from = after(lease.from, ms);
      const { lease } = session;
      if (lease.kind === "due") session.lease = { kind: "due", due: this.#parts.quiet.shifted(lease.due, ms) };
    }
  }

  check(): void {
    for (const session of this.#leased) {
      let leased = 0;
      for (const grant of session.grants.values()) if (grant.lease !== undefined) leased++;
      if (leased !== session.leased || leased === 0) throw new Error(`lease of ${session.id}: the count is wrong`);
      const { lease, id } = session;
      if (lease.kind === "none") throw new Error(`lease of ${id}: it holds leases and has no deadline`);
      if (lease.kind === "safe" && (!lease.deadline.armed || lease.deadline.at > firstOver(session) + roundingMs))
        throw new Error(`lease of ${id}: its deadline is too late`);
      const due = lease.kind === "due" || lease.kind === "asked-again";
      if (due !== this.#due.has(session)) throw new Error(`lease of ${id}: wrongly listed as due`);
    }
    for (const session of this.#due) if (!this.#leased.has(session)) throw new Error("lease: due and not leased");
  }

  // ── the machine ───────────────────────────────────────────────────────────────────────────────────────────────────

  /** Asked for the first time: over still, or not. */
  #judge(session: Session, now: Instant): void {
    const first = firstOver(session);
    if (first > now) this.#arm(session, first);
    else this.#isDue(session, this.#parts.quiet.due(now));
  }

  #lose(session: Session, now: Instant): void {
    for (const grant of [...session.grants.values()]) {
      // The end of one before it may have let its release through.
      const isHeld = session.grants.get(grant.key) === grant;
      if (isHeld && grant.lease !== undefined && overAt(grant) <= now) this.#parts.onLost(grant, now);
    }
    // Safe, when it had none left and was granted what it waited for by the end of what it had.
    if (session.leased > 0 && session.lease.kind !== "safe") this.#arm(session, firstOver(session));
  }

  #arm(session: Session, at: Instant): void {
    this.#due.delete(session);
    session.lease = { kind: "safe", deadline: this.#parts.deadlines.arm("lease-due", session, at) };
  }

  #isDue(session: Session, due: Due): void {
    session.lease = { kind: "due", due };
    this.#due.add(session);
  }

  #look({ id }: Session, connection: ConnectionId): void {
    this.#parts.draft.dispatch.push({ to: "system", kind: "look-connection", connection, session: id });
  }
}

/** When this one is over, if nothing more is heard. */
export function overAt({ session, lease }: Grant): Instant {
  if (lease === undefined) throw new Error("a grant without a lease");
  return later(after(later(session.heardAt, lease.from), lease.ttlMs), session.graceUntil);
}

function firstOver(session: Session): Instant {
  let first = Number.POSITIVE_INFINITY as Instant;
  for (const grant of session.grants.values()) {
    const at = grant.lease === undefined ? first : overAt(grant);
    if (at < first) first = at;
  }
  return first;
}
