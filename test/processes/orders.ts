/** What a member of a crew is told, and what it tells back. */

export interface Order {
  /** URL of the library to import. */
  readonly library: string;
  /** The broker's directory. */
  readonly dir: string;
  readonly member: number;
  /** The member's own record of what was acknowledged; it writes it with fsync. */
  readonly ledger: string;
  /** Whether a member may start a broker when none runs. */
  readonly start: boolean;
  /** What the member does over and over. */
  readonly works: readonly Work[];
  /** A refusal with one of these codes, and surely not applied, is noted and no failure. */
  readonly forgiven: readonly string[];
  /** Also one of which nobody knows whether it was applied: the broker is killed, so what runs may have been sent before. */
  readonly mayBeUnknown: boolean;
  /** Of one that was killed, and whose place this one takes. */
  readonly before: { readonly member: number; readonly ledger: string } | undefined;
}

/**
 * `inserts`: rows of its own. `counter`: adds 1 to its own counter. `fenced`: reads the shared counter and writes one more, under a lock.
 * `transactions`: three rows by three statements, and each fifth time it thinks better of it. `named`: rows under keys of its own
 * making; who takes its place asks for those again of which it does not know.
 */
export type Work = "inserts" | "counter" | "fenced" | "transactions" | "named";

export type ToMember = { readonly kind: "begin"; readonly order: Order } | { readonly kind: "finish" };

export type FromMember =
  | { readonly kind: "listening" }
  | { readonly kind: "connected" }
  /** So many operations were acknowledged so far. */
  | { readonly kind: "acknowledged"; readonly count: number }
  | { readonly kind: "done" }
  | { readonly kind: "failed"; readonly error: string };

/**
 * One line of a ledger: an operation and how it ended. `sent` is written before, `ok` after the acknowledgement, `no`
 * when it was surely not applied, `unknown` when nobody can tell.
 */
export interface LedgerLine {
  readonly work: Work;
  /** The number that the member gave it: the row's, the counter's value, the shared counter's value. */
  readonly n: number;
  readonly end: "sent" | "ok" | "no" | "unknown";
  readonly token?: number;
  /** Whose work it was, when it is asked for again by another. */
  readonly of?: number;
}
