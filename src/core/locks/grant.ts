/**
 * A grant: what a request becomes. One token for all its names, each of which it occupies until it is over.
 *
 *   (granted) ──► held ──it ends, nothing is left of it──────────────────────────────────► over
 *                  │ ▲                                                                      ▲
 *          upgrade └─┘ a new token                                                          │
 *                  │  it ends: writes sent under it are not settled, or its                 │
 *                  └──────────────────────► ending ── the writer has settled them, ─────────┘
 *                             processes live          its processes are gone
 *
 * | state  | what holds                                                          | who may end it                        |
 * |--------|---------------------------------------------------------------------|---------------------------------------|
 * | held   | its token is the only one that a fence on its names accepts from it; | release, its session, its lease, a    |
 * |        | its session is not over                                             | break, a transfer, a steal            |
 * | ending | no fence accepts it, its session may be gone; it occupies its names | the writer (rule 5), the operating    |
 * |        | as before; what was sent under one that was given back still counts | system (rule 24)                      |
 * | over   | it occupies nothing                                                 | nobody                                |
 */
import type { Instant, Millis, RequestKey, Seq, Token } from "../../terms/index.js";
import type { Claim, Mode, Tell } from "../command.js";
import type { Session } from "../sessions/session.js";
import type { Lock } from "./lock.js";

/** What was asked for beside the names. */
export interface Terms {
  readonly ttlMs: Millis | undefined;
  readonly guarded: boolean;
  readonly tell: Tell;
}

export type GrantState =
  | { readonly kind: "held" }
  | {
      readonly kind: "ending";
      /** The writer must have settled everything up to here; absent when it has. */
      writes: Seq | undefined;
      /** Processes that carry its token are being ended. */
      processes: boolean;
      /** Its holder ended it by its own will. */
      readonly givenBack: boolean;
    }
  | { readonly kind: "over" };

export const held: GrantState = { kind: "held" };
export const over: GrantState = { kind: "over" };

/** What a session asks for, looked at and found possible. */
export interface Asked {
  readonly session: Session;
  readonly key: RequestKey;
  readonly reason: string;
  readonly terms: Terms;
  /** Each name once, one at least. */
  readonly claims: readonly Claim[];
  /** The locks of the claims, in the same order. */
  readonly locks: readonly Lock[];
}

/** A token that a grant had. `lastSeq`: nothing that was sent under it, or under one before it, is later than this. */
interface Earlier {
  readonly token: Token;
  readonly lastSeq: Seq;
}

/** What few grants have: what became of it by upgrades and downgrades. */
interface Changed {
  readonly converted: RequestKey | undefined;
  readonly earlier: readonly Earlier[];
  readonly formerTokens: readonly Token[];
}

const none: readonly never[] = [];
const unchanged: Changed = { converted: undefined, earlier: none, formerTokens: none };
/** How many of its former tokens a grant knows. */
const formerMax = 8;

/** One name of a grant. */
export class Holding {
  readonly grant: Grant;
  readonly lock: Lock;
  mode: Mode;
  /** Slots of a semaphore; else 1. */
  readonly take: number;
  /** The next name of the same grant. */
  next: Holding | undefined;
  /** Who came before and after on the same name; ahead of the first is the last. */
  ahead: Holding;
  behind: Holding | undefined;

  constructor(grant: Grant, lock: Lock, { mode, take = 1 }: Claim) {
    this.grant = grant;
    this.lock = lock;
    this.mode = mode;
    this.take = take;
    this.next = undefined;
    this.ahead = this;
    this.behind = undefined;
  }
}

export class Grant {
  readonly session: Session;
  token: Token;
  /** The request that was granted. */
  readonly key: RequestKey;
  readonly since: Instant;
  readonly reason: string;
  readonly terms: Terms;
  state: GrantState;
  readonly first: Holding;
  /** The last write that was dispatched under this token, by any session. */
  lastSeq: Seq | undefined;
  /** Present with a lease. It runs from the last sign of life of its session, or from here. */
  readonly lease: { readonly ttlMs: Millis; from: Instant } | undefined;
  /** Absent until it is converted: a word less in each that never is. */
  #changed: Changed | undefined;

  constructor(asked: Asked, token: Token, since: Instant) {
    const { ttlMs } = asked.terms;
    this.session = asked.session;
    this.token = token;
    this.key = asked.key;
    this.since = since;
    this.reason = asked.reason;
    this.terms = asked.terms;
    this.state = held;
    this.lastSeq = undefined;
    this.lease = ttlMs === undefined ? undefined : { ttlMs, from: since };
    this.#changed = undefined;
    let next: Holding | undefined;
    for (let i = asked.claims.length - 1; i > 0; i--) next = holdingAt(i, asked, this, next);
    this.first = holdingAt(0, asked, this, next);
  }

  /** The last request by which it was converted. */
  get converted(): RequestKey | undefined {
    return this.#changed?.converted;
  }

  set converted(key: RequestKey | undefined) {
    if (key !== this.converted) this.#changed = { ...(this.#changed ?? unchanged), converted: key };
  }

  /** Tokens that it had before it was upgraded, of which the writer may have something in its hands; the oldest first. */
  get earlier(): readonly Earlier[] {
    return this.#changed?.earlier ?? none;
  }

  /** Tokens that it had before it was upgraded, the last of them: what was sent meanwhile may name one. */
  get formerTokens(): readonly Token[] {
    return this.#changed?.formerTokens ?? none;
  }

  /** Taken up after a restart. */
  set formerTokens(tokens: readonly Token[]) {
    if (tokens.length > 0) this.#changed = { ...(this.#changed ?? unchanged), formerTokens: tokens };
  }

  /**
   * It has another token from here on. What was sent under the one before, and is not settled, stays its own; so there
   * are no more of them than the writer has writes in its hands, however often it is upgraded meanwhile.
   */
  retoken(token: Token, settledThrough: Seq): void {
    const { token: before, lastSeq, converted } = this;
    const earlier = this.earlier.filter((one) => one.lastSeq > settledThrough);
    const isUsed = lastSeq !== undefined && lastSeq > (earlier.at(-1)?.lastSeq ?? settledThrough);
    this.#changed = {
      converted,
      earlier: isUsed ? [...earlier, { token: before, lastSeq }] : earlier,
      formerTokens: [...this.formerTokens.slice(1 - formerMax), before],
    };
    this.token = token;
  }
}

function holdingAt(i: number, { claims, locks }: Asked, grant: Grant, next: Holding | undefined): Holding {
  const claim = claims[i];
  const lock = locks[i];
  if (claim === undefined || lock === undefined) throw new Error("a grant of nothing");
  const holding = new Holding(grant, lock, claim);
  holding.next = next;
  return holding;
}

/** Its names, in the order in which they were asked for. */
export function* holdingsOf(grant: Grant): Iterable<Holding> {
  for (let one: Holding | undefined = grant.first; one !== undefined; one = one.next) yield one;
}

export function claimsOf(grant: Grant): readonly Claim[] {
  const { first } = grant;
  if (first.next === undefined) return [claimOf(first)];
  return [...holdingsOf(grant)].map(claimOf);
}

/** A claim as it is written down: slots belong to the name. */
export function claimOf({ lock, mode, take }: Pick<Holding, "lock" | "mode" | "take">): Claim {
  return mode === "semaphore" ? { name: lock.name, mode, take } : { name: lock.name, mode };
}

export function isHeld(grant: Grant): boolean {
  return grant.state === held;
}

export function checkGrant(grant: Grant): void {
  const { state, session, token, earlier } = grant;
  for (const [i, one] of earlier.entries()) {
    const next = earlier[i + 1];
    if (one.token >= (next?.token ?? token) || (next !== undefined && one.lastSeq >= next.lastSeq))
      throw new Error(`grant ${token}: what was sent under it before it was upgraded is not in order`);
  }
  if (state.kind === "over") throw new Error(`grant ${token}: over, and occupies ${grant.first.lock.name}`);
  if (state.kind === "ending") {
    if (state.writes === undefined && !state.processes) throw new Error(`grant ${token}: ending for nothing`);
    if (session.grants.get(grant.key) === grant) throw new Error(`grant ${token}: ending, and its session holds it`);
    return;
  }
  if (session.state.kind === "ending") throw new Error(`grant ${token}: held by a session that is over`);
  if (session.grants.get(grant.key) !== grant) throw new Error(`grant ${token}: its holder does not know it`);
}
