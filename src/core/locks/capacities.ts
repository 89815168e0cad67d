/**
 * How many slots a semaphore has. That belongs to the name: the first who says it fixes it, whoever says another is
 * refused, and it is remembered when nobody uses it, until the machine restarts.
 */
import { type Limits, type LockName, type Refusal, refuse } from "../../terms/index.js";
import type { Claim } from "../command.js";
import type { CapacityRow } from "../turn.js";
import type { Lock } from "./lock.js";
import { quote } from "./lock-view.js";

export class Capacities {
  readonly #limits: Limits;
  readonly #slots = new Map<LockName, number>();

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** 0: the name is no semaphore. */
  of(name: LockName): number {
    return this.#slots.size === 0 ? 0 : (this.#slots.get(name) ?? 0);
  }

  restore({ name, slots }: CapacityRow): void {
    this.#slots.set(name, slots);
  }

  set(lock: Lock, slots: number): CapacityRow {
    this.#slots.set(lock.name, slots);
    lock.slots = slots;
    return { name: lock.name, slots };
  }

  /** Why this lock cannot be claimed so, however long one waits. */
  unfit({ name, mode, slots, take = 1 }: Claim, lock: Lock): Refusal | undefined {
    if (mode !== "semaphore")
      return lock.slots === 0
        ? undefined
        : mismatch(name, `has ${slotsText(lock.slots)}, it cannot be locked ${mode}`, lock.slots);
    if (lock.slots === 0) return this.#unfixed(lock, { slots, take });
    if (slots !== undefined && slots !== lock.slots)
      return mismatch(name, `has ${slotsText(lock.slots)}, not ${slots}`, lock.slots);
    return take <= lock.slots
      ? undefined
      : mismatch(name, `has ${slotsText(lock.slots)}, ${take} are asked for`, lock.slots);
  }

  #unfixed(lock: Lock, { slots, take }: { slots: number | undefined; take: number }): Refusal | undefined {
    const { name } = lock;
    if (!lock.idle) return mismatch(name, "is locked without slots", null);
    if (slots === undefined) return mismatch(name, "has no slots yet; say how many when it is locked first", null);
    if (take > slots) return mismatch(name, `is to have ${slotsText(slots)}, ${take} are asked for`, slots);
    return this.full(name);
  }

  /** Why one more name cannot be remembered. */
  full(name: LockName): Refusal | undefined {
    const { semaphoresMax } = this.#limits;
    if (this.#slots.size < semaphoresMax || this.#slots.has(name)) return undefined;
    const message = `${semaphoresMax} names have slots already, ${quote(name)} is one too many`;
    return refuse("LOCKS_FULL", message, { limit: "semaphoresMax", name });
  }
}

export function slotsText(slots: number): string {
  return slots === 1 ? "1 slot" : `${slots} slots`;
}

export function mismatch(name: LockName, what: string, slots: number | null): Refusal {
  return refuse("SLOTS_MISMATCH", `${quote(name)} ${what}`, { name, slots });
}
