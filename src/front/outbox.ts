/**
 * The only way out: the ledger first, then the store and the operating system, then the clients (rule 10). Whatever
 * the core decided leaves here and nowhere else.
 *
 * When the ledger is full, what depends on its rows waits: grants and welcomes are kept until the rows are written;
 * all else goes on, so that held locks can be given back and reads are served while somebody makes room.
 */
import type { Job, LedgerEntry, Letter, SystemJob, Turn } from "../core/index.js";
import { type Ledger, LedgerFull } from "../ledger/index.js";
import type { Store } from "../store/index.js";
import { impossible } from "../terms/index.js";

export interface OutboxParts {
  readonly ledger: Pick<Ledger, "commit">;
  readonly store: Pick<Store, "obey" | "flush">;
  readonly system: (job: SystemJob) => void;
  readonly deliver: (letters: readonly Letter[]) => void;
  /** The ledger cannot be written any more, or can again. */
  readonly onLedgerFull: (full: boolean) => void;
}

export class Outbox {
  readonly #parts: OutboxParts;
  /** Rows that the full ledger did not take, and the letters that must not leave before them. */
  #owed: { rows: LedgerEntry[]; letters: Letter[] } | undefined;

  constructor(parts: OutboxParts) {
    this.#parts = parts;
  }

  obey(turn: Turn): void {
    const letters = this.#remember(turn);
    for (const job of turn.dispatch) this.#dispatch(job);
    this.#parts.store.flush();
    this.#parts.deliver(letters);
  }

  /** Writes the rows; gives the letters that may leave now. */
  #remember(turn: Turn): readonly Letter[] {
    const { ledger } = turn;
    if (this.#owed === undefined && ledger.length === 0) return turn.send;
    const rows = this.#owed === undefined ? ledger : [...this.#owed.rows, ...ledger];
    const owedLetters = this.#owed?.letters ?? [];
    try {
      this.#parts.ledger.commit(rows);
    } catch (error) {
      if (!(error instanceof LedgerFull)) throw error;
      return this.#owe([...rows], owedLetters, turn.send);
    }
    if (this.#owed === undefined) return turn.send;
    this.#owed = undefined;
    this.#parts.onLedgerFull(false);
    return [...owedLetters, ...turn.send];
  }

  #owe(rows: LedgerEntry[], owedLetters: readonly Letter[], send: readonly Letter[]): readonly Letter[] {
    const first = this.#owed === undefined;
    const letters = [...owedLetters];
    const free: Letter[] = [];
    for (const letter of send) (needsRow(letter) || isOfUntold(letter, letters) ? letters : free).push(letter);
    this.#owed = { rows, letters };
    if (first) this.#parts.onLedgerFull(true);
    return free;
  }

  #dispatch(job: Job): void {
    switch (job.to) {
      case "writer":
      case "reader":
        return this.#parts.store.obey(job);
      case "system":
        return this.#parts.system(job);
      default:
        return impossible(job, "job");
    }
  }
}

/** It speaks of what rows must say first: a grant, a state that is shown. */
function needsRow({ kind }: Letter): boolean {
  return waitsForRows.has(kind);
}

const waitsForRows: ReadonlySet<Letter["kind"]> = new Set([
  "granted",
  "converted",
  "welcome",
  "listing",
  "transferred",
  "broken",
  "resized",
  "history",
  "watching",
  "events",
  "queued",
  "contended",
]);

/** It speaks of a grant that its holder has not been told of: that must come first. */
function isOfUntold(letter: Letter, owed: readonly Letter[]): boolean {
  if (letter.kind !== "lost" && letter.kind !== "revoking") return false;
  const { token } = letter.fence;
  return owed.some(
    (one) =>
      (one.kind === "granted" && one.grant.token === token) || (one.kind === "converted" && one.fence.token === token),
  );
}
