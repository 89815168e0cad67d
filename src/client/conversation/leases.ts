/**
 * The leases of this session's grants, by the client's own clock and never better than the broker's: a lease runs from
 * before the sending of whatever the broker answered last, since that much it has surely heard. One ping renews all.
 *
 *             no answer to anything sent             the deadline, by our own clock
 *   safe ───────── for half the lease ─────► jeopardy ───────────────────────────────► lost
 *     ▲                                         │
 *     └───────────── an answer ─────────────────┘
 *
 * Whoever was stopped beyond the deadline finds it passed before anything else is looked at: nothing resurrects a lease.
 */
import { after, type Instant, instant, later, type Millis } from "../../terms/index.js";
import { sooner } from "./deadlines.js";
import type { Draft } from "./draft.js";
import type { Grant } from "./grant.js";

/** So much before the broker's clock could end it we take it for lost: what is sent needs time to arrive. */
const marginMsMax = 250;
/** Older pings than these say nothing that a newer one does not. */
const pingsMax = 4;

interface Ping {
  readonly id: number;
  readonly sentAt: Instant;
}

export class Leases {
  readonly #draft: Draft;
  readonly #nextRequest: () => number;
  /** Grants with a lease, from their grant until they are gone. */
  readonly #grants = new Set<Grant>();
  readonly #pings: Ping[] = [];
  #connected = false;
  /** What was sent at this instant has been answered; nothing that was sent later. */
  #heardAt: Instant = instant(0);
  #pingedAt: Instant = instant(0);
  #inJeopardy = 0;
  /** Nothing is to be done before this instant; looking earlier than needed is allowed. */
  #due: Instant | undefined;

  constructor(draft: Draft, nextRequest: () => number) {
    this.#draft = draft;
    this.#nextRequest = nextRequest;
  }

  /** When `look` must be called. */
  get due(): Instant | undefined {
    return this.#due;
  }

  /** Until when the program may rely on the grant, by our own clock. */
  endOf(grant: Grant): Instant {
    const { ttlMs = 0 } = grant;
    return after(later(this.#heardAt, grant.leaseFrom), ttlMs - Math.min(ttlMs / 10, marginMsMax));
  }

  /** It was granted, or could not be released and is held again. */
  add(grant: Grant): void {
    if (grant.ttlMs === undefined) return;
    this.#grants.add(grant);
    this.#due = sooner(this.#due, this.#endangeredAt(grant));
    if (this.#connected) this.#due = sooner(this.#due, this.#pingAt(grant.ttlMs / 3));
  }

  remove(grant: Grant): void {
    if (!this.#grants.delete(grant)) return;
    if (grant.lease === "jeopardy") this.#inJeopardy--;
    if (this.#grants.size === 0) this.#due = undefined;
  }

  /** The broker had it at this instant or later; of one that is held. */
  seenAt(grant: Grant): Instant {
    return later(this.#heardAt, grant.leaseFrom);
  }

  /** What was sent at that instant is answered. */
  heard(sentAt: Instant, now: Instant): void {
    if (sentAt <= this.#heardAt) return;
    this.#heardAt = sentAt;
    if (this.#inJeopardy === 0) return;
    for (const grant of this.#grants)
      if (grant.lease === "jeopardy" && now < this.#endangeredAt(grant)) this.#set(grant, "safe");
  }

  /** The answer to hello is one too. */
  connected(helloAt: Instant, now: Instant): void {
    this.#connected = true;
    this.heard(helloAt, now);
    if (this.#grants.size > 0) this.#due = now;
  }

  disconnected(): void {
    this.#connected = false;
    this.#pings.length = 0;
  }

  /** Whether this was the answer to a ping. */
  answered(id: number, now: Instant): boolean {
    const at = this.#pings.findIndex((ping) => ping.id === id);
    const ping = this.#pings[at];
    if (ping === undefined) return false;
    this.#pings.splice(0, at + 1);
    this.heard(ping.sentAt, now);
    return true;
  }

  /** Pings when it is time to, and gives back the grants whose deadline has passed: they are lost. */
  look(now: Instant): Grant[] {
    const lost: Grant[] = [];
    let due: Instant | undefined;
    let shortestMs: Millis | undefined;
    for (const grant of this.#grants) {
      if (grant.ttlMs === undefined) continue;
      const isHeld = grant.state === "held";
      if (isHeld && now >= this.endOf(grant)) {
        lost.push(grant);
        continue;
      }
      shortestMs = Math.min(shortestMs ?? grant.ttlMs, grant.ttlMs);
      // What is being given up is relied on no more, but renewed: writes that were sent before must find it held.
      if (!isHeld) continue;
      const endangered = now >= this.#endangeredAt(grant);
      if (endangered && grant.lease === "safe") {
        this.#set(grant, "jeopardy");
        this.#draft.push({ kind: "jeopardy", grant });
      }
      due = sooner(due, endangered ? this.endOf(grant) : this.#endangeredAt(grant));
    }
    if (shortestMs !== undefined && this.#connected) due = sooner(due, this.#ping(shortestMs / 3, now));
    this.#due = due;
    return lost;
  }

  check(): void {
    let inJeopardy = 0;
    for (const grant of this.#grants) {
      if (grant.isOver) throw new Error(`leases: that of ${grant.name} is kept though it is ${grant.state}`);
      if (grant.lease === "jeopardy") inJeopardy++;
    }
    if (inJeopardy !== this.#inJeopardy) throw new Error(`leases: ${inJeopardy} in jeopardy, not ${this.#inJeopardy}`);
  }

  /** Without an answer since half of it. */
  #endangeredAt(grant: Grant): Instant {
    return after(later(this.#heardAt, grant.leaseFrom), (grant.ttlMs ?? 0) / 2);
  }

  #set(grant: Grant, lease: "safe" | "jeopardy"): void {
    this.#inJeopardy += lease === "jeopardy" ? 1 : -1;
    grant.lease = lease;
  }

  /** Whatever else is answered makes a ping unneeded. */
  #pingAt(everyMs: Millis): Instant {
    return after(later(this.#heardAt, this.#pingedAt), everyMs);
  }

  /** When the next one is due. */
  #ping(everyMs: Millis, now: Instant): Instant {
    const due = this.#pingAt(everyMs);
    if (due > now) return due;
    const id = this.#nextRequest();
    this.#draft.ask(id, "session.ping", {});
    this.#pings.push({ id, sentAt: now });
    if (this.#pings.length > pingsMax) this.#pings.shift();
    this.#pingedAt = now;
    return after(now, everyMs);
  }
}
