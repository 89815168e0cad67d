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
import type { ConnectionId, Instant, Millis, RequestKey, Seq, SessionId } from "../../terms/index.js";
import type { SessionIdentity } from "../command.js";
import type { Deadline } from "../deadlines.js";
import type { Grant, Waiter } from "../locks/lock.js";
import type { FinishedRequests } from "./finished-requests.js";

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
  windowMs: Millis;
  state: SessionState;
  /** What it holds, by the key of the request that was granted. */
  readonly grants: Map<RequestKey, Grant>;
  /** What it waits for, by the key of the request. */
  readonly waits: Map<RequestKey, Waiter>;
  /** Lock requests that ended without a grant, and releases, until the client has acknowledged them. */
  readonly finished: FinishedRequests;
  /** The last write that was dispatched for it; what it held drains until this is settled. */
  lastSeq: Seq | undefined;
  /** Highest key seen in this life of the broker; a restored session has sent an unknown number before. */
  keyHigh: number;
  readonly restored: boolean;
  /** The writer was told that replies below this key may go. */
  forgottenBelow: number;
  /** Set while the end of the window is due and not yet confirmed. */
  windowDue: { readonly at: Instant; readonly turn: number } | undefined;
}

export function isPresent(session: Session): boolean {
  return session.state.kind === "live";
}

export function connectionOf(session: Session): ConnectionId | undefined {
  return session.state.kind === "live" ? session.state.connection : undefined;
}
