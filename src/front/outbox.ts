/**
 * The only way out: the ledger first, then the store and the operating system, then the clients (rule 10). Whatever
 * the core decided leaves here and nowhere else.
 *
 * When the ledger is full, a grant whose row it did not take is no grant: who asked is refused, and the core takes it
 * back. Its row stays among those that are owed, beside its end: when a grant fits, there is room. What else a client may
 * rely on only when it is written (a new token of its lock, the slots of a name, a session taken up again) waits for its
 * row; all other letters leave, so that held locks can be given back, newcomers are let in, and reads and lists are
 * served while somebody makes room. A session that is welcomed before it is written down holds nothing, and gets no lock
 * before it is.
 */
import {
  type Job,
  type LedgerCommand,
  type LedgerEntry,
  type Letter,
  ledgerFull,
  type SystemJob,
  type Turn,
} from "../core/index.js";
import { type Ledger, LedgerFull } from "../ledger/index.js";
import type { Store } from "../store/index.js";
import { impossible, type SessionId, type Token } from "../terms/index.js";

export interface OutboxParts {
  readonly ledger: Pick<Ledger, "commit">;
  readonly store: Pick<Store, "obey" | "flush">;
  readonly system: (job: SystemJob) => void;
  readonly deliver: (letters: readonly Letter[]) => void;
  /** The ledger cannot be written any more, or can again and all that was owed is in it. */
  readonly onLedger: (command: LedgerCommand) => void;
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
      return this.#owe([...rows], owedLetters, turn);
    }
    if (this.#owed === undefined) return turn.send;
    this.#owed = undefined;
    this.#unwritten.clear();
    this.#parts.onLedger({ kind: "ledger", full: false });
    return [...owedLetters, ...turn.send];
  }

  #owe(all: LedgerEntry[], owedLetters: readonly Letter[], { ledger, send }: Turn): readonly Letter[] {
    const first = this.#owed === undefined;
    const unwritten = ledger.flatMap((row) => (row.kind === "granted" ? [row.row.token] : []));
    const rows = this.#withoutGone(all);
    const owes = owedBy(all);
    const letters: Letter[] = [];
    const free: Letter[] = [];
    for (const letter of [...owedLetters, ...withoutGrants(send, new Set(unwritten))]) {
      (waitsFor(owes, letter) || isOfUntold(letter, letters) ? letters : free).push(letter);
      if (letter.kind !== "welcome") continue;
      // A second welcome waits for the session's row.
      if (letter.resumed) this.#unwritten.delete(letter.session);
      else this.#unwritten.add(letter.session);
    }
    this.#owed = { rows, letters };
    if (first) this.#parts.onLedger({ kind: "ledger", full: true, unwritten });
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

/** Who was to be told of one of these grants is refused instead, and hears nothing else of it. */
function withoutGrants(letters: readonly Letter[], unwritten: ReadonlySet<Token>): readonly Letter[] {
  if (unwritten.size === 0) return letters;
  return letters.flatMap((letter): Letter[] => {
    switch (letter.kind) {
      case "granted": {
        const { to, request, grant } = letter;
        return [unwritten.has(grant.token) ? { kind: "refused", to, request, refusal: ledgerFull } : letter];
      }
      case "welcome":
        return [{ ...letter, grants: letter.grants.filter(({ token }) => !unwritten.has(token)) }];
      case "lost":
      case "revoking":
      case "contended":
        return unwritten.has(letter.fence.token) ? [] : [letter];
      default:
        return [letter];
    }
  });
}

/** What a client may rely on when it is written down, and that it is not yet. */
interface Owed {
  /** New tokens of what was held before. */
  readonly tokens: ReadonlySet<Token>;
  readonly capacities: boolean;
  readonly sessions: ReadonlySet<SessionId>;
}

/** Of an end nobody needs to know that it is written down: it was told, or will come again. */
function owedBy(rows: readonly LedgerEntry[]): Owed {
  const tokens = new Set<Token>();
  const sessions = new Set<SessionId>();
  let capacities = false;
  for (const row of rows) {
    if (row.kind === "grant-changed" && row.was !== row.row.token) tokens.add(row.row.token);
    else if (row.kind === "session-opened") sessions.add(row.row.session);
    else if (row.kind === "capacity") capacities = true;
  }
  return { tokens, capacities, sessions };
}

function waitsFor({ tokens, capacities, sessions }: Owed, letter: Letter): boolean {
  switch (letter.kind) {
    case "welcome":
      return letter.resumed && (sessions.has(letter.session) || letter.grants.some(({ token }) => tokens.has(token)));
    case "granted":
      return tokens.has(letter.grant.token);
    case "converted":
      return tokens.has(letter.fence.token);
    case "resized":
      return capacities;
    default:
      return false;
  }
}

/** It speaks of a token that its holder has not been told of: that must come first. */
function isOfUntold(letter: Letter, owed: readonly Letter[]): boolean {
  if (letter.kind !== "lost" && letter.kind !== "revoking") return false;
  const { token } = letter.fence;
  return owed.some(
    (one) =>
      (one.kind === "granted" && one.grant.token === token) || (one.kind === "converted" && one.fence.token === token),
  );
}
