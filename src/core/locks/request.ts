/**
 * What waits: a request for names, or the upgrade of one name of a grant.
 *
 *   (asked) ──► waiting ──► granted · cancelled · timed out · refused        one of them, once
 *
 * | state   | what holds                                                           | who may end it                       |
 * |---------|----------------------------------------------------------------------|--------------------------------------|
 * | waiting | it has a place in the queue of each of its names and holds none of   | a grant; the client, its session;    |
 * |         | them; an upgrade holds its name shared, and is the only one there    | its deadline; a deadlock             |
 * | else    | it is nowhere; its outcome is with the session until acknowledged    | nobody                               |
 */
import type { ConnectionId, Instant, RequestId, RequestKey } from "../../terms/index.js";
import type { Claim, Mode } from "../command.js";
import type { Deadline } from "../deadlines.js";
import { isPresent, type Session } from "../sessions/session.js";
import type { Asked, Grant, Holding, Terms } from "./grant.js";
import type { Lock } from "./lock.js";

/** Where the answer goes. */
export type WaitingAsker = { readonly connection: ConnectionId; readonly request: RequestId };

/** One name of a request. */
export class Place {
  readonly request: LockRequest;
  readonly lock: Lock;
  readonly mode: Mode;
  /** Slots of a semaphore; else 1. */
  readonly take: number;
  /** The next name of the same request. */
  next: Place | undefined;
  /** In order of arrival, all who wait. */
  ahead: Place | undefined = undefined;
  behind: Place | undefined = undefined;
  /** In order of arrival, those who are there. Valid while `here`. */
  presentAhead: Place | undefined = undefined;
  presentBehind: Place | undefined = undefined;
  here = false;

  constructor(request: LockRequest, lock: Lock, { mode, take = 1 }: Claim, next: Place | undefined) {
    this.request = request;
    this.lock = lock;
    this.mode = mode;
    this.take = take;
    this.next = next;
  }
}

export class LockRequest {
  readonly kind = "request";
  readonly session: Session;
  readonly key: RequestKey;
  /** Order of arrival over all names. What goes to the head has one before all others. */
  arrival: number;
  readonly since: Instant;
  readonly reason: string;
  readonly terms: Terms;
  readonly first: Place;
  /** What becomes a grant. */
  readonly asked: Asked;
  /** Absent while the request has not been sent again after a reconnect. */
  asker: WaitingAsker | undefined = undefined;
  timeout: Deadline<Waiting> | undefined = undefined;
  /** Grants that are not given back before this is done. Absent: all that its session holds. */
  under: readonly Grant[] | undefined = undefined;
  /** Of these what another task of its session has, if nothing is said. */
  beside: readonly Grant[] | undefined = undefined;
  /** A place that was in the way when it was last looked at whether all can be granted; that decides until it passes. */
  blocked: Place | undefined = undefined;

  constructor(asked: Asked, arrival: number, since: Instant) {
    const { session, key, reason, terms, claims, locks } = asked;
    this.asked = asked;
    this.session = session;
    this.key = key;
    this.arrival = arrival;
    this.since = since;
    this.reason = reason;
    this.terms = terms;
    let first: Place | undefined;
    for (let i = claims.length - 1; i >= 0; i--) {
      const claim = claims[i];
      const lock = locks[i];
      if (claim !== undefined && lock !== undefined) first = new Place(this, lock, claim, first);
    }
    if (first === undefined) throw new Error("a request for nothing");
    this.first = first;
  }
}

export class Conversion {
  readonly kind = "conversion";
  readonly session: Session;
  readonly key: RequestKey;
  readonly arrival: number;
  readonly since: Instant;
  /** The name that is held shared and wanted exclusively. */
  readonly holding: Holding;
  asker: WaitingAsker | undefined = undefined;
  timeout: Deadline<Waiting> | undefined = undefined;
  /** As of a request; its own grant is always among them. */
  under: readonly Grant[] | undefined = undefined;

  constructor(holding: Holding, key: RequestKey, arrival: number, since: Instant) {
    this.session = holding.grant.session;
    this.key = key;
    this.arrival = arrival;
    this.since = since;
    this.holding = holding;
  }

  get reason(): string {
    return this.holding.grant.reason;
  }
}

export type Waiting = LockRequest | Conversion;

export function* placesOf(request: LockRequest): Iterable<Place> {
  for (let one: Place | undefined = request.first; one !== undefined; one = one.next) yield one;
}

export function claimsWanted(waiting: Waiting): readonly Claim[] {
  if (waiting.kind === "request") return waiting.asked.claims;
  return [{ name: waiting.holding.lock.name, mode: "exclusive" }];
}

/** The locks that it waits for. */
export function locksOf(waiting: Waiting): readonly Lock[] {
  return waiting.kind === "request" ? waiting.asked.locks : [waiting.holding.lock];
}

export function checkWaiting(waiting: Waiting): void {
  const { session, key } = waiting;
  if (session.waits.get(key) !== waiting)
    throw new Error(`request ${key} of ${session.id} waits unknown to its session`);
  if (waiting.kind === "conversion") {
    const { grant, mode, lock } = waiting.holding;
    if (lock.conversion !== waiting || grant.state.kind !== "held" || mode !== "shared")
      throw new Error(`the upgrade of ${lock.name} waits for nothing`);
    return;
  }
  for (const place of placesOf(waiting))
    if (place.here !== isPresent(session)) throw new Error(`request ${key}: wrongly taken for present`);
}
