/**
 * Everything that can come of a question: operation, how things stood (situations.ts), outcome; and how grants can end.
 * What can happen must have happened in a run of ordinary length; what is too rare for that stands behind the bar, and must
 * have happened in a long one or is at least known; all else cannot happen, and the reason is given below.
 *
 * A request for locks counts twice: by how it waits (acquire, -timed, -try), and by what it wants (steal, nested, guarded,
 * leased, several, exclusive, shared, semaphore: the first that it is).
 */
import { refusals } from "../../src/terms/index.js";
import type { Counts } from "./coverage.js";
import { impossibleInTransactions, transactionTable } from "./transaction-combinations.js";

/** Behind the bar: too rare to ask for in a run of ordinary length. */
const table = `
acquire        draining  granted | CANCELLED DEADLOCK DISK_FULL FORBIDDEN LOCKS_FULL NOT_READY QUEUE_FULL SESSION_EXPIRED SHUTTING_DOWN SLOTS_MISMATCH WRITER_UNAVAILABLE
acquire        ending     | CANCELLED DEADLOCK DISK_FULL FORBIDDEN LOCKS_FULL NOT_READY QUEUE_FULL SESSION_EXPIRED SHUTTING_DOWN SLOTS_MISMATCH WRITER_UNAVAILABLE granted
acquire        free      DISK_FULL LOCKS_FULL SHUTTING_DOWN SLOTS_MISMATCH granted | CANCELLED DEADLOCK FORBIDDEN NOT_READY QUEUE_FULL SESSION_EXPIRED WRITER_UNAVAILABLE
acquire        held      CANCELLED DEADLOCK DISK_FULL LOCKS_FULL QUEUE_FULL SESSION_EXPIRED SLOTS_MISMATCH granted | FORBIDDEN NOT_READY SHUTTING_DOWN WRITER_UNAVAILABLE
acquire        own       CANCELLED DEADLOCK DISK_FULL LOCKS_FULL QUEUE_FULL SESSION_EXPIRED SLOTS_MISMATCH granted | FORBIDDEN NOT_READY SHUTTING_DOWN WRITER_UNAVAILABLE
acquire        waited    granted | CANCELLED DEADLOCK DISK_FULL FORBIDDEN LOCKS_FULL NOT_READY QUEUE_FULL SESSION_EXPIRED SHUTTING_DOWN SLOTS_MISMATCH WRITER_UNAVAILABLE
acquire-timed  draining   | CANCELLED DEADLOCK DISK_FULL FORBIDDEN LOCKS_FULL LOCK_TIMEOUT NOT_READY QUEUE_FULL SESSION_EXPIRED SHUTTING_DOWN SLOTS_MISMATCH WRITER_UNAVAILABLE granted
acquire-timed  ending     | CANCELLED DEADLOCK DISK_FULL FORBIDDEN LOCKS_FULL LOCK_TIMEOUT NOT_READY QUEUE_FULL SESSION_EXPIRED SHUTTING_DOWN SLOTS_MISMATCH WRITER_UNAVAILABLE granted
acquire-timed  free      LOCKS_FULL SLOTS_MISMATCH granted | CANCELLED DEADLOCK DISK_FULL FORBIDDEN LOCK_TIMEOUT NOT_READY QUEUE_FULL SESSION_EXPIRED SHUTTING_DOWN WRITER_UNAVAILABLE
acquire-timed  held      CANCELLED DEADLOCK DISK_FULL LOCK_TIMEOUT QUEUE_FULL SLOTS_MISMATCH granted | FORBIDDEN LOCKS_FULL NOT_READY SESSION_EXPIRED SHUTTING_DOWN WRITER_UNAVAILABLE
acquire-timed  own       DEADLOCK LOCKS_FULL LOCK_TIMEOUT SLOTS_MISMATCH granted | CANCELLED DISK_FULL FORBIDDEN NOT_READY QUEUE_FULL SESSION_EXPIRED SHUTTING_DOWN WRITER_UNAVAILABLE
acquire-timed  waited     | CANCELLED DEADLOCK DISK_FULL FORBIDDEN LOCKS_FULL LOCK_TIMEOUT NOT_READY QUEUE_FULL SESSION_EXPIRED SHUTTING_DOWN SLOTS_MISMATCH WRITER_UNAVAILABLE granted
acquire-try    draining   | DISK_FULL FORBIDDEN LOCKS_FULL LOCK_HELD NOT_READY QUEUE_FULL SHUTTING_DOWN SLOTS_MISMATCH WRITER_UNAVAILABLE granted
acquire-try    ending     | DISK_FULL FORBIDDEN LOCKS_FULL LOCK_HELD NOT_READY QUEUE_FULL SHUTTING_DOWN SLOTS_MISMATCH WRITER_UNAVAILABLE granted
acquire-try    free      DISK_FULL LOCKS_FULL LOCK_HELD SLOTS_MISMATCH granted | FORBIDDEN NOT_READY QUEUE_FULL SHUTTING_DOWN WRITER_UNAVAILABLE
acquire-try    held      LOCK_HELD QUEUE_FULL SLOTS_MISMATCH granted | DISK_FULL FORBIDDEN LOCKS_FULL NOT_READY SHUTTING_DOWN WRITER_UNAVAILABLE
acquire-try    own       LOCKS_FULL LOCK_HELD SLOTS_MISMATCH granted | DISK_FULL FORBIDDEN NOT_READY QUEUE_FULL SHUTTING_DOWN WRITER_UNAVAILABLE
acquire-try    waited     | DISK_FULL FORBIDDEN LOCKS_FULL LOCK_HELD NOT_READY QUEUE_FULL SHUTTING_DOWN SLOTS_MISMATCH WRITER_UNAVAILABLE granted
exclusive      draining   | CANCELLED DEADLOCK DISK_FULL LOCKS_FULL LOCK_HELD LOCK_TIMEOUT NOT_READY QUEUE_FULL SESSION_EXPIRED SHUTTING_DOWN SLOTS_MISMATCH WRITER_UNAVAILABLE granted
exclusive      ending     | CANCELLED DEADLOCK DISK_FULL LOCKS_FULL LOCK_HELD LOCK_TIMEOUT NOT_READY QUEUE_FULL SESSION_EXPIRED SHUTTING_DOWN SLOTS_MISMATCH WRITER_UNAVAILABLE granted
exclusive      free      DISK_FULL SLOTS_MISMATCH granted | CANCELLED DEADLOCK LOCKS_FULL LOCK_HELD LOCK_TIMEOUT NOT_READY QUEUE_FULL SESSION_EXPIRED SHUTTING_DOWN WRITER_UNAVAILABLE
exclusive      held      CANCELLED LOCK_HELD LOCK_TIMEOUT QUEUE_FULL SESSION_EXPIRED granted | DEADLOCK DISK_FULL LOCKS_FULL NOT_READY SHUTTING_DOWN SLOTS_MISMATCH WRITER_UNAVAILABLE
exclusive      own       DEADLOCK LOCKS_FULL LOCK_HELD granted | CANCELLED DISK_FULL LOCK_TIMEOUT NOT_READY QUEUE_FULL SESSION_EXPIRED SHUTTING_DOWN SLOTS_MISMATCH WRITER_UNAVAILABLE
exclusive      waited     | CANCELLED DEADLOCK DISK_FULL LOCKS_FULL LOCK_HELD LOCK_TIMEOUT NOT_READY QUEUE_FULL SESSION_EXPIRED SHUTTING_DOWN SLOTS_MISMATCH WRITER_UNAVAILABLE granted
shared         draining   | CANCELLED DEADLOCK DISK_FULL LOCKS_FULL LOCK_HELD LOCK_TIMEOUT NOT_READY QUEUE_FULL SESSION_EXPIRED SHUTTING_DOWN SLOTS_MISMATCH WRITER_UNAVAILABLE granted
shared         ending     | CANCELLED DEADLOCK DISK_FULL LOCKS_FULL LOCK_HELD LOCK_TIMEOUT NOT_READY QUEUE_FULL SESSION_EXPIRED SHUTTING_DOWN SLOTS_MISMATCH WRITER_UNAVAILABLE granted
shared         free      LOCK_HELD SLOTS_MISMATCH granted | CANCELLED DEADLOCK DISK_FULL LOCKS_FULL LOCK_TIMEOUT NOT_READY QUEUE_FULL SESSION_EXPIRED SHUTTING_DOWN WRITER_UNAVAILABLE
shared         held      LOCK_HELD QUEUE_FULL granted | CANCELLED DEADLOCK DISK_FULL LOCKS_FULL LOCK_TIMEOUT NOT_READY SESSION_EXPIRED SHUTTING_DOWN SLOTS_MISMATCH WRITER_UNAVAILABLE
shared         own       DEADLOCK LOCKS_FULL LOCK_HELD granted | CANCELLED DISK_FULL LOCK_TIMEOUT NOT_READY QUEUE_FULL SESSION_EXPIRED SHUTTING_DOWN SLOTS_MISMATCH WRITER_UNAVAILABLE
shared         waited    granted | CANCELLED DEADLOCK DISK_FULL LOCKS_FULL LOCK_HELD LOCK_TIMEOUT NOT_READY QUEUE_FULL SESSION_EXPIRED SHUTTING_DOWN SLOTS_MISMATCH WRITER_UNAVAILABLE
semaphore      draining   | CANCELLED DEADLOCK DISK_FULL LOCKS_FULL LOCK_HELD LOCK_TIMEOUT NOT_READY QUEUE_FULL SESSION_EXPIRED SHUTTING_DOWN SLOTS_MISMATCH WRITER_UNAVAILABLE granted
semaphore      ending     | CANCELLED DEADLOCK DISK_FULL LOCKS_FULL LOCK_HELD LOCK_TIMEOUT NOT_READY QUEUE_FULL SESSION_EXPIRED SHUTTING_DOWN SLOTS_MISMATCH WRITER_UNAVAILABLE granted
semaphore      free      SLOTS_MISMATCH granted | CANCELLED DEADLOCK DISK_FULL LOCKS_FULL LOCK_HELD LOCK_TIMEOUT NOT_READY QUEUE_FULL SESSION_EXPIRED SHUTTING_DOWN WRITER_UNAVAILABLE
semaphore      held      SLOTS_MISMATCH granted | CANCELLED DEADLOCK DISK_FULL LOCKS_FULL LOCK_HELD LOCK_TIMEOUT NOT_READY QUEUE_FULL SESSION_EXPIRED SHUTTING_DOWN WRITER_UNAVAILABLE
semaphore      own       SLOTS_MISMATCH granted | CANCELLED DEADLOCK DISK_FULL LOCKS_FULL LOCK_HELD LOCK_TIMEOUT NOT_READY QUEUE_FULL SESSION_EXPIRED SHUTTING_DOWN WRITER_UNAVAILABLE
semaphore      waited     | CANCELLED DEADLOCK DISK_FULL LOCKS_FULL LOCK_HELD LOCK_TIMEOUT NOT_READY QUEUE_FULL SESSION_EXPIRED SHUTTING_DOWN SLOTS_MISMATCH WRITER_UNAVAILABLE granted
several        draining  granted | CANCELLED DEADLOCK DISK_FULL LOCKS_FULL LOCK_HELD LOCK_TIMEOUT NOT_READY QUEUE_FULL SESSION_EXPIRED SHUTTING_DOWN SLOTS_MISMATCH WRITER_UNAVAILABLE
several        ending     | CANCELLED DEADLOCK DISK_FULL LOCKS_FULL LOCK_HELD LOCK_TIMEOUT NOT_READY QUEUE_FULL SESSION_EXPIRED SHUTTING_DOWN SLOTS_MISMATCH WRITER_UNAVAILABLE granted
several        free      DISK_FULL LOCKS_FULL LOCK_HELD SHUTTING_DOWN SLOTS_MISMATCH granted | CANCELLED DEADLOCK LOCK_TIMEOUT NOT_READY QUEUE_FULL SESSION_EXPIRED WRITER_UNAVAILABLE
several        held      CANCELLED DISK_FULL LOCKS_FULL LOCK_HELD LOCK_TIMEOUT QUEUE_FULL SESSION_EXPIRED SLOTS_MISMATCH granted | DEADLOCK NOT_READY SHUTTING_DOWN WRITER_UNAVAILABLE
several        own       CANCELLED DEADLOCK LOCKS_FULL LOCK_HELD QUEUE_FULL SLOTS_MISMATCH granted | DISK_FULL LOCK_TIMEOUT NOT_READY SESSION_EXPIRED SHUTTING_DOWN WRITER_UNAVAILABLE
several        waited     | CANCELLED DEADLOCK DISK_FULL LOCKS_FULL LOCK_HELD LOCK_TIMEOUT NOT_READY QUEUE_FULL SESSION_EXPIRED SHUTTING_DOWN SLOTS_MISMATCH WRITER_UNAVAILABLE granted
leased         draining   | CANCELLED DEADLOCK DISK_FULL LOCKS_FULL LOCK_HELD LOCK_TIMEOUT NOT_READY QUEUE_FULL SESSION_EXPIRED SHUTTING_DOWN SLOTS_MISMATCH WRITER_UNAVAILABLE granted
leased         ending     | CANCELLED DEADLOCK DISK_FULL LOCKS_FULL LOCK_HELD LOCK_TIMEOUT NOT_READY QUEUE_FULL SESSION_EXPIRED SHUTTING_DOWN SLOTS_MISMATCH WRITER_UNAVAILABLE granted
leased         free      LOCK_HELD SLOTS_MISMATCH granted | CANCELLED DEADLOCK DISK_FULL LOCKS_FULL LOCK_TIMEOUT NOT_READY QUEUE_FULL SESSION_EXPIRED SHUTTING_DOWN WRITER_UNAVAILABLE
leased         held      CANCELLED LOCK_HELD LOCK_TIMEOUT SESSION_EXPIRED SLOTS_MISMATCH granted | DEADLOCK DISK_FULL LOCKS_FULL NOT_READY QUEUE_FULL SHUTTING_DOWN WRITER_UNAVAILABLE
leased         own       DEADLOCK LOCKS_FULL LOCK_HELD SLOTS_MISMATCH granted | CANCELLED DISK_FULL LOCK_TIMEOUT NOT_READY QUEUE_FULL SESSION_EXPIRED SHUTTING_DOWN WRITER_UNAVAILABLE
leased         waited     | CANCELLED DEADLOCK DISK_FULL LOCKS_FULL LOCK_HELD LOCK_TIMEOUT NOT_READY QUEUE_FULL SESSION_EXPIRED SHUTTING_DOWN SLOTS_MISMATCH WRITER_UNAVAILABLE granted
guarded        draining   | CANCELLED DEADLOCK DISK_FULL LOCKS_FULL LOCK_HELD LOCK_TIMEOUT NOT_READY QUEUE_FULL SESSION_EXPIRED SHUTTING_DOWN SLOTS_MISMATCH WRITER_UNAVAILABLE granted
guarded        ending     | CANCELLED DEADLOCK DISK_FULL LOCKS_FULL LOCK_HELD LOCK_TIMEOUT NOT_READY QUEUE_FULL SESSION_EXPIRED SHUTTING_DOWN SLOTS_MISMATCH WRITER_UNAVAILABLE granted
guarded        free      SLOTS_MISMATCH granted | CANCELLED DEADLOCK DISK_FULL LOCKS_FULL LOCK_HELD LOCK_TIMEOUT NOT_READY QUEUE_FULL SESSION_EXPIRED SHUTTING_DOWN WRITER_UNAVAILABLE
guarded        held      LOCK_HELD SLOTS_MISMATCH granted | CANCELLED DEADLOCK DISK_FULL LOCKS_FULL LOCK_TIMEOUT NOT_READY QUEUE_FULL SESSION_EXPIRED SHUTTING_DOWN WRITER_UNAVAILABLE
guarded        own       DEADLOCK LOCKS_FULL LOCK_HELD granted | CANCELLED DISK_FULL LOCK_TIMEOUT NOT_READY QUEUE_FULL SESSION_EXPIRED SHUTTING_DOWN SLOTS_MISMATCH WRITER_UNAVAILABLE
guarded        waited     | CANCELLED DEADLOCK DISK_FULL LOCKS_FULL LOCK_HELD LOCK_TIMEOUT NOT_READY QUEUE_FULL SESSION_EXPIRED SHUTTING_DOWN SLOTS_MISMATCH WRITER_UNAVAILABLE granted
nested         draining   | CANCELLED DEADLOCK DISK_FULL LOCKS_FULL LOCK_HELD LOCK_TIMEOUT NOT_READY QUEUE_FULL SESSION_EXPIRED SHUTTING_DOWN SLOTS_MISMATCH WRITER_UNAVAILABLE granted
nested         ending     | CANCELLED DEADLOCK DISK_FULL LOCKS_FULL LOCK_HELD LOCK_TIMEOUT NOT_READY QUEUE_FULL SESSION_EXPIRED SHUTTING_DOWN SLOTS_MISMATCH WRITER_UNAVAILABLE granted
nested         free      granted | CANCELLED DEADLOCK DISK_FULL LOCKS_FULL LOCK_HELD LOCK_TIMEOUT NOT_READY QUEUE_FULL SESSION_EXPIRED SHUTTING_DOWN SLOTS_MISMATCH WRITER_UNAVAILABLE
nested         held      DEADLOCK LOCK_HELD SLOTS_MISMATCH granted | CANCELLED DISK_FULL LOCKS_FULL LOCK_TIMEOUT NOT_READY QUEUE_FULL SESSION_EXPIRED SHUTTING_DOWN WRITER_UNAVAILABLE
nested         own        | CANCELLED DEADLOCK DISK_FULL LOCKS_FULL LOCK_HELD LOCK_TIMEOUT NOT_READY QUEUE_FULL SESSION_EXPIRED SHUTTING_DOWN SLOTS_MISMATCH WRITER_UNAVAILABLE granted
nested         waited     | CANCELLED DEADLOCK DISK_FULL LOCKS_FULL LOCK_HELD LOCK_TIMEOUT NOT_READY QUEUE_FULL SESSION_EXPIRED SHUTTING_DOWN SLOTS_MISMATCH WRITER_UNAVAILABLE granted
steal          draining   | CANCELLED DEADLOCK DISK_FULL FORBIDDEN LOCKS_FULL LOCK_HELD LOCK_TIMEOUT NOT_READY QUEUE_FULL SESSION_EXPIRED SHUTTING_DOWN SLOTS_MISMATCH WRITER_UNAVAILABLE granted
steal          ending     | CANCELLED DEADLOCK DISK_FULL FORBIDDEN LOCKS_FULL LOCK_HELD LOCK_TIMEOUT NOT_READY QUEUE_FULL SESSION_EXPIRED SHUTTING_DOWN SLOTS_MISMATCH WRITER_UNAVAILABLE granted
steal          free      SLOTS_MISMATCH granted | CANCELLED DEADLOCK DISK_FULL FORBIDDEN LOCKS_FULL LOCK_HELD LOCK_TIMEOUT NOT_READY QUEUE_FULL SESSION_EXPIRED SHUTTING_DOWN WRITER_UNAVAILABLE
steal          held      granted | CANCELLED DEADLOCK DISK_FULL FORBIDDEN LOCKS_FULL LOCK_HELD LOCK_TIMEOUT NOT_READY QUEUE_FULL SESSION_EXPIRED SHUTTING_DOWN SLOTS_MISMATCH WRITER_UNAVAILABLE
steal          own       granted | CANCELLED DEADLOCK DISK_FULL FORBIDDEN LOCKS_FULL LOCK_HELD LOCK_TIMEOUT NOT_READY QUEUE_FULL SESSION_EXPIRED SHUTTING_DOWN SLOTS_MISMATCH WRITER_UNAVAILABLE
steal          waited     | CANCELLED DEADLOCK DISK_FULL FORBIDDEN LOCKS_FULL LOCK_HELD LOCK_TIMEOUT NOT_READY QUEUE_FULL SESSION_EXPIRED SHUTTING_DOWN SLOTS_MISMATCH WRITER_UNAVAILABLE granted
upgrade        alone     converted | CANCELLED DEADLOCK DISK_FULL LOCK_LOST LOCK_NOT_HELD NOT_READY PARAMS_INVALID SESSION_EXPIRED SHUTTING_DOWN
upgrade        exclusive PARAMS_INVALID | CANCELLED DEADLOCK DISK_FULL LOCK_LOST LOCK_NOT_HELD NOT_READY SESSION_EXPIRED SHUTTING_DOWN converted
upgrade        gone       | CANCELLED DEADLOCK DISK_FULL LOCK_LOST LOCK_NOT_HELD NOT_READY PARAMS_INVALID SESSION_EXPIRED SHUTTING_DOWN converted
upgrade        second     | CANCELLED DEADLOCK DISK_FULL LOCK_LOST LOCK_NOT_HELD NOT_READY PARAMS_INVALID SESSION_EXPIRED SHUTTING_DOWN converted
upgrade        semaphore PARAMS_INVALID | CANCELLED DEADLOCK DISK_FULL LOCK_LOST LOCK_NOT_HELD NOT_READY SESSION_EXPIRED SHUTTING_DOWN converted
upgrade        shared     | CANCELLED DEADLOCK DISK_FULL LOCK_LOST LOCK_NOT_HELD NOT_READY PARAMS_INVALID SESSION_EXPIRED SHUTTING_DOWN converted
upgrade-timed  alone     converted | CANCELLED DEADLOCK DISK_FULL LOCK_LOST LOCK_NOT_HELD LOCK_TIMEOUT NOT_READY PARAMS_INVALID SESSION_EXPIRED SHUTTING_DOWN
upgrade-timed  exclusive PARAMS_INVALID | CANCELLED DEADLOCK DISK_FULL LOCK_LOST LOCK_NOT_HELD LOCK_TIMEOUT NOT_READY SESSION_EXPIRED SHUTTING_DOWN converted
upgrade-timed  gone       | CANCELLED DEADLOCK DISK_FULL LOCK_LOST LOCK_NOT_HELD LOCK_TIMEOUT NOT_READY PARAMS_INVALID SESSION_EXPIRED SHUTTING_DOWN converted
upgrade-timed  second     | CANCELLED DEADLOCK DISK_FULL LOCK_LOST LOCK_NOT_HELD LOCK_TIMEOUT NOT_READY PARAMS_INVALID SESSION_EXPIRED SHUTTING_DOWN converted
upgrade-timed  semaphore PARAMS_INVALID | CANCELLED DEADLOCK DISK_FULL LOCK_LOST LOCK_NOT_HELD LOCK_TIMEOUT NOT_READY SESSION_EXPIRED SHUTTING_DOWN converted
upgrade-timed  shared     | CANCELLED DEADLOCK DISK_FULL LOCK_LOST LOCK_NOT_HELD LOCK_TIMEOUT NOT_READY PARAMS_INVALID SESSION_EXPIRED SHUTTING_DOWN converted
upgrade-try    alone     converted | CANCELLED DEADLOCK DISK_FULL LOCK_HELD LOCK_NOT_HELD NOT_READY PARAMS_INVALID SHUTTING_DOWN
upgrade-try    exclusive PARAMS_INVALID | CANCELLED DISK_FULL LOCK_HELD LOCK_NOT_HELD NOT_READY SHUTTING_DOWN converted
upgrade-try    gone       | CANCELLED DISK_FULL LOCK_HELD LOCK_NOT_HELD NOT_READY PARAMS_INVALID SHUTTING_DOWN converted
upgrade-try    second     | CANCELLED DISK_FULL LOCK_HELD LOCK_NOT_HELD NOT_READY PARAMS_INVALID SHUTTING_DOWN converted
upgrade-try    semaphore PARAMS_INVALID | CANCELLED DISK_FULL LOCK_HELD LOCK_NOT_HELD NOT_READY SHUTTING_DOWN converted
upgrade-try    shared    LOCK_HELD | CANCELLED DISK_FULL LOCK_NOT_HELD NOT_READY PARAMS_INVALID SHUTTING_DOWN converted
downgrade      alone     PARAMS_INVALID | LOCK_NOT_HELD NOT_READY SESSION_EXPIRED SHUTTING_DOWN converted
downgrade      exclusive converted | LOCK_NOT_HELD NOT_READY PARAMS_INVALID SESSION_EXPIRED SHUTTING_DOWN
downgrade      gone       | LOCK_NOT_HELD NOT_READY PARAMS_INVALID SESSION_EXPIRED SHUTTING_DOWN converted
downgrade      second    | LOCK_NOT_HELD NOT_READY PARAMS_INVALID SESSION_EXPIRED SHUTTING_DOWN converted
downgrade      semaphore PARAMS_INVALID | LOCK_NOT_HELD NOT_READY SESSION_EXPIRED SHUTTING_DOWN converted
downgrade      shared    PARAMS_INVALID | LOCK_NOT_HELD NOT_READY SESSION_EXPIRED SHUTTING_DOWN converted
release        gone      LOCK_NOT_HELD released | NOT_READY SESSION_EXPIRED SHUTTING_DOWN
release        held       | LOCK_NOT_HELD NOT_READY SESSION_EXPIRED SHUTTING_DOWN released
release        own       LOCK_NOT_HELD released | NOT_READY SESSION_EXPIRED SHUTTING_DOWN
cancel-acquire gone      gone granted | NOT_READY cancelled
cancel-acquire own       granted | NOT_READY cancelled gone
cancel-acquire waited    cancelled | NOT_READY gone granted
break          draining   | CANCELLED FORBIDDEN NOT_READY SHUTTING_DOWN broken
break          ending     | CANCELLED FORBIDDEN NOT_READY SHUTTING_DOWN broken
break          free      FORBIDDEN broken | CANCELLED NOT_READY SHUTTING_DOWN
break          held      broken | CANCELLED FORBIDDEN NOT_READY SHUTTING_DOWN
break          own       broken | CANCELLED FORBIDDEN NOT_READY SHUTTING_DOWN
break          waited     | CANCELLED FORBIDDEN NOT_READY SHUTTING_DOWN broken
transfer       draining   | DEADLOCK FORBIDDEN LOCK_NOT_HELD NOT_READY NOT_WAITING PARAMS_INVALID SESSION_EXPIRED SHUTTING_DOWN transferred
transfer       ending     | DEADLOCK FORBIDDEN LOCK_NOT_HELD NOT_READY NOT_WAITING PARAMS_INVALID SESSION_EXPIRED SHUTTING_DOWN transferred
transfer       free      FORBIDDEN LOCK_NOT_HELD NOT_WAITING | DEADLOCK NOT_READY PARAMS_INVALID SESSION_EXPIRED SHUTTING_DOWN transferred
transfer       held      NOT_WAITING PARAMS_INVALID transferred | DEADLOCK FORBIDDEN LOCK_NOT_HELD NOT_READY SESSION_EXPIRED SHUTTING_DOWN
transfer       own       NOT_WAITING transferred | DEADLOCK FORBIDDEN LOCK_NOT_HELD NOT_READY PARAMS_INVALID SESSION_EXPIRED SHUTTING_DOWN
transfer       waited     | DEADLOCK FORBIDDEN LOCK_NOT_HELD NOT_READY NOT_WAITING PARAMS_INVALID SESSION_EXPIRED SHUTTING_DOWN transferred
resize         draining   | DISK_FULL FORBIDDEN NOT_READY SHUTTING_DOWN SLOTS_MISMATCH resized
resize         ending     | DISK_FULL FORBIDDEN NOT_READY SHUTTING_DOWN SLOTS_MISMATCH resized
resize         free      resized | DISK_FULL FORBIDDEN NOT_READY SHUTTING_DOWN SLOTS_MISMATCH
resize         held      SLOTS_MISMATCH | DISK_FULL FORBIDDEN NOT_READY SHUTTING_DOWN resized
resize         slots     resized | DISK_FULL FORBIDDEN NOT_READY SHUTTING_DOWN
resize         waited     | DISK_FULL FORBIDDEN NOT_READY SHUTTING_DOWN SLOTS_MISMATCH resized
list           -         listing | NOT_READY
history        draining   | NOT_READY history
history        ending     | NOT_READY history
history        free      history | NOT_READY
history        held      history | NOT_READY
history        own       history | NOT_READY
history        waited    history | NOT_READY
watch          anew      WATCHES_FULL watching | NOT_READY
watch          on        gap watching | NOT_READY WATCHES_FULL
unwatch        -         unwatched | NOT_READY
watch-tables   anew      PARAMS_INVALID WATCHES_FULL table-watching | CANCELLED NOT_READY WRITER_UNAVAILABLE
watch-tables   beside    WATCHES_FULL table-watching | CANCELLED NOT_READY PARAMS_INVALID WRITER_UNAVAILABLE
watch-tables   on        gap table-watching | CANCELLED NOT_READY PARAMS_INVALID WATCHES_FULL
watch-tables   strange   WATCHES_FULL gap | CANCELLED NOT_READY PARAMS_INVALID
watch-tables   waits     WRITER_UNAVAILABLE table-watching | CANCELLED NOT_READY PARAMS_INVALID WATCHES_FULL gap
watch-keys     anew      PARAMS_INVALID WATCHES_FULL table-watching | CANCELLED NOT_READY WRITER_UNAVAILABLE
watch-keys     beside    WATCHES_FULL table-watching | CANCELLED NOT_READY PARAMS_INVALID WRITER_UNAVAILABLE
watch-keys     on        gap table-watching | CANCELLED NOT_READY PARAMS_INVALID WATCHES_FULL
watch-keys     strange   WATCHES_FULL gap | CANCELLED NOT_READY PARAMS_INVALID
watch-keys     waits     WRITER_UNAVAILABLE table-watching | CANCELLED NOT_READY PARAMS_INVALID WATCHES_FULL gap
unwatch-tables asked     unwatched | NOT_READY
unwatch-tables gone       | NOT_READY unwatched
unwatch-tables open      unwatched | NOT_READY
told           tables    changes flooded outside replaced
ping           -         pong
hello-either   away      welcome | SESSION_EXPIRED
hello-either   live      welcome | SESSION_EXPIRED
hello-either   unknown   SHUTTING_DOWN welcome | SESSION_EXPIRED
hello-resume   away      welcome | SESSION_EXPIRED
hello-resume   live      welcome | SESSION_EXPIRED
hello-resume   unknown   SESSION_EXPIRED | welcome
goodbye        -         farewell | NOT_READY
settle         away       | DISK_FAILED STATEMENT_CRASHED STATEMENT_TIMEOUT WRITER_UNAVAILABLE answer
settle         live       | DISK_FAILED STATEMENT_CRASHED STATEMENT_TIMEOUT WRITER_UNAVAILABLE answer
settle         unknown    | DISK_FAILED STATEMENT_CRASHED STATEMENT_TIMEOUT WRITER_UNAVAILABLE answer
write          broken    FENCED FORBIDDEN SHUTTING_DOWN answer | CANCELLED CONNECTION_LOST DISK_FAILED DISK_FULL NOT_READY OUTCOME_UNKNOWN RETRY_TOO_OLD SESSION_EXPIRED SQLITE_CONSTRAINT STATEMENT_CRASHED STATEMENT_TIMEOUT WRITER_UNAVAILABLE
write          held      FENCED FORBIDDEN SQLITE_CONSTRAINT STATEMENT_TIMEOUT WRITER_UNAVAILABLE answer | CANCELLED CONNECTION_LOST DISK_FAILED DISK_FULL NOT_READY OUTCOME_UNKNOWN RETRY_TOO_OLD SESSION_EXPIRED SHUTTING_DOWN STATEMENT_CRASHED
last-write     broken    | CANCELLED CONNECTION_LOST DISK_FAILED DISK_FULL FENCED FORBIDDEN NOT_READY OUTCOME_UNKNOWN RETRY_TOO_OLD SESSION_EXPIRED SHUTTING_DOWN SQLITE_CONSTRAINT STATEMENT_CRASHED STATEMENT_TIMEOUT WRITER_UNAVAILABLE answer
last-write     held      SQLITE_CONSTRAINT answer | CANCELLED CONNECTION_LOST DISK_FAILED DISK_FULL FENCED FORBIDDEN NOT_READY OUTCOME_UNKNOWN RETRY_TOO_OLD SESSION_EXPIRED SHUTTING_DOWN STATEMENT_CRASHED STATEMENT_TIMEOUT WRITER_UNAVAILABLE
write          unfenced  CANCELLED CONNECTION_LOST FORBIDDEN SHUTTING_DOWN SQLITE_CONSTRAINT STATEMENT_CRASHED STATEMENT_TIMEOUT WRITER_UNAVAILABLE answer | DISK_FAILED DISK_FULL NOT_READY OUTCOME_UNKNOWN RETRY_TOO_OLD SESSION_EXPIRED
tx-begin       -         DISK_FULL FORBIDDEN TX_LOST WRITER_UNAVAILABLE begun | CANCELLED FENCED NOT_READY READER_UNAVAILABLE SESSION_EXPIRED SHUTTING_DOWN SNAPSHOT_ENDED SQLITE_BUSY_SNAPSHOT TX_EXPIRED
tx-step        -         SQLITE_CONSTRAINT STATEMENT_TIMEOUT TX_LOST TX_ROLLED_BACK answer | CANCELLED DISK_FAILED DISK_FULL FENCED NOT_READY READER_UNAVAILABLE READ_ONLY SESSION_EXPIRED SHUTTING_DOWN SNAPSHOT_ENDED SQLITE_BUSY_SNAPSHOT SQLITE_ERROR STATEMENT_CRASHED TX_EXPIRED WRITER_UNAVAILABLE
tx-commit      -         TX_EXPIRED TX_LOST TX_ROLLED_BACK answer committed | CANCELLED CONNECTION_LOST DISK_FAILED DISK_FULL FENCED NOT_READY OUTCOME_UNKNOWN READER_UNAVAILABLE RETRY_TOO_OLD SESSION_EXPIRED SHUTTING_DOWN SNAPSHOT_ENDED SQLITE_BUSY_SNAPSHOT STATEMENT_CRASHED STATEMENT_TIMEOUT WRITER_UNAVAILABLE
tx-rollback    -         rolled-back | NOT_READY
read           -         CANCELLED STATEMENT_TIMEOUT answer | NOT_READY READER_UNAVAILABLE SESSION_EXPIRED SHUTTING_DOWN STATEMENT_CRASHED
stream         -         STATEMENT_TIMEOUT answer | CANCELLED NOT_READY READER_UNAVAILABLE SESSION_EXPIRED SHUTTING_DOWN SNAPSHOT_ENDED SQLITE_ERROR STATEMENT_CRASHED
end            exclusive broken handed released session taken written | given-up
end            guarded   broken handed released session taken | given-up lease
end            leased    broken handed released session taken written | given-up lease
end            semaphore broken released session written | given-up handed taken
end            several   broken handed released session taken written | given-up
end            shared    broken handed released session taken written | given-up
`;

/** Why the outcomes that the table does not name cannot happen, or not here. `in`: of these operations only. */
interface Impossible {
  readonly outcomes: string;
  readonly in?: RegExp;
  readonly why: string;
}

const impossible: readonly Impossible[] = [
  {
    outcomes:
      "PARSE_ERROR ARRAY_REFUSED METHOD_UNKNOWN FRAME_TOO_LARGE PROTOCOL_VERSION OTHER_DATABASE NAME_INVALID META_TOO_LARGE INTERNAL " +
      "STATEMENT_REFUSED TRANSACTION_CONTROL READ_ONLY SQL_EMPTY SQL_MANY SQL_TOO_LONG SQL_INVALID_TEXT PARAMETER_MISSING " +
      "PARAMETER_SURPLUS PARAMETER_CLASH PARAMETER_INVALID VALUE_TOO_LARGE",
    why: "it is refused before the core hears of it; programs here say what can be understood",
  },
  {
    outcomes: "HELLO_TIMEOUT CONNECTIONS_FULL SLOW_CONSUMER SESSION_TAKEN",
    why: "it ends a connection, and answers nothing that was asked",
  },
  {
    outcomes:
      "NO_BROKER START_FAILED ALREADY_RUNNING CLOSED MISUSE NATIVE_MODULE CONFIGURATION PERMISSION DATA_FOREIGN",
    why: "the library and the command line say it, not the broker",
  },
  {
    outcomes:
      "SQLITE_ERROR SQLITE_MISMATCH SQLITE_TOOBIG SQLITE_BUSY SQLITE_CORRUPT SQLITE_NOMEM RESULT_TOO_LARGE RESULT_NOT_KEPT",
    why: "the store of these lives knows one failure of a statement, a constraint; real ones are tested with real files",
  },
  {
    in: /^(?!write|last-write|settle|tx-(read|savepoint|write|step|commit) )|^tx-[a-z]+ read /,
    outcomes: "DISK_FAILED",
    why: "no writer runs anything for it",
  },
  {
    in: /^(?!tx)/,
    outcomes: "TX_LOST TX_EXPIRED TX_ROLLED_BACK SQLITE_BUSY_SNAPSHOT",
    why: "it is of no transaction",
  },
  {
    in: /^(?!acquire|steal|break|transfer|resize|write|last-write|tx-begin)/,
    outcomes: "FORBIDDEN",
    why: "every session may do it, or it finds nothing to be done in",
  },
  { outcomes: "SESSIONS_FULL TRANSACTIONS_FULL", why: "so few programs do not reach these limits" },
  { in: /^(?!watch)/, outcomes: "WATCHES_FULL", why: "it watches nothing" },
  { outcomes: "INVALID_REQUEST", why: "the library says hello once on a connection" },
  { outcomes: "KEY_REUSED", why: "the library makes its keys, and no two requests have one" },
  {
    in: /^(?!write|last-write|tx-commit)/,
    outcomes: "RETRY_TOO_OLD",
    why: "the library acknowledges a key when it has the answer, and asks no more then",
  },
  {
    in: /^(?!write|last-write|tx-commit)/,
    outcomes: "FENCED SQLITE_CONSTRAINT CONNECTION_LOST OUTCOME_UNKNOWN",
    why: "only a write is fenced, changes anything, or may be lost on its way to the writer",
  },
  { in: /^(?!stream|tx-(begin|step|commit))/, outcomes: "SNAPSHOT_ENDED", why: "it keeps no snapshot" },
  { in: /^write/, outcomes: "FENCED", why: "it says no locks that it relies on" },
  {
    in: /^(?!write|last-write|tx|read|stream|settle)/,
    outcomes: "STATEMENT_TIMEOUT STATEMENT_CRASHED",
    why: "it runs no statement",
  },
  { in: /^(?!read|stream|tx-(begin|step|commit))/, outcomes: "READER_UNAVAILABLE", why: "it asks no reader" },
  {
    in: /^(?!write|last-write|tx|settle|acquire|exclusive|shared|semaphore|several|leased|guarded|nested|steal|watch-)/,
    outcomes: "WRITER_UNAVAILABLE",
    why: "it needs neither the writer nor a new token at once",
  },
  {
    in: /^(write|last-write|tx|read|stream|settle|hello|goodbye|ping|list|history|watch|unwatch|cancel)/,
    outcomes:
      "LOCK_HELD LOCK_TIMEOUT LOCK_NOT_HELD LOCK_LOST DEADLOCK SLOTS_MISMATCH NOT_WAITING QUEUE_FULL LOCKS_FULL",
    why: "it asks for no lock",
  },
  {
    in: /^(write|last-write|tx|read|stream|settle|hello|goodbye|ping|list|history|watch |unwatch|cancel)/,
    outcomes: "PARAMS_INVALID",
    why: "it says what can be understood",
  },
  {
    in: /^watch-[a-z]+ (on|strange)/,
    outcomes: "WRITER_UNAVAILABLE",
    why: "who has heard something waits for the next writer",
  },
  {
    in: /^(acquire|exclusive|shared|semaphore|several|leased|guarded|nested|steal)/,
    outcomes: "LOCK_NOT_HELD LOCK_LOST NOT_WAITING PARAMS_INVALID",
    why: "it is about what nobody has to hold yet, and says what can be understood",
  },
  { in: /^(acquire|upgrade) /, outcomes: "LOCK_HELD LOCK_TIMEOUT", why: "it waits for as long as it takes" },
  { in: /^[a-z]+-timed /, outcomes: "LOCK_HELD", why: "it waits, and then its time is over" },
  {
    in: /^[a-z]+-try /,
    outcomes: "LOCK_TIMEOUT LOCK_LOST SESSION_EXPIRED",
    why: "it never waits for others, so nothing can happen to it meanwhile",
  },
  { in: /^acquire-try /, outcomes: "CANCELLED", why: "nor does it wait for what its session has asked before" },
  {
    in: /^(?!upgrade-try alone)[a-z]+-try /,
    outcomes: "DEADLOCK",
    why: "it never waits, and gets in nobody's way but as the only one that shares a name",
  },
  {
    in: /^(upgrade|downgrade|release|break|transfer)/,
    outcomes: "LOCKS_FULL QUEUE_FULL SLOTS_MISMATCH",
    why: "it takes no place in a queue and no slot",
  },
  { in: /^(upgrade|downgrade|release)/, outcomes: "NOT_WAITING", why: "it hands nothing to anybody" },
  { in: /^upgrade gone/, outcomes: "LOCK_HELD LOCK_TIMEOUT", why: "what is not held is not waited for" },
  {
    in: /^(downgrade|release|transfer|break|resize)/,
    outcomes: "LOCK_HELD LOCK_TIMEOUT LOCK_LOST CANCELLED",
    why: "it is done at once",
  },
  {
    in: /^(downgrade|release|transfer|break)/,
    outcomes: "DISK_FULL",
    why: "it is done also while the disk is full: it gives something back",
  },
  { in: /^(downgrade|release|break|resize)/, outcomes: "DEADLOCK", why: "whoever asks for it waits for nobody" },
  {
    in: /^(break|resize)/,
    outcomes: "LOCK_NOT_HELD NOT_WAITING PARAMS_INVALID SESSION_EXPIRED",
    why: "it is about a name, whoever holds that",
  },
  { in: /^resize/, outcomes: "SLOTS_MISMATCH", why: "the name is a semaphore already" },
  { in: /^resize/, outcomes: "LOCKS_FULL QUEUE_FULL", why: "so few names are not too many" },
  { in: /^release/, outcomes: "PARAMS_INVALID", why: "any of its names will do" },
  {
    in: /^(list|history|watch|unwatch|ping|cancel|goodbye|read|stream|settle|hello-resume|hello-either)/,
    outcomes: "DISK_FULL SHUTTING_DOWN",
    why: "nothing of it has to be remembered, or what is remembered is there",
  },
  {
    in: /^(list|history|watch |unwatch|ping|cancel|goodbye|hello|settle)/,
    outcomes: "CANCELLED SESSION_EXPIRED",
    why: "it is answered at once",
  },
  { in: /^watch-/, outcomes: "SESSION_EXPIRED", why: "it belongs to its connection, whatever becomes of the session" },
  { in: /^(ping|hello|settle)/, outcomes: "NOT_READY", why: "it may come before hello" },
  {
    in: /^tx-rollback/,
    outcomes:
      "SHUTTING_DOWN SESSION_EXPIRED CANCELLED DISK_FULL TX_LOST TX_EXPIRED TX_ROLLED_BACK SQLITE_BUSY_SNAPSHOT",
    why: "it is never refused: what is over already has nothing to be undone",
  },
  {
    in: /^tx-rollback/,
    outcomes: "STATEMENT_TIMEOUT STATEMENT_CRASHED WRITER_UNAVAILABLE",
    why: "nor is it waited for",
  },
  { in: /^tx-begin/, outcomes: "STATEMENT_TIMEOUT STATEMENT_CRASHED", why: "it runs no statement" },
  { in: /^tx-commit/, outcomes: "SQLITE_CONSTRAINT", why: "no constraint of these lives waits for the commit" },
  { in: /^tx-begin/, outcomes: "TX_ROLLED_BACK", why: "no statement of it has run" },
  { in: /^end/, outcomes: "lease", why: "it has no lease" },
  { in: /^end guarded/, outcomes: "written", why: "a command runs under it, and ends before it is given back" },
  ...impossibleInTransactions,
];

/** What is an answer to what. */
const answers: readonly (readonly [operations: RegExp, answers: string])[] = [
  [/^(acquire|exclusive|shared|semaphore|several|leased|guarded|nested|steal)/, "granted"],
  [/^(upgrade|downgrade)/, "converted"],
  [/^release/, "released"],
  [/^cancel-acquire/, "cancelled granted gone"],
  [/^break/, "broken"],
  [/^transfer/, "transferred"],
  [/^resize/, "resized"],
  [/^list/, "listing"],
  [/^history/, "history"],
  [/^watch on/, "watching gap"],
  [/^watch anew/, "watching"],
  [/^watch-[a-z]+ (on|waits)/, "table-watching gap"],
  [/^watch-[a-z]+ (anew|beside)/, "table-watching"],
  [/^watch-[a-z]+ strange/, "gap"],
  [/^unwatch/, "unwatched"],
  [/^ping/, "pong"],
  [/^hello/, "welcome"],
  [/^goodbye/, "farewell"],
  [/^(write|last-write|read|stream|settle|tx-(step|read|savepoint|write|stream))/, "answer"],
  [/^tx-begin/, "begun"],
  [/^tx-commit/, "answer committed"],
  [/^tx-rollback/, "rolled-back"],
];
const told = "changes flooded outside replaced";
const ends = "released written given-up broken handed taken session lease";

const often: string[] = [];
const known = new Set<string>();
const situations: string[] = [];
for (const line of [table, transactionTable].flatMap((text) => text.trim().split("\n"))) {
  const [before = "", behind = ""] = line.split("|");
  const [operation, state, ...outcomes] = words(before);
  const situation = `${operation} ${state}`;
  situations.push(situation);
  for (const outcome of outcomes) often.push(`${situation} ${outcome}`);
  for (const outcome of [...outcomes, ...words(behind)]) known.add(`${situation} ${outcome}`);
}

function words(text: string): string[] {
  return text.split(" ").filter((word) => word !== "");
}

/** What must have happened in a run of ordinary length. */
export function expected(): readonly string[] {
  return often;
}

/** What can happen and never did. */
export function missing(counts: Counts): string[] {
  return often.filter((what) => counts[what] === undefined);
}

/** What happened and is in no table. */
export function surplus(counts: Counts): string[] {
  return Object.keys(counts).filter((what) => !known.has(what));
}

/** What is neither in the table nor said to be impossible. */
export function doubtful(): string[] {
  return situations.flatMap((situation) =>
    outcomesOf(situation)
      .map((outcome) => `${situation} ${outcome}`)
      .filter((what) => !known.has(what) && !isImpossible(what)),
  );
}

function outcomesOf(situation: string): string[] {
  if (situation.startsWith("end ")) return words(ends);
  if (situation.startsWith("told ")) return words(told);
  const [, own = ""] = answers.find(([operations]) => operations.test(situation)) ?? [];
  return [...words(own), ...Object.keys(refusals)];
}

function isImpossible(what: string): boolean {
  const outcome = what.slice(what.lastIndexOf(" ") + 1);
  return impossible.some((one) => words(one.outcomes).includes(outcome) && (one.in?.test(what) ?? true));
}
