/**
 * How a grant ends: given back or taken away, its fences hold from then on no more and its holder is told; but its names
 * are somebody else's only when the writer has settled what was sent under it (rule 5) and, of a guarded one that was
 * not released, when the processes that carry its token are gone (rule 24).
 */
import type { Instant, Seq, SessionId, Token } from "../../terms/index.js";
import type { Draft } from "../draft.js";
import type { Leases } from "../sessions/lease.js";
import { connectionOf, type Session } from "../sessions/session.js";
import { type Grant, type GrantState, type Holding, holdingsOf, over } from "./grant.js";
import type { Granting } from "./granting.js";
import type { Lock } from "./lock.js";
import { listedBytes } from "./lock-limits.js";
import { grantRow } from "./lock-rows.js";
import type { LockTable } from "./lock-table.js";

export interface EndsParts {
  readonly draft: Draft;
  readonly table: LockTable;
  readonly granting: Granting;
  readonly leases: Leases;
  /** Every write up to and including this one is settled. */
  readonly settledThrough: () => Seq;
  /** It is over for its holder, however it came to be: who waits for it to be given back, or to be upgraded. */
  readonly onEnd: (grant: Grant, how: End, now: Instant) => void;
}

/** How it came to its end. */
export interface End {
  readonly kind: "released" | "lost";
  /** By its holder's own will: what it sent before still counts. */
  readonly givenBack: boolean;
  /** By a lock.release of a client that had it: whoever carries its token knows that. */
  readonly byRelease: boolean;
  /** Told to its holder, unless that is absent because the holder knows. */
  readonly reason: string | undefined;
  readonly tellHolder: boolean;
}

export const released: End = {
  kind: "released",
  givenBack: true,
  byRelease: true,
  reason: undefined,
  tellHolder: false,
};

/** Its client gives back what it has lost already: nobody has told that to whoever carries its token. */
export const givenUp: End = {
  kind: "released",
  givenBack: true,
  byRelease: false,
  reason: "its client does not rely on it any more",
  tellHolder: false,
};

/** Handed on by its holder. */
export function handedOn(reason: string): End {
  return { kind: "released", givenBack: true, byRelease: false, reason, tellHolder: false };
}

/** Its client came back and did not know of it any more. */
export const notBelieved: End = {
  kind: "released",
  givenBack: true,
  byRelease: false,
  reason: "its client came back without it",
  tellHolder: false,
};

/** There was no room to write it down: nobody was told of it, and no process carries its token. */
export const neverTold: End = {
  kind: "lost",
  givenBack: true,
  byRelease: true,
  reason: "the broker's ledger could not be written",
  tellHolder: false,
};

/** Taken away from a session that lives on. */
export function lost(reason: string): End {
  return { kind: "lost", givenBack: false, byRelease: false, reason, tellHolder: true };
}

/** Its session is over; that is told for all its locks at once. */
export function sessionOver(how: "given back" | "taken", reason: string): End {
  const givenBack = how === "given back";
  return { kind: givenBack ? "released" : "lost", givenBack, byRelease: false, reason, tellHolder: false };
}

export class Ends {
  readonly #parts: EndsParts;
  /** Ending until the writer has settled more. */
  readonly #draining = new Set<Grant>();
  /** Ending until their processes are gone. */
  readonly #living = new Map<Token, Grant>();
  /** Downgraded, and held exclusively towards others until the writer has settled so far. */
  readonly #easing = new Map<Lock, Seq>();

  constructor(parts: EndsParts) {
    this.#parts = parts;
  }

  end(grant: Grant, how: End, now: Instant): void {
    const { draft, table, leases } = this.#parts;
    const { session, terms } = grant;
    const { givenBack } = how;
    const processes = terms.guarded && !how.byRelease;
    const state: Extract<GrantState, { kind: "ending" }> = { kind: "ending", writes: undefined, processes, givenBack };
    // First: what its end sets in motion must not find it held, and end it once more.
    grant.state = state;
    session.grants.delete(grant.key);
    for (let one: Holding | undefined = grant.first; one !== undefined; one = one.next) {
      session.claims--;
      session.listedBytes -= listedBytes(one.lock.name);
      table.held--;
      this.#tell(one, how, now);
    }
    if (grant.lease !== undefined) leases.ended(session);
    if (terms.tell.contended) table.toldOfContention--;
    this.#parts.onEnd(grant, how, now);
    const writes = this.#unsettled(grant);
    if (writes === undefined && !processes) {
      draft.ledger.push({ kind: "grant-ended", token: grant.token });
      return this.#over(grant, now);
    }
    state.writes = writes;
    if (writes !== undefined) this.#draining.add(grant);
    if (processes) {
      draft.ledger.push({ kind: "grant-changed", was: grant.token, row: grantRow(grant) });
      this.#endProcesses(grant);
    } else draft.ledger.push({ kind: "grant-ended", token: grant.token });
  }

  /** The writer has settled more: what drained may be free. */
  writesSettled(now: Instant): void {
    if (this.#draining.size > 0) this.#drain(now);
    if (this.#easing.size > 0) this.#ease(now);
  }

  /** No process that carries this token lives any more. */
  processesGone(token: Token, now: Instant): void {
    const grant = this.#living.get(token);
    if (grant === undefined || grant.state.kind !== "ending") return;
    this.#living.delete(token);
    grant.state.processes = false;
    this.#parts.draft.ledger.push({ kind: "grant-ended", token });
    if (grant.state.writes === undefined) this.#freed(grant, now);
  }

  /** A name that was held exclusively is held shared now: towards others, when all that was sent until now is settled. */
  downgraded(holding: Holding, now: Instant): void {
    const { lock, grant } = holding;
    const until = this.#unsettled(grant);
    if (until !== undefined) this.#easing.set(lock, until);
    else {
      lock.mode = "shared";
      this.#parts.granting.wake(lock, now);
    }
  }

  /** Its processes were being ended when the broker ended; its session may be gone. */
  restore(grant: Grant): void {
    for (const holding of holdingsOf(grant)) holding.lock.occupy(holding);
    grant.state = { kind: "ending", writes: undefined, processes: true, givenBack: false };
    this.#endProcesses(grant);
  }

  #endProcesses(grant: Grant): void {
    const { token, session } = grant;
    this.#living.set(token, grant);
    const names = [...holdingsOf(grant)].map(({ lock }) => lock.name);
    const { id, identity } = session;
    this.#parts.draft.dispatch.push({ to: "system", kind: "end-processes", token, session: id, identity, names });
  }

  get isEnding(): boolean {
    return this.#draining.size + this.#living.size > 0;
  }

  check(): void {
    const through = this.#parts.settledThrough();
    for (const grant of this.#draining)
      if (grant.state.kind !== "ending" || grant.state.writes === undefined)
        throw new Error(`grant ${grant.token}: drains and is ${grant.state.kind}`);
    for (const [token, grant] of this.#living)
      if (grant.state.kind !== "ending" || !grant.state.processes || grant.token !== token)
        throw new Error(`grant ${token}: its processes are waited for and it is ${grant.state.kind}`);
    for (const lock of this.#parts.table.all())
      for (const { grant } of lock.holdings()) this.#checkEnding(grant, through);
  }

  #checkEnding(grant: Grant, through: Seq): void {
    const { state, token } = grant;
    if (state.kind !== "ending") return;
    if ((state.writes !== undefined) !== this.#draining.has(grant) || state.processes !== this.#living.has(token))
      throw new Error(`grant ${token}: wrongly listed as ending`);
    if (state.writes !== undefined && state.writes <= through)
      throw new Error(`grant ${token}: drains though all is settled`);
  }

  // ── the machine ───────────────────────────────────────────────────────────────────────────────────────────────────

  /** The last write that its names wait for, if that is not settled. */
  #unsettled({ lastSeq, session }: Grant): Seq | undefined {
    const until = latest(lastSeq, session.lastSeq);
    return until !== undefined && until > this.#parts.settledThrough() ? until : undefined;
  }

  #tell({ grant, lock }: Holding, { kind, reason, tellHolder }: End, now: Instant): void {
    const { history } = this.#parts.table;
    if (reason === undefined) return history.note(lock, kind, grant, now);
    history.noteWhy(lock, { kind, reason }, grant, now);
    const to = tellHolder ? connectionOf(grant.session) : undefined;
    if (to === undefined) return;
    const fence = { name: lock.name, token: grant.token };
    this.#parts.draft.send.push({ kind: "lost", to, fence, reason });
  }

  #drain(now: Instant): void {
    const through = this.#parts.settledThrough();
    for (const grant of this.#draining) {
      const { state } = grant;
      if (state.kind !== "ending" || state.writes === undefined || state.writes > through) continue;
      this.#draining.delete(grant);
      state.writes = undefined;
      if (!state.processes) this.#freed(grant, now);
    }
  }

  #ease(now: Instant): void {
    const through = this.#parts.settledThrough();
    for (const [lock, until] of this.#easing) {
      if (until > through) continue;
      this.#easing.delete(lock);
      // It may have ended meanwhile, or be exclusive again.
      if (lock.mode !== "exclusive" || lock.first?.mode !== "shared") continue;
      lock.mode = "shared";
      this.#parts.granting.wake(lock, now);
    }
  }

  /** It had ended, and nothing is left of it now. */
  #freed(grant: Grant, now: Instant): void {
    for (const { lock } of holdingsOf(grant)) this.#parts.table.history.note(lock, "free", grant, now);
    this.#over(grant, now);
  }

  #over(grant: Grant, now: Instant): void {
    grant.state = over;
    for (let one: Holding | undefined = grant.first; one !== undefined; one = one.next) one.lock.vacate(one);
    for (let one: Holding | undefined = grant.first; one !== undefined; one = one.next)
      this.#parts.granting.wake(one.lock, now);
  }
}

function latest(a: Seq | undefined, b: Seq | undefined): Seq | undefined {
  if (a === undefined) return b;
  if (b === undefined) return a;
  return a > b ? a : b;
}

/** Who took it, in a reason. */
export function takenBy({ identity, id }: Pick<Session, "identity"> & { readonly id: SessionId }): string {
  const pid = identity.process === undefined ? "" : ` (pid ${identity.process.pid})`;
  return identity.program === "" ? `session ${id}` : `${identity.program}${pid}`;
}
