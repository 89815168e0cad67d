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
/**
 * So many names are in one answer to `list`, and no more than make it about so long (characters). Whoever asks for what is
 * behind them gets the rest, and the loop does other things in between: of 200,000 locks with names of 490 bytes, all in one
 * answer, another client had to wait for 5.5 s, and it took 18 s; so it is 0.23 s, and 5.4 (2 cores).
 */
const pageLocksMax = 5000;
const pageCharsMax = 4 * 1024 * 1024;
/** A snapshot is of one moment, and so in one piece; a longer one is refused. */
const snapshotCharsMax = 32 * 1024 * 1024;
/** Of a holder or a waiter, and of a lock, beside its texts. */
const rowChars = 250;

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
    const first = firstOf(this.#chosen(ask, of), pageLocksMax + 1);
    const locks = viewsOf(first.slice(0, pageLocksMax), { waitersMax, charsMax: pageCharsMax });
    this.#draft.send.push({ kind: "listing", to, request, locks, more: locks.length < first.length, now });
  }

  history({ connection: to, request, name, max }: HistoryCommand, now: Instant): void {
    const lock = this.#table.get(name);
    const events = lock === undefined ? [] : this.#table.history.eventsOf(lock, max);
    this.#draft.send.push({ kind: "history", to, request, events, now });
  }

  /** One lock by its name, or all whose names begin so, by name. Undefined: that would be too much. */
  shown(name: LockName | undefined, prefix: string): LockView[] | undefined {
    const lock = name === undefined ? undefined : this.#table.get(name);
    const locks = name === undefined ? [...this.#table.all()] : [lock];
    const chosen = locks.filter(
      (one) => one !== undefined && !one.idle && (name !== undefined || one.name.startsWith(prefix)),
    );
    const ordered = inOrder(chosen.filter((one) => one !== undefined));
    const views = viewsOf(ordered, { waitersMax: waitersShown, charsMax: snapshotCharsMax });
    return views.length < ordered.length ? undefined : views;
  }

  *#chosen({ name, prefix, session, contended, after }: ListCommand, of: Session | undefined): Iterable<Lock> {
    if (session !== undefined && of === undefined) return;
    for (const lock of this.#candidates(name, of, contended)) {
      if (lock.idle || !lock.name.startsWith(prefix) || (contended && lock.waiting === 0)) continue;
      if (after !== undefined && lock.name <= after) continue;
      if (name === undefined || lock.name === name) yield lock;
    }
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

/** So many at most, by name: what is surely behind them is not put in order. */
function firstOf(locks: Iterable<Lock>, max: number): Lock[] {
  let kept: Lock[] = [];
  let last: LockName | undefined;
  for (const lock of locks) {
    if (last !== undefined && lock.name > last) continue;
    kept.push(lock);
    if (kept.length < 2 * max) continue;
    kept = inOrder(kept).slice(0, max);
    last = kept.at(-1)?.name;
  }
  return inOrder(kept).slice(0, max);
}

/** Until they come to so many characters: the one with which they do is the last. */
function viewsOf(
  locks: readonly Lock[],
  { waitersMax, charsMax }: { readonly waitersMax: number; readonly charsMax: number },
): LockView[] {
  const views: LockView[] = [];
  let chars = 0;
  for (const lock of locks) {
    if (chars >= charsMax) break;
    const view = lockView(lock, waitersMax);
    chars += charsOf(view);
    views.push(view);
  }
  return views;
}

/** About; what has to be escaped is longer. */
function charsOf({ name, holders, waiters }: LockView): number {
  let chars = rowChars + name.length;
  for (const { reason, identity, also } of [...holders, ...waiters]) {
    chars += rowChars + reason.length + identity.program.length;
    for (const other of also) chars += other.length;
  }
  return chars;
}

function inOrder(locks: readonly Lock[]): Lock[] {
  return [...locks].sort((a, b) => (a.name < b.name ? -1 : 1));
}
