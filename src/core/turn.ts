/**
 * What one turn of the core yields, in the order in which it must be obeyed: rows first, then jobs, then letters.
 * Nothing that follows from a decision leaves the process in another way (rule 10: one outbox).
 */
import type {
  ConnectionId,
  Instant,
  LockName,
  Millis,
  Refusal,
  RequestId,
  RequestKey,
  Seq,
  SessionId,
  SnapshotProcessId,
  Token,
  TransactionNumber,
} from "../terms/index.js";
import type { ChangedTable, Claim, Fence, Mode, Parcel, SessionIdentity, Tell } from "./command.js";
import type { Job } from "./job.js";
import type { Role } from "./sessions/role.js";

export type * from "./job.js";

export interface Turn {
  /** 1. In the ledger, committed, BEFORE anything below leaves the process. */
  readonly ledger: readonly LedgerEntry[];
  /** 2. To the store and the operating system, in this order; the fences of each were checked. */
  readonly dispatch: readonly Job[];
  /** 3. To clients, after 1. Order per connection is the order here. */
  readonly send: readonly Letter[];
}

export interface SessionRow {
  readonly session: SessionId;
  readonly identity: SessionIdentity;
  readonly role: Role;
  readonly windowMs: Millis;
  /** The session of the command that this one runs under. */
  readonly outer: SessionId | undefined;
}

export interface GrantRow {
  readonly token: Token;
  readonly session: SessionId;
  /** The request that was granted. */
  readonly key: RequestKey;
  readonly since: Instant;
  readonly reason: string;
  /** All its names, each once. */
  readonly claims: readonly Claim[];
  readonly ttlMs: Millis | undefined;
  readonly guarded: boolean;
  readonly tell: Tell;
  /** The last conversion of it: asked for again, it is answered with the token of now. */
  readonly converted: RequestKey | undefined;
  /** Tokens that it had before it was upgraded, the last of them: the row of what waits may name one. */
  readonly former: readonly Token[] | undefined;
  /** Over for its holder, whose session may be gone, but its processes live: whose they are. */
  readonly ending: SessionIdentity | undefined;
}

export interface WaiterRow {
  /** Order of arrival over all names; rises for ever, but for what was moved to the head. */
  readonly arrival: number;
  readonly session: SessionId;
  readonly key: RequestKey;
  readonly since: Instant;
  readonly reason: string;
  readonly claims: readonly Claim[];
  readonly ttlMs: Millis | undefined;
  readonly guarded: boolean;
  readonly tell: Tell;
  readonly under: readonly Token[] | undefined;
  /** Nothing was said of `under`: what another task of its session had when it began to wait. */
  readonly beside: readonly Token[] | undefined;
  /** An upgrade of the grant under this token; `claims` has its one name. */
  readonly convertOf: Token | undefined;
}

/** The capacity of a semaphore belongs to its name, also when nobody holds it. */
export interface CapacityRow {
  readonly name: LockName;
  readonly slots: number;
}

export type LedgerEntry =
  | { readonly kind: "session-opened"; readonly row: SessionRow }
  | { readonly kind: "session-ended"; readonly session: SessionId }
  | { readonly kind: "granted"; readonly row: GrantRow }
  /** The row that was there under token `was` is this now. */
  | { readonly kind: "grant-changed"; readonly was: Token; readonly row: GrantRow }
  | { readonly kind: "grant-ended"; readonly token: Token }
  | { readonly kind: "queued"; readonly row: WaiterRow }
  | { readonly kind: "unqueued"; readonly arrival: number }
  | { readonly kind: "capacity"; readonly row: CapacityRow }
  /** Tokens below `tokensTo` are reserved in data.db; `seq` and `incarnation` are its as the front last heard. */
  | { readonly kind: "mark"; readonly tokensTo: number; readonly seq: Seq; readonly incarnation: string }
  /** The mark of before counts no more; what is known of data.db is to be written later. */
  | { readonly kind: "unmarked" };

/** Why a name is not free though nobody holds what is in the way: writes are being settled, or processes live. */
export type Ending = "writes" | "processes";

export interface HolderView {
  readonly session: SessionId;
  readonly token: Token;
  readonly identity: SessionIdentity;
  readonly reason: string;
  readonly since: Instant;
  readonly connected: boolean;
  readonly mode: Mode;
  /** Slots of a semaphore; 1 in the other modes. */
  readonly take: number;
  /** The other names that were granted with this one. */
  readonly also: readonly LockName[];
  readonly ttlMs: Millis | undefined;
  /** When the lease is over unless it is renewed; absent without a lease. */
  readonly leaseUntil: Instant | undefined;
  readonly guarded: boolean;
}

export interface WaiterView {
  readonly session: SessionId;
  readonly identity: SessionIdentity;
  readonly reason: string;
  /** 1 is next. */
  readonly place: number;
  readonly since: Instant;
  readonly connected: boolean;
  readonly mode: Mode;
  readonly take: number;
  /** The other names that it waits for. */
  readonly also: readonly LockName[];
  /** It holds the name shared and waits to hold it exclusively. */
  readonly upgrade: boolean;
}

export interface LockView {
  readonly name: LockName;
  /** As it is held, or as the first that waits wants it. */
  readonly mode: Mode | undefined;
  /** Semaphore only. */
  readonly slots: number | undefined;
  readonly slotsFree: number | undefined;
  /** A grant has ended and still occupies the name. */
  readonly ending: Ending | undefined;
  /** The first of those who hold it. */
  readonly holders: readonly HolderView[];
  readonly holdersTotal: number;
  readonly waiters: readonly WaiterView[];
  readonly waitersTotal: number;
}

export interface GrantView {
  readonly token: Token;
  readonly key: RequestKey;
  /** All its names, each once, in the order in which they were asked for. */
  readonly claims: readonly Claim[];
}

export type LockEventKind =
  | "queued"
  | "granted"
  | "upgraded"
  | "downgraded"
  | "released"
  /** The reason says why. */
  | "lost"
  | "cancelled"
  | "timed-out"
  | "refused-deadlock"
  | "resized"
  /** A grant that had ended occupies the name no longer. */
  | "free";

export interface LockEvent {
  /** Rises over all names and all lives of the broker: epoch · 2^32 + count. */
  readonly n: number;
  readonly at: Instant;
  readonly kind: LockEventKind;
  readonly name: LockName;
  readonly session: SessionId;
  readonly program: string;
  readonly pid: number | undefined;
  readonly token: Token | undefined;
  readonly reason: string | undefined;
}

/** What one commit has done to one table. */
export interface TableChange extends Omit<ChangedTable, "table"> {
  readonly seq: Seq;
  /** As the watch spells it. */
  readonly table: string;
}

/** A message to one client, in the core's own words. `to` is where it goes, `request` what it answers. */
export type Letter =
  | {
      readonly kind: "welcome";
      readonly to: ConnectionId;
      readonly request: RequestId;
      readonly session: SessionId;
      readonly role: Role;
      readonly resumed: boolean;
      readonly grants: readonly GrantView[];
      readonly lost: readonly Fence[];
      readonly windowMs: Millis;
    }
  /** The body comes from a child as it is. */
  | { readonly kind: "answer"; readonly to: ConnectionId; readonly request: RequestId; readonly body: unknown }
  | { readonly kind: "refused"; readonly to: ConnectionId; readonly request: RequestId; readonly refusal: Refusal }
  | {
      readonly kind: "granted";
      readonly to: ConnectionId;
      readonly request: RequestId;
      readonly grant: GrantView;
      readonly waitedMs: Millis;
      /** How many wait for its names now. */
      readonly waiting: number;
    }
  /** Upgraded or downgraded: from here on it is held under this token. */
  | {
      readonly kind: "converted";
      readonly to: ConnectionId;
      readonly request: RequestId;
      readonly fence: Fence;
      readonly waitedMs: Millis;
    }
  | { readonly kind: "released"; readonly to: ConnectionId; readonly request: RequestId }
  | {
      readonly kind: "begun";
      readonly to: ConnectionId;
      readonly request: RequestId;
      readonly transaction: TransactionNumber;
      /** Of one that reads: the last commit that it sees. */
      readonly seq?: Seq;
    }
  /** `seq`: which commit it is, in the one order of all; of one that only read, the last that it saw. */
  | { readonly kind: "committed"; readonly to: ConnectionId; readonly request: RequestId; readonly seq: Seq }
  | { readonly kind: "rolled-back"; readonly to: ConnectionId; readonly request: RequestId }
  | {
      readonly kind: "acquire-cancelled";
      readonly to: ConnectionId;
      readonly request: RequestId;
      readonly outcome: "cancelled" | "granted" | "gone";
    }
  | {
      readonly kind: "listing";
      readonly to: ConnectionId;
      readonly request: RequestId;
      /** By name. */
      readonly locks: readonly LockView[];
      /** There are others behind the last. */
      readonly more: boolean;
      readonly now: Instant;
    }
  /** The break is over; what became of each grant. */
  | {
      readonly kind: "broken";
      readonly to: ConnectionId;
      readonly request: RequestId;
      readonly ended: readonly { readonly token: Token; readonly outcome: "released" | "broken" }[];
    }
  | {
      readonly kind: "transferred";
      readonly to: ConnectionId;
      readonly request: RequestId;
      readonly from: Token;
      readonly heir: SessionId;
    }
  | {
      readonly kind: "resized";
      readonly to: ConnectionId;
      readonly request: RequestId;
      readonly slots: number;
    }
  | {
      readonly kind: "history";
      readonly to: ConnectionId;
      readonly request: RequestId;
      readonly events: readonly LockEvent[];
      readonly now: Instant;
    }
  /** Watched from here on. `locks`: how all is now, unless the events since `after` follow. */
  | {
      readonly kind: "watching";
      readonly to: ConnectionId;
      readonly request: RequestId;
      readonly upTo: number;
      /** Events after the one that was asked for are lost. */
      readonly gap: boolean;
      readonly locks: readonly LockView[] | undefined;
      readonly now: Instant;
    }
  | { readonly kind: "unwatched"; readonly to: ConnectionId; readonly request: RequestId }
  /** Tables are watched: what is committed with a higher number than `upTo` will be told. */
  | {
      readonly kind: "table-watching";
      readonly to: ConnectionId;
      readonly request: RequestId;
      readonly upTo: Seq;
      readonly source: string;
      /** Changes after the one that was asked for are not all known. */
      readonly gap: boolean;
      /** Those that do not exist. */
      readonly absent: readonly string[];
    }
  /** `gap`: changes up to and including `upTo` are not all known; what follows is. */
  | {
      readonly kind: "table-changes";
      readonly to: ConnectionId;
      readonly watch: number;
      readonly source: string;
      readonly upTo: Seq;
      readonly gap: boolean;
      readonly changes: readonly TableChange[];
    }
  | { readonly kind: "pong"; readonly to: ConnectionId; readonly request: RequestId }
  /** A finished message of a stream; `process` made it. */
  | {
      readonly kind: "rows";
      readonly to: ConnectionId;
      readonly process: SnapshotProcessId;
      readonly message: Parcel;
    }
  /** The stream is over, complete unless it was refused. */
  | {
      readonly kind: "stream-done";
      readonly to: ConnectionId;
      readonly stream: number;
      readonly rows: number;
      readonly refusal: Refusal | undefined;
    }
  | { readonly kind: "farewell"; readonly to: ConnectionId; readonly request: RequestId }
  /** One for each name of the grant. */
  | { readonly kind: "lost"; readonly to: ConnectionId; readonly fence: Fence; readonly reason: string }
  /** Where a request stands that waits; no answer to it. */
  | {
      readonly kind: "queued";
      readonly to: ConnectionId;
      readonly asked: RequestId;
      readonly key: RequestKey;
      /** Of its names one that is in the way, and of these the one where most are before it. */
      readonly name: LockName;
      /** 1 is next. */
      readonly place: number;
      readonly waiting: number;
      readonly holders: readonly HolderView[];
      /** Why nobody is granted it though nobody holds it. */
      readonly ending: Ending | undefined;
      readonly now: Instant;
    }
  /** Somebody waits for what this client holds. */
  | { readonly kind: "contended"; readonly to: ConnectionId; readonly fence: Fence; readonly waiting: number }
  /** It will be taken away after so long. */
  | {
      readonly kind: "revoking";
      readonly to: ConnectionId;
      readonly fence: Fence;
      readonly graceMs: Millis;
      readonly reason: string;
      readonly by: { readonly session: SessionId; readonly identity: SessionIdentity };
    }
  | {
      readonly kind: "events";
      readonly to: ConnectionId;
      readonly watch: number;
      readonly events: readonly LockEvent[];
      readonly now: Instant;
    }
  /** Another connection speaks for the session now; this one is to be closed after the letter. */
  | { readonly kind: "taken"; readonly to: ConnectionId }
  | { readonly kind: "expired"; readonly to: ConnectionId }
  /** Close this connection, and say why. */
  | { readonly kind: "hangup"; readonly to: ConnectionId; readonly refusal: Refusal };
