/** What those are told whose snapshot is over though they have not given it back. */
import { type Refusal, refuse, type TransactionNumber } from "../../terms/index.js";
import type { SnapshotEnd } from "./snapshot.js";

/** What is refused from then on of a transaction, or its begin when that is not answered. */
export function endOfTransaction(
  number: TransactionNumber,
  end: SnapshotEnd,
  { reason, begun }: { readonly reason: string; readonly begun: boolean },
): Refusal {
  const details = { tx: number, why: end };
  const its = `the snapshot of transaction ${number}`;
  switch (end) {
    case "aged":
    case "crowded":
      return refuse("TX_EXPIRED", `${its} was ended: ${reason}`, details);
    case "fold":
    case "disk":
      return refuse("SNAPSHOT_ENDED", `${its} was ended: ${reason}`, details);
    case "timeout":
    case "cancel":
    case "crashed":
      return refuse("TX_LOST", `${its} is gone with its process: ${reason}`, details);
    case "unavailable":
      return refuse("READER_UNAVAILABLE", `no process can be had for ${its}: ${reason}`, { reason });
    case "closing":
      return begun ? refuse("TX_LOST", `${its} was ended: ${reason}`, details) : refuse("SHUTTING_DOWN", reason);
    case "over":
      throw new Error("a transaction borrows from nobody but the table of processes");
  }
}

/** What ran in it when that was the reason; absent when it was not. */
export function endOfStatement(end: SnapshotEnd, reason: string): Refusal | undefined {
  switch (end) {
    case "timeout":
      return refuse("STATEMENT_TIMEOUT", "the statement ran out of its time and was ended");
    case "cancel":
      return refuse("CANCELLED", "the statement was cancelled while it ran");
    case "crashed":
      return refuse("STATEMENT_CRASHED", `the process that ran the statement died: ${reason}`);
    default:
      return undefined;
  }
}

export function endOfStream(end: SnapshotEnd, reason: string): Refusal {
  switch (end) {
    case "aged":
    case "crowded":
    case "fold":
    case "disk":
      return refuse("SNAPSHOT_ENDED", `the snapshot of the stream was ended: ${reason}`, { why: end });
    case "timeout":
      return refuse("STATEMENT_TIMEOUT", "the statement ran out of its time without a row and was ended");
    case "cancel":
      return refuse("CANCELLED", "the stream was cancelled");
    case "crashed":
      return refuse("STATEMENT_CRASHED", `the process that ran the statement died: ${reason}`);
    case "unavailable":
      return refuse("READER_UNAVAILABLE", `no process can be had for the stream: ${reason}`, { reason });
    case "closing":
      return refuse("SHUTTING_DOWN", reason);
    case "over":
      return refuse("TX_LOST", `the transaction of the stream is over: ${reason}`);
  }
}
