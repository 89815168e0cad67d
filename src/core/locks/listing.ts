/** Locks looked at: which are held and waited for, and what happened to one of them. */
import type { Instant, LockName } from "../../terms/index.js";
import type { HistoryCommand, ListCommand } from "../command.js";
import type { Draft } from "../draft.js";
import type { Session } from "../sessions/session.js";
import type { LockView } from "../turn.js";
import { holdingsOf } from "./grant.js";
import type { Lock } from "./lock.js";
import type { LockTable } from "./lock-table.js";
import { lockView } from "./lock-view.js";
import { locksOf } from "./request.js";

/** A snapshot for a watch names so many waiters of each lock. */
const waitersShown = 100;

export class Listing {
  readonly #draft: Draft;
  readonly #table: LockTable;

  constructor(draft: Draft, table: LockTable) {
    this.#draft = draft;
    this.#table = table;
  }

  /** `of`: the session that is asked for, if it is known. */
  list(ask: ListCommand, of: Session | undefined, now: Instant): void {
    const { connection: to, request, waitersMax } = ask;
    const locks = this.#chosen(ask, of).map((lock) => lockView(lock, waitersMax));
    this.#draft.send.push({ kind: "listing", to, request, locks, now });
  }

  history({ connection: to, request, name, max }: HistoryCommand, now: Instant): void {
    const lock = this.#table.get(name);
    const events = lock === undefined ? [] : this.#table.history.eventsOf(lock, max);
    this.#draft.send.push({ kind: "history", to, request, events, now });
  }

  /** One lock by its name, or all whose names begin so, by name. */
  shown(name: LockName | undefined, prefix: string): LockView[] {
    const lock = name === undefined ? undefined : this.#table.get(name);
    const locks = name === undefined ? [...this.#table.all()] : [lock];
    const chosen = locks.filter(
      (one) => one !== undefined && !one.idle && (name !== undefined || one.name.startsWith(prefix)),
    );
    return inOrder(chosen.filter((one) => one !== undefined)).map((one) => lockView(one, waitersShown));
  }

  #chosen({ name, prefix, session, contended }: ListCommand, of: Session | undefined): Lock[] {
    if (session !== undefined && of === undefined) return [];
    const from = this.#candidates(name, of, contended);
    const chosen: Lock[] = [];
    for (const lock of from) {
      if (lock.idle || !lock.name.startsWith(prefix) || (contended && lock.waiting === 0)) continue;
      if (name === undefined || lock.name === name) chosen.push(lock);
    }
    return inOrder(chosen);
  }

  /** The fewest among which all are that are asked for. */
  #candidates(name: LockName | undefined, of: Session | undefined, contended: boolean): Iterable<Lock> {
    if (of !== undefined) return locksWith(of);
    if (name !== undefined) {
      const lock = this.#table.get(name);
      return lock === undefined ? [] : [lock];
    }
    return contended ? this.#table.contended : this.#table.all();
  }
}

/** Names that the session holds or waits for. */
function locksWith({ grants, waits }: Session): Set<Lock> {
  const locks = new Set<Lock>();
  for (const grant of grants.values()) for (const { lock } of holdingsOf(grant)) locks.add(lock);
  for (const waiting of waits.values()) for (const lock of locksOf(waiting)) locks.add(lock);
  return locks;
}

function inOrder(locks: readonly Lock[]): Lock[] {
  return [...locks].sort((a, b) => (a.name < b.name ? -1 : 1));
}
