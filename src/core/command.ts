/**
 * Everything that can ever happen to the broker, as the core hears it: a closed union. The front translates the wire,
 * the operating system and the store into these; nothing else reaches a decision. Time comes beside the command.
 */
import type {
  ConnectionId,
  Instant,
  LockName,
  Millis,
  RequestId,
  RequestKey,
  Seq,
  SessionId,
  SnapshotProcessId,
  Token,
  TransactionNumber,
} from "../terms/index.js";
import type { Role } from "./sessions/role.js";
import type { StoreEvent } from "./store-event.js";

export type * from "./store-event.js";

/** What the core carries but never opens: the bytes of a request on their way to the store. */
export interface Parcel {
  /** Bytes; the coin in which fairness is paid. */
  readonly size: number;
}

/** `nothing`: more waits for a client than it may have; `slowly`: less again; `all`: nothing waits for it any more. */
export type Takes = "nothing" | "slowly" | "all";

/** A process as the operating system tells it apart from a later one with the same number. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Opaque text that changes when the pid is used again (on Linux, start time in clock ticks since boot). */
  readonly startTime: string;
}

export interface SessionIdentity {
  readonly program: string;
  readonly version: string;
  /** Present only when the front could read this process at hello: a claim that could not be checked does not count. */
  readonly process: ProcessIdentity | undefined;
  /** The session lives as long as `process`, with or without a connection. */
  readonly bound: boolean;
}

export interface Fence {
  readonly name: LockName;
  readonly token: Token;
}

/** How a name is claimed. Two claims on one name go together if both are shared, or both semaphore and their takes fit. */
export type Mode = "exclusive" | "shared" | "semaphore";

/** One name in a request for locks. */
export interface Claim {
  readonly name: LockName;
  readonly mode: Mode;
  /** Semaphore only: the capacity of the name as the client knows it; absent: the one that is remembered. */
  readonly slots?: number | undefined;
  /** Semaphore only: how many of the slots; 1 unless said. */
  readonly take?: number | undefined;
}

/** What a request wants to be told of without asking. */
export interface Tell {
  /** While it waits: its place, when it is queued and when that changed, at most once a second. */
  readonly place: boolean;
  /** While it holds: that somebody waits for one of its names. */
  readonly contended: boolean;
}

/** Who asked, so that the answer finds the way back. */
export interface Asker {
  readonly connection: ConnectionId;
  readonly request: RequestId;
}

export interface HelloCommand extends Asker {
  readonly kind: "hello";
  readonly session: SessionId;
  readonly mode: "new" | "resume" | "either";
  readonly identity: SessionIdentity;
  /** Absent: the session's own, or every right if it is new. */
  readonly role?: Role | undefined;
  readonly windowMs: Millis | undefined;
  /** What the client believes it holds; what it does not list (and has not pending) is released. */
  readonly grants: readonly Fence[];
  /** Keys of lock requests (conversions too) that the client will send again. */
  readonly pending: readonly RequestKey[];
  readonly ackedBelow: RequestKey | undefined;
  /** The session of the command that this one runs under, proved by its secret; one that is not known is ignored. */
  readonly outer: SessionId | undefined;
}

export interface WriteCommand extends Asker {
  readonly kind: "write";
  /** Absent: at most once; nobody can tell the outcome after a crash. */
  readonly key: RequestKey | undefined;
  /** Instead: a key of the caller's own, which holds in all sessions; only the store knows it. */
  readonly ownKey?: boolean;
  readonly fences: readonly Fence[];
  /** Locks of its session that are given back when it is on disk; what is not held under its token is passed over. */
  readonly release?: readonly Fence[] | undefined;
  /** Must run in a transaction of its own (rule 7). */
  readonly alone: boolean;
  /** A transaction for each of its statements: what was applied of it stays when it is refused. */
  readonly piecewise?: boolean;
  /** What the client asked for; the core knows the standard limits. */
  readonly timeoutMs: Millis | undefined;
  /** The same for while others wait. */
  readonly contendedMs?: Millis | undefined;
  readonly parcel: Parcel;
}

/**
 * `read`: all of it sees one snapshot, and nobody waits for it. `write`: nobody else writes until it is over. `deferred`: it
 * reads until its first write, and writes from then on, if nothing was committed since its snapshot.
 */
export type TransactionMode = "read" | "write" | "deferred";

/** The client's own number names the transaction, so that what follows need not wait for the answer. */
export interface BeginCommand extends Asker {
  readonly kind: "tx-begin";
  readonly transaction: TransactionNumber;
  readonly mode: TransactionMode;
  /** Hold for its whole life. */
  readonly fences: readonly Fence[];
  /** How long it may be open. */
  readonly timeoutMs: Millis | undefined;
}

/** One request inside a transaction: a statement, several, or what is done to its savepoints. */
export interface StepCommand extends Asker {
  readonly kind: "tx-step";
  readonly transaction: TransactionNumber;
  /** It may change something. */
  readonly writes: boolean;
  /** It sets or ends a savepoint. */
  readonly control?: boolean;
  readonly timeoutMs: Millis | undefined;
  readonly parcel: Parcel;
}

export interface CommitCommand extends Asker {
  readonly kind: "tx-commit";
  readonly transaction: TransactionNumber;
  readonly key: RequestKey | undefined;
  /** As of a write. */
  readonly ownKey?: boolean;
  readonly release?: readonly Fence[] | undefined;
  readonly parcel: Parcel;
}

export interface RollbackCommand extends Asker {
  readonly kind: "tx-rollback";
  readonly transaction: TransactionNumber;
}

export type TransactionCommand = BeginCommand | StepCommand | CommitCommand | RollbackCommand;

export interface ReadCommand extends Asker {
  readonly kind: "read";
  readonly timeoutMs: Millis | undefined;
  readonly parcel: Parcel;
}

export interface AcquireCommand extends Asker {
  readonly kind: "acquire";
  readonly key: RequestKey;
  /** At least one; all are granted at once under one token, or none. A name that comes twice is claimed once. */
  readonly claims: readonly Claim[];
  /** 0: does not wait. Absent: as long as it takes. */
  readonly waitMs: Millis | undefined;
  readonly reason: string;
  /** The lease: without a sign of life for so long the grant is lost. Absent: it lives as long as its session. */
  readonly ttlMs: Millis | undefined;
  /** Processes carry its token: when it ends otherwise than by release, they end before the names are granted again. */
  readonly guarded: boolean;
  readonly tell: Tell;
  /** Who holds the names loses them, and the request goes to the head. */
  readonly steal: boolean;
  /** Grants that are not given back before this request is done. Absent: all that the session holds. */
  readonly under: readonly Token[] | undefined;
}

/** Upgrade to exclusive or downgrade to shared of one name of a grant. */
export interface ConvertCommand extends Asker, Fence {
  readonly kind: "convert";
  readonly key: RequestKey;
  readonly to: "exclusive" | "shared";
  /** As with acquire; a downgrade never waits. */
  readonly waitMs: Millis | undefined;
  /** As with acquire; what is converted need not be among them. */
  readonly under: readonly Token[] | undefined;
}

/** Takes a lock from those who hold it, after a time in which they may give it back. */
export interface BreakCommand extends Asker {
  readonly kind: "break";
  readonly key: RequestKey;
  readonly name: LockName;
  /** Absent: all that hold it now. */
  readonly token: Token | undefined;
  readonly graceMs: Millis;
  readonly reason: string;
}

/** Hands a lock to a session that waits for it. */
export interface TransferCommand extends Asker {
  readonly kind: "transfer";
  readonly key: RequestKey;
  readonly name: LockName;
  /** Absent: the asker's own grant of it, or the only one there is. */
  readonly token: Token | undefined;
  readonly to: SessionId;
  readonly reason: string;
}

export interface CancelAcquireCommand extends Asker {
  readonly kind: "cancel-acquire";
  readonly key: RequestKey;
  /** The key of the request, which may be a conversion. */
  readonly of: RequestKey;
}

export interface ReleaseCommand extends Asker, Fence {
  readonly kind: "release";
  readonly key: RequestKey;
  /** Its client does not rely on it any more, but what it started under it may still run. */
  readonly lost: boolean;
}

/** Gives a semaphore another number of slots; a name that was none becomes one, if nobody uses it. */
export interface ResizeCommand extends Asker {
  readonly kind: "resize";
  readonly key: RequestKey;
  readonly name: LockName;
  readonly slots: number;
}

export interface ListCommand extends Asker {
  readonly kind: "list";
  readonly name: LockName | undefined;
  readonly prefix: string;
  /** Only names that this session holds or waits for. */
  readonly session: SessionId | undefined;
  /** Only names that somebody waits for. */
  readonly contended: boolean;
  /** Only names behind this one. */
  readonly after?: LockName | undefined;
  readonly waitersMax: number;
}

/** The last events of one name. */
export interface HistoryCommand extends Asker {
  readonly kind: "history";
  readonly name: LockName;
  readonly max: number;
}

/** Events of one name, or of all names that begin so, from now on or from after an event that was heard before. */
export interface WatchCommand extends Asker {
  readonly kind: "watch";
  /** As the client calls it; unique in its session. */
  readonly watch: number;
  readonly name: LockName | undefined;
  readonly prefix: string;
  readonly after: number | undefined;
}

export interface UnwatchCommand extends Asker {
  readonly kind: "unwatch";
  readonly watch: number;
}

/** What is committed to these tables from now on, or from after a commit that was heard before. */
export interface WatchTablesCommand extends Asker {
  readonly kind: "watch-tables";
  /** As the client calls it; unique on its connection. */
  readonly watch: number;
  /** As the client spells them. */
  readonly tables: readonly string[];
  readonly keys: boolean;
  readonly after: { readonly seq: Seq; readonly source: string } | undefined;
}

export interface UnwatchTablesCommand extends Asker {
  readonly kind: "unwatch-tables";
  readonly watch: number;
}

export interface StreamCommand extends Asker {
  readonly kind: "stream";
  /** The client's number for it, on this connection. */
  readonly stream: number;
  /** Whose snapshot it reads from; absent: one of its own. */
  readonly transaction?: TransactionNumber | undefined;
  /** Bytes of messages that may be on the way at first. */
  readonly credit: number;
  /** How long it may run without a message. */
  readonly timeoutMs: Millis | undefined;
  readonly parcel: Parcel;
}

export type ClientCommand =
  | HelloCommand
  | (Asker & { readonly kind: "goodbye" })
  /** A sign of life, answered in the order of the connection. */
  | (Asker & { readonly kind: "ping" })
  | (Asker & {
      readonly kind: "settle";
      readonly session: SessionId;
      readonly keys: readonly RequestKey[];
      readonly parcel: Parcel;
    })
  | { readonly kind: "ack"; readonly connection: ConnectionId; readonly below: RequestKey }
  | { readonly kind: "cancel"; readonly connection: ConnectionId; readonly request: RequestId }
  | WriteCommand
  | ReadCommand
  | StreamCommand
  | {
      readonly kind: "stream-credit";
      readonly connection: ConnectionId;
      readonly stream: number;
      readonly bytes: number;
    }
  | { readonly kind: "stream-close"; readonly connection: ConnectionId; readonly stream: number }
  | TransactionCommand
  | WatchTablesCommand
  | UnwatchTablesCommand
  | LockCommand;

/** What is asked of the lock table. */
export type LockCommand =
  | AcquireCommand
  | ConvertCommand
  | CancelAcquireCommand
  | ReleaseCommand
  | BreakCommand
  | TransferCommand
  | ResizeCommand
  | ListCommand
  | HistoryCommand
  | WatchCommand
  | UnwatchCommand;

export type Command =
  | { readonly kind: "connected"; readonly connection: ConnectionId }
  /** `heardAt`: when it was heard last, apart from its commands; what lay unread in it nobody will ever hear. */
  | { readonly kind: "disconnected"; readonly connection: ConnectionId; readonly heardAt?: Instant }
  | ClientCommand
  | StoreEvent
  /** The answer to a `probe-process` job. `dead` also for a zombie. */
  | {
      readonly kind: "process-fate";
      readonly session: SessionId;
      readonly process: ProcessIdentity;
      readonly fate: "alive" | "dead" | "unknown";
    }
  /**
   * The answer to a `look-connection` job. `heardAt`: now, while the front itself does not read that connection or bytes
   * of it lie in the socket; else when its last byte came or when it was last read again, moved by pauses since then.
   */
  | {
      readonly kind: "connection-seen";
      readonly session: SessionId;
      readonly connection: ConnectionId;
      readonly heardAt: Instant;
    }
  /** The answer to an `end-processes` job: no process that carries this token lives any more. */
  | { readonly kind: "processes-gone"; readonly token: Token }
  /** The whole front stood still for so long; every deadline moves by it. */
  | { readonly kind: "paused"; readonly ms: Millis }
  /** What this process sends is not taken, because the client has not read what came before; or is taken again. */
  | { readonly kind: "snapshot-held"; readonly process: SnapshotProcessId; readonly held: boolean }
  /** How a client takes what is sent to it, when that has changed; at first it takes all. */
  | { readonly kind: "client-takes"; readonly connection: ConnectionId; readonly takes: Takes }
  | LedgerCommand
  /** The broker is ending: nothing new is begun. */
  | { readonly kind: "drain" }
  /** Nothing is under way any more; what this makes is the last turn. */
  | { readonly kind: "end" };

/** The ledger cannot take rows (disk full): these grants stand nowhere, and nobody is told of them. Or it can again. */
export type LedgerCommand =
  | { readonly kind: "ledger"; readonly full: true; readonly unwritten: readonly Token[] }
  | { readonly kind: "ledger"; readonly full: false };
