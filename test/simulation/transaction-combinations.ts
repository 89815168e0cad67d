/**
 * What can come of what is asked in a transaction, by what that is when it is asked: one that only reads, a deferred one
 * that has only read, the same when it writes, one that was begun to write; `gone`: of a commit that comes on another
 * connection, `again`: the same while the first is with the writer. The lines of combinations.ts without a state count the
 * same once more, all together.
 */

/** Behind the bar: too rare to ask for in a run of ordinary length. */
export const transactionTable = `
tx-begin       read      TX_LOST begun | CANCELLED NOT_READY READER_UNAVAILABLE SESSION_EXPIRED SHUTTING_DOWN SNAPSHOT_ENDED TX_EXPIRED
tx-begin       deferred  FORBIDDEN TX_LOST begun | CANCELLED DISK_FULL FENCED NOT_READY READER_UNAVAILABLE SESSION_EXPIRED SHUTTING_DOWN SNAPSHOT_ENDED TX_EXPIRED WRITER_UNAVAILABLE
tx-begin       write     DISK_FULL FORBIDDEN TX_LOST begun | CANCELLED FENCED NOT_READY SESSION_EXPIRED SHUTTING_DOWN WRITER_UNAVAILABLE
tx-read        read      SQLITE_ERROR TX_LOST answer | CANCELLED NOT_READY READER_UNAVAILABLE SESSION_EXPIRED SHUTTING_DOWN SNAPSHOT_ENDED STATEMENT_CRASHED STATEMENT_TIMEOUT TX_EXPIRED TX_ROLLED_BACK
tx-read        deferred  SQLITE_ERROR TX_LOST answer | CANCELLED DISK_FAILED DISK_FULL FENCED NOT_READY READER_UNAVAILABLE SESSION_EXPIRED SHUTTING_DOWN SNAPSHOT_ENDED SQLITE_CONSTRAINT STATEMENT_CRASHED STATEMENT_TIMEOUT TX_EXPIRED TX_ROLLED_BACK WRITER_UNAVAILABLE
tx-read        writing   answer | CANCELLED DISK_FAILED DISK_FULL FENCED NOT_READY SESSION_EXPIRED SHUTTING_DOWN SNAPSHOT_ENDED SQLITE_BUSY_SNAPSHOT SQLITE_CONSTRAINT STATEMENT_CRASHED STATEMENT_TIMEOUT TX_EXPIRED TX_LOST TX_ROLLED_BACK WRITER_UNAVAILABLE
tx-read        write     SQLITE_CONSTRAINT TX_LOST answer | CANCELLED DISK_FAILED DISK_FULL FENCED NOT_READY SESSION_EXPIRED SHUTTING_DOWN STATEMENT_CRASHED STATEMENT_TIMEOUT TX_EXPIRED TX_ROLLED_BACK WRITER_UNAVAILABLE
tx-savepoint   read      answer | CANCELLED NOT_READY READER_UNAVAILABLE SESSION_EXPIRED SHUTTING_DOWN SNAPSHOT_ENDED STATEMENT_CRASHED STATEMENT_TIMEOUT TX_EXPIRED TX_LOST TX_ROLLED_BACK
tx-savepoint   deferred  TX_LOST answer | CANCELLED DISK_FAILED DISK_FULL FENCED NOT_READY READER_UNAVAILABLE SESSION_EXPIRED SHUTTING_DOWN SNAPSHOT_ENDED STATEMENT_CRASHED STATEMENT_TIMEOUT TX_EXPIRED TX_ROLLED_BACK WRITER_UNAVAILABLE
tx-savepoint   writing   answer | CANCELLED DISK_FAILED DISK_FULL FENCED NOT_READY SESSION_EXPIRED SHUTTING_DOWN SNAPSHOT_ENDED SQLITE_BUSY_SNAPSHOT STATEMENT_CRASHED STATEMENT_TIMEOUT TX_EXPIRED TX_LOST TX_ROLLED_BACK WRITER_UNAVAILABLE
tx-savepoint   write     TX_LOST answer | CANCELLED DISK_FAILED DISK_FULL FENCED NOT_READY SESSION_EXPIRED SHUTTING_DOWN STATEMENT_CRASHED STATEMENT_TIMEOUT TX_EXPIRED TX_ROLLED_BACK WRITER_UNAVAILABLE
tx-write       read      READ_ONLY | NOT_READY SNAPSHOT_ENDED TX_EXPIRED TX_LOST TX_ROLLED_BACK
tx-write       deferred  SQLITE_CONSTRAINT TX_LOST answer | CANCELLED DISK_FAILED DISK_FULL FENCED NOT_READY SESSION_EXPIRED SHUTTING_DOWN SNAPSHOT_ENDED SQLITE_BUSY_SNAPSHOT STATEMENT_CRASHED STATEMENT_TIMEOUT TX_EXPIRED TX_ROLLED_BACK WRITER_UNAVAILABLE
tx-write       writing   answer | CANCELLED DISK_FAILED DISK_FULL FENCED NOT_READY SESSION_EXPIRED SHUTTING_DOWN SNAPSHOT_ENDED SQLITE_BUSY_SNAPSHOT SQLITE_CONSTRAINT STATEMENT_CRASHED STATEMENT_TIMEOUT TX_EXPIRED TX_LOST TX_ROLLED_BACK WRITER_UNAVAILABLE
tx-write       write     SQLITE_CONSTRAINT TX_LOST answer | CANCELLED DISK_FAILED DISK_FULL FENCED NOT_READY SESSION_EXPIRED SHUTTING_DOWN STATEMENT_CRASHED STATEMENT_TIMEOUT TX_EXPIRED TX_ROLLED_BACK WRITER_UNAVAILABLE
tx-stream      read      SQLITE_ERROR TX_LOST answer | CANCELLED NOT_READY READER_UNAVAILABLE SESSION_EXPIRED SHUTTING_DOWN SNAPSHOT_ENDED STATEMENT_CRASHED STATEMENT_TIMEOUT TX_EXPIRED TX_ROLLED_BACK
tx-stream      deferred  TX_LOST answer | CANCELLED NOT_READY READER_UNAVAILABLE SESSION_EXPIRED SHUTTING_DOWN SNAPSHOT_ENDED SQLITE_ERROR STATEMENT_CRASHED STATEMENT_TIMEOUT TX_EXPIRED TX_ROLLED_BACK
tx-commit      read      TX_EXPIRED committed | CANCELLED NOT_READY READER_UNAVAILABLE SESSION_EXPIRED SHUTTING_DOWN SNAPSHOT_ENDED TX_LOST TX_ROLLED_BACK
tx-commit      deferred  committed | CANCELLED CONNECTION_LOST DISK_FAILED NOT_READY READER_UNAVAILABLE SESSION_EXPIRED SHUTTING_DOWN SNAPSHOT_ENDED STATEMENT_CRASHED STATEMENT_TIMEOUT TX_EXPIRED TX_LOST TX_ROLLED_BACK WRITER_UNAVAILABLE
tx-commit      writing   answer | CANCELLED CONNECTION_LOST DISK_FAILED DISK_FULL FENCED NOT_READY OUTCOME_UNKNOWN SESSION_EXPIRED SHUTTING_DOWN SNAPSHOT_ENDED SQLITE_BUSY_SNAPSHOT STATEMENT_CRASHED STATEMENT_TIMEOUT TX_EXPIRED TX_LOST TX_ROLLED_BACK WRITER_UNAVAILABLE
tx-commit      write     TX_EXPIRED TX_LOST TX_ROLLED_BACK answer | CANCELLED CONNECTION_LOST DISK_FAILED DISK_FULL FENCED NOT_READY OUTCOME_UNKNOWN RETRY_TOO_OLD SESSION_EXPIRED SHUTTING_DOWN STATEMENT_CRASHED STATEMENT_TIMEOUT WRITER_UNAVAILABLE
tx-commit      gone      TX_LOST answer | CANCELLED CONNECTION_LOST DISK_FAILED DISK_FULL FENCED NOT_READY OUTCOME_UNKNOWN RETRY_TOO_OLD SESSION_EXPIRED SHUTTING_DOWN SQLITE_BUSY_SNAPSHOT STATEMENT_CRASHED STATEMENT_TIMEOUT TX_EXPIRED TX_ROLLED_BACK WRITER_UNAVAILABLE
tx-commit      again     answer | CANCELLED CONNECTION_LOST DISK_FAILED DISK_FULL FENCED NOT_READY OUTCOME_UNKNOWN RETRY_TOO_OLD SESSION_EXPIRED SHUTTING_DOWN SQLITE_BUSY_SNAPSHOT STATEMENT_CRASHED STATEMENT_TIMEOUT TX_EXPIRED TX_LOST TX_ROLLED_BACK WRITER_UNAVAILABLE
tx-rollback    read      rolled-back | NOT_READY
tx-rollback    deferred  rolled-back | NOT_READY
tx-rollback    writing   rolled-back | NOT_READY
tx-rollback    write     rolled-back | NOT_READY
tx-rollback    gone       | NOT_READY rolled-back
`;

/** Why the outcomes that the table does not name cannot happen. */
export const impossibleInTransactions: readonly {
  readonly outcomes: string;
  readonly in: RegExp;
  readonly why: string;
}[] = [
  {
    in: /^tx-(begin|read|savepoint|write|stream|rollback) /,
    outcomes: "CONNECTION_LOST OUTCOME_UNKNOWN RETRY_TOO_OLD",
    why: "it has no key, and goes with its transaction",
  },
  {
    in: /^tx-(?!commit write)[a-z]+ (read|deferred|writing|write) /,
    outcomes: "RETRY_TOO_OLD",
    why: "its key was not acknowledged before it was asked for the first time, and does not get to a writer who knows its session as ended",
  },
  {
    in: /^tx-(begin|read|savepoint|stream|commit) read /,
    outcomes:
      "DISK_FULL FENCED SQLITE_BUSY_SNAPSHOT SQLITE_CONSTRAINT WRITER_UNAVAILABLE CONNECTION_LOST OUTCOME_UNKNOWN",
    why: "the writer never hears of it, and it relies on no lock",
  },
  {
    in: /^tx-(stream|commit) deferred /,
    outcomes: "DISK_FULL FENCED SQLITE_BUSY_SNAPSHOT SQLITE_CONSTRAINT OUTCOME_UNKNOWN",
    why: "it is answered by the snapshot, or with the end of that; what was refused its begin is only looked up by its key",
  },
  { in: /^tx-stream deferred /, outcomes: "CONNECTION_LOST WRITER_UNAVAILABLE", why: "it has no key" },
  {
    in: /^tx-commit (read|deferred) /,
    outcomes: "answer",
    why: "nothing runs for it",
  },
  { in: /^tx-commit read /, outcomes: "STATEMENT_CRASHED", why: "nor is it given to a process that may die" },
  { in: /^tx-commit read /, outcomes: "STATEMENT_TIMEOUT", why: "and nothing is looked up" },
  {
    in: /^tx-commit (writing|write|gone|again) /,
    outcomes: "committed",
    why: "the writer has committed it, and says so",
  },
  {
    in: /^tx-(read|savepoint) deferred /,
    outcomes: "SQLITE_BUSY_SNAPSHOT",
    why: "it is answered by the snapshot, or goes to a writer that has nothing to compare",
  },
  { in: /^tx-begin read /, outcomes: "FORBIDDEN", why: "every session may read" },
  { in: /^tx-begin deferred /, outcomes: "SQLITE_BUSY_SNAPSHOT", why: "it was answered before anything is compared" },
  {
    in: /^tx-[a-z]+ (writing|write|gone|again) /,
    outcomes: "READER_UNAVAILABLE",
    why: "it has a snapshot, or needs none",
  },
  { in: /^tx-write deferred /, outcomes: "READER_UNAVAILABLE", why: "it goes to the writer at once" },
  { in: /^tx-[a-z]+ write /, outcomes: "SNAPSHOT_ENDED SQLITE_BUSY_SNAPSHOT", why: "it never has a snapshot" },
  {
    in: /^tx-commit (gone|again) /,
    outcomes: "SNAPSHOT_ENDED",
    why: "nothing is left of a snapshot that it could have had",
  },
  { in: /^tx-begin write /, outcomes: "TX_EXPIRED", why: "its time runs when it is answered" },
  {
    in: /^tx-write read /,
    outcomes: "CANCELLED SESSION_EXPIRED SHUTTING_DOWN STATEMENT_TIMEOUT STATEMENT_CRASHED answer",
    why: "it is refused at once",
  },
  { in: /^tx-write read /, outcomes: "DISK_FULL FENCED SQLITE_BUSY_SNAPSHOT SQLITE_CONSTRAINT", why: "nor is it run" },
  { in: /^tx-write read /, outcomes: "READER_UNAVAILABLE WRITER_UNAVAILABLE", why: "so that it needs nobody" },
  { in: /^tx-savepoint /, outcomes: "SQLITE_CONSTRAINT", why: "it changes no row" },
  { in: /^tx-stream /, outcomes: "SQLITE_CONSTRAINT", why: "it only reads" },
];
