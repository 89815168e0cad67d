/**
 * How far data.db has come, written down in the ledger: the next start finds by it that the file was put back to an
 * older state, or is another (rule 14). Never beyond what is on disk, and behind it by a second at most.
 */
import { after, type Instant, type Millis, type Seq } from "../terms/index.js";
import type { Deadline, Deadlines } from "./deadlines.js";
import type { Draft } from "./draft.js";

const everyMs: Millis = 1000;

export interface MarkParts {
  readonly draft: Draft;
  readonly deadlines: Deadlines;
}

export class Mark {
  readonly #parts: MarkParts;
  #seq: Seq;
  /** The tokens reserved in this life; until there are any, what an earlier one has written stays. */
  #block: { readonly tokensTo: number; readonly incarnation: string } | undefined;
  #due: Deadline | undefined;
  /** The broker is ending: what is settled from here on is written down at once. */
  #ending = false;
  /** Nothing is written down before `begin`. */
  #waits = false;

  constructor({ draft, deadlines }: MarkParts, seq: Seq) {
    this.#parts = { draft, deadlines };
    this.#seq = seq;
  }

  /** As a new writer has found it. */
  begins(seq: Seq): void {
    this.#seq = seq;
  }

  /** Until `begin`; what an earlier life has written goes when tokens are reserved that are above it. */
  wait(): void {
    this.#waits = true;
  }

  begin(): void {
    if (!this.#waits) return;
    this.#waits = false;
    this.write();
  }

  reserved(tokensTo: number, incarnation: string): void {
    this.#block = { tokensTo, incarnation };
    this.write();
  }

  stored(seq: Seq, now: Instant): void {
    if (seq <= this.#seq) return;
    this.#seq = seq;
    if (this.#ending) this.write();
    else if (!this.#due?.armed) this.#due = this.#parts.deadlines.arm("ledger-mark", undefined, after(now, everyMs));
  }

  end(): void {
    this.#ending = true;
    if (this.#due?.armed) this.write();
  }

  write(): void {
    this.#parts.deadlines.cancel(this.#due);
    if (this.#block === undefined) return;
    const row = this.#waits
      ? ({ kind: "unmarked" } as const)
      : ({ kind: "mark", seq: this.#seq, ...this.#block } as const);
    this.#parts.draft.ledger.push(row);
  }
}
