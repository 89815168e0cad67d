/**
 * Reads that wait for writes of their own session (rule 4): a read sees every write that was sent before it, so it is
 * not begun until the last of them is answered, in whatever order they are.
 */
import { oldestWrite, type Session } from "../sessions/session.js";

/** What may be held: a read, or the wish for a snapshot. */
interface Held {
  readonly session: Session;
  /** The last write of its session before it. */
  readonly after: number;
}

const none: readonly never[] = [];

export class HeldReads<Read extends Held> {
  readonly #bySession = new Map<Session, Read[]>();
  #length = 0;

  get length(): number {
    return this.#length;
  }

  add(read: Read): void {
    const held = this.#bySession.get(read.session);
    if (held === undefined) this.#bySession.set(read.session, [read]);
    else held.push(read);
    this.#length++;
  }

  /** Takes out, in order, those for which every write is answered. */
  takeFree(session: Session): readonly Read[] {
    const held = this.#bySession.get(session);
    if (held === undefined) return none;
    const before = oldestWrite(session)?.order ?? Number.POSITIVE_INFINITY;
    const still = held.findIndex((read) => read.after >= before);
    if (still < 0) return this.drop(session);
    this.#length -= still;
    return held.splice(0, still);
  }

  drop(session: Session): readonly Read[] {
    const held = this.#bySession.get(session);
    if (held === undefined) return none;
    this.#bySession.delete(session);
    this.#length -= held.length;
    return held;
  }

  take(session: Session, chosen: (read: Read) => boolean): Read | undefined {
    const held = this.#bySession.get(session);
    const place = held?.findIndex(chosen) ?? -1;
    if (held === undefined || place < 0) return undefined;
    const [read] = held.splice(place, 1);
    this.#length--;
    if (held.length === 0) this.#bySession.delete(session);
    return read;
  }

  /** Takes out all that are chosen. */
  takeAll(session: Session, chosen: (read: Read) => boolean): void {
    const held = this.#bySession.get(session);
    if (held === undefined) return;
    const still = held.filter((read) => !chosen(read));
    this.#length -= held.length - still.length;
    if (still.length > 0) this.#bySession.set(session, still);
    else this.#bySession.delete(session);
  }

  *all(): Iterable<Read> {
    for (const held of this.#bySession.values()) yield* held;
  }

  check(): void {
    let length = 0;
    for (const [session, held] of this.#bySession) {
      const before = oldestWrite(session)?.order ?? Number.POSITIVE_INFINITY;
      length += held.length;
      if (held.length === 0 || held.some((read) => read.after < before))
        throw new Error(`held reads: session ${session.id} is held back for nothing`);
    }
    if (length !== this.#length) throw new Error("held reads: the count is wrong");
  }
}
