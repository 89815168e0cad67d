/**
 * What happened to a name lately: its last events, for the names where something happened last. In memory only, and
 * bounded in both directions; an event costs no search, and no memory where there was one before.
 *
 *   newest ⇄ past of "a" ⇄ past of "b" ⇄ … ⇄ oldest        each with a ring of its last events
 *
 * The past of a name hangs on its lock, and keeps it when it is idle: a name that is used again and again has one lock.
 * Who listens hears each event as it happens.
 */
import { type Instant, instant, type Limits, type Token } from "../../terms/index.js";
import type { SessionIdentity } from "../command.js";
import type { Session } from "../sessions/session.js";
import type { LockEvent, LockEventKind } from "../turn.js";
import type { Lock } from "./lock.js";

/** Whom it happened to: a grant, or something that waits. */
export interface Concerned {
  readonly session: Session;
  readonly token?: Token;
}

/** One event; written over when the ring is full. */
interface Mark {
  /** Counted in this life of the broker. */
  count: number;
  at: number;
  kind: LockEventKind;
  session: Session["id"];
  identity: SessionIdentity;
  /** 0: none. */
  token: number;
  reason: string | undefined;
}

/** The past of one name. */
export interface Past {
  lock: Lock;
  newer: Past | undefined;
  older: Past | undefined;
  /** As many as any name had that this past was of. */
  readonly marks: Mark[];
  /** So many of them are of this name. */
  size: number;
  /** Where the next one is written. */
  next: number;
}

export interface HistoryParts {
  readonly limits: Limits;
  /** The past of this lock was given up: if it is idle, nothing keeps it. */
  readonly forget: (lock: Lock) => void;
}

export type Listener = (event: LockEvent) => void;

/** Room for so many events in one life of the broker; the lives are told apart above it. */
const perEpoch = 2 ** 32;

export class History {
  readonly #parts: HistoryParts;
  #newest: Past | undefined;
  #oldest: Past | undefined;
  #names = 0;
  #count = 0;
  /** The number of the event before the first of this life. */
  #base: number | undefined;
  #listener: Listener | undefined;

  constructor(parts: HistoryParts) {
    this.#parts = parts;
  }

  /** The number of the last event. */
  get last(): number {
    return (this.#base ?? 0) + this.#count;
  }

  /** This life of the broker, by its first writer; numbers rise over all lives. */
  begin(epoch: number): void {
    this.#base ??= epoch * perEpoch;
  }

  /** Absent: nobody wants to hear. */
  listen(listener: Listener | undefined): void {
    this.#listener = listener;
  }

  note(lock: Lock, kind: LockEventKind, about: Concerned, at: Instant): void {
    this.#write(lock, kind, about, at).reason = undefined;
    if (this.#listener !== undefined) this.#tell(lock, this.#listener);
  }

  /** Together with what it is wanted for. */
  noteWish(lock: Lock, kind: "queued" | "granted", about: Concerned & { readonly reason: string }, at: Instant): void {
    this.#write(lock, kind, about, at).reason = about.reason === "" ? undefined : about.reason;
    if (this.#listener !== undefined) this.#tell(lock, this.#listener);
  }

  noteWhy(
    lock: Lock,
    what: { readonly kind: LockEventKind; readonly reason: string },
    about: Concerned,
    at: Instant,
  ): void {
    this.#write(lock, what.kind, about, at).reason = what.reason;
    if (this.#listener !== undefined) this.#tell(lock, this.#listener);
  }

  /** The last `max` events of a name, the latest at the end. */
  eventsOf(lock: Lock, max: number): LockEvent[] {
    const { past } = lock;
    if (past === undefined) return [];
    const events: LockEvent[] = [];
    const count = Math.min(max, past.size);
    for (let back = count; back > 0; back--) {
      const mark = past.marks[(past.next - back + past.size) % past.size];
      if (mark !== undefined) events.push(this.#eventOf(lock, mark));
    }
    return events;
  }

  #write(lock: Lock, kind: LockEventKind, about: Concerned, at: Instant): Mark {
    const past = lock.past ?? this.#begin(lock);
    if (past !== this.#newest) this.#toFront(past);
    this.#count++;
    const { session, token = 0 } = about;
    const { historyEventsMax } = this.#parts.limits;
    const known = past.marks[past.next];
    past.next = past.next + 1 === Math.max(1, historyEventsMax) ? 0 : past.next + 1;
    if (past.size < historyEventsMax) past.size++;
    if (known === undefined) {
      const { id, identity } = session;
      const mark: Mark = { count: this.#count, at, kind, session: id, identity, token, reason: undefined };
      past.marks.push(mark);
      return mark;
    }
    known.count = this.#count;
    known.at = at;
    known.kind = kind;
    known.session = session.id;
    known.identity = session.identity;
    known.token = token;
    return known;
  }

  #tell(lock: Lock, listener: Listener): void {
    const { past } = lock;
    const mark = past?.marks[(past.next === 0 ? past.marks.length : past.next) - 1];
    if (mark !== undefined) listener(this.#eventOf(lock, mark));
  }

  /** The past that has rested longest is given up for it, if there are enough. */
  #begin(lock: Lock): Past {
    const oldest = this.#oldest;
    if (oldest === undefined || this.#names < this.#parts.limits.historyNamesMax) {
      this.#names++;
      const past: Past = { lock, newer: undefined, older: undefined, marks: [], size: 0, next: 0 };
      lock.past = past;
      this.#push(past);
      return past;
    }
    const before = oldest.lock;
    before.past = undefined;
    oldest.lock = lock;
    oldest.size = 0;
    oldest.next = 0;
    lock.past = oldest;
    this.#parts.forget(before);
    return oldest;
  }

  #push(past: Past): void {
    past.older = this.#newest;
    past.newer = undefined;
    if (this.#newest === undefined) this.#oldest = past;
    else this.#newest.newer = past;
    this.#newest = past;
  }

  #toFront(past: Past): void {
    const { newer, older } = past;
    if (newer === undefined) return;
    newer.older = older;
    if (older === undefined) this.#oldest = newer;
    else older.newer = newer;
    this.#push(past);
  }

  #eventOf({ name }: Lock, { count, at, kind, session, identity, token, reason }: Mark): LockEvent {
    return {
      n: (this.#base ?? 0) + count,
      at: instant(at),
      kind,
      name,
      session,
      program: identity.program,
      pid: identity.process?.pid,
      token: token === 0 ? undefined : (token as Token),
      reason,
    };
  }

  /** `isKept`: whether this lock is the one of its name. */
  check(isKept: (lock: Lock) => boolean): void {
    let names = 0;
    for (let past = this.#newest; past !== undefined; past = past.older) {
      names++;
      if (past.lock.past !== past) throw new Error(`history: the past of ${past.lock.name} does not hang on it`);
      if (!isKept(past.lock)) throw new Error(`history: ${past.lock.name} was forgotten, and has a past`);
      if (past.older === undefined ? past !== this.#oldest : past.older.newer !== past)
        throw new Error("history: the row of names is broken");
      if (past.size > past.marks.length) throw new Error(`history: ${past.lock.name} has more events than are there`);
    }
    if (names !== this.#names || names > Math.max(1, this.#parts.limits.historyNamesMax))
      throw new Error("history: the count of names is wrong");
  }
}
