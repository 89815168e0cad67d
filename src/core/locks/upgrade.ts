/**
 * One name of a grant from shared to exclusive and back.
 *
 *                 others share it                       it is the only one
 *   shared ────────────────────────────► waiting ────────────────────────────────► exclusive, under a new token
 *     ▲  │  alone                          │ cancelled, timed out, the grant ends       ▲  │
 *     │  └─────────────────────────────────┼────────────────────────────────────────────┘  │ downgrade: the same token
 *     └────────────────────────────────────┴───────────────────────────────────────────────┘
 *
 * | state     | what holds                                                          | who may end it                    |
 * |-----------|---------------------------------------------------------------------|-----------------------------------|
 * | shared    | others may share it                                                 | its end, an upgrade               |
 * | waiting   | still shared, under the same token; goes before the whole queue, and | the end of all others; the client |
 * |           | while it is there nobody gets in; there is one at most on a name    | its deadline, a deadlock          |
 * | exclusive | alone; every fence under the old token is broken                    | its end, a downgrade              |
 *
 * Two that wait to be alone would wait for each other: the second is refused. A downgrade is told at once; others get in
 * when the writes that were sent before it are settled, for they were sent by one who was alone (rule 5).
 *
 * A guarded grant cannot become exclusive: the processes of its command carry the token that it would lose.
 */
import { type Instant, type Refusal, refuse } from "../../terms/index.js";
import type { ConvertCommand } from "../command.js";
import type { Draft } from "../draft.js";
import type { Session } from "../sessions/session.js";
import { type Acquiring, grantsOf } from "./acquiring.js";
import { circleOf } from "./deadlock.js";
import { deadlockRefusal, upgradeRefusal } from "./deadlock-refusal.js";
import type { Ends } from "./ends.js";
import { type Grant, type Holding, holdingsOf } from "./grant.js";
import type { Granting } from "./granting.js";
import { grantRow } from "./lock-rows.js";
import type { LockTable } from "./lock-table.js";
import { heldRefusal, nameOf, notHeld, quote } from "./lock-view.js";
import { Conversion } from "./request.js";
import { printOf } from "./request-print.js";
import type { Waits } from "./waits.js";

export interface UpgradesParts {
  readonly draft: Draft;
  readonly table: LockTable;
  readonly waits: Waits;
  readonly granting: Granting;
  readonly ends: Ends;
  readonly acquiring: Acquiring;
}

export class Upgrades {
  readonly #parts: UpgradesParts;

  constructor(parts: UpgradesParts) {
    this.#parts = parts;
  }

  /** Takes effect after the writes that were sent before it on its session. */
  convert(session: Session, ask: ConvertCommand, now: Instant): void {
    if (this.#answeredBefore(session, ask, now)) return;
    const holding = this.#parts.table.holdingUnder(ask);
    const refusal =
      holding === undefined || holding.grant.session !== session ? notHeld(ask, session) : unfit(holding, ask);
    if (refusal !== undefined || holding === undefined)
      return this.#parts.waits.refuse(session, ask, refusal ?? notHeld(ask, session));
    if (ask.to === "shared") this.#downgrade(holding, ask, now);
    else this.#upgrade(holding, ask, now);
  }

  /** The grant has ended: its upgrade has nothing to wait for. */
  grantEnds(grant: Grant, reason: string | undefined, now: Instant): void {
    for (let one: Holding | undefined = grant.first; one !== undefined; one = one.next) {
      const { lock } = one;
      const { conversion } = lock;
      if (conversion?.holding.grant !== grant) continue;
      const refusal =
        reason === undefined
          ? refuse("LOCK_NOT_HELD", `${quote(lock.name)} was given back before it was upgraded`)
          : refuse("LOCK_LOST", `${quote(lock.name)} was lost before it was upgraded: ${reason}`);
      this.#parts.acquiring.refuseWaiting(conversion, "cancelled", refusal, now);
    }
  }

  // ── the machine ───────────────────────────────────────────────────────────────────────────────────────────────────

  #answeredBefore(session: Session, ask: ConvertCommand, now: Instant): boolean {
    const { acquiring } = this.#parts;
    const waiting = session.waits.get(ask.key);
    if (waiting !== undefined) {
      acquiring.attach(waiting, ask, now);
      return true;
    }
    if (acquiring.finishedBefore(session, ask)) return true;
    // Done before a restart of the broker: then only the grant knows it.
    const holding = this.#convertedBy(session, ask);
    if (holding !== undefined) this.#tell(holding, ask);
    return holding !== undefined;
  }

  #convertedBy(session: Session, { key, name }: ConvertCommand): Holding | undefined {
    for (const grant of session.grants.values()) {
      if (grant.converted !== key) continue;
      for (const holding of holdingsOf(grant)) if (holding.lock.name === name) return holding;
    }
    return undefined;
  }

  #upgrade(holding: Holding, ask: ConvertCommand, now: Instant): void {
    const { granting, waits } = this.#parts;
    const { lock } = holding;
    const { session } = holding.grant;
    const isAlone = granting.open && lock.count === 1;
    if (isAlone && lock.waiting === 0) return this.#goOn(holding, ask, now);
    if (!isAlone && ask.waitMs === 0) {
      // Only for its words: it waits for nothing.
      const asked = new Conversion(holding, ask.key, 0, now);
      return waits.refuse(session, ask, heldRefusal(lock, "LOCK_HELD", now, asked));
    }
    if (lock.conversion !== undefined) return this.#refuseSecond(holding, lock.conversion, ask, now);
    this.#join(holding, ask, isAlone, now);
  }

  #goOn(holding: Holding, ask: ConvertCommand, now: Instant): void {
    this.#parts.granting.upgrade(holding, ask.key, { waitedMs: 0, now });
    this.#tell(holding, ask);
  }

  /** Waits, or goes on if it is alone: unless somebody could never come to his end then. */
  #join(holding: Holding, ask: ConvertCommand, isAlone: boolean, now: Instant): void {
    const { waits, table, granting } = this.#parts;
    const { lock, grant } = holding;
    const conversion = new Conversion(holding, ask.key, waits.nextArrival(), now);
    conversion.asker = { connection: ask.connection, request: ask.request };
    if (ask.under !== undefined) conversion.under = [...new Set([grant, ...grantsOf(grant.session, ask.under)])];
    waits.join(conversion);
    const circle = circleOf(conversion, false);
    if (circle === undefined && !isAlone) return waits.settle(conversion, ask.waitMs, now);
    waits.withdraw(conversion);
    if (circle === undefined) return this.#goOn(holding, ask, now);
    const refusal = upgradeRefusal(lock.name, conversion, circle);
    table.history.noteWhy(lock, { kind: "refused-deadlock", reason: refusal.message }, grant, now);
    waits.refuse(grant.session, ask, refusal);
    granting.wake(lock, now);
  }

  /** Each would wait for the other to give back what it shares. */
  #refuseSecond(holding: Holding, first: Conversion, ask: ConvertCommand, now: Instant): void {
    const { lock, grant } = holding;
    const second = new Conversion(holding, ask.key, 0, now);
    const { name } = lock;
    const refusal = deadlockRefusal([
      { waiting: second, name, grant: first.holding.grant, next: first },
      { waiting: first, name, grant, next: second },
    ]);
    this.#parts.table.history.noteWhy(lock, { kind: "refused-deadlock", reason: refusal.message }, grant, now);
    this.#parts.waits.refuse(grant.session, ask, refusal);
  }

  #downgrade(holding: Holding, ask: ConvertCommand, now: Instant): void {
    const { draft, table, ends } = this.#parts;
    const { grant, lock } = holding;
    grant.converted = ask.key;
    const fence = { name: lock.name, token: grant.token };
    grant.session.finished.add(ask.key, printOf(ask), { kind: "converted", fence, waitedMs: 0 });
    table.history.note(lock, "downgraded", grant, now);
    holding.mode = "shared";
    // Before the rows of those who are let in by it.
    draft.ledger.push({ kind: "grant-changed", was: grant.token, row: grantRow(grant) });
    ends.downgraded(holding, now);
    this.#tell(holding, ask);
  }

  #tell({ grant, lock }: Holding, { connection: to, request }: ConvertCommand): void {
    const fence = { name: lock.name, token: grant.token };
    this.#parts.draft.send.push({ kind: "converted", to, request, fence, waitedMs: 0 });
  }
}

/** Why this name of the grant cannot be converted so. */
function unfit({ grant, lock, mode }: Holding, { to }: ConvertCommand): Refusal | undefined {
  const wanted = to === "shared" ? "exclusive" : "shared";
  if (to === "exclusive" && grant.terms.guarded) {
    const why = `${quote(lock.name)} is held for a command whose processes are known by its token, and an upgrade gives it another: release it, and acquire it exclusively`;
    return refuse("PARAMS_INVALID", why, { name: lock.name, guarded: true });
  }
  if (mode === wanted) return undefined;
  const message = `${quote(lock.name)} is held ${mode} by ${nameOf(grant.session)}; only what is held ${wanted} can become ${to}`;
  return refuse("PARAMS_INVALID", message, { name: lock.name, mode });
}
