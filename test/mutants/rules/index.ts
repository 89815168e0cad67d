/**
 * The rules that the broker is built on, and each way to take one out. Their numbers are those that the comments in src/
 * give. What the tests said to each is in test/RULES-REMOVED.md; `npm run mutants -- --rules` looks again.
 */
import type { Removal } from "../removal.js";
import { disk } from "./disk.js";
import { operations } from "./operations.js";
import { order } from "./order.js";
import { promises } from "./promises.js";
import { writers } from "./writers.js";

/** What each rule asks for, shortly. */
export const rules: ReadonlyMap<number, string> = new Map([
  [1, "The first act of every writer is one durable write; before it nothing is settled, read or granted."],
  [2, "There is one writer: it holds a lock of its own, orphans are killed, and each batch looks at the epoch."],
  [
    3,
    "A request that takes the whole transaction away takes no neighbour with it, and no answer leaves before COMMIT.",
  ],
  [4, "A read follows the writes that were sent before it, and sees all that was acknowledged to anybody."],
  [5, "The fence is checked at dispatch; a grant that ended is not given on before what it sent is settled."],
  [6, "A key is executed once: also when it comes again on another connection, or when its session has ended."],
  [7, "What changes a connection, or how others are judged, runs in a transaction of its own."],
  [8, "When a writer dies the statement that ran is told and not run again; all others are, in the old order."],
  [9, "After a failed sync all children end and the log is folded anew before anything else is acknowledged."],
  [10, "The ledger is written before anything that follows from it is sent."],
  [11, "Time in which the broker stood still counts for nobody, and an end is confirmed before it is one."],
  [12, "A process that is dead is seen to be dead, and one that cannot be seen is not taken to be."],
  [13, "What the ledger cannot hold is not told; what it does not know is not granted at once."],
  [14, "No token is given twice, also when files were put back; no grant waits for the disk."],
  [15, "A transaction is undone at once when its lock, its client or its time is gone, and committed once."],
  [16, "Nobody takes the readers, the log or the shared connections away from the others."],
  [17, "A signal to the whole group ends the broker in good order."],
  [18, "Busy is not dead."],
  [19, "A file that SQLite has locked is not opened by other means."],
  [
    24,
    "Only processes that carry the lock's own token are ended with it, and the next grant waits until they are gone.",
  ],
  [26, "Who else has the database locked is named, and nobody waits for it without end."],
]);

export const removals: readonly Removal[] = [...disk, ...writers, ...order, ...promises, ...operations].toSorted(
  (one, other) => Number.parseInt(one.id, 10) - Number.parseInt(other.id, 10),
);
