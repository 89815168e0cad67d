/**
 * Every limit of the broker: unit in the name, default, the range a configuration may choose from, the code of the
 * refusal that it leads to, and why this figure. `--limit NAME=VALUE` sets one.
 */
import type { RefusalCode } from "./refusals.js";

export interface LimitRow {
  readonly standard: number;
  readonly least: number;
  readonly most: number;
  readonly code: RefusalCode | null;
  readonly why: string;
}

const KiB = 1024;
const MiB = 1024 * KiB;
const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;

function row(standard: number, least: number, most: number, code: RefusalCode | null, why: string): LimitRow {
  return { standard, least, most, code, why };
}

export const limitTable = {
  connectionsMax: row(
    1024,
    4,
    65_536,
    "CONNECTIONS_FULL",
    "each holds a file and some 20 KiB; three of them are kept for the command line",
  ),
  connectionsKept: row(
    3,
    0,
    64,
    "CONNECTIONS_FULL",
    "so that `status` and `stop` get in when apps have taken the rest",
  ),
  unauthenticatedMax: row(
    64,
    1,
    4096,
    "CONNECTIONS_FULL",
    "sockets that have not said hello, beyond which the longest silent goes for who comes; those that resume have `resumingMax` beside it",
  ),
  resumingMax: row(1024, 1, 65_536, "CONNECTIONS_FULL", "after a crash all clients come back at once"),
  sessionsMax: row(
    10_000,
    8,
    1_000_000,
    "SESSIONS_FULL",
    "each outlives its connection by a window; when there are so many, one that is away and has nothing to lose goes",
  ),
  helloMs: row(
    2 * second,
    100,
    minute,
    "HELLO_TIMEOUT",
    "a local client needs a millisecond; a silent socket must not stay",
  ),
  frameBytesMax: row(16 * MiB, 64 * KiB, 256 * MiB, "FRAME_TOO_LARGE", "one value of 8 MiB in base64, and room"),
  sqlBytesMax: row(
    1_000_000,
    1000,
    16 * MiB,
    "SQL_TOO_LONG",
    "SQLite's own default; of a batch the different texts together: everybody waits while they are looked at",
  ),
  statementsMax: row(
    10_000,
    1,
    1_000_000,
    "SQL_TOO_LONG",
    "statements of one script, and of one batch, which takes 1,024 at most: everybody waits while they are looked at",
  ),
  parametersMax: row(32_766, 1, 32_766, "PARAMETER_SURPLUS", "SQLITE_MAX_VARIABLE_NUMBER of the build"),
  valueBytesMax: row(8 * MiB, KiB, 128 * MiB, "VALUE_TOO_LARGE", "larger things belong in files"),
  resultBytesMax: row(8 * MiB, KiB, 128 * MiB, "RESULT_TOO_LARGE", "an answer is built whole in memory"),
  requestsInFlightMax: row(1024, 1, 65_536, null, "per connection; beyond it the broker stops reading that connection"),
  requestBytesAllMax: row(
    256 * MiB,
    MiB,
    16_384 * MiB,
    null,
    "asked for by all and not answered; the broker stops reading a connection that has more of it than is left",
  ),
  outputBytesMax: row(
    16 * MiB,
    64 * KiB,
    1024 * MiB,
    "SLOW_CONSUMER",
    "buffered for one connection that does not read",
  ),
  outputBytesAllMax: row(
    256 * MiB,
    MiB,
    4096 * MiB,
    "SLOW_CONSUMER",
    "buffered for all; the largest buffer goes first",
  ),
  readMs: row(30 * second, 10, 5 * minute, "STATEMENT_TIMEOUT", "a read that needs longer asks for it with timeoutMs"),
  writeMs: row(30 * second, 10, 5 * minute, "STATEMENT_TIMEOUT", "a write while nobody else waits"),
  writeContendedMs: row(
    5 * second,
    10,
    5 * minute,
    "STATEMENT_TIMEOUT",
    "a write while others wait: its time is everyone's time",
  ),
  timeoutMsMax: row(5 * minute, 10, hour, "PARAMS_INVALID", "what a request may ask for with timeoutMs"),
  cancelRunningMs: row(
    250,
    0,
    minute,
    null,
    "a running statement is killed by a cancel only after so long: killing costs more than most statements",
  ),
  txMs: row(
    5 * minute,
    10,
    hour,
    "TX_EXPIRED",
    "how long a transaction may be open at all; `timeoutMs` may ask for less",
  ),
  txContendedMs: row(
    10 * second,
    10,
    hour,
    "TX_EXPIRED",
    "how long others may wait for a transaction to end: its time is everyone's time",
  ),
  txIdleMs: row(
    5 * second,
    10,
    hour,
    "TX_EXPIRED",
    "how long a transaction may do nothing while others wait for it to end",
  ),
  transactionsMax: row(1000, 1, 100_000, "TRANSACTIONS_FULL", "waiting or open in one session"),
  groupRequestsMax: row(512, 1, 65_536, null, "requests in one group commit"),
  groupBytesMax: row(4 * MiB, KiB, 256 * MiB, null, "bytes of requests in one group commit"),
  groupMs: row(20, 1, 1000, null, "execution in one group commit before it syncs"),
  writesDispatchedMax: row(1024, 1, 65_536, null, "writes in the writer's hands; the rest wait in fair queues"),
  readerStartMs: row(
    30 * second,
    100,
    10 * minute,
    "READER_UNAVAILABLE",
    "how long reads wait while no reader can be had; one is started in a tenth of a second",
  ),
  readersMin: row(2, 1, 64, null, "reader processes that are always there"),
  readersMax: row(8, 1, 64, null, "reader processes on demand"),
  snapshotProcessesMax: row(
    32,
    1,
    256,
    null,
    "processes for streams and read transactions, one each; one session has at most all but one of them",
  ),
  snapshotMs: row(
    5 * minute,
    100,
    hour,
    "SNAPSHOT_ENDED",
    "the age of a snapshot: what it sees cannot be folded out of the log",
  ),
  snapshotContendedMs: row(
    10 * second,
    100,
    hour,
    "SNAPSHOT_ENDED",
    "the age of a snapshot while a session that has fewer waits for a process",
  ),
  chunkBytesMax: row(256 * KiB, KiB, 8 * MiB, null, "one message of a stream; a larger row goes alone"),
  childBytesMax: row(
    1024 * MiB,
    256 * MiB,
    1024 * 1024 * MiB,
    "SQLITE_NOMEM",
    "memory of each process that runs statements, with the buffers of a sort; on Linux",
  ),
  waitersMax: row(10_000, 1, 1_000_000, "QUEUE_FULL", "waiters for one name"),
  locksPerSessionMax: row(
    10_000,
    1,
    50_000,
    "LOCKS_FULL",
    "held and waited for by one session; fewer when their names are long: after a lost connection its hello lists them all in one frame",
  ),
  namesPerRequestMax: row(64, 1, 1024, "PARAMS_INVALID", "names of one request, granted all or none"),
  semaphoresMax: row(
    100_000,
    1,
    10_000_000,
    "LOCKS_FULL",
    "names whose number of slots is remembered until the machine restarts",
  ),
  ttlMsMin: row(second, 10, hour, "PARAMS_INVALID", "a shorter lease would end by a garbage collection of its holder"),
  ttlMsMax: row(24 * hour, second, 30 * 24 * hour, "PARAMS_INVALID", "a longer lease is none"),
  recoveryGraceMs: row(
    10 * second,
    100,
    hour,
    null,
    "every lease runs at least so long after a restart: its holder must first find the broker again",
  ),
  historyEventsMax: row(16, 0, 1024, null, "the last events of a name that lock.history tells"),
  historyNamesMax: row(10_000, 0, 1_000_000, null, "names with a history; those that rest longest lose theirs first"),
  lockEventsKeptMax: row(
    10_000,
    0,
    1_000_000,
    null,
    "events that a watch can be resumed from; beyond it, it begins anew with how things are",
  ),
  tablesPerWatchMax: row(64, 1, 1000, "PARAMS_INVALID", "tables of one watch"),
  tablesWatchedMax: row(1000, 1, 100_000, "WATCHES_FULL", "tables that are watched; each costs its writes a little"),
  tablesTakenUpMax: row(
    4,
    1,
    1000,
    null,
    "tables that the writer begins to watch, and as many it ceases to, between two groups of writes: a millisecond or two each",
  ),
  watchLingerMs: row(
    10 * second,
    0,
    hour,
    null,
    "how long tables stay watched after a watch was ended: beginning it again gives the writer nothing to do",
  ),
  changesKeptMax: row(
    10_000,
    0,
    1_000_000,
    null,
    "commits to watched tables that a watch can go on from; beyond it, it is told of a gap",
  ),
  changedKeysMax: row(1000, 0, 100_000, null, "keys that are named of one table in one commit; all rows are counted"),
  watchesPerSessionMax: row(1000, 1, 100_000, "WATCHES_FULL", "each event is looked at for each watch"),
  nameBytesMax: row(512, 1, 4096, "NAME_INVALID", "a name is read by people"),
  metaBytesMax: row(4 * KiB, 0, 64 * KiB, "META_TOO_LARGE", "a reason, a program name; not a data store"),
  resumeWindowMs: row(30 * second, 100, hour, "SESSION_EXPIRED", "how long a session without connection is kept"),
  endedKeysMs: row(24 * hour, second, 30 * 24 * hour, "RETRY_TOO_OLD", "answers of an ended session are kept so long"),
  replyBytesKeptMax: row(256 * KiB, 0, 8 * MiB, "RESULT_NOT_KEPT", "a larger answer is not stored with its key"),
  repliesBytesAllMax: row(
    256 * MiB,
    MiB,
    16_384 * MiB,
    "RETRY_TOO_OLD",
    "all stored answers; the oldest ended sessions go first",
  ),
  keepMsMax: row(
    7 * 24 * hour,
    second,
    90 * 24 * hour,
    "PARAMS_INVALID",
    "a caller's own request key is kept so long at most",
  ),
  ownKeysBytesMax: row(
    64 * MiB,
    64 * KiB,
    1024 * MiB,
    "DISK_FULL",
    "callers' own keys and their answers: the largest answers go first, a key stays for its time, and when keys fill three quarters of it new ones are refused",
  ),
  walBytesMax: row(64 * MiB, MiB, 1024 * MiB, null, "then new reads wait, and the log is folded into the database"),
  walBytesHardMax: row(1024 * MiB, 2 * MiB, 16_384 * MiB, "DISK_FULL", "beyond it writes are refused"),
  idleExitMs: row(10 * minute, second, 7 * 24 * hour, null, "a spawned broker without clients ends itself"),
} as const satisfies Record<string, LimitRow>;

export type LimitName = keyof typeof limitTable;
export type Limits = { readonly [Name in LimitName]: number };

export const limitNames = Object.keys(limitTable) as readonly LimitName[];

/** The standard limits, with the given ones in their place. Throws RangeError on an unknown name or a value out of range. */
export function limitsWith(chosen: { readonly [name: string]: number } = {}): Limits {
  const limits: Record<string, number> = {};
  for (const name of limitNames) limits[name] = limitTable[name].standard;
  for (const [name, value] of Object.entries(chosen)) {
    const known: LimitRow | undefined = Object.hasOwn(limitTable, name) ? limitTable[name as LimitName] : undefined;
    if (known === undefined)
      throw new RangeError(`there is no limit "${name}"; the limits are ${limitNames.join(", ")}`);
    if (!Number.isSafeInteger(value) || value < known.least || value > known.most)
      throw new RangeError(`limit ${name} must be a whole number from ${known.least} to ${known.most}, not ${value}`);
    limits[name] = value;
  }
  return limits as Limits;
}
