/**
 * What one turn of the core yields, in the order in which it must be obeyed: rows first, then jobs, then letters.
 * Nothing that follows from a decision leaves the process in another way (rule 10: one outbox).
 */
import type {
  ConnectionId,
  Instant,
  LockName,
  Millis,
  ReaderId,
  Refusal,
  RequestId,
  RequestKey,
  Seq,
  SessionId,
  Token,
} from "../terms/index.js";
import type { Fence, Parcel, ProcessIdentity, SessionIdentity } from "./command.js";

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
  readonly windowMs: Millis;
}

export interface GrantRow {
  readonly token: Token;
  readonly name: LockName;
  readonly session: SessionId;
  readonly key: RequestKey;
  readonly since: Instant;
  readonly reason: string;
}

export interface WaiterRow {
  /** Order of arrival over all names; rises for ever. */
  readonly arrival: number;
  readonly name: LockName;
  readonly session: SessionId;
  readonly key: RequestKey;
  readonly since: Instant;
  readonly reason: string;
}

export type LedgerEntry =
  | { readonly kind: "session-opened"; readonly row: SessionRow }
  | { readonly kind: "session-ended"; readonly session: SessionId }
  | { readonly kind: "granted"; readonly row: GrantRow }
  | { readonly kind: "grant-ended"; readonly token: Token }
  | { readonly kind: "queued"; readonly row: WaiterRow }
  | { readonly kind: "unqueued"; readonly arrival: number }
  /** Tokens below `tokensTo` are reserved in data.db; `seq` and `incarnation` are its as the front last heard. */
  | { readonly kind: "mark"; readonly tokensTo: number; readonly seq: Seq; readonly incarnation: string };

export type Job =
  /** `replay`: answer from the stored reply of this key, or `absent`; never run. `run`: replay if stored, else run. */
  | {
      readonly to: "writer";
      readonly kind: "write";
      readonly seq: Seq;
      readonly mode: "run" | "replay";
      readonly session: SessionId;
      readonly key: RequestKey | undefined;
      readonly alone: boolean;
      readonly parcel: Parcel;
    }
  /** What became of these keys of an ended session: for good. */
  | {
      readonly to: "writer";
      readonly kind: "settle";
      readonly seq: Seq;
      readonly session: SessionId;
      readonly keys: readonly RequestKey[];
      readonly parcel: Parcel;
    }
  /** Stored replies below this key may go, when it is convenient. */
  | { readonly to: "writer"; readonly kind: "forget"; readonly session: SessionId; readonly below: RequestKey }
  /** The session is over; its replies stay for the time that `endedKeysMs` gives. */
  | { readonly to: "writer"; readonly kind: "end-session"; readonly session: SessionId }
  | { readonly to: "writer"; readonly kind: "reserve"; readonly above: number; readonly newIncarnation: boolean }
  /** Fold the log into the database and truncate it; readers hold no snapshot now. */
  | { readonly to: "writer"; readonly kind: "checkpoint" }
  /** `repair`: the disk failed before; fold the log with success first, or stay unavailable (rule 9). */
  | { readonly to: "writer"; readonly kind: "start"; readonly repair: boolean }
  | { readonly to: "writer"; readonly kind: "kill"; readonly why: string }
  | { readonly to: "writer"; readonly kind: "probe" }
  | {
      readonly to: "reader";
      readonly kind: "read";
      readonly reader: ReaderId;
      readonly read: number;
      readonly parcel: Parcel;
    }
  | { readonly to: "reader"; readonly kind: "start"; readonly reader: ReaderId }
  | { readonly to: "reader"; readonly kind: "kill"; readonly reader: ReaderId; readonly why: string }
  | {
      readonly to: "system";
      readonly kind: "probe-process";
      readonly session: SessionId;
      readonly process: ProcessIdentity;
    };

export type StoreJob = Extract<Job, { to: "writer" | "reader" }>;

export interface HolderView {
  readonly session: SessionId;
  readonly token: Token;
  readonly identity: SessionIdentity;
  readonly reason: string;
  readonly since: Instant;
  readonly connected: boolean;
}

export interface WaiterView {
  readonly session: SessionId;
  readonly identity: SessionIdentity;
  readonly reason: string;
  /** 1 is next. */
  readonly place: number;
  readonly since: Instant;
  readonly connected: boolean;
}

export interface LockView {
  readonly name: LockName;
  /** The last grant has ended and its writes are not all settled; nobody can be granted yet. */
  readonly draining: boolean;
  readonly holders: readonly HolderView[];
  readonly waiters: readonly WaiterView[];
  readonly waitersTotal: number;
}

export interface GrantView extends Fence {
  readonly key: RequestKey;
}

/** A message to one client, in the core's own words. `to` is where it goes, `request` what it answers. */
export type Letter =
  | {
      readonly kind: "welcome";
      readonly to: ConnectionId;
      readonly request: RequestId;
      readonly session: SessionId;
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
    }
  | { readonly kind: "released"; readonly to: ConnectionId; readonly request: RequestId }
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
      readonly locks: readonly LockView[];
      readonly now: Instant;
    }
  | { readonly kind: "farewell"; readonly to: ConnectionId; readonly request: RequestId }
  | { readonly kind: "lost"; readonly to: ConnectionId; readonly fence: Fence; readonly reason: string }
  /** Another connection speaks for the session now; this one is to be closed after the letter. */
  | { readonly kind: "taken"; readonly to: ConnectionId }
  | { readonly kind: "expired"; readonly to: ConnectionId }
  /** Close this connection, and say why. */
  | { readonly kind: "hangup"; readonly to: ConnectionId; readonly refusal: Refusal };
