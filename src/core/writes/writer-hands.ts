/**
 * What the writer has in its hands: given to it in the order of the sequence, and not settled. What was given counts
 * against the grants it relies on, and those of its session, until it is settled (rule 5).
 *
 * It is bounded (writer-pace.ts) but for who has nothing there: he is let in at once.
 */
import { type Limits, type Seq, seq } from "../../terms/index.js";
import type { Fence } from "../command.js";
import type { Draft } from "../draft.js";
import type { Grant } from "../locks/grant.js";
import type { GroupTimes } from "../store-event.js";
import { accountOf, type Write } from "./write.js";
import { WriterPace } from "./writer-pace.js";

export interface WriterHandsParts {
  readonly limits: Limits;
  readonly draft: Draft;
  /** `again`: for a write that was sent before while it was held. */
  readonly fenceHeld: (fence: Fence, again: boolean) => Grant | undefined;
  /** Held or ending: for what is undone because it ends. */
  readonly occupantUnder: (fence: Fence) => Grant | undefined;
}

export interface GiveWords {
  /** To be run, or only looked up. */
  readonly mode: "run" | "replay";
  /** In a transaction of its own. */
  readonly alone: boolean;
  /** It was given before, under the same locks. */
  readonly again: boolean;
}

export class WriterHands {
  readonly #parts: WriterHandsParts;
  /** By sequence; the order of insertion is the order of dispatch. */
  readonly #given = new Map<Seq, Write>();
  /** How many of them are whose. */
  readonly #owners = new Map<string, number>();
  readonly #pace = new WriterPace();
  #bytes = 0;
  #nextSeq: number;

  constructor(parts: WriterHandsParts, firstSeq: Seq) {
    this.#parts = parts;
    this.#nextSeq = firstSeq;
  }

  get size(): number {
    return this.#given.size;
  }

  get hasRoom(): boolean {
    return this.#given.size < this.#pace.writesMax && this.mayHaveMore;
  }

  /** Who has nothing there need not wait until others have less: each makes them wait for one write of his. */
  hasRoomFor(account: string): boolean {
    return this.mayHaveMore && !this.#owners.has(account);
  }

  /** Within what no pace may exceed. */
  get mayHaveMore(): boolean {
    const { writesDispatchedMax, groupBytesMax } = this.#parts.limits;
    return this.#given.size < writesDispatchedMax && this.#bytes < 2 * groupBytesMax;
  }

  /** The first that is not settled, or what would be the next. */
  get firstOpen(): Seq {
    for (const first of this.#given.keys()) return first;
    return this.#nextSeq as Seq;
  }

  get(at: Seq): Write | undefined {
    return this.#given.get(at);
  }

  /** Whether somebody else than the owner of this write has something there. */
  hasOthersThan(write: Write): boolean {
    const account = accountOf(write);
    for (const other of this.#given.values()) if (accountOf(other) !== account) return true;
    return false;
  }

  /** So many of its writes were settled as one group. */
  groupSettled(writes: number, times: GroupTimes): void {
    this.#pace.settled(writes, times);
  }

  /** What was given before is at this sequence at most. */
  startAbove(stored: Seq): void {
    this.#nextSeq = Math.max(this.#nextSeq, stored + 1);
  }

  give(write: Write, { mode, alone, again }: GiveWords): void {
    const at = write.seq ?? seq(this.#nextSeq++);
    this.#note(write, at, again);
    const { owner: session, key, parcel, settles } = write;
    const { dispatch } = this.#parts.draft;
    if (settles !== undefined) dispatch.push({ to: "writer", kind: "settle", seq: at, session, keys: settles, parcel });
    else {
      // Of what is under way itself nobody has an answer, whatever a client says.
      const ackedBelow = Math.min(write.session?.finished.ackedBelow ?? 0, key ?? 0);
      dispatch.push({ to: "writer", kind: "write", seq: at, mode, session, key, ackedBelow, alone, parcel });
    }
  }

  /** A step of the transaction that has the writer for itself. */
  giveStep(write: Write): void {
    const { step: taken, owner: session, key } = write;
    if (taken === undefined) throw new Error("writer's hands: a write of no transaction was given as a step of one");
    const at = write.seq ?? seq(this.#nextSeq++);
    const { kind: step, transaction } = taken;
    this.#note(write, at, transaction.again);
    const parcel = step === "run" || step === "commit" ? write.parcel : undefined;
    const begun = transaction.begin.seq ?? at;
    const commits = step === "begin" ? transaction.commits : undefined;
    const { dispatch } = this.#parts.draft;
    dispatch.push({ to: "writer", kind: "step", step, seq: at, transaction: begun, session, key, commits, parcel });
  }

  /** It is settled; nothing when it is not known here. */
  take(at: Seq): Write | undefined {
    const write = this.#given.get(at);
    if (write === undefined) return undefined;
    this.#given.delete(at);
    this.#bytes -= write.parcel.size;
    const account = accountOf(write);
    const others = (this.#owners.get(account) ?? 0) - 1;
    if (others > 0) this.#owners.set(account, others);
    else this.#owners.delete(account);
    return write;
  }

  /** The writer is gone: everything, in order. */
  takeAll(): Write[] {
    const all = [...this.#given.values()];
    this.#given.clear();
    this.#owners.clear();
    this.#bytes = 0;
    return all;
  }

  check(): void {
    let before = 0;
    let bytes = 0;
    const owners = new Map<string, number>();
    for (const [at, write] of this.#given) {
      owners.set(accountOf(write), (owners.get(accountOf(write)) ?? 0) + 1);
      if (write.seq !== at || at <= before || at >= this.#nextSeq)
        throw new Error("writer's hands: given out of order");
      before = at;
      bytes += write.parcel.size;
    }
    if (bytes !== this.#bytes) throw new Error("writer's hands: the count of bytes is wrong");
    if (owners.size !== this.#owners.size || [...owners].some(([owner, writes]) => this.#owners.get(owner) !== writes))
      throw new Error("writer's hands: the count of whose they are is wrong");
  }

  #note(write: Write, at: Seq, again: boolean): void {
    const { session, fences } = write;
    write.seq = at;
    write.killed = undefined;
    this.#given.set(at, write);
    this.#bytes += write.parcel.size;
    const account = accountOf(write);
    this.#owners.set(account, (this.#owners.get(account) ?? 0) + 1);
    for (const fence of fences) {
      const grant = this.#parts.fenceHeld(fence, again) ?? this.#parts.occupantUnder(fence);
      if (grant !== undefined) grant.lastSeq = at;
    }
    if (session === undefined) return;
    session.lastSeq = at;
    session.keyHigh = Math.max(session.keyHigh, write.key ?? 0);
  }
}
