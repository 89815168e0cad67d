/**
 * Under what a wait began: the grants that are not given back before it is done.
 *
 * The client says so, or else all that its session holds counts; and all that the session holds under whose command the
 * client runs. A session that says nothing and asks for a name which it holds itself, or is about to have alone, is taken
 * to have two tasks: one will give it to the other, also when it is downgraded meanwhile.
 */
import type { Mode } from "../command.js";
import { isPresent, type Session } from "../sessions/session.js";
import { type Grant, type Holding, holdingsOf } from "./grant.js";
import type { Lock } from "./lock.js";
import { type LockRequest, placesOf, type Waiting } from "./request.js";

/** All that is not given back before this is done. */
export function* grantsUnder(waiting: Waiting): Iterable<Grant> {
  const { session } = waiting;
  if (waiting.under !== undefined) yield* waiting.under;
  else {
    const isBeside = besideOf(waiting);
    for (const grant of session.grants.values()) if (!isBeside(grant)) yield grant;
  }
  for (let { outer } = session; outer !== undefined; outer = outer.outer) yield* outer.grants.values();
}

/** Of more it is not kept: a request is short, and its row must not be long. */
const besideMax = 64;

/**
 * What of its session's own is in the way of a request that says nothing: another task has it, whatever becomes of it. What
 * is beyond `besideMax` counts so as long as it is in the way.
 */
export function besideAtFirst(request: LockRequest): readonly Grant[] | undefined {
  const { grants } = request.session;
  if (grants.size === 0) return undefined;
  const isBeside = besideOf(request);
  const beside: Grant[] = [];
  for (const grant of grants.values()) {
    if (isBeside(grant)) beside.push(grant);
    if (beside.length === besideMax) break;
  }
  return beside.length === 0 ? undefined : beside;
}

/** A lock that is to be had alone soon counts as held so: who waits will wait for that too. */
export function excludes({ mode, lock, grant }: Holding, wanted: Mode): boolean {
  if (mode !== "shared" || wanted !== "shared") return true;
  return lock.conversion?.holding.grant === grant && isPresent(grant.session);
}

/** Tells of a grant of its session whether another task has it, as far as the waiting one does not say it itself. */
export function besideOf(waiting: Waiting): (grant: Grant) => boolean {
  if (waiting.kind === "conversion") return () => false;
  const atFirst = new Set(waiting.beside);
  const wanted = new Map<Lock, Mode>();
  for (const { lock, mode } of placesOf(waiting)) wanted.set(lock, mode);
  return (grant) => atFirst.has(grant) || isInTheWay(grant, wanted);
}

/** Whether the grant is what its own session's request waits for. */
function isInTheWay(grant: Grant, wanted: ReadonlyMap<Lock, Mode>): boolean {
  for (const holding of holdingsOf(grant)) {
    const mode = wanted.get(holding.lock);
    if (mode !== undefined && excludes(holding, mode)) return true;
  }
  return false;
}

/** It, and whatever runs under it: each before those that run under that. */
export function* withInner(session: Session): Iterable<Session> {
  const left = [session];
  for (let one = left.pop(); one !== undefined; one = left.pop()) {
    yield one;
    if (one.inner !== undefined) for (const inner of [...one.inner].reverse()) left.push(inner);
  }
}
