/**
 * What programs did and saw, to be judged as one story. Each operation is one transaction in the sense of the promise,
 * however it was said: a statement, a batch, a transaction. Lists are appended to and read whole, so that what was read
 * tells which appends came before; instants are of one steady clock (ms).
 */

export type Micro =
  | { readonly kind: "append"; readonly key: string; readonly value: number }
  | { readonly kind: "read"; readonly key: string; readonly values: readonly number[] };

export interface Operation {
  readonly id: number;
  /** Who asked: one connection after the other, if that was lost. */
  readonly session: number;
  /** Its place among what the session asked, in the order of asking. */
  readonly place: number;
  /** `plain`: promise 3 speaks of it; a transaction lives on its own. */
  readonly form: "plain" | "transaction";
  readonly askedAt: number;
  /** Infinite when nobody was told an outcome. */
  readonly answeredAt: number;
  readonly outcome: "done" | "not done" | "unknown";
  readonly micros: readonly Micro[];
}

/** The money of all accounts, as it was seen at once. */
export interface Balance {
  readonly sums: readonly number[];
}

export interface History {
  readonly operations: readonly Operation[];
  /** What the lists held at the end, when nobody wrote any more. */
  readonly final: ReadonlyMap<string, readonly number[]>;
  readonly balances: readonly Balance[];
  /** What all accounts had together at the beginning. */
  readonly money: number;
}
