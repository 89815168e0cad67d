/**
 * One transaction that only reads: all of it from one snapshot, in a process of its own.
 *
 *            begin          its turn             the snapshot is there
 *   (none) ────────► asked ──────────► opening ────────────────────────► open ──commit, rollback──► over
 *                      │                  │ its process died: once more     │
 *                      │ refused          │ refused                         │ too old, in the way, its process died
 *                      ▼                  ▼                                 ▼
 *                     over               over                           poisoned ──rollback, commit──► over
 *
 * A connection that is lost, and the end of the session, end it at once. A deferred one goes to the writer with its first
 * write (src/core/writes/transaction.ts): what runs in its snapshot then is waited for, and nobody else knows it here.
 *
 * | state    | what holds                                                                    | who may end it               |
 * |----------|-------------------------------------------------------------------------------|------------------------------|
 * | asked    | it waits for the writes before it, or for a process; its steps are kept        | its turn, its client         |
 * | opening  | it has a process, which has its begin and the steps behind it                   | the process, its client      |
 * | open     | its begin is answered; its steps run in their order                            | its client, time, the log    |
 * | poisoned | it has no snapshot; whatever is asked of it is refused with what was the reason | its client, who closes it    |
 * | over     | nobody knows it any more                                                        | nobody                       |
 */
import type { Millis, Refusal, Seq, TransactionNumber } from "../../terms/index.js";
import type { Asker, BeginCommand, Fence, Parcel } from "../command.js";
import type { Session } from "../sessions/session.js";
import type { Borrower, Run, Snapshot } from "./snapshot.js";

export type ReadTransactionState =
  | { readonly kind: "asked" }
  | { readonly kind: "opening"; readonly snapshot: Snapshot; readonly run: Run }
  | { readonly kind: "open"; readonly snapshot: Snapshot; readonly seq: Seq; readonly commits: number }
  | { readonly kind: "poisoned" | "over"; readonly refusal: Refusal };

/** What is asked of it. A stream is another's: it only runs here. */
export type ReadStep =
  | {
      readonly kind: "run";
      readonly asker: Asker;
      readonly parcel: Parcel;
      readonly timeoutMs: Millis | undefined;
      readonly control: boolean;
      run: Run | undefined;
    }
  | { readonly kind: "stream"; readonly stream: Borrower }
  | {
      readonly kind: "commit";
      readonly asker: Asker;
      /** Locks that are given back with it, after the writes that its session had sent by then. */
      readonly release: readonly Fence[] | undefined;
      readonly order: number;
    }
  | { readonly kind: "rollback"; readonly asker: Asker };

export interface ReadTransaction extends Borrower {
  readonly session: Session;
  readonly number: TransactionNumber;
  readonly begin: BeginCommand;
  state: ReadTransactionState;
  /** What has not gone to the process, in order. */
  readonly queue: ReadStep[];
  /** With the process and not answered, in order; no streams. */
  readonly given: Extract<ReadStep, { kind: "run" }>[];
  /** What was done to its savepoints, in order: of a deferred one, to be done again where it writes. */
  readonly controls: Extract<ReadStep, { kind: "run" }>[];
  /** The one that is asked for or open. */
  stream: Borrower | undefined;
  /** How many processes have died while they opened it. */
  deaths: number;
}

/** The snapshot that it has, if it has one. */
export function snapshotOf({ state }: ReadTransaction): Snapshot | undefined {
  return state.kind === "opening" || state.kind === "open" ? state.snapshot : undefined;
}

/** The table above, as assertions. */
export function checkReadTransaction(transaction: ReadTransaction): void {
  const { state, number, session, given, queue, stream } = transaction;
  const wrong = (what: string) => new Error(`read transaction ${number} of ${session.id} is ${state.kind}, ${what}`);
  const snapshot = snapshotOf(transaction);
  if (snapshot !== undefined && snapshot.borrower !== transaction) throw wrong("and its snapshot is another's");
  if (snapshot === undefined && given.length > 0) throw wrong("and a process has something of it");
  if (state.kind === "over") throw wrong("and is still listed");
  if (state.kind === "poisoned" && (queue.length > 0 || stream !== undefined))
    throw wrong("and something waits for it");
  const head = queue[0];
  if (state.kind !== "open" || head === undefined || given.length > 0) return;
  if (head.kind !== "stream" || state.snapshot.opening === 0) throw wrong("and what could be done is not");
}
