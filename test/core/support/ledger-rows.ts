/**
 * The ledger as it would be on disk: the core's entries, turn by turn, and what a next life of the broker is told of
 * them. An entry that no table of ours would take is an error of the core.
 */
import type {
  CapacityRow,
  Claim,
  GrantRow,
  LedgerEntry,
  Memory,
  Mode,
  SessionRow,
  WaiterRow,
} from "../../../src/core/index.js";
import type { LedgerContents } from "../../../src/ledger/index.js";
import { impossible } from "../../../src/terms/index.js";

type Mark = Extract<LedgerEntry, { kind: "mark" }>;

export class LedgerRows {
  readonly sessions = new Map<string, SessionRow>();
  readonly grants = new Map<number, GrantRow>();
  readonly waiters = new Map<number, WaiterRow>();
  readonly capacities = new Map<string, CapacityRow>();
  mark: Mark | undefined;
  #tokenHigh = 0;

  /** One transaction. What it leaves is checked as a whole, not each of its steps. */
  commit(entries: readonly LedgerEntry[]): void {
    for (const entry of entries) this.#write(entry);
    if (entries.length > 0) this.#check();
  }

  memory(): Memory {
    const { mark, ...rows } = this.contents();
    return { ...rows, tokensAbove: mark?.tokensTo ?? 0, graceMs: 0 };
  }

  /** As they are read from the file, in its order. */
  contents(): LedgerContents {
    const { sessions, grants, waiters, capacities, mark } = this;
    return {
      sessions: [...sessions.values()].sort((a, b) => (a.session < b.session ? -1 : 1)),
      grants: [...grants.values()].map(withoutSlots).sort((a, b) => a.token - b.token),
      waiters: [...waiters.values()].map(withoutSlots).sort((a, b) => a.arrival - b.arrival),
      capacities: [...capacities.values()].sort((a, b) => (a.name < b.name ? -1 : 1)),
      mark: mark && { tokensTo: mark.tokensTo, seq: mark.seq, incarnation: mark.incarnation },
    };
  }

  #write(entry: LedgerEntry): void {
    switch (entry.kind) {
      case "session-opened":
        this.sessions.set(entry.row.session, entry.row);
        return;
      case "session-ended":
        if (!this.sessions.delete(entry.session)) throw new Error(`ledger: session ${entry.session} was not there`);
        return;
      case "granted":
        if (entry.row.token <= this.#tokenHigh) throw new Error(`ledger: token ${entry.row.token} went back`);
        this.#tokenHigh = entry.row.token;
        this.grants.set(entry.row.token, entry.row);
        return;
      case "grant-changed":
        if (!this.grants.delete(entry.was)) throw new Error(`ledger: grant ${entry.was} was not there`);
        if (entry.row.token !== entry.was && entry.row.token <= this.#tokenHigh)
          throw new Error(`ledger: token ${entry.row.token} went back`);
        this.#tokenHigh = Math.max(this.#tokenHigh, entry.row.token);
        this.grants.set(entry.row.token, entry.row);
        return;
      case "capacity":
        this.capacities.set(entry.row.name, entry.row);
        return;
      case "grant-ended":
        if (!this.grants.delete(entry.token)) throw new Error(`ledger: grant ${entry.token} was not there`);
        return;
      case "queued":
        if (this.waiters.has(entry.row.arrival)) throw new Error(`ledger: arrival ${entry.row.arrival} twice`);
        this.waiters.set(entry.row.arrival, entry.row);
        return;
      case "unqueued":
        if (!this.waiters.delete(entry.arrival)) throw new Error(`ledger: arrival ${entry.arrival} was not there`);
        return;
      case "mark":
        this.mark = entry;
        return;
      case "unmarked":
        this.mark = undefined;
        return;
      default:
        impossible(entry, "ledger entry");
    }
  }

  #check(): void {
    const held = new Map<string, { mode: Mode; slots: number }>();
    for (const { claims, session, token, ending } of this.grants.values()) {
      if (ending === undefined && !this.sessions.has(session)) throw new Error(`ledger: grant ${token} is nobody's`);
      for (const claim of claims) this.#checkClaim(claim, held);
    }
    for (const { claims, session } of this.waiters.values())
      if (!this.sessions.has(session)) throw new Error(`ledger: nobody waits for ${claims[0]?.name}`);
  }

  #checkClaim({ name, mode, take = 1 }: Claim, held: Map<string, { mode: Mode; slots: number }>): void {
    const others = held.get(name);
    const slots = (others?.slots ?? 0) + take;
    if (others !== undefined && (others.mode !== mode || mode === "exclusive"))
      throw new Error(`ledger: two grants of ${name}`);
    if (mode === "semaphore" && !this.capacities.has(name)) throw new Error(`ledger: ${name} has no capacity`);
    held.set(name, { mode, slots });
  }
}

/** As a claim is written down: the slots of a semaphore belong to its name, and what is not said is not there. */
function withoutSlots<Row extends { readonly claims: readonly Claim[] }>(row: Row): Row {
  if (row.claims.every(({ mode }) => mode !== "semaphore")) return row;
  const claims = row.claims.map(({ name, mode, take }) => (take === undefined ? { name, mode } : { name, mode, take }));
  return { ...row, claims };
}
