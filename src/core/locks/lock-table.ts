/**
 * All names that anybody holds, waits for, or has used a while ago: found by name, counted, looked at. Who may have
 * which is decided elsewhere (granting.ts).
 */
import type { Limits, LockName, Refusal } from "../../terms/index.js";
import type { Claim, Fence } from "../command.js";
import type { Session } from "../sessions/session.js";
import { Capacities } from "./capacities.js";
import { checkGrant, type Grant, type Holding, holdingsOf, isHeld } from "./grant.js";
import { History } from "./history.js";
import { Lock } from "./lock.js";
import { checkWaiting, type Waiting } from "./request.js";

export class LockTable {
  readonly #locks = new Map<LockName, Lock>();
  /** Names somebody waits for. */
  readonly #contended = new Set<Lock>();
  readonly capacities: Capacities;
  readonly history: History;
  /** Names that are held, each as often as it is. */
  held = 0;
  /** Requests and upgrades that wait. */
  waiting = 0;
  /** Grants whose holders want to be told that somebody waits. */
  toldOfContention = 0;

  constructor(limits: Limits) {
    this.capacities = new Capacities(limits);
    this.history = new History({ limits, forget: (lock) => this.forgetIfIdle(lock) });
  }

  get contended(): ReadonlySet<Lock> {
    return this.#contended;
  }

  /** Idle ones among them. */
  all(): Iterable<Lock> {
    return this.#locks.values();
  }

  get(name: LockName): Lock | undefined {
    return this.#locks.get(name);
  }

  /** Made if it is not there; then somebody must occupy it or wait for it, or it must be forgotten again. */
  lockOf(name: LockName): Lock {
    let lock = this.#locks.get(name);
    if (lock === undefined) {
      lock = new Lock(name, this.capacities.of(name));
      this.#locks.set(name, lock);
    }
    return lock;
  }

  /** One that was forgotten before is let be: its name may be another's by now, and that one held. */
  forgetIfIdle(lock: Lock): void {
    if (lock.past === undefined && lock.idle && this.#isKept(lock)) this.#locks.delete(lock.name);
  }

  #isKept(lock: Lock): boolean {
    return this.#locks.get(lock.name) === lock;
  }

  /** Somebody waits for it now, or nobody does any more. */
  noteWaiting(lock: Lock): void {
    if (lock.waiting > 0) this.#contended.add(lock);
    else this.#contended.delete(lock);
  }

  /** Why this name cannot be claimed so, however long one waits. */
  unfit(claim: Claim, lock: Lock): Refusal | undefined {
    return this.capacities.unfit(claim, lock);
  }

  // ── fences ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** What is held under this fence, if anything is. */
  holdingUnder(fence: Fence): Holding | undefined {
    const holding = this.#locks.get(fence.name)?.under(fence.token);
    return holding !== undefined && isHeld(holding.grant) ? holding : undefined;
  }

  /** What occupies the name under this token, held or ending. */
  occupantUnder(fence: Fence): Grant | undefined {
    return this.#locks.get(fence.name)?.under(fence.token)?.grant;
  }

  /**
   * The same as the first for a write that was sent under it before and goes once more because its writer died. What its holder does
   * takes effect after the writes that were sent before it: until they are settled nobody else can have the lock, so a
   * grant that was given back still counts for them, and so do the tokens that it had before it was upgraded. One that
   * was taken away does not: its holder may have been told.
   */
  grantBefore(fence: Fence): Grant | undefined {
    const lock = this.#locks.get(fence.name);
    const grant = lock?.under(fence.token)?.grant;
    if (grant !== undefined) return isHeld(grant) || isGivenBack(grant) ? grant : undefined;
    for (const { grant: other } of lock?.holdings() ?? [])
      if (other.earlier.some(({ token }) => token === fence.token) && (isHeld(other) || isGivenBack(other)))
        return other;
    return undefined;
  }

  /** Sessions that hold what others wait for. */
  *holdersInTheWay(): Iterable<Session> {
    for (const lock of this.#contended) for (const { grant } of lock.holdings()) if (isHeld(grant)) yield grant.session;
  }

  // ── looking at itself ─────────────────────────────────────────────────────────────────────────────────────────────

  /** `couldGo`: the next that waits on this lock and could be granted, which must not be. */
  check(couldGo: (lock: Lock) => Waiting | undefined): void {
    let held = 0;
    const waiting = new Set<Waiting>();
    for (const [name, lock] of this.#locks) {
      if (lock.name !== name || lock.slots !== this.capacities.of(name))
        throw new Error(`lock table: ${name} is another lock, or has other slots`);
      lock.check();
      for (const { grant } of lock.holdings()) {
        checkGrant(grant);
        if (![...holdingsOf(grant)].some((one) => one.lock === lock))
          throw new Error(`lock ${name}: a grant of another`);
        if (isHeld(grant)) held++;
      }
      for (const { request } of lock.queue ?? []) waiting.add(request);
      if (lock.conversion !== undefined) waiting.add(lock.conversion);
      if (lock.waiting > 0 !== this.#contended.has(lock)) throw new Error(`lock ${name}: wrongly listed as contended`);
      const next = couldGo(lock);
      if (next !== undefined)
        throw new Error(`lock ${name}: request ${next.key} of ${next.session.id} waits for nothing`);
    }
    for (const one of waiting) checkWaiting(one);
    if (held !== this.held || waiting.size !== this.waiting) throw new Error("lock table: the counts are wrong");
    this.history.check((lock) => this.#isKept(lock));
  }
}

function isGivenBack({ state }: Grant): boolean {
  return state.kind === "ending" && state.givenBack;
}
