/**
 * How many waits a grant is held under, as they are done one after the other: which grants are given back then. For most
 * grants of a session that is one number, which is counted down; what some of its waits were not made under, or only
 * some were, is a difference to it.
 */
import { isPresent, type Session } from "../sessions/session.js";
import type { Grant } from "./grant.js";
import type { Waiting } from "./request.js";
import { withInner } from "./under.js";
import type { UnderIndex } from "./under-index.js";

/** Of one session that holds something. */
interface Count {
  /** Waits that all its grants are held under, but for the differences. */
  waits: number;
  /** By how many fewer some grants are; less than nothing: by how many more. */
  readonly fewer: Map<Grant, number>;
  /** The grants that are not given back, by their difference: those of `waits` are next. */
  readonly byFewer: Map<number, Set<Grant>>;
}

export class UnderCount {
  readonly #index: UnderIndex;
  readonly #counts = new Map<Session, Count>();

  constructor(index: UnderIndex) {
    this.#index = index;
  }

  /** Whether it is held under one that is there and waits. To be asked before anything is done. */
  isUnderWaits(grant: Grant): boolean {
    const { session } = grant;
    let count = this.#counts.get(session);
    if (count === undefined) {
      count = this.#countOf(session);
      this.#counts.set(session, count);
    }
    return count.waits > (count.fewer.get(grant) ?? 0);
  }

  /** Gives what is given back with it. */
  *isDone(waiting: Waiting): Iterable<Grant> {
    const { session } = waiting;
    const count = this.#counts.get(session);
    if (count !== undefined) {
      if (waiting.under !== undefined) for (const grant of waiting.under) change(count, grant, 1);
      else {
        count.waits--;
        for (const grant of this.#index.besides(waiting)) change(count, grant, -1);
      }
      yield* freed(count);
    }
    for (let { outer } = session; outer !== undefined; outer = outer.outer) {
      const above = this.#counts.get(outer);
      if (above === undefined) continue;
      above.waits--;
      yield* freed(above);
    }
  }

  #countOf(session: Session): Count {
    const count: Count = { waits: 0, fewer: new Map(), byFewer: new Map() };
    for (const inner of withInner(session)) if (inner !== session && isPresent(inner)) count.waits += inner.waits.size;
    for (const grant of session.grants.values()) place(count, grant, 0);
    if (!isPresent(session)) return count;
    for (const waiting of session.waits.values()) {
      if (waiting.under !== undefined) for (const grant of waiting.under) change(count, grant, -1);
      else {
        count.waits++;
        for (const grant of this.#index.besides(waiting)) change(count, grant, 1);
      }
    }
    return count;
  }
}

/** What outer sessions hold, or has ended, is not counted here. */
function change(count: Count, grant: Grant, by: number): void {
  const before = count.fewer.get(grant) ?? 0;
  if (count.byFewer.get(before)?.delete(grant)) place(count, grant, before + by);
}

function place({ fewer, byFewer }: Count, grant: Grant, by: number): void {
  if (by !== 0 || fewer.has(grant)) fewer.set(grant, by);
  const same = byFewer.get(by);
  if (same === undefined) byFewer.set(by, new Set([grant]));
  else same.add(grant);
}

function* freed({ waits, byFewer }: Count): Iterable<Grant> {
  const now = byFewer.get(waits);
  if (now === undefined) return;
  byFewer.delete(waits);
  yield* now;
}
