/**
 * One named lock.
 *
 *           acquire                      grant ends, its writes are settled
 *   free ───────────► held ────────────────────────────────────────────────► free, or held by the next
 *                       │  grant ends, writes sent under it are not settled     ▲
 *                       └──────────────────► draining ──────────────────────────┘
 *                                                     the writer has settled them
 *
 * | state    | what holds                                                        | who may end it               |
 * |----------|-------------------------------------------------------------------|------------------------------|
 * | free     | no holder; nobody in the queue is there to take it                 | acquire, or one comes back   |
 * | held     | one grant; its token is the only one that a fence accepts          | its session, its end, admin  |
 * | draining | no holder; nobody is granted until the writer has settled `until`; | the write line (rule 5)      |
 * |          | what was sent under a grant that was given back still counts      |                              |
 *
 * A lock that is free and has no queue is not kept: the table forgets the name, the tokens never repeat all the same.
 */
import type { ConnectionId, Instant, LockName, RequestId, RequestKey, Seq, Token } from "../../terms/index.js";
import type { Deadline } from "../deadlines.js";
import { isPresent, type Session } from "../sessions/session.js";
import { WaitQueue } from "./wait-queue.js";

export interface Grant {
  readonly lock: Lock;
  readonly session: Session;
  readonly token: Token;
  /** The request that was granted. */
  readonly key: RequestKey;
  readonly since: Instant;
  readonly reason: string;
  /** The last write that was dispatched under this token, by any session. */
  lastSeq: Seq | undefined;
}

export interface Waiter {
  readonly lock: Lock;
  readonly session: Session;
  readonly key: RequestKey;
  /** Order of arrival over all names. */
  readonly arrival: number;
  readonly since: Instant;
  readonly reason: string;
  /** Where the answer goes; absent while the request has not been sent again after a reconnect. */
  asker: { readonly connection: ConnectionId; readonly request: RequestId } | undefined;
  timeout: Deadline<Waiter> | undefined;
  ahead: Waiter | undefined;
  behind: Waiter | undefined;
}

export type LockState =
  | { readonly kind: "free" }
  | { readonly kind: "held"; readonly grant: Grant }
  /** `givenBack`: the grant, if its holder ended it by its own will. */
  | { readonly kind: "draining"; readonly until: Seq; readonly givenBack: Grant | undefined };

export class Lock {
  readonly name: LockName;
  readonly queue = new WaitQueue();
  state: LockState = { kind: "free" };

  constructor(name: LockName) {
    this.name = name;
  }

  get holder(): Grant | undefined {
    return this.state.kind === "held" ? this.state.grant : undefined;
  }

  /** Nothing to remember. */
  get idle(): boolean {
    return this.state.kind === "free" && this.queue.length === 0;
  }
}

/** The first of those who wait that is there to take it. */
export function firstPresent(lock: Lock): Waiter | undefined {
  return lock.queue.first((waiter) => isPresent(waiter.session));
}

/** The table above, as assertions. `canGrant`: nothing outside the lock prevents a grant. */
export function checkLock(lock: Lock, canGrant: boolean): void {
  const { state, name } = lock;
  lock.queue.check();
  if (lock.idle) throw new Error(`lock ${name}: kept for nothing`);
  if (state.kind === "free" && canGrant && firstPresent(lock) !== undefined)
    throw new Error(`lock ${name}: free, and somebody is there to take it`);
  if (state.kind !== "held") return;
  const { grant } = state;
  if (grant.session.state.kind === "ending") throw new Error(`lock ${name}: held by a session that is over`);
  if (grant.session.grants.get(grant.key) !== grant) throw new Error(`lock ${name}: its holder does not know it`);
}

export function latest(a: Seq | undefined, b: Seq | undefined): Seq | undefined {
  if (a === undefined) return b;
  if (b === undefined) return a;
  return a > b ? a : b;
}
