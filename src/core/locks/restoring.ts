/**
 * What the ledger knew, taken up again: who holds, what ends, who waits, how many slots a name has. Nobody is granted
 * anything by it, and nobody is told; a grant whose processes were being ended has them ended again.
 */
import type { Instant, Token } from "../../terms/index.js";
import { Contradiction } from "../contradiction.js";
import type { Leases } from "../sessions/lease.js";
import type { Session } from "../sessions/session.js";
import type { GrantRow, WaiterRow } from "../turn.js";
import { grantsOf } from "./acquiring.js";
import type { Ends } from "./ends.js";
import { type Asked, Grant, type Holding, holdingsOf } from "./grant.js";
import type { Granting } from "./granting.js";
import type { Lock } from "./lock.js";
import type { LockTable } from "./lock-table.js";
import { Conversion, LockRequest, type Waiting } from "./request.js";
import type { Waits } from "./waits.js";

export interface RestoringParts {
  readonly table: LockTable;
  readonly waits: Waits;
  readonly granting: Granting;
  readonly ends: Ends;
  readonly leases: Leases;
}

export class Restoring {
  readonly #parts: RestoringParts;

  constructor(parts: RestoringParts) {
    this.#parts = parts;
  }

  /** `session`: whose it is, or was. A lease runs in full from now. */
  grant(row: GrantRow, session: Session, now: Instant): void {
    const { token, converted, former, ending, since } = row;
    const asked = this.#askedOf(row, session);
    for (const [i, lock] of asked.locks.entries()) {
      const { mode, take = 1 } = asked.claims[i] ?? { mode: "exclusive" };
      if (!(mode === "semaphore" ? lock.mode === "free" || lock.mode === mode : lock.admits(mode, take)))
        throw new Contradiction(`two grants of ${lock.name} in the ledger`);
    }
    const grant = new Grant(asked, token, since);
    grant.converted = converted;
    grant.formerTokens = former ?? [];
    if (ending !== undefined) return this.#parts.ends.restore(grant);
    this.#parts.granting.occupy(grant);
    if (grant.lease === undefined) return;
    grant.lease.from = now;
    this.#parts.leases.granted(grant, now);
  }

  /** After all grants. */
  waiter(row: WaiterRow, session: Session): void {
    const waiting = this.#waitingOf(row, session);
    if (waiting !== undefined) this.#parts.waits.join(waiting);
  }

  #waitingOf(row: WaiterRow, session: Session): Waiting | undefined {
    const { key, arrival, since, under, beside, convertOf } = row;
    const asked = this.#askedOf(row, session);
    if (convertOf === undefined) {
      const request = new LockRequest(asked, arrival, since);
      if (under !== undefined) request.under = grantsOf(session, under);
      if (beside !== undefined) request.beside = grantsOf(session, beside);
      return request;
    }
    const holding = holdingOf(session, asked.locks[0], convertOf);
    if (holding === undefined)
      throw new Contradiction(`ledger: an upgrade of ${row.claims[0]?.name}, which ${session.id} does not hold`);
    const conversion = new Conversion(holding, key, arrival, since);
    if (under !== undefined) conversion.under = [...new Set([holding.grant, ...grantsOf(session, under)])];
    return conversion;
  }

  #askedOf({ key, reason, ttlMs, guarded, tell, claims }: GrantRow | WaiterRow, session: Session): Asked {
    const locks = claims.map(({ name }) => this.#parts.table.lockOf(name));
    return { session, key, reason, terms: { ttlMs, guarded, tell }, claims, locks };
  }
}

/**
 * Of several under this name the one that has the token, or had it before another of its names was upgraded. Of what has
 * been upgraded often since, and of a ledger of an earlier version, that is not known.
 */
function holdingOf({ grants }: Session, lock: Lock | undefined, token: Token): Holding | undefined {
  let found: Holding | undefined;
  for (const grant of grants.values())
    for (const holding of holdingsOf(grant))
      if (holding.lock === lock && (found === undefined || hadToken(grant, token))) found = holding;
  return found;
}

function hadToken(grant: Grant, token: Token): boolean {
  return grant.token === token || grant.formerTokens.includes(token);
}
