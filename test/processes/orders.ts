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
  /** A refusal with this code, and surely not applied, is noted and no failure. */
  readonly forgiven: string | undefined;
}

/** `inserts`: rows of its own. `counter`: adds 1 to its own counter. `fenced`: reads the shared counter and writes one more, under a lock. */
export type Work = "inserts" | "counter" | "fenced";

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
}
