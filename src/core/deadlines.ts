/**
 * Every deadline of the broker, in one heap. A deadline has a kind, an owner and an instant; the shell asks `next()`
 * how long it may sleep and never decides it. When the whole broker stood still, `shift` moves all of them: a pause
 * expires nobody (rule 11).
 */
import { type Instant, instant, type Millis } from "../terms/index.js";

export type DeadlineKind =
  /** A connection has not said hello. Owner: the connection. */
  | "handshake"
  /** A session without connection reaches the end of its resume window; to be confirmed. Owner: the session. */
  | "resume-window"
  /** Look again whether the process behind a closed connection is gone. Owner: the session. */
  | "after-close"
  /** While somebody waits, or a bound session exists: are the holders' processes there? Owner: none. */
  | "holder-poll"
  /** A waiter has waited as long as it asked to. Owner: the waiter, or the upgrade that stands behind writes. */
  | "wait-timeout"
  /** The first lease of a session seems over; to be looked at, and confirmed. Owner: the session. */
  | "lease-due"
  /** Who has not given a lock back by now loses it. Owner: the break. */
  | "break-grace"
  /** While somebody waits who wants to know his place: it is told where it has changed. Owner: none. */
  | "place-news"
  /** The ledger was lost while its holders lived on: from here on names are granted again. Owner: none. */
  | "recovery-grace"
  /** Is a read slow or over its limit? Runs while any reader is busy. Owner: none. */
  | "read-watch"
  /** Is a snapshot over one of its limits, or is a process idle? Owner: none. */
  | "snapshot-watch"
  /** Tables that stayed watched for those who may come back are not any more. Owner: none. */
  | "watch-linger"
  /** A log that is full is to be folded; nothing else will bring it about. Owner: none. */
  | "log-fold"
  /** Is a write over its limit? Runs while the writer is busy. Owner: none. */
  | "write-watch"
  /** A writer was started and is not ready, or killed and is not gone. Owner: none. */
  | "writer-late"
  /** A transaction may have been open for too long; to be confirmed. Owner: the transaction. */
  | "transaction-limit"
  /** Try again to have a writer. Owner: none. */
  | "writer-retry"
  /** The ledger is told how far data.db has come. Owner: none. */
  | "ledger-mark";

export interface Deadline<Owner = unknown> {
  readonly kind: DeadlineKind;
  readonly owner: Owner;
  at: Instant;
  /** False once it has fired or was cancelled. */
  armed: boolean;
}

export class Deadlines {
  /** Binary heap by `at`; cancelled ones stay until they reach the top. */
  #heap: Deadline[] = [];
  #cancelled = 0;

  get size(): number {
    return this.#heap.length - this.#cancelled;
  }

  arm<Owner>(kind: DeadlineKind, owner: Owner, at: Instant): Deadline<Owner> {
    const deadline: Deadline<Owner> = { kind, owner, at, armed: true };
    this.#heap.push(deadline);
    this.#up(this.#heap.length - 1);
    return deadline;
  }

  cancel(deadline: Deadline | undefined): void {
    if (deadline === undefined || !deadline.armed) return;
    deadline.armed = false;
    this.#cancelled++;
    if (this.#cancelled > 64 && this.#cancelled > this.#heap.length / 2) this.#sweep();
  }

  next(): Instant | undefined {
    this.#dropCancelled();
    return this.#heap[0]?.at;
  }

  /** Takes out the earliest deadline that is due, or nothing. */
  takeDue(now: Instant): Deadline | undefined {
    this.#dropCancelled();
    const top = this.#heap[0];
    if (top === undefined || top.at > now) return undefined;
    this.#removeTop();
    top.armed = false;
    return top;
  }

  /** The pause rule in one line: order stays, all move. */
  shift(ms: Millis): void {
    for (const deadline of this.#heap) deadline.at = instant(deadline.at + ms);
  }

  check(): void {
    let cancelled = 0;
    this.#heap.forEach((deadline, i) => {
      if (!deadline.armed) cancelled++;
      const parent = this.#heap[(i - 1) >> 1];
      if (i > 0 && parent !== undefined && parent.at > deadline.at) throw new Error("deadlines: heap order broken");
    });
    if (cancelled !== this.#cancelled) throw new Error("deadlines: count of cancelled is wrong");
  }

  #dropCancelled(): void {
    while (this.#heap[0] !== undefined && !this.#heap[0].armed) {
      this.#removeTop();
      this.#cancelled--;
    }
  }

  #sweep(): void {
    this.#heap = this.#heap.filter((deadline) => deadline.armed).sort((a, b) => a.at - b.at);
    this.#cancelled = 0;
  }

  #removeTop(): void {
    const last = this.#heap.pop();
    if (last === undefined || this.#heap.length === 0) return;
    this.#heap[0] = last;
    this.#down(0);
  }

  #up(start: number): void {
    const moving = this.#heap[start];
    if (moving === undefined) return;
    let i = start;
    while (i > 0) {
      const parentAt = (i - 1) >> 1;
      const parent = this.#heap[parentAt];
      if (parent === undefined || parent.at <= moving.at) break;
      this.#heap[i] = parent;
      i = parentAt;
    }
    this.#heap[i] = moving;
  }

  #down(start: number): void {
    const moving = this.#heap[start];
    if (moving === undefined) return;
    let i = start;
    for (;;) {
      const leftAt = 2 * i + 1;
      const left = this.#heap[leftAt];
      if (left === undefined) break;
      const right = this.#heap[leftAt + 1];
      const [child, childAt] = right !== undefined && right.at < left.at ? [right, leftAt + 1] : [left, leftAt];
      if (child.at >= moving.at) break;
      this.#heap[i] = child;
      i = childAt;
    }
    this.#heap[i] = moving;
  }
}
