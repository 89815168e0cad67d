/**
 * A semaphore gets another number of slots. Who holds some keeps them; who waits for more than there are is refused, and
 * so is who waits for ever now: the slots that are left may be with those who wait for him.
 */
import type { Instant, Refusal } from "../../terms/index.js";
import type { ResizeCommand } from "../command.js";
import type { Draft } from "../draft.js";
import type { Session } from "../sessions/session.js";
import type { Acquiring } from "./acquiring.js";
import { mismatch, slotsText } from "./capacities.js";
import type { Granting } from "./granting.js";
import type { Lock } from "./lock.js";
import type { LockTable } from "./lock-table.js";
import type { LockRequest } from "./request.js";
import { printOf } from "./request-print.js";
import type { Waits } from "./waits.js";

export interface ResizingParts {
  readonly draft: Draft;
  readonly table: LockTable;
  readonly waits: Waits;
  readonly granting: Granting;
  readonly acquiring: Acquiring;
}

export class Resizing {
  readonly #parts: ResizingParts;

  constructor(parts: ResizingParts) {
    this.#parts = parts;
  }

  resize(session: Session, ask: ResizeCommand, now: Instant): void {
    const { draft, table, waits, granting, acquiring } = this.#parts;
    if (acquiring.finishedBefore(session, ask)) return;
    const { key, name, slots, connection: to, request } = ask;
    const lock = table.lockOf(name);
    const refusal = this.#unfit(lock);
    if (refusal !== undefined) {
      table.forgetIfIdle(lock);
      return waits.refuse(session, ask, refusal);
    }
    const before = lock.slots;
    draft.ledger.push({ kind: "capacity", row: table.capacities.set(lock, slots) });
    table.history.noteWhy(lock, { kind: "resized", reason: slotsText(slots) }, { session }, now);
    const fewer = mismatch(name, `has only ${slotsText(slots)} now`, slots);
    for (const { request: waiting, take } of [...(lock.queue ?? [])])
      if (take > slots) acquiring.refuseWaiting(waiting, "cancelled", fewer, now);
    if (slots < before) acquiring.refuseStuck(waitsOf(lock), now);
    granting.wake(lock, now);
    session.finished.add(key, printOf(ask), { kind: "resized", slots });
    draft.send.push({ kind: "resized", to, request, slots });
  }

  #unfit(lock: Lock): Refusal | undefined {
    if (lock.slots > 0) return undefined;
    if (!lock.idle) return mismatch(lock.name, "is locked without slots", null);
    return this.#parts.table.capacities.full(lock.name);
  }
}

/** Who is away is looked at when it is back. */
function waitsOf(lock: Lock): readonly LockRequest[] {
  return [...(lock.queue ?? [])].filter(({ here }) => here).map(({ request }) => request);
}
