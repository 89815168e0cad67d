/**
 * Interactive transactions. The client names each by a number that rises in its session, so that begin, statements and
 * commit can be sent without waiting for each other's answers.
 */
import type { Method } from "../method.js";
import * as is from "../schema.js";
import type { BatchResult, BatchStatement, StatementParams, StatementResult } from "./db.js";
import type { HeldLock } from "./session.js";
import {
  atomic,
  fence,
  key,
  ofSql,
  release,
  results,
  statement,
  statementResult,
  statements,
  timeoutMs,
} from "./sql-fields.js";
import type { StreamParams, StreamResult } from "./stream.js";
import { streaming, streamResult } from "./stream-fields.js";

export interface TxBeginParams {
  readonly tx: number;
  readonly mode: "read" | "write" | "deferred";
  readonly fence?: readonly HeldLock[];
  readonly timeoutMs?: number;
}

export interface TxBeginResult {
  readonly tx: number;
  /** Of one that reads: the last commit that it sees. */
  readonly seq?: number;
}

export interface TxExecuteParams extends StatementParams {
  readonly tx: number;
  readonly rowsMax?: number;
  readonly timeoutMs?: number;
}

export interface TxBatchParams {
  readonly tx: number;
  readonly statements: readonly BatchStatement[];
  readonly atomic?: boolean;
  readonly timeoutMs?: number;
}

export interface TxStreamParams extends StreamParams {
  readonly tx: number;
}

export interface TxCommitParams {
  readonly tx: number;
  readonly key?: number | string;
  readonly keepMs?: number;
  readonly ack?: number;
  readonly release?: readonly HeldLock[];
}

export interface TxCommitResult {
  /** Which commit it is, in the one order of all; rises for ever. */
  readonly seq: number;
}

export interface TxRollbackParams {
  readonly tx: number;
}

const tx = is.WholeNumber("The transaction, by the number that the client gave it", 1);

/** What becomes of a transaction that does not come to its end. */
const ofTransactions = [
  "TX_LOST",
  "TX_EXPIRED",
  "TX_ROLLED_BACK",
  "SNAPSHOT_ENDED",
  "SQLITE_BUSY_SNAPSHOT",
  "FENCED",
] as const;

const ofSteps = [
  ...ofSql,
  ...ofTransactions,
  "READ_ONLY",
  "SQLITE_CONSTRAINT",
  "WRITER_UNAVAILABLE",
  "DISK_FULL",
] as const;

export const txMethods = {
  "tx.begin": {
    summary: "Begins a transaction. It is answered when it has the writer to itself, or its snapshot is open.",
    params: is.schemaOf<TxBeginParams>()(
      is.ObjectOf({
        tx: is.WholeNumber("A number of the client's own, larger than all before in the session", 1),
        mode: is.OneOf(
          ["read", "write", "deferred"],
          "`read`: all of it sees one snapshot, and nobody waits for it; `write`: nobody else writes until it is over; `deferred`: it reads until its first write, and writes from then on if nothing was committed since",
        ),
        fence: fence("Of one that writes: locks that must be held under these tokens until it is committed"),
        timeoutMs: is.Optional(
          is.WholeNumber("How long it may be open, at most the limit txMs, of one that reads snapshotMs", 1),
        ),
      }),
    ),
    result: is.schemaOf<TxBeginResult>()(
      is.ObjectOf({ tx, seq: is.Optional(is.WholeNumber("Of one that reads: the last commit that it sees")) }),
    ),
    keyed: "never",
    beforeHello: false,
    refusals: [
      ...ofTransactions,
      "TRANSACTIONS_FULL",
      "READER_UNAVAILABLE",
      "NAME_INVALID",
      "SQLITE_BUSY",
      "WRITER_UNAVAILABLE",
      "DISK_FULL",
      "DISK_FAILED",
    ],
  } satisfies Method<TxBeginParams, TxBeginResult>,
  "tx.execute": {
    summary: "Runs one statement in a transaction; also SAVEPOINT, RELEASE and ROLLBACK TO.",
    params: is.schemaOf<TxExecuteParams>()(
      is.ObjectOf({
        tx,
        ...statement,
        rowsMax: is.Optional(is.WholeNumber("Stop after so many rows", 1)),
        timeoutMs,
      }),
    ),
    result: is.schemaOf<StatementResult>()(is.ObjectOf(statementResult)),
    keyed: "never",
    beforeHello: false,
    refusals: ofSteps,
  } satisfies Method<TxExecuteParams, StatementResult>,
  "tx.batch": {
    summary:
      "Runs several statements in a transaction: all of them, or none, if nothing else is said. It stays open either way.",
    params: is.schemaOf<TxBatchParams>()(is.ObjectOf({ tx, statements, atomic, timeoutMs })),
    result: is.schemaOf<BatchResult>()(is.ObjectOf({ results })),
    keyed: "never",
    beforeHello: false,
    refusals: ofSteps,
  } satisfies Method<TxBatchParams, BatchResult>,
  "tx.stream": {
    summary:
      "Streams the rows of one statement from the snapshot of a transaction that only reads, one stream at a time; else as db.stream.",
    params: is.schemaOf<TxStreamParams>()(is.ObjectOf({ tx, ...streaming })),
    result: is.schemaOf<StreamResult>()(is.ObjectOf(streamResult)),
    keyed: "never",
    beforeHello: false,
    refusals: [...ofSql, "READ_ONLY", ...ofTransactions],
  } satisfies Method<TxStreamParams, StreamResult>,
  "tx.commit": {
    summary:
      "Commits a transaction: answered when it is on disk. Its key is looked up before the transaction. One that only reads just ends.",
    params: is.schemaOf<TxCommitParams>()(
      is.ObjectOf({
        tx,
        ...key("The request key, under which the commit can be asked for again"),
        ack: is.Ack,
        release,
      }),
    ),
    result: is.schemaOf<TxCommitResult>()(
      is.ObjectOf({
        seq: is.WholeNumber(
          "Which commit it is, in the one order of all; rises for ever. Of one that only read: the last that it saw",
        ),
      }),
    ),
    keyed: "when-writing",
    beforeHello: false,
    refusals: [
      ...ofTransactions,
      "SQLITE_CONSTRAINT",
      "SQLITE_BUSY",
      "KEY_REUSED",
      "RETRY_TOO_OLD",
      "OUTCOME_UNKNOWN",
      "NAME_INVALID",
      "WRITER_UNAVAILABLE",
      "DISK_FULL",
      "DISK_FAILED",
    ],
  } satisfies Method<TxCommitParams, TxCommitResult>,
  "tx.rollback": {
    summary: "Ends a transaction and undoes it. Succeeds also when there is nothing to be undone any more.",
    params: is.schemaOf<TxRollbackParams>()(is.ObjectOf({ tx })),
    result: is.schemaOf<object>()(is.Nothing),
    keyed: "never",
    beforeHello: false,
    refusals: [],
  } satisfies Method<TxRollbackParams, object>,
};
