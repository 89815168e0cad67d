/**
 * One session: the identity of a client, which outlives its connections.
 *
 *            hello                    connection lost
 *   (none) ────────► live ─────────────────────────────► away
 *                     ▲  ◄───────────────────────────────  │
 *                     │          hello (resume)            │ window over, process dead
 *                     │                                    ▼
 *                     └── goodbye, process dead ───────► ending ──► ended
 *
 * | state  | what holds                                                     | who may end it                      |
 * |--------|----------------------------------------------------------------|-------------------------------------|
 * | live   | one connection speaks for it; it can be granted locks           | its connection, its process, itself |
 * | away   | nobody speaks; grants and places are kept, places passed over   | hello, the window, its process      |
 * | ending | holds nothing, waits for nothing; its dispatched writes settle  | the last of these writes            |
 * | ended  | not in the table; its id is never taken up again                | nobody                              |
 */
import type {
  ConnectionId,
  Instant,
  Millis,
  RequestId,
  RequestKey,
  Seq,
  SessionId,
  TransactionNumber,
} from "../../terms/index.js";
import type { SessionIdentity } from "../command.js";
import type { Deadline } from "../deadlines.js";
import type { Grant } from "../locks/grant.js";
import type { Waiting } from "../locks/request.js";
import type { SessionRow } from "../turn.js";
import type { Transaction } from "../writes/transaction.js";
import type { Write } from "../writes/write.js";
import type { FinishedRequests } from "./finished-requests.js";
import type { Lease } from "./lease.js";
import type { Role } from "./role.js";

export type SessionState =
  | { readonly kind: "live"; readonly connection: ConnectionId }
  | {
      readonly kind: "away";
      /** Its end of window, unless a bound process stands for it. */
      readonly window: Deadline<Session> | undefined;
      /** The next look at its process after the connection closed. */
      looking: Deadline<Session> | undefined;
      looks: number;
    }
  | { readonly kind: "ending"; readonly farewells: (() => void)[] };

export interface Session {
  readonly id: SessionId;
  identity: SessionIdentity;
  role: Role;
  windowMs: Millis;
  state: SessionState;
  /** What it holds, by the key of the request that was granted. */
  readonly grants: Map<RequestKey, Grant>;
  /** What it waits for, by the key of the request. */
  readonly waits: Map<RequestKey, Waiting>;
  /** Of that what a client has asked for in this life of the broker, by the request's id; absent while there was nothing. */
  asked: Map<RequestId, Waiting> | undefined;
  /** How many names it holds and waits for. */
  claims: number;
  /** What they take in its next hello (bytes). */
  listedBytes: number;
  /** The session of the command that this one runs under, while that is there; and those that run under this one's. */
  outer: Session | undefined;
  inner: Set<Session> | undefined;
  /** The last sign of life. A pause of the broker moves it while a lease hangs on it. */
  heardAt: Instant;
  lease: Lease;
  /** How many grants with a lease it holds. */
  leased: number;
  /** No lease is over before, because the broker was restarted; 0 when its client has come back. */
  graceUntil: Instant;
  /** Its writes that are not answered, in the order in which they were sent; `placeOf` says under what. */
  readonly writes: Map<RequestKey | Write, Write>;
  /** How many writes it has sent in this life of the broker. */
  writesSent: number;
  /** What it asked for that takes effect when its writes up to `order` are with the writer (rule 5), first come first. */
  readonly followers: { readonly order: number; readonly go: (now: Instant) => void }[];
  /** Its transactions that are not over; absent while it has begun none. */
  transactions: Map<TransactionNumber, Transaction> | undefined;
  /** The highest number that it has given one. */
  transactionHigh: number;
  /** Lock requests that ended without a grant, and releases, until the client has acknowledged them. */
  readonly finished: FinishedRequests;
  /** The last write that was dispatched for it; what it held drains until this is settled. */
  lastSeq: Seq | undefined;
  /** Highest key that the writer was given in this life of the broker; a restored session may have had any before. */
  keyHigh: number;
  readonly restored: boolean;
  /** The writer was told that replies below this key may go. */
  forgottenBelow: number;
  /** It was told so of keys that it was not given in this life of the broker. */
  forgottenBefore: boolean;
  /** Set while the end of the window is due and not yet confirmed. */
  windowDue: { readonly at: Instant; readonly turn: number } | undefined;
}

/** As the ledger must know it. */
export function rowOf({ id: session, identity, role, windowMs, outer }: Session): SessionRow {
  return { session, identity, role, windowMs, outer: outer?.id };
}

/** The first of its writes that is not answered. */
export function oldestWrite(session: Session): Write | undefined {
  for (const write of session.writes.values()) return write;
  return undefined;
}

export function isPresent(session: Session): boolean {
  return session.state.kind === "live";
}

export function connectionOf(session: Session): ConnectionId | undefined {
  return session.state.kind === "live" ? session.state.connection : undefined;
}
