/**
 * The only way out: the ledger first, then the store and the operating system, then the clients (rule 10). Whatever
 * the core decided leaves here and nowhere else.
 *
 * When the ledger is full, what depends on its rows waits: grants and what is shown of them are kept until the rows are
 * written; all else goes on, so that held locks can be given back, newcomers are let in and reads are served while
 * somebody makes room. A session that is welcomed before it is written down holds nothing, and gets no lock before it is.
 */
import type { Job, LedgerEntry, Letter, SystemJob, Turn } from "../core/index.js";
import { type Ledger, LedgerFull } from "../ledger/index.js";
import type { Store } from "../store/index.js";
import { impossible, type SessionId } from "../terms/index.js";

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
  /** Sessions that nothing is written of yet, and nothing that is kept back speaks of. */
  readonly #unwritten = new Set<SessionId>();

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
    this.#unwritten.clear();
    this.#parts.onLedgerFull(false);
    return [...owedLetters, ...turn.send];
  }

  #owe(rows: LedgerEntry[], owedLetters: readonly Letter[], send: readonly Letter[]): readonly Letter[] {
    const first = this.#owed === undefined;
    const letters = [...owedLetters];
    const free: Letter[] = [];
    const owes = owedBy(rows);
    for (const letter of send) {
      (waitsFor(owes, letter) || isOfUntold(letter, letters) ? letters : free).push(letter);
      if (letter.kind !== "welcome") continue;
      // A second welcome waits for the session's row.
      if (letter.resumed) this.#unwritten.delete(letter.session);
      else this.#unwritten.add(letter.session);
    }
    this.#owed = { rows: this.#withoutGone(rows), letters };
    if (first) this.#parts.onLedgerFull(true);
    return free;
  }

  /** Who came and went while there was no room leaves nothing to be written, so that a crowd of them fills no memory. */
  #withoutGone(rows: LedgerEntry[]): LedgerEntry[] {
    const gone = new Set<SessionId>();
    for (const row of rows)
      if (row.kind === "session-ended" && this.#unwritten.delete(row.session)) gone.add(row.session);
    if (gone.size === 0) return rows;
    return rows.filter((row) => {
      if (row.kind === "session-opened") return !gone.has(row.row.session);
      return row.kind !== "session-ended" || !gone.has(row.session);
    });
  }

  #dispatch(job: Job): void {
    switch (job.to) {
      case "writer":
      case "reader":
      case "snapshot":
        return this.#parts.store.obey(job);
      case "system":
        return this.#parts.system(job);
      default:
        return impossible(job, "job");
    }
  }
}

interface Owed {
  /** Something that holds, or waits in line. */
  readonly locks: boolean;
  readonly sessions: ReadonlySet<SessionId>;
}

/** Of an end nobody needs to know that it is written down: it was told, or will come again. */
function owedBy(rows: readonly LedgerEntry[]): Owed {
  const sessions = new Set<SessionId>();
  for (const row of rows) if (row.kind === "session-opened") sessions.add(row.row.session);
  return { locks: rows.some(({ kind }) => begins.has(kind)), sessions };
}

const begins: ReadonlySet<LedgerEntry["kind"]> = new Set(["granted", "grant-changed", "queued", "capacity"]);

/** It speaks of what rows must say first: a grant, a state that is shown; of a session that was known before. */
function waitsFor(owes: Owed, letter: Letter): boolean {
  if (letter.kind === "welcome") return letter.resumed && (owes.locks || owes.sessions.has(letter.session));
  return owes.locks && waitsForRows.has(letter.kind);
}

const waitsForRows: ReadonlySet<Letter["kind"]> = new Set([
  "granted",
  "converted",
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
