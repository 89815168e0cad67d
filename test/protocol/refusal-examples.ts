/** One refusal for each code, as a broker (or, where it says so, a library) would give it; and what had happened. */
import type { MethodName } from "../../src/protocol/index.js";
import type { RefusalCode } from "../../src/terms/index.js";

export interface RefusalExample {
  /** A method that can be answered so. */
  readonly method: MethodName;
  /** What had happened. */
  readonly when: string;
  readonly message: string;
  readonly details?: { readonly [field: string]: unknown };
  /** The broker could not read the request's id. */
  readonly withoutId?: true;
}

const local = "Never in a frame: a library or the command line says it. Here so that the word is the same everywhere.";

const holder = {
  session: "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
  program: "make",
  pid: 4711,
  reason: "release build",
  heldMs: 180000,
  token: 67108865,
};

const ofConversation = {
  PARSE_ERROR: {
    method: "db.execute",
    when: "The frame was cut short.",
    message: "the frame is not JSON at position 23",
    details: { position: 23 },
    withoutId: true,
  },
  INVALID_REQUEST: {
    method: "db.execute",
    when: "The field jsonrpc was missing.",
    message: 'the field jsonrpc must be "2.0"',
  },
  ARRAY_REFUSED: {
    method: "db.execute",
    when: "Requests in an array.",
    message: "arrays of requests are not taken: send them one by one, or use db.batch",
    withoutId: true,
  },
  METHOD_UNKNOWN: {
    method: "db.execute",
    when: "A method that the broker does not have.",
    message: 'there is no method "db.exec"',
  },
  PARAMS_INVALID: {
    method: "db.execute",
    when: "A parameter of the wrong type.",
    message: "params.fence[1].token is missing",
    details: { path: "params.fence[1].token" },
  },
  FRAME_TOO_LARGE: {
    method: "db.execute",
    when: "A frame of 20 MiB. Usually the connection is closed with 1009 instead.",
    message: "the frame has 20971520 bytes, at most 16777216 are allowed",
    details: { limit: "frameBytesMax" },
    withoutId: true,
  },
  NOT_READY: {
    method: "db.query",
    when: "A request before hello.",
    message: "session.hello must come before db.query",
  },
  HELLO_TIMEOUT: {
    method: "session.hello",
    when: "Nothing came for two seconds. The connection is closed with 4408.",
    message: "no hello within 2000 ms",
    withoutId: true,
  },
  PROTOCOL_VERSION: {
    method: "session.hello",
    when: "A client that speaks only version 2.",
    message: "this broker speaks protocol 1 to 1, the client 2 to 2",
    details: { min: 1, max: 1 },
  },
  OTHER_DATABASE: {
    method: "session.hello",
    when: "A program with another HOME came to the same socket.",
    message:
      "the broker at this socket serves /home/ada/.local/share/holdfast/data.db, this program would have its files in /tmp/home/.local/share/holdfast",
    details: {
      database: "/home/ada/.local/share/holdfast/data.db",
      dataDir: "/home/ada/.local/share/holdfast",
    },
  },
  CONNECTIONS_FULL: {
    method: "session.hello",
    when: "No place for another connection.",
    message: "1024 connections are open already",
    details: { limit: "connectionsMax" },
  },
  SESSIONS_FULL: {
    method: "session.hello",
    when: "No place for another session.",
    message: "there are 10000 sessions already",
    details: { limit: "sessionsMax" },
  },
  SLOW_CONSUMER: {
    method: "db.query",
    when: "The client does not read. The connection is closed with 1013.",
    message: "16777216 bytes wait to be read",
    details: { limit: "outputBytesMax" },
    withoutId: true,
  },
  SHUTTING_DOWN: { method: "db.execute", when: "The broker is being stopped.", message: "the broker is ending" },
  SESSION_EXPIRED: {
    method: "session.hello",
    when: "Resume of a session that has ended.",
    message: "session 8ca70cac9b0a0e1dfdb0cfd29e3b35d8 has ended, or this broker never knew it",
  },
  SESSION_TAKEN: {
    method: "db.execute",
    when: "Another connection speaks for the session.",
    message: "another connection has resumed this session",
  },
  FORBIDDEN: {
    method: "db.execute",
    when: "A write in a session that has said with its hello that it only reads.",
    message: "this needs the role write, and the session has the role read",
    details: { role: "read", needed: "write" },
  },
  CANCELLED: {
    method: "lock.acquire",
    when: "lock.cancel, or session.cancel.",
    message: 'the request for "index/rebuild" was cancelled',
  },
  INTERNAL: { method: "db.execute", when: "A fault of the broker.", message: "the broker failed at this request" },
} as const satisfies { readonly [code: string]: RefusalExample };

const ofSql = {
  STATEMENT_REFUSED: {
    method: "db.execute",
    when: "ATTACH.",
    message: "ATTACH is not served; served are SELECT, INSERT, UPDATE, DELETE and the like",
    details: { position: 0, length: 6 },
  },
  TRANSACTION_CONTROL: {
    method: "db.execute",
    when: "BEGIN as a statement.",
    message: "BEGIN is not a statement here: use db.batch or db.script",
    details: { position: 0, length: 5 },
  },
  READ_ONLY: {
    method: "db.query",
    when: "An INSERT sent to db.query.",
    message: "db.query takes reads only, and INSERT writes",
  },
  SQL_EMPTY: {
    method: "db.execute",
    when: "A comment and nothing else.",
    message: "there is no statement in the text",
  },
  SQL_MANY: {
    method: "db.execute",
    when: "Two statements.",
    message: "a second statement begins at position 9",
    details: { position: 9, length: 6 },
  },
  SQL_TOO_LONG: {
    method: "db.execute",
    when: "SQL of two megabytes.",
    message: "the SQL text has 2000000 bytes, at most 1000000 are allowed",
    details: { limit: "sqlBytesMax" },
  },
  SQL_INVALID_TEXT: {
    method: "db.execute",
    when: "A string that does not end.",
    message: "the string that begins at position 7 does not end",
    details: { position: 7, length: 12 },
  },
  PARAMETER_MISSING: {
    method: "db.execute",
    when: "Two parameters, one value.",
    message: "no value was given for parameter number 2; the statement has 2 parameters",
    details: { missing: ["number 2"], parameters: 2 },
  },
  PARAMETER_SURPLUS: {
    method: "db.execute",
    when: "One parameter, two values.",
    message: "2 values were given by position; the statement has 1 parameter",
    details: { given: 2, taken: 1, parameters: 1 },
  },
  PARAMETER_CLASH: {
    method: "db.execute",
    when: ":a and $a in one statement.",
    message: ":a and $a are two parameters that differ only in how they are written; rename one",
    details: { position: 14, length: 2 },
  },
  PARAMETER_INVALID: {
    method: "db.execute",
    when: "true as a value.",
    message: "value 2 is a boolean, which SQLite does not have: give 1 or 0",
    details: { parameter: 2 },
  },
  VALUE_TOO_LARGE: {
    method: "db.execute",
    when: "A blob of 10 MB.",
    message: "value 1 has 10000000 bytes, at most 8388608 are allowed",
    details: { bytes: 10000000, bytesMax: 8388608, parameter: 1 },
  },
  SQLITE_ERROR: {
    method: "db.query",
    when: "A table that is not there.",
    message: "no such table: notes",
    details: { sqliteCode: "SQLITE_ERROR" },
  },
  SQLITE_CONSTRAINT: {
    method: "db.batch",
    when: "The second statement violates UNIQUE.",
    message: "UNIQUE constraint failed: note.id",
    details: { sqliteCode: "SQLITE_CONSTRAINT_PRIMARYKEY", statement: 1 },
  },
  SQLITE_MISMATCH: {
    method: "db.execute",
    when: "Text for an INTEGER PRIMARY KEY.",
    message: "datatype mismatch",
    details: { sqliteCode: "SQLITE_MISMATCH" },
  },
  SQLITE_TOOBIG: {
    method: "db.execute",
    when: "zeroblob(2000000000).",
    message: "string or blob too big",
    details: { sqliteCode: "SQLITE_TOOBIG" },
  },
  SQLITE_BUSY: {
    method: "db.execute",
    when: "Somebody works on the file without the broker.",
    message: "the database is locked by sqlite3 (pid 99), which does not go through the broker",
    details: { pid: 99, program: "sqlite3" },
  },
  SQLITE_CORRUPT: {
    method: "db.query",
    when: "A damaged page.",
    message: "database disk image is malformed",
    details: { sqliteCode: "SQLITE_CORRUPT" },
  },
  SQLITE_NOMEM: {
    method: "db.query",
    when: "A sort that does not fit.",
    message: "out of memory",
    details: { sqliteCode: "SQLITE_NOMEM" },
  },
  RESULT_TOO_LARGE: {
    method: "db.query",
    when: "SELECT without LIMIT.",
    message: "the result has more than 8388608 bytes",
    details: { bytesMax: 8388608 },
  },
  STATEMENT_TIMEOUT: {
    method: "db.execute",
    when: "Five seconds were over and others waited.",
    message: "the statement ran out of its time and was ended; nothing was applied",
  },
  SNAPSHOT_ENDED: {
    method: "db.stream",
    when: "A snapshot of several seconds was in the way of the log. Usually in a db.done.",
    message: "the snapshot of the stream was ended: the log must be folded into the database",
    details: { why: "fold" },
  },
  STATEMENT_CRASHED: {
    method: "db.script",
    when: "The writer died of the statement.",
    message: "the writer died while it ran this statement; nothing was applied",
  },
} as const satisfies { readonly [code: string]: RefusalExample };

const ofWrites = {
  FENCED: {
    method: "db.execute",
    when: "The lock was lost before the write was sent to the writer.",
    message: 'the lock "index/rebuild" is no longer held under token 67108865',
    details: { name: "index/rebuild", token: 67108865 },
  },
  KEY_REUSED: {
    method: "db.execute",
    when: "Another statement under a key that was used.",
    message: "request key 3 was used for a different request",
    details: { key: 3 },
  },
  RETRY_TOO_OLD: {
    method: "db.execute",
    when: "A key that was acknowledged is sent again.",
    message: "request key 2 is no longer known; it is not run again",
    details: { key: 2 },
  },
  RESULT_NOT_KEPT: {
    method: "db.execute",
    when: "A write with a large RETURNING is sent again.",
    message: "the write was applied, but its result was too large to be kept",
  },
  OUTCOME_UNKNOWN: {
    method: "db.execute",
    when: "The writer died after a write without a key.",
    message: "the writer died and the write had no request key",
  },
  WRITER_UNAVAILABLE: {
    method: "db.execute",
    when: "The database file cannot be opened.",
    message: "no writer can be had: the disk failed",
    details: { reason: "the disk failed" },
  },
  READER_UNAVAILABLE: {
    method: "db.query",
    when: "The program that reads cannot be started.",
    message: "no reader can be had: exit code 1",
    details: { reason: "exit code 1" },
  },
  DISK_FULL: { method: "db.execute", when: "No space left.", message: "the disk is full; nothing was applied" },
  DISK_FAILED: {
    method: "db.execute",
    when: "An fsync failed.",
    message: "disk I/O error",
    details: { sqliteCode: "SQLITE_IOERR_FSYNC" },
  },
} as const satisfies { readonly [code: string]: RefusalExample };

const ofLocks = {
  NAME_INVALID: {
    method: "lock.acquire",
    when: "A newline in the name.",
    message: "the lock name has a control character",
    details: { limit: "nameBytesMax" },
  },
  META_TOO_LARGE: {
    method: "lock.acquire",
    when: "A reason of 5 KiB.",
    message: "params.reason is longer than 4096 bytes",
    details: { limit: "metaBytesMax" },
  },
  LOCK_HELD: {
    method: "lock.acquire",
    when: "waitMs was 0 and somebody holds it.",
    message: '"index/rebuild" is held by make (pid 4711) for 180000 ms, 2 waiting',
    details: { name: "index/rebuild", holder, waiting: 2 },
  },
  LOCK_TIMEOUT: {
    method: "lock.acquire",
    when: "waitMs is over.",
    message: '"index/rebuild" is held by make (pid 4711) for 180000 ms, 2 waiting',
    details: { name: "index/rebuild", holder, waiting: 2 },
  },
  LOCK_NOT_HELD: {
    method: "lock.release",
    when: "Released twice.",
    message: 'this session does not hold "index/rebuild" under token 67108865',
    details: { name: "index/rebuild", token: 67108865 },
  },
  LOCK_LOST: {
    method: "db.execute",
    when: `The lock was lost while the program relied on it. ${local}`,
    message: 'the lock "index/rebuild" was lost',
    details: { name: "index/rebuild", token: 67108865 },
  },
  DEADLOCK: {
    method: "lock.acquire",
    when: "It holds what somebody waits for who holds what it asks for.",
    message:
      'to wait for "index/rebuild" would end in a circle: reports (pid 4712) holds "deploy/prod" and would wait for "index/rebuild"; make (pid 4711) holds "index/rebuild" and waits for "deploy/prod"',
    details: {
      name: "index/rebuild",
      cycle: [
        {
          program: "reports",
          pid: 4712,
          session: "0".repeat(32),
          holds: "deploy/prod",
          waitsFor: "index/rebuild",
        },
        {
          program: "make",
          pid: 4711,
          session: "1".repeat(32),
          holds: "index/rebuild",
          waitsFor: "deploy/prod",
        },
      ],
    },
  },
  SLOTS_MISMATCH: {
    method: "lock.acquire",
    when: "Four slots where the name has eight.",
    message: '"gpu" has 8 slots, not 4',
    details: { name: "gpu", slots: 8 },
  },
  QUEUE_FULL: {
    method: "lock.acquire",
    when: "10,000 wait already.",
    message: '10000 wait for "index/rebuild" already',
    details: { limit: "waitersMax", name: "index/rebuild" },
  },
  LOCKS_FULL: {
    method: "lock.acquire",
    when: "10,000 locks in one session.",
    message: "the session holds or waits for 10000 locks already",
    details: { limit: "locksPerSessionMax" },
  },
  NOT_WAITING: {
    method: "lock.transfer",
    when: "The lock is to be handed to a session that does not wait for it.",
    message: `session ${"0".repeat(32)} does not wait for "index/rebuild"`,
    details: { name: "index/rebuild", session: "0".repeat(32) },
  },
  WATCHES_FULL: {
    method: "lock.watch",
    when: "1,000 watches on one connection.",
    message: "the connection has 1000 watches already",
    details: { limit: "watchesPerSessionMax" },
  },
} as const satisfies { readonly [code: string]: RefusalExample };

const ofTransactions = {
  TX_LOST: {
    method: "tx.commit",
    when: "The connection that had begun it is gone, and with it the transaction.",
    message: "transaction 1 is not there: it went with its connection",
    details: { tx: 1 },
  },
  SQLITE_BUSY_SNAPSHOT: {
    method: "tx.execute",
    when: "The first write of a deferred transaction, and somebody has written since it began to read.",
    message: "something was committed since the transaction began to read; what it has read may not hold any more",
  },
  TX_EXPIRED: {
    method: "tx.execute",
    when: "It did nothing while others waited; everything but a rollback is refused so from then on.",
    message:
      "transaction 1 did nothing for 5012 ms while others waited to write, and 5000 were allowed; it is rolled back",
    details: { tx: 1, limit: "txIdleMs", openMs: 7300, idleMs: 5012, waitedMs: 5310 },
  },
  TX_ROLLED_BACK: {
    method: "tx.commit",
    when: "An INSERT OR ROLLBACK in it has failed.",
    message: "SQLite has rolled transaction 1 back because of a statement in it: UNIQUE constraint failed: note.id",
    details: { tx: 1, cause: { code: "SQLITE_CONSTRAINT", sqliteCode: "SQLITE_CONSTRAINT_PRIMARYKEY" } },
  },
  TRANSACTIONS_FULL: {
    method: "tx.begin",
    when: "They are begun and never ended.",
    message: "the session has 1000 transactions already",
    details: { limit: "transactionsMax" },
  },
} as const satisfies { readonly [code: string]: RefusalExample };

const ofLibraries = {
  NO_BROKER: {
    method: "session.hello",
    when: local,
    message: "no broker listens at /run/user/1000/holdfast/broker.sock",
    withoutId: true,
  },
  START_FAILED: {
    method: "session.hello",
    when: local,
    message: "the broker ended with code 78 before it was ready",
    withoutId: true,
  },
  ALREADY_RUNNING: {
    method: "session.hello",
    when: local,
    message: "a broker (pid 4242) runs on this directory already",
    withoutId: true,
  },
  CONNECTION_LOST: {
    method: "db.execute",
    when: local,
    message: "the connection broke and could not be restored for 60 s",
    withoutId: true,
  },
  CLOSED: { method: "db.execute", when: local, message: "the broker handle is closed", withoutId: true },
  MISUSE: {
    method: "db.execute",
    when: local,
    message: "the integer 9007199254740993 does not fit a number",
    withoutId: true,
  },
  NATIVE_MODULE: {
    method: "session.hello",
    when: local,
    message: "better-sqlite3 was built for another Node",
    withoutId: true,
  },
  CONFIGURATION: {
    method: "session.hello",
    when: local,
    message: "there is no limit named conectionsMax",
    withoutId: true,
  },
  PERMISSION: {
    method: "session.hello",
    when: local,
    message: "/run/user/1000/holdfast has the mode 0755, it must be 0700",
    withoutId: true,
  },
  DATA_FOREIGN: { method: "session.hello", when: local, message: "data.db was written by version 2", withoutId: true },
} as const satisfies { readonly [code: string]: RefusalExample };

export const refusalExamples: { readonly [Code in RefusalCode]: RefusalExample } = {
  ...ofConversation,
  ...ofSql,
  ...ofWrites,
  ...ofTransactions,
  ...ofLocks,
  ...ofLibraries,
};

/** Codes that no broker puts into a frame. */
export const localCodes: readonly string[] = [...Object.keys(ofLibraries), "LOCK_LOST"];
