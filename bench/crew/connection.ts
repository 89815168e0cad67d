/** What a member of the crew does over and over, and what the contestants must be able to do for that. */
import type { Order, Work } from "./order.js";

export interface Connection {
  /** One operation. */
  readonly step: () => Promise<void> | void;
  /** What counts as the duration of the last step (µs); the time until it was answered when absent. */
  readonly waitedUs?: () => number;
  readonly close: () => Promise<void> | void;
  /** How many operations a step stands for (1). */
  readonly perStep?: number;
  /** How often a lock came from another so far. */
  readonly changes?: () => number;
}

/** Opens what one connection of an order needs. */
export type Workload = (order: Order, connection: number) => Promise<Connection>;

/** The work that is not made of locks, for those contestants that can do it. */
export type Workloads = { readonly [Name in Work]?: Workload };

/** One client of a lock service. */
export interface Locker {
  /** Resolves when the lock is held, to the way to give it back. */
  lock(name: string): Promise<() => Promise<void>>;
  close(): Promise<void> | void;
}

export type OpenLocker = (order: Order, connection: number) => Promise<Locker>;

export const rowsOfStock = 10_000;
export const rowsOfRange = 100;
export const note = "a row of about the size that small programs write";

export const statements = {
  write: "insert into written (member, n, note) values (?, ?, ?)",
  read: "select id, note from stock where id = ?",
  range: "select id, note from stock where id >= ? and id < ?",
} as const;

/** Different for every connection of every process, and the same in every run. */
export function number({ member }: Order, connection: number): number {
  return member * 1000 + connection;
}

/** Rows to be looked for, spread over the table. */
export function* keysOf(order: Order, connection: number, most = rowsOfStock): Generator<number, never> {
  for (let n = number(order, connection) * 7919; ; n += 13) yield n % most;
}

/** Nine reads, then a write. */
export function mixed(read: () => Promise<void> | void, write: () => Promise<void> | void): Connection["step"] {
  let n = 0;
  return () => (++n % 10 === 0 ? write() : read());
}

export function mustBe(present: boolean): void {
  if (!present) throw new Error("a row that must be there is not");
}
