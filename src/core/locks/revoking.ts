/**
 * Locks taken from those who hold them by the will of somebody else: broken, after a time in which they may be given
 * back, or handed to one who waits. Tokens grow with the next grant, so who has lost one is fenced.
 *
 *   (asked) ──► grace ──all are given back, or the time is over──► answered
 *
 * | state    | what holds                                                        | who may end it                          |
 * |----------|-------------------------------------------------------------------|-----------------------------------------|
 * | grace    | its grants are held and their holders have been told              | the end of the last of them; its deadline; |
 * |          |                                                                   | the end of its session: nothing is taken  |
 * | answered | what became of each is with the session until acknowledged         | nobody                                  |
 *
 * A restart forgets a break that is in its grace: nothing is taken. Of one that named a token the client asks again, and
 * the holders are told again.
 */
import {
  after,
  between,
  type Instant,
  isRefusal,
  type LockName,
  type Millis,
  type Refusal,
  type RequestKey,
  refuse,
  type Token,
} from "../../terms/index.js";
import type { BreakCommand, TransferCommand } from "../command.js";
import type { Deadline, Deadlines } from "../deadlines.js";
import type { Draft } from "../draft.js";
import type { RequestPrint } from "../sessions/finished-requests.js";
import { connectionOf, isPresent, type Session } from "../sessions/session.js";
import type { Acquiring } from "./acquiring.js";
import { circleOf } from "./deadlock.js";
import { deadlockRefusal } from "./deadlock-refusal.js";
import { type End, type Ends, handedOn, lost } from "./ends.js";
import { type Grant, isHeld } from "./grant.js";
import type { Granting } from "./granting.js";
import type { Lock } from "./lock.js";
import type { LockTable } from "./lock-table.js";
import { nameOf, notHeld, quote } from "./lock-view.js";
import { locksOf, type Waiting, type WaitingAsker } from "./request.js";
import { printOf } from "./request-print.js";
import type { Waits } from "./waits.js";

export interface RevokingParts {
  readonly draft: Draft;
  readonly deadlines: Deadlines;
  readonly table: LockTable;
  readonly waits: Waits;
  readonly granting: Granting;
  readonly ends: Ends;
  readonly acquiring: Acquiring;
}

/** A break in its grace. */
export interface Break {
  readonly session: Session;
  readonly key: RequestKey;
  readonly print: RequestPrint;
  readonly name: LockName;
  /** As it was asked for. */
  readonly why: string;
  asker: WaitingAsker;
  /** What is to end, under the token of then; without an outcome while it is held. */
  readonly grants: Map<Grant, { readonly token: Token; outcome: "released" | "broken" | undefined }>;
  /** How many of them are held. */
  left: number;
  deadline: Deadline<Break> | undefined;
}

/** So many of one session may be in their grace. */
const breaksMax = 64;
/** So many grants of all breaks together, each of which is told to its holder. */
const grantsInGraceMax = 100_000;

export class Revoking {
  readonly #parts: RevokingParts;
  readonly #breaks = new Map<Session, Map<RequestKey, Break>>();
  readonly #byGrant = new Map<Grant, Set<Break>>();
  /** Of all that are kept. */
  #grantsInGrace = 0;

  constructor(parts: RevokingParts) {
    this.#parts = parts;
  }

  // ── break ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  break(session: Session, ask: BreakCommand, now: Instant): void {
    const { connection, request, key, graceMs, reason } = ask;
    const own = this.#breaks.get(session);
    const same = own?.get(key);
    if (same !== undefined) return this.#attach(same, { connection, request });
    if (this.#parts.acquiring.finishedBefore(session, ask)) return;
    if (graceMs > 0 && own !== undefined && own.size >= breaksMax)
      return this.#parts.waits.refuse(session, ask, tooMany(ask.name));
    const grants = this.#heldOf(ask);
    if (graceMs > 0 && this.#grantsInGrace + grants.length > grantsInGraceMax)
      return this.#parts.waits.refuse(session, ask, tooManyGrants(ask.name));
    const begun: Break = {
      session,
      key,
      print: printOf(ask),
      name: ask.name,
      why: reason,
      asker: { connection, request },
      grants: new Map(grants.map((grant) => [grant, { token: grant.token, outcome: undefined }])),
      left: grants.length,
      deadline: undefined,
    };
    if (grants.length === 0) return this.#answer(begun);
    this.#keep(begun);
    if (graceMs <= 0) return this.graceOver(begun, now);
    begun.deadline = this.#parts.deadlines.arm("break-grace", begun, after(now, graceMs));
    for (const grant of grants) this.#warn(grant, begun, graceMs);
  }

  /** What is in its grace under this key. */
  breakUnder(session: Session, key: RequestKey): Break | undefined {
    return this.#breaks.get(session)?.get(key);
  }

  /** Its client is there again: what will be taken from it, it may not have heard. */
  sessionBack(session: Session, now: Instant): void {
    if (this.#breaks.size === 0) return;
    for (const grant of session.grants.values())
      for (const one of this.#byGrant.get(grant) ?? [])
        if (one.deadline !== undefined) this.#warn(grant, one, Math.max(0, between(now, one.deadline.at)));
  }

  /** Who asked is gone: what is in its grace is not taken any more. */
  sessionEnds(session: Session): void {
    for (const one of this.#breaks.get(session)?.values() ?? []) {
      this.#parts.deadlines.cancel(one.deadline);
      this.#drop(one);
    }
  }

  /** Who has not given it back, loses it. */
  graceOver(one: Break, now: Instant): void {
    const reason = `broken by ${nameOf(one.session)}${one.why === "" ? "" : `: ${one.why}`}`;
    for (const [grant, { outcome }] of one.grants)
      if (outcome === undefined) this.#parts.ends.end(grant, lost(reason), now);
  }

  /** Something ended, and a break may have waited for it. */
  grantEnds(grant: Grant, how: End): void {
    const breaks = this.#byGrant.get(grant);
    if (breaks === undefined) return;
    this.#byGrant.delete(grant);
    for (const one of breaks) {
      const known = one.grants.get(grant);
      if (known === undefined) continue;
      known.outcome = how.givenBack ? "released" : "broken";
      one.left--;
      if (one.left === 0) this.#answer(one);
    }
  }

  #keep(one: Break): void {
    this.#grantsInGrace += one.grants.size;
    const own = this.#breaks.get(one.session);
    if (own === undefined) this.#breaks.set(one.session, new Map([[one.key, one]]));
    else own.set(one.key, one);
    for (const grant of one.grants.keys()) {
      const breaks = this.#byGrant.get(grant);
      if (breaks === undefined) this.#byGrant.set(grant, new Set([one]));
      else breaks.add(one);
    }
  }

  #drop(one: Break): void {
    const own = this.#breaks.get(one.session);
    if (own?.delete(one.key) === true) this.#grantsInGrace -= one.grants.size;
    if (own?.size === 0) this.#breaks.delete(one.session);
    if (one.left === 0) return;
    for (const [grant, { outcome }] of one.grants) {
      const breaks = outcome === undefined ? this.#byGrant.get(grant) : undefined;
      breaks?.delete(one);
      if (breaks?.size === 0) this.#byGrant.delete(grant);
    }
  }

  #attach(one: Break, asker: WaitingAsker): void {
    const again = refuse("CANCELLED", "the same request was sent again, and the answer goes there");
    if (one.asker.connection === asker.connection) this.#parts.waits.answerRefused(one.asker, again);
    one.asker = asker;
  }

  #answer(one: Break): void {
    const { session, key, print, grants, asker, deadline } = one;
    this.#parts.deadlines.cancel(deadline);
    this.#drop(one);
    const ended = [...grants.values()].map(({ token, outcome = "broken" as const }) => ({ token, outcome }));
    session.finished.add(key, print, { kind: "broken", ended });
    if (asker.connection !== connectionOf(session)) return;
    this.#parts.draft.send.push({ kind: "broken", to: asker.connection, request: asker.request, ended });
  }

  #heldOf({ name, token }: BreakCommand): Grant[] {
    const lock = this.#parts.table.get(name);
    const held = [...(lock?.holdings() ?? [])].map(({ grant }) => grant).filter(isHeld);
    return token === undefined ? held : held.filter((grant) => grant.token === token);
  }

  #warn(grant: Grant, { name, why, session: by }: Break, graceMs: Millis): void {
    const to = connectionOf(grant.session);
    if (to === undefined) return;
    const fence = { name, token: grant.token };
    const asked = { session: by.id, identity: by.identity };
    this.#parts.draft.send.push({ kind: "revoking", to, fence, graceMs, reason: why, by: asked });
  }

  // ── transfer ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** By the holder, after the writes that it sent before, or by anybody. `heir`: whom the command names, if it is known. */
  transfer(session: Session, ask: TransferCommand, heir: Session | undefined, now: Instant): void {
    if (this.#parts.acquiring.finishedBefore(session, ask)) return;
    const grant = this.#grantToGive(session, ask);
    if (isRefusal(grant)) return this.#parts.waits.refuse(session, ask, grant);
    const request = heir === undefined ? undefined : waitOf(heir, this.#parts.table.get(ask.name));
    if (heir === undefined || request?.kind !== "request" || !isPresent(heir))
      return this.#parts.waits.refuse(session, ask, notWaiting(ask, request));
    // Who stood before it waits for it now; it must not wait for them.
    const stuck = this.#parts.waits.toHead(request, () => {
      const circle = circleOf(request, true, grant);
      return circle === undefined ? undefined : deadlockRefusal(circle);
    });
    if (stuck !== undefined) return this.#parts.waits.refuse(session, ask, stuck);
    const reason = `handed to ${nameOf(heir)}${ask.reason === "" ? "" : `: ${ask.reason}`}`;
    const { token: from } = grant;
    this.#parts.ends.end(grant, grant.session === session ? handedOn(reason) : lost(reason), now);
    session.finished.add(ask.key, printOf(ask), { kind: "transferred", from, heir: heir.id });
    const { connection: to, request: asked } = ask;
    this.#parts.draft.send.push({ kind: "transferred", to, request: asked, from, heir: heir.id });
    // It may be next on other names as well by now.
    if (heir.waits.get(request.key) === request) this.#parts.granting.tryRequest(request, now);
  }

  #grantToGive(session: Session, { name, token }: TransferCommand): Grant | Refusal {
    const lock = this.#parts.table.get(name);
    const held = [...(lock?.holdings() ?? [])].map(({ grant }) => grant).filter(isHeld);
    if (token !== undefined) return held.find((grant) => grant.token === token) ?? notHeld({ name, token });
    const own = held.filter((grant) => grant.session === session);
    const [grant, ...others] = own.length > 0 ? own : held;
    if (grant === undefined) return notHeld({ name });
    if (others.length === 0) return grant;
    const message = `${quote(name)} is held ${others.length + 1} times; say which by its token`;
    return refuse("PARAMS_INVALID", message, { name, tokens: held.slice(0, 16).map((one) => one.token) });
  }

  check(): void {
    let waitedFor = 0;
    let inGrace = 0;
    for (const [session, breaks] of this.#breaks) {
      if (session.state.kind === "ending") throw new Error("a break of a session that is over");
      for (const one of breaks.values()) {
        waitedFor += this.#checkBreak(one);
        inGrace += one.grants.size;
      }
    }
    if (inGrace !== this.#grantsInGrace) throw new Error("the grants that are being broken are wrongly counted");
    for (const breaks of this.#byGrant.values()) waitedFor -= breaks.size;
    if (waitedFor !== 0) throw new Error("grants are wrongly listed as being broken");
  }

  /** How many grants it waits for. */
  #checkBreak(one: Break): number {
    if (one.deadline?.armed !== true) throw new Error("a break has no end");
    const left = [...one.grants].filter(([, { outcome }]) => outcome === undefined);
    if (left.length === 0 || left.length !== one.left) throw new Error("a break is over and not answered");
    for (const [grant] of left)
      if (!isHeld(grant) || this.#byGrant.get(grant)?.has(one) !== true)
        throw new Error(`grant ${grant.token}: ended, and its break waits for it`);
    return left.length;
  }
}

function tooMany(name: LockName): Refusal {
  const message = `${breaksMax} breaks of this session wait for their grace to be over, that of ${quote(name)} is one too many`;
  return refuse("LOCKS_FULL", message, { limit: "breaksPerSessionMax", name });
}

function tooManyGrants(name: LockName): Refusal {
  const message = `${grantsInGraceMax} grants at the most may be in the grace of a break, and with those of ${quote(name)} there are more; break it without grace`;
  return refuse("LOCKS_FULL", message, { limit: "grantsInGraceMax", name });
}

/** Of what it has waiting for this lock the first request, or else its upgrade. */
function waitOf(session: Session, lock: Lock | undefined): Waiting | undefined {
  let upgrade: Waiting | undefined;
  for (const waiting of session.waits.values()) {
    if (lock === undefined || !locksOf(waiting).includes(lock)) continue;
    if (waiting.kind === "request") return waiting;
    upgrade = waiting;
  }
  return upgrade;
}

/** `waiting`: what the heir waits with, though it cannot be handed to. */
function notWaiting({ name, to }: TransferCommand, waiting: Waiting | undefined): Refusal {
  const details = { name, to };
  if (waiting === undefined) return refuse("NOT_WAITING", `session ${to} does not wait for ${quote(name)}`, details);
  const why =
    waiting.kind === "conversion"
      ? `waits for ${quote(name)} to upgrade what it shares, and cannot be handed it`
      : `waits for ${quote(name)} and is away: its place is passed over until it is back`;
  return refuse("NOT_WAITING", `session ${to} ${why}`, details);
}
