/**
 * The closed table of refusals: what each code means, whose doing it is, whether to retry, what is known of the
 * request's outcome, and the way out. The union type, the wire form, PROTOCOL.md, the library's errors and the exit
 * codes of the command line are derived from it.
 */

export type Fault = "caller" | "other" | "limit" | "environment" | "broker";
export const outcomes = ["none", "partial", "unknown"] as const;
/** `none`: surely not applied. `partial`: a part is, `details.applied` says how much. `unknown`: nobody can tell. */
export type Outcome = (typeof outcomes)[number];

export function isOutcome(word: unknown): word is Outcome {
  return outcomes.some((outcome) => outcome === word);
}

export interface RefusalRow {
  readonly meaning: string;
  readonly fault: Fault;
  readonly retryable: boolean;
  readonly outcome: Outcome;
  readonly remedy: string;
}

function row(fault: Fault, retryable: boolean, meaning: string, remedy: string, outcome: Outcome = "none"): RefusalRow {
  return { meaning, fault, retryable, outcome, remedy };
}

export const refusals = {
  // The conversation
  PARSE_ERROR: row("caller", false, "the frame is not JSON (or MessagePack)", "send one JSON-RPC object per frame"),
  INVALID_REQUEST: row("caller", false, "the frame is not a JSON-RPC 2.0 request", "see PROTOCOL.md"),
  ARRAY_REFUSED: row("caller", false, "arrays of requests are not taken", "pipeline single requests, or use db.batch"),
  METHOD_UNKNOWN: row("caller", false, "there is no such method", "see proto/openrpc.json"),
  PARAMS_INVALID: row("caller", false, "a parameter is missing, or of the wrong type or size", "the message names it"),
  FRAME_TOO_LARGE: row("limit", false, "the frame is over the limit", "split the request"),
  NOT_READY: row("caller", false, "session.hello must come first", "say hello"),
  HELLO_TIMEOUT: row("caller", true, "no hello came in time", "connect and say hello at once"),
  PROTOCOL_VERSION: row("caller", false, "no protocol version in common", "update the older side"),
  OTHER_DATABASE: row(
    "caller",
    false,
    "the broker at this socket has another database than the program would have",
    "let both have the same HOME, XDG_DATA_HOME, HOLDFAST_DIR and HOLDFAST_DATABASE, or name the socket",
  ),
  CONNECTIONS_FULL: row(
    "limit",
    true,
    "the broker has no place for another connection",
    "close some, or raise the limit",
  ),
  SESSIONS_FULL: row(
    "limit",
    true,
    "the broker keeps as many sessions as it may",
    "say goodbye to some, or wait until the windows of those that left are over",
  ),
  SLOW_CONSUMER: row(
    "caller",
    true,
    "the client does not read what it asked for",
    "read faster, ask for less",
    "unknown",
  ),
  SHUTTING_DOWN: row("environment", true, "the broker is ending", "connect again; a new one starts on demand"),
  SESSION_EXPIRED: row(
    "caller",
    false,
    "the session has ended or was never known",
    "open a new one; settle what was unanswered",
  ),
  SESSION_TAKEN: row(
    "caller",
    false,
    "another connection has resumed this session",
    "only one connection may speak for a session",
  ),
  FORBIDDEN: row(
    "caller",
    false,
    "the role of the session does not allow it",
    "connect with the role that the message names",
  ),
  CANCELLED: row("caller", false, "the client cancelled the request", "nothing to do"),
  INTERNAL: row("broker", true, "the broker failed at this request", "see the broker's log", "unknown"),
  // SQL before it runs
  STATEMENT_REFUSED: row("caller", false, "this kind of statement is not served", "the message says what is"),
  TRANSACTION_CONTROL: row(
    "caller",
    false,
    "BEGIN, COMMIT, SAVEPOINT and the like are not statements here",
    "use a batch or a script",
  ),
  READ_ONLY: row("caller", false, "a statement that writes was sent where only reads are taken", "use db.execute"),
  SQL_EMPTY: row("caller", false, "there is no statement in the text", "send one"),
  SQL_MANY: row("caller", false, "more than one statement where one is wanted", "use db.batch or db.script"),
  SQL_TOO_LONG: row(
    "limit",
    false,
    "the SQL text is over the limit, or has too many statements",
    "pass values as parameters; split the script",
  ),
  SQL_INVALID_TEXT: row(
    "caller",
    false,
    "the SQL text has a NUL, a lone surrogate or an unfinished string or comment",
    "the position is in the details",
  ),
  PARAMETER_MISSING: row("caller", false, "a parameter of the statement got no value", "the message names it"),
  PARAMETER_SURPLUS: row("caller", false, "a value was given that no parameter takes", "the message names it"),
  PARAMETER_CLASH: row("caller", false, "two parameters differ only in their prefix", "rename one"),
  PARAMETER_INVALID: row("caller", false, "a value is not one that SQLite can hold", "numbers, text, bytes, null"),
  VALUE_TOO_LARGE: row("limit", false, "a value is over the limit", "store large things in files"),
  // SQL that ran
  SQLITE_ERROR: row("caller", false, "SQLite refused the statement", "SQLite's own message follows"),
  SQLITE_CONSTRAINT: row(
    "caller",
    false,
    "a constraint was violated",
    "SQLite's own message follows; details.sqliteCode has the kind",
  ),
  SQLITE_MISMATCH: row("caller", false, "a value of the wrong type for its column", "SQLite's own message follows"),
  SQLITE_TOOBIG: row("limit", false, "a string or blob grew too big for SQLite", "make it smaller"),
  SQLITE_BUSY: row(
    "other",
    true,
    "another program has the database file locked",
    "let programs use the broker, not the file; details.pid names who",
  ),
  SQLITE_CORRUPT: row("environment", false, "the database file is damaged", "restore a backup"),
  SQLITE_NOMEM: row("limit", false, "SQLite ran out of memory", "a smaller statement"),
  RESULT_TOO_LARGE: row("limit", false, "the result is over the limit", "LIMIT, or fewer columns"),
  STATEMENT_TIMEOUT: row(
    "limit",
    false,
    "the statement ran out of its time and was ended",
    "make it faster, or ask for more with timeoutMs",
  ),
  SNAPSHOT_ENDED: row(
    "limit",
    true,
    "the snapshot from which a stream or a transaction read was ended: too old, or in the way of the log",
    "read again from the beginning, or in smaller parts",
  ),
  STATEMENT_CRASHED: row("broker", false, "the process that ran the statement died of it", "see the broker's log"),
  // Writes
  FENCED: row(
    "other",
    false,
    "the write relied on a lock that is no longer held",
    "acquire it again, look again, then write",
  ),
  KEY_REUSED: row("caller", false, "this request key was used for a different request", "one key, one request"),
  RETRY_TOO_OLD: row(
    "caller",
    false,
    "what happened under this request key is no longer known",
    "look at the data",
    "unknown",
  ),
  RESULT_NOT_KEPT: row(
    "limit",
    false,
    "the write was applied, but its result was too large to keep",
    "read the data",
    "unknown",
  ),
  OUTCOME_UNKNOWN: row(
    "broker",
    false,
    "the writer died and this write had no request key",
    "look at the data; use keys",
    "unknown",
  ),
  WRITER_UNAVAILABLE: row("environment", true, "no writer can be had; reads go on", "`holdfast status` says why"),
  READER_UNAVAILABLE: row(
    "environment",
    true,
    "no process that reads can be had; writes and locks go on",
    "`holdfast status` and the log say why",
  ),
  DISK_FULL: row(
    "environment",
    true,
    "the disk is full, or what the log or callers' own keys may take of it; nothing was applied",
    "make room",
  ),
  DISK_FAILED: row("environment", true, "the disk failed while writing", "check the disk", "unknown"),
  // Transactions
  TX_LOST: row(
    "environment",
    true,
    "the transaction is not there: it was never begun, is over, or went with its connection or the writer",
    "begin anew; `broker.transaction` does so by itself",
  ),
  TX_EXPIRED: row(
    "limit",
    false,
    "the transaction was open for too long and was rolled back",
    "do less in it; nobody else writes meanwhile",
  ),
  TX_ROLLED_BACK: row(
    "caller",
    false,
    "SQLite has rolled the whole transaction back because of a statement in it",
    "the cause is in the details; begin anew",
  ),
  SQLITE_BUSY_SNAPSHOT: row(
    "other",
    true,
    "something was committed since a deferred transaction began to read, and now it was to write",
    "begin anew; `broker.transaction` does so by itself",
  ),
  TRANSACTIONS_FULL: row("limit", false, "the session has too many transactions at once", "end some"),
  // Locks
  NAME_INVALID: row("caller", false, "not a lock name", "1 to 512 bytes, no control characters"),
  META_TOO_LARGE: row("limit", false, "reason or metadata over the limit", "make it shorter"),
  LOCK_HELD: row("other", true, "the lock is held and the request would not wait", "wait, or try later"),
  LOCK_TIMEOUT: row("other", true, "the lock did not become free in time", "wait longer; the details name the holder"),
  LOCK_NOT_HELD: row(
    "caller",
    false,
    "this session does not hold that lock under that token",
    "it was released, or lost",
  ),
  LOCK_LOST: row("other", false, "the lock was lost while the program relied on it", "acquire it again and look again"),
  DEADLOCK: row(
    "other",
    true,
    "to wait would close a circle of waits that can never end",
    "release what is held, then try again; details.cycle names everybody in it",
  ),
  SLOTS_MISMATCH: row(
    "caller",
    false,
    "the name has another number of slots, or is not locked in slots at all",
    "the message says what it has; lock.resize changes it",
  ),
  NOT_WAITING: row(
    "caller",
    false,
    "the session to which the lock is to go does not wait for it, is away, or waits to upgrade what it shares",
    "lock.list shows who waits",
  ),
  QUEUE_FULL: row("limit", true, "too many wait for this lock already", "try later"),
  LOCKS_FULL: row("limit", false, "the session holds or waits for too many locks", "release some"),
  WATCHES_FULL: row("limit", false, "the connection watches too many names already", "watch a prefix, or end some"),
  // What only the library and the command line say
  NO_BROKER: row("environment", true, "no broker is running", "start one, or let the library start it"),
  START_FAILED: row("environment", false, "the broker could not be started", "its own words follow"),
  ALREADY_RUNNING: row("environment", false, "a broker already runs on this directory", "use it, or stop it"),
  CONNECTION_LOST: row(
    "environment",
    true,
    "the connection broke and could not be restored",
    "the outcome of unanswered writes is unknown",
    "unknown",
  ),
  CLOSED: row("caller", false, "the broker handle is closed", "connect again"),
  MISUSE: row("caller", false, "the library was called in a way that cannot work", "the message says how"),
  NATIVE_MODULE: row(
    "environment",
    false,
    "better-sqlite3 does not fit this Node",
    "the message says which to install",
  ),
  CONFIGURATION: row("caller", false, "the configuration is wrong", "the message names the setting"),
  PERMISSION: row("environment", false, "a file or directory has the wrong owner or mode", "the message names it"),
  DATA_FOREIGN: row(
    "environment",
    false,
    "the database belongs to a newer version or another program",
    "update holdfast",
  ),
} as const satisfies Record<string, RefusalRow>;

export type RefusalCode = keyof typeof refusals;

export const refusalCodes = Object.keys(refusals) as readonly RefusalCode[];

export function isRefusalCode(word: string): word is RefusalCode {
  return Object.hasOwn(refusals, word);
}

/** What a machine answers instead of a result: expected, part of the contract, not thrown inside the core. */
export interface Refusal {
  readonly refused: RefusalCode;
  /** What was refused, the value, the bound, who is in the way. A sentence without a full stop. */
  readonly message: string;
  /** Set only where it differs from the table's word for the code. */
  readonly outcome?: Outcome;
  readonly details?: { readonly [field: string]: unknown };
}

export function refuse(code: RefusalCode, message: string, details?: { readonly [field: string]: unknown }): Refusal {
  return details === undefined ? { refused: code, message } : { refused: code, message, details };
}

/** What is known of whether it was applied: its own word, or else the table's for its code. */
export function outcomeOf({ refused, outcome }: Pick<Refusal, "refused" | "outcome">): Outcome {
  return outcome ?? refusals[refused].outcome;
}

export function isRefusal(value: unknown): value is Refusal {
  return typeof value === "object" && value !== null && "refused" in value;
}
