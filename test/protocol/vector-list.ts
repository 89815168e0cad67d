/**
 * The golden frames, from which proto/vectors/ is written: every method asked, answered and refused, every
 * notification, every code, every kind of value, and what is no frame at all. The requests of one session carry rising
 * ids and keys, so that they can be said in this order.
 */
import { type Encoding, errorOf } from "../../src/protocol/index.js";
import { type RefusalCode, type RequestId, refuse } from "../../src/terms/index.js";
import { lockVectors } from "./lock-vectors.js";
import { refusalExamples } from "./refusal-examples.js";
import { Cell, cells, notification, refusal, request, result, secret, session, type Vector } from "./vector.js";

const sessions: Vector[] = [
  request("session.hello.new", "A program opens a session. The secret is its own 32 random bytes.", {
    protocol: { min: 1, max: 1 },
    secret,
    mode: "new",
    program: "reports",
    version: "1.0.0",
    process: { pid: 4711, startTime: "123456" },
  }),
  result("session.hello.result", "The session is open and holds nothing.", {
    protocol: 1,
    session,
    secret,
    role: "admin",
    resumed: false,
    incarnation: "5d41402abc4b2a76b9719d911017c592",
    epoch: 12,
    broker: { version: "0.1.0", pid: 4242, startTime: "120000" },
    runDir: "/run/user/1000/holdfast",
    grants: [],
    lost: [],
    resumeWindowMs: 30000,
    limits: { frameBytesMax: 16777216, resultBytesMax: 8388608 },
  }),
  request(
    "session.hello.resume",
    "After a lost connection: what it believes it holds, and the acquire it will send again.",
    {
      protocol: { min: 1, max: 2 },
      secret,
      mode: "resume",
      program: "reports",
      process: { pid: 4711, startTime: "123456", pidNamespace: "pid:[4026531836]" },
      grants: [
        { name: "index/rebuild", token: 67108865 },
        { name: "deploy/prod", token: 67108870 },
      ],
      pending: [9],
      ack: 7,
    },
  ),
  result("session.hello.result-resumed", "One of the two locks was lost meanwhile.", {
    protocol: 1,
    session,
    secret,
    role: "admin",
    resumed: true,
    incarnation: "5d41402abc4b2a76b9719d911017c592",
    epoch: 13,
    broker: { version: "0.1.0", pid: 5151, startTime: "180000" },
    runDir: "/run/user/1000/holdfast",
    grants: [{ name: "index/rebuild", token: 67108865, key: 4 }],
    lost: [{ name: "deploy/prod", token: 67108870 }],
    resumeWindowMs: 30000,
    limits: { frameBytesMax: 16777216, resultBytesMax: 8388608 },
  }),
  request("session.hello.least", "The least that can be said: the broker makes the secret.", {
    protocol: { min: 1, max: 1 },
  }),
  request("session.hello.outer", "Started by the command of another session, whose secret it was given.", {
    protocol: { min: 1, max: 1 },
    secret,
    program: "holdfast",
    process: { pid: 4715, startTime: "123460" },
    outer: "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
  }),
  request("session.hello.bound", "A session that lives as long as another process, with or without a connection.", {
    protocol: { min: 1, max: 1 },
    secret,
    mode: "either",
    program: "make",
    process: { pid: 4711, startTime: "123456" },
    bound: true,
    resumeWindowMs: 60000,
  }),
  request("session.hello.read-only", "A program that only looks, and cannot do more by mistake.", {
    protocol: { min: 1, max: 1 },
    secret: "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE",
    role: "read",
  }),
  request("session.ping.request", "Served before hello, too.", {}),
  result("session.ping.result", "The broker's wall clock.", { now: 1767225600000 }),
  notification("session.ack.all-below", "to broker", "The answers to keys 1 to 6 have arrived and need not be kept.", {
    below: 7,
  }),
  notification("session.cancel.number", "to broker", "Cancels the request whose id is 17.", { id: 17 }),
  notification("session.cancel.string", "to broker", "Cancels the request whose id is the string 17.", { id: "17" }),
  request("session.settle.request", "What became of three writes of an ended session?", { secret, keys: [2, 3, 5] }),
  result("session.settle.result", "One was applied and its result is known, one never was, one is forgotten.", {
    outcomes: [
      {
        key: 2,
        outcome: "applied",
        result: { columns: [], rows: [], rowsAffected: 1, lastInsertRowid: 7 },
        resultKept: true,
      },
      { key: 3, outcome: "never", resultKept: false },
      {
        key: 5,
        outcome: "unknown",
        error: (({ message, data }) => ({ message, data }))(
          errorOf(refuse("RETRY_TOO_OLD", "what happened under key 5 is no longer known")),
        ),
        resultKept: false,
      },
    ],
  }),
  notification(
    "session.taken.by-another",
    "to client",
    "Another connection has resumed the session; close 4409 follows.",
    {},
  ),
  notification("session.closing.stop", "to client", "The broker is being stopped; close 1012 follows.", {
    reason: "stopped by SIGTERM",
    retryAfterMs: 100,
  }),
  notification("session.expired.window", "to client", "The session has ended.", {}),
  request("session.goodbye.request", "Ends the session and releases everything.", {}),
  result("session.goodbye.result", "It has ended.", {}),
];

const everyType = cells(
  ...[0n, 1n, -1n, 255n, 256n, -32n, -33n, -129n, 65536n, 4294967296n, -2147483649n],
  ...[9007199254740991n, 9007199254740993n, -9007199254740993n, 9223372036854775807n, -9223372036854775808n],
  ...[0.5, -1.25, 1e-7, 5e-324, 1, -0, 0, 1e300, 9007199254740992, Infinity, -Infinity],
  ...["", "text", "ünïcödé 🎈", 'quote " backslash \\ newline \n nul \0', "x".repeat(40)],
  ...[Buffer.alloc(0), Buffer.from([0, 255, 16, 32]), null],
);

const script = [
  "create table note (id integer primary key, body any, score real) strict;\n",
  "create index note_score on note (score);\n",
  "insert into note (body) values ('first')",
];
const [first = "", second = ""] = script;

const database: Vector[] = [
  request("db.script.create", "Three statements in one transaction.", { sql: script.join(""), key: 1 }),
  result("db.script.result", "One result for each statement, with the place where it begins.", {
    results: [
      { position: 0, columns: [], rows: [], rowsAffected: 0, lastInsertRowid: null },
      { position: first.length, columns: [], rows: [], rowsAffected: 0, lastInsertRowid: null },
      { position: first.length + second.length, columns: [], rows: [], rowsAffected: 1, lastInsertRowid: 1 },
    ],
  }),
  request("db.script.not-atomic", "Each statement in a transaction of its own; ends at the first error.", {
    sql: "analyze; reindex note_score",
    atomic: false,
    key: 2,
    ack: 2,
    timeoutMs: 60000,
  }),
  request("db.execute.insert", "A write with values by position, under a request key.", {
    sql: "insert into note (body, score) values (?, ?)",
    args: cells("second", 2.5),
    key: 3,
    ack: 3,
  }),
  result("db.execute.result", "What a write answers.", { columns: [], rows: [], rowsAffected: 1, lastInsertRowid: 2 }),
  request("db.execute.every-type", "Values of every type, with the edges of each.", {
    sql: `select ${everyType.map(() => "?").join(", ")}`,
    args: everyType,
  }),
  result("db.execute.result-every-type", "A row with a cell of every type.", {
    columns: everyType.map((_, index) => `c${index + 1}`),
    rows: [everyType],
    rowsAffected: 0,
    lastInsertRowid: null,
  }),
  request("db.execute.named", "Values by name, without the prefix that they have in the SQL.", {
    sql: "update note set body = :body where id = $id returning id",
    named: { body: new Cell("changed"), id: new Cell(2n) },
    key: 4,
  }),
  result("db.execute.result-returning", "Rows and a count.", {
    columns: ["id"],
    rows: [cells(2n)],
    rowsAffected: 1,
    lastInsertRowid: null,
  }),
  request("db.execute.fenced", "Applied only while the lock is held under this token.", {
    sql: "delete from note where score is null",
    key: 5,
    fence: [{ name: "index/rebuild", token: 67108865 }],
  }),
  request("db.execute.released", "Applied only while the lock is held, which is given back when this is on disk.", {
    sql: "delete from note where score < 0",
    key: 42,
    fence: [{ name: "index/rebuild", token: 67108865 }],
    release: [{ name: "index/rebuild", token: 67108865 }],
  }),
  request("db.execute.without-key", "At most once: nobody can tell what became of it when the broker dies.", {
    sql: "insert into note (body) values ('once')",
  }),
  result("db.execute.result-large-rowid", "A rowid beyond 2^53.", {
    columns: [],
    rows: [],
    rowsAffected: 1,
    lastInsertRowid: new Cell(9007199254740993n),
  }),
  request("db.query.request", "A read with a bound on its rows and its time.", {
    sql: "select id, body, score from note where id > ? order by id",
    args: cells(0n),
    rowsMax: 100,
    timeoutMs: 2000,
  }),
  result("db.query.result", "Two rows. A REAL without a fraction is marked.", {
    columns: ["id", "body", "score"],
    rows: [cells(1n, "first", null), cells(2n, "changed", 2)],
    rowsAffected: 0,
    lastInsertRowid: null,
  }),
  result("db.query.result-no-rows", "No rows, but columns; two may have one name.", {
    columns: ["id", "id"],
    rows: [],
    rowsAffected: 0,
    lastInsertRowid: null,
  }),
  request("db.execute.own-key", "Under a key of the caller's own, which holds in all sessions.", {
    sql: "insert into note (body) values (?)",
    args: cells("order 7"),
    key: "order 7",
    keepMs: 3_600_000,
  }),
  request("db.describe.request", "What is in this text? Nothing of it is run.", {
    sql: "select id, body from note where score > ?2 and id <> :id; delete from note",
  }),
  result("db.describe.result", "Numbers that the text leaves out are parameters too. Columns come from the schema.", {
    statements: [
      {
        position: 0,
        length: 56,
        verb: "SELECT",
        access: "read",
        parameters: [
          { number: 1, name: null },
          { number: 2, name: "?2" },
          { number: 3, name: ":id" },
        ],
        columns: [
          { name: "id", decltype: "INTEGER", table: "note", column: "id" },
          { name: "body", decltype: "ANY", table: "note", column: "body" },
        ],
      },
      { position: 58, length: 16, verb: "DELETE", access: "write", parameters: [], columns: [] },
    ],
  }),
  request("db.batch.request", "All or nothing, under a fence.", {
    statements: [
      { sql: "insert into note (body) values (?)", args: cells("third") },
      { sql: "update note set score = :score where body = ?", args: cells("third"), named: { score: new Cell(3) } },
      { sql: "select count(*) as notes from note" },
    ],
    key: 6,
    fence: [{ name: "index/rebuild", token: 67108865 }],
    timeoutMs: 5000,
  }),
  result("db.batch.result", "One result for each statement.", {
    results: [
      { columns: [], rows: [], rowsAffected: 1, lastInsertRowid: 3 },
      { columns: [], rows: [], rowsAffected: 1, lastInsertRowid: null },
      { columns: ["notes"], rows: [cells(3n)], rowsAffected: 0, lastInsertRowid: null },
    ],
  }),
  request("db.batch.conditions", "What is refused is undone by itself, and others ask what became of it.", {
    statements: [
      { sql: "insert into note (id, body) values (1, ?)", args: cells("first") },
      { sql: "update note set body = ? where id = 1", args: cells("first"), if: { error: 0 } },
      { sql: "delete from note", if: { and: [{ ok: 0 }, { not: { error: 1 } }] } },
    ],
    atomic: false,
  }),
  result("db.batch.result-conditions", "A refusal, a result, and one that was passed over.", {
    results: [
      {
        error: {
          message: "UNIQUE constraint failed: note.id",
          data: {
            code: "SQLITE_CONSTRAINT",
            retryable: false,
            outcome: "none",
            details: { sqliteCode: "SQLITE_CONSTRAINT_PRIMARYKEY" },
          },
        },
      },
      { columns: [], rows: [], rowsAffected: 1, lastInsertRowid: null },
      null,
    ],
  }),
];

const streams: Vector[] = [
  request("db.stream.request", "Rows as they come, 64 KiB of them on the way at most.", {
    stream: 1,
    sql: "select id, body from note where id > ? order by id",
    args: cells(0n),
    credit: 65536,
  }),
  result("db.stream.result", "It has begun; these are its columns.", { stream: 1, columns: ["id", "body"] }),
  notification("db.rows.two", "to client", "Two rows of stream 1.", {
    stream: 1,
    rows: [cells(1n, "first"), cells(2n, "changed")],
  }),
  notification("db.credit.some", "to broker", "The client has done with 120 bytes of stream 1.", {
    stream: 1,
    bytes: 120,
  }),
  notification("db.done.complete", "to client", "Those were all rows of stream 1.", { stream: 1, rows: 2 }),
  notification("db.close.one", "to broker", "The client wants no more of stream 1.", { stream: 1 }),
  notification("db.done.error", "to client", "Stream 1 was ended in the middle.", {
    stream: 1,
    rows: 2000,
    error: (({ message, data }) => ({ message, data }))(
      errorOf(
        refuse("SNAPSHOT_ENDED", "the snapshot of the stream was ended: the log must be folded into the database", {
          why: "fold",
        }),
      ),
    ),
  }),
];

const source = "5d41402abc4b2a76.12";

const watches: Vector[] = [
  request("watch.open.request", "What is committed to two tables, with the keys of the rows.", {
    watch: 1,
    tables: ["job", "page"],
    keys: true,
  }),
  result("watch.open.result", "Watched; one of the tables is not there yet.", {
    ...{ upTo: 1024, source, gap: false },
    absent: ["page"],
  }),
  request("watch.open.resumed", "The same after a lost connection.", {
    ...{ watch: 1, tables: ["job", "page"], keys: true },
    ...{ after: 1030, source },
  }),
  result("watch.open.result-gap", "The broker was replaced: what happened meanwhile is not known.", {
    ...{ upTo: 1041, source: "5d41402abc4b2a76.13", gap: true },
    absent: [],
  }),
  notification("watch.changes.two", "to client", "One commit has changed both tables.", {
    ...{ watch: 1, source, upTo: 1030 },
    changes: [
      {
        ...{ seq: 1030, table: "job", inserts: 1, updates: 1, deletes: 0 },
        keys: [
          { change: "insert", key: [7] },
          { change: "update", key: [5], was: [4] },
        ],
      },
      {
        ...{ seq: 1030, table: "page", inserts: 3, updates: 0, deletes: 0 },
        schema: "created",
        keys: [],
        keysCut: true,
      },
    ],
  }),
  notification("watch.changes.gap", "to client", "What was committed up to 1041 is not all known.", {
    ...{ watch: 1, source: "5d41402abc4b2a76.13", upTo: 1041, gap: true },
    changes: [],
  }),
  request("watch.close.request", "No more of it.", { watch: 1 }),
  result("watch.close.result", "Ended.", {}),
];

const locks = lockVectors();

const administration: Vector[] = [
  request("admin.status.request", "How is the broker?", {}),
  result("admin.status.result", "Well.", {
    version: "0.1.0",
    pid: 4242,
    startTime: "120000",
    startedAt: 1767225600000,
    uptimeMs: 3600000,
    node: "20.20.2",
    sqlite: "3.51.1",
    epoch: 12,
    incarnation: "5d41402abc4b2a76b9719d911017c592",
    database: { path: "/home/ada/.local/share/holdfast/data.db", bytes: 40960, walBytes: 0 },
    places: { socket: "/run/user/1000/holdfast/broker.sock" },
    sessions: 3,
    connections: 2,
    unansweredBytes: 4096,
    locks: { state: "ok", held: 1, waiting: 2 },
    processes: [
      { role: "front", pid: 4242, state: "ready", rssBytes: 67108864 },
      { role: "writer", pid: 4243, state: "ready" },
      { role: "reader", pid: 4244, state: "busy" },
    ],
    writes: { state: "unavailable", reason: "database is locked by pid 99", settled: 1024, queued: 3, dispatched: 0 },
    reads: { running: 1, queued: 0, snapshots: 0, snapshotsWaiting: 0 },
    limits: { connectionsMax: 1024 },
    spawned: true,
    idleMs: 0,
  }),
  request("admin.stop.request", "End the broker.", {}),
  result("admin.stop.result", "It takes nothing new from here on.", {}),
];

const transactions: Vector[] = [
  request(
    "tx.begin.request",
    "A transaction under a number of the client's own; it waits for its turn at the writer.",
    {
      tx: 1,
      mode: "write",
      timeoutMs: 60000,
    },
  ),
  result("tx.begin.result", "It has begun: nobody else writes until it is over.", { tx: 1 }),
  request("tx.begin.read", "One that only reads, all of it from one moment.", { tx: 3, mode: "read" }),
  request("tx.begin.deferred", "One that reads until its first write.", { tx: 4, mode: "deferred" }),
  result("tx.begin.result-read", "Its snapshot is open, and shows everything up to this commit.", { tx: 3, seq: 1040 }),
  request("tx.stream.request", "Rows from the snapshot of a transaction, else as with db.stream.", {
    tx: 3,
    stream: 2,
    sql: "select id, body from note order by id",
    credit: 1_048_576,
  }),
  result("tx.stream.result", "The columns; rows come as db.rows, the end as db.done.", {
    stream: 2,
    columns: ["id", "body"],
  }),
  request("tx.begin.fenced", "For its whole life the lock must be held under this token.", {
    tx: 2,
    mode: "write",
    fence: [{ name: "index/rebuild", token: 67108865 }],
  }),
  request("tx.execute.insert", "A statement in it, with a value by position.", {
    tx: 1,
    sql: "insert into note (body) values (?) returning id",
    args: cells("fourth"),
  }),
  result("tx.execute.result", "Its result; nobody else sees it before the commit.", {
    columns: ["id"],
    rows: [cells(4n)],
    rowsAffected: 1,
    lastInsertRowid: 4,
  }),
  request(
    "tx.execute.query",
    "A read in it, with a bound on its rows and its time; it sees what the transaction has done.",
    {
      tx: 1,
      sql: "select body from note where id = :id",
      named: { id: new Cell(4n) },
      rowsMax: 1,
      timeoutMs: 1000,
    },
  ),
  request("tx.execute.savepoint", "A savepoint is set like a statement.", { tx: 1, sql: "savepoint before_the_rest" }),
  request("tx.batch.request", "Several statements of it at once: all of them or none.", {
    tx: 1,
    statements: [
      { sql: "update note set score = ? where id = ?", args: cells(0.5, 4n) },
      { sql: "select count(*) as notes from note" },
    ],
    timeoutMs: 1000,
  }),
  result("tx.batch.result", "One result for each statement.", {
    results: [
      { columns: [], rows: [], rowsAffected: 1, lastInsertRowid: null },
      { columns: ["notes"], rows: [cells(4n)], rowsAffected: 0, lastInsertRowid: null },
    ],
  }),
  request("tx.commit.request", "The commit, under a key: sent again it answers the same, and commits nothing twice.", {
    tx: 1,
    key: 40,
    ack: 3,
  }),
  result("tx.commit.result", "It is on disk.", { seq: 1042 }),
  request("tx.commit.released", "A commit with which a lock is given back.", {
    tx: 2,
    key: 41,
    release: [{ name: "index/rebuild", token: 67108865 }],
  }),
  request("tx.rollback.request", "Undoes whatever there is to be undone.", { tx: 2 }),
  result("tx.rollback.result", "Done, whatever there was.", {}),
];

const beforeHello = (method: string) =>
  refusal(method, "NOT_READY", {
    when: "A request before hello.",
    message: `session.hello must come before ${method}`,
  });

const refused: Vector[] = [
  // Every code once, at a method that can meet it.
  ...(Object.keys(refusalExamples) as RefusalCode[]).map((code) => refusal(refusalExamples[code].method, code)),
  // Every method once at least.
  ...["session.goodbye", "tx.batch", "tx.stream", "tx.rollback", "watch.close", "admin.status", "admin.stop"].map(
    beforeHello,
  ),
  refusal("session.ping", "PARAMS_INVALID", {
    when: "Parameters by position.",
    message: "params must be an object",
    details: { path: "params" },
  }),
  refusal("session.settle", "WRITER_UNAVAILABLE", {
    when: "What became of a write is in the database, and nobody can look.",
    message: "no writer can be had: the disk failed",
    details: { reason: "the disk failed" },
  }),
  refusal("db.script", "SQLITE_CONSTRAINT", {
    when: "The third statement of a script that is not atomic violates UNIQUE: two were applied.",
    message: "UNIQUE constraint failed: note.id",
    outcome: "partial",
    details: { sqliteCode: "SQLITE_CONSTRAINT_PRIMARYKEY", statement: 2, applied: 2 },
  }),
  refusal("db.describe", "SQLITE_ERROR", {
    when: "Its second statement is wrong.",
    message: "no such column: nix",
    details: { sqliteCode: "SQLITE_ERROR", statement: 1, position: 17, length: 3 },
  }),
  refusal("watch.open", "PARAMS_INVALID", {
    when: "A view is to be watched.",
    message: '"open_jobs" is a view; only tables can be watched',
    details: { table: "open_jobs" },
  }),
  refusal("lock.cancel", "RETRY_TOO_OLD", {
    when: "A key that was acknowledged is sent again.",
    message: "request key 10 was acknowledged before",
  }),
  refusal("lock.upgrade", "DEADLOCK", {
    when: "Another session that shares it waits to have it alone already.",
    message: '"index/rebuild" is shared with make (pid 4711), which waits to have it alone: neither would ever get it',
    details: { name: "index/rebuild" },
  }),
  refusal("lock.downgrade", "LOCK_NOT_HELD", {
    when: "It was released meanwhile.",
    message: 'nobody holds "index/rebuild" under token 67108865',
    details: { name: "index/rebuild", token: 67108865 },
  }),
  refusal("lock.break", "META_TOO_LARGE", {
    when: "A reason of 5000 bytes.",
    message: "params.reason is longer than 4096 bytes",
    details: { limit: "metaBytesMax" },
  }),
  refusal("lock.resize", "SLOTS_MISMATCH", {
    when: "The name is not locked in slots.",
    message: '"index/rebuild" is not locked in slots',
    details: { name: "index/rebuild" },
  }),
  refusal("lock.history", "NAME_INVALID", {
    when: "A name of 600 bytes.",
    message: "the lock name has 600 bytes, at most 512 are allowed",
    details: { limit: "nameBytesMax" },
  }),
  refusal("lock.unwatch", "PARAMS_INVALID", {
    when: "No number.",
    message: "params.watch is missing",
    details: { path: "params.watch" },
  }),
  refusal("lock.list", "NAME_INVALID", {
    when: "Half of a character that JSON writes as two escapes.",
    message: "the lock name has a surrogate without its partner",
    details: { limit: "nameBytesMax" },
  }),
];

export const vectors: readonly Vector[] = [
  ...sessions,
  ...database,
  ...streams,
  ...watches,
  ...locks,
  ...administration,
  ...transactions,
  ...refused,
];

/** What is no frame: the refusal it meets, and the id under which. */
export interface BrokenVector {
  readonly name: string;
  readonly description: string;
  readonly frame: { readonly [Name in Encoding]?: Buffer };
  readonly code: RefusalCode;
  readonly id: RequestId | null;
}

function broken(
  name: string,
  description: string,
  parts: { json?: string; msgpack?: string; code: RefusalCode; id?: RequestId },
): BrokenVector {
  const { json, msgpack, code, id = null } = parts;
  return {
    name: `frame.${name}`,
    description,
    frame: {
      ...(json === undefined ? {} : { json: Buffer.from(json, "utf8") }),
      ...(msgpack === undefined ? {} : { msgpack: Buffer.from(msgpack.replaceAll(" ", ""), "hex") }),
    },
    code,
    id,
  };
}

/** jsonrpc: "2.0" and an opened map of three fields in MessagePack. */
const opened = "83 a7 6a736f6e727063 a3 322e30";

export const brokenVectors: readonly BrokenVector[] = [
  broken("cut-short", "A frame that ends too early.", {
    json: '{"jsonrpc":"2.0","id":1',
    msgpack: `${opened} a2 6964`,
    code: "PARSE_ERROR",
  }),
  broken("two-values", "Something follows the object.", { json: "{}{}", msgpack: "80 80", code: "PARSE_ERROR" }),
  broken("array", "Arrays of requests are not taken.", {
    json: '[{"jsonrpc":"2.0","id":1,"method":"session.ping"}]',
    msgpack: "90",
    code: "ARRAY_REFUSED",
  }),
  broken("no-object", "A frame that is not an object.", {
    json: '"hello"',
    msgpack: "a5 68656c6c6f",
    code: "INVALID_REQUEST",
  }),
  broken("no-version", "The field jsonrpc is missing.", {
    json: '{"id":5,"method":"session.ping"}',
    msgpack: "82 a2 6964 05 a6 6d6574686f64 a1 78",
    code: "INVALID_REQUEST",
    id: 5,
  }),
  broken("no-method", "Neither a method nor a result.", {
    json: '{"jsonrpc":"2.0","id":"a"}',
    msgpack: "82 a7 6a736f6e727063 a3 322e30 a2 6964 a1 61",
    code: "INVALID_REQUEST",
    id: "a",
  }),
  broken("null-id", "An id of null is not taken.", {
    json: '{"jsonrpc":"2.0","id":null,"method":"session.ping"}',
    msgpack: `${opened} a2 6964 c0 a6 6d6574686f64 a1 78`,
    code: "INVALID_REQUEST",
  }),
  broken("rounded-id", "An id beyond 2^53 would be rounded.", {
    json: '{"jsonrpc":"2.0","id":9007199254740993,"method":"session.ping"}',
    msgpack: `${opened} a2 6964 cf 0020000000000001 a6 6d6574686f64 a1 78`,
    code: "INVALID_REQUEST",
  }),
  broken("too-deep", "Arrays within arrays, 20 deep.", {
    json: `{"jsonrpc":"2.0","id":7,"method":"db.query","params":{"sql":"select 1","args":${"[".repeat(18)}${"]".repeat(18)}}}`,
    msgpack: `84 a7 6a736f6e727063 a3 322e30 a2 6964 07 a6 6d6574686f64 a1 78 a6 706172616d73 ${"91".repeat(18)} 90`,
    code: "INVALID_REQUEST",
    id: 7,
  }),
  broken("extension-type", "MessagePack's extension types, timestamps too, are not taken.", {
    msgpack: `${opened} a2 6964 d6 ff 00000000`,
    code: "PARSE_ERROR",
  }),
  broken("key-not-text", "The keys of a map are text.", { msgpack: "81 01 02", code: "PARSE_ERROR" }),
  broken("key-twice", "In MessagePack a map has no key twice. (In JSON the last one counts.)", {
    msgpack: "82 a1 61 01 a1 61 02",
    code: "PARSE_ERROR",
  }),
  broken("not-utf-8", "Text that is not UTF-8.", { msgpack: "a1 ff", code: "PARSE_ERROR" }),
  broken("count-too-large", "A list that claims four billion elements.", {
    msgpack: "dd ffffffff",
    code: "PARSE_ERROR",
  }),
];
