/** The methods of the lock table. Every one that changes it carries a request key. */
import type { Method, NotificationRow } from "../method.js";
import * as is from "../schema.js";
import type { GrantedLock } from "./session.js";

export interface AcquireParams {
  readonly name: string;
  readonly key: number;
  readonly ack?: number;
  readonly waitMs?: number;
  readonly reason?: string;
}

export interface AcquireResult extends GrantedLock {
  readonly waitedMs: number;
}

export interface CancelAcquireParams {
  readonly key: number;
  readonly of: number;
  readonly ack?: number;
}

export interface CancelAcquireResult {
  readonly outcome: "cancelled" | "granted" | "gone";
}

export interface ReleaseParams {
  readonly name: string;
  readonly token: number;
  readonly key: number;
  readonly ack?: number;
}

export interface ReleaseResult {
  readonly released: true;
}

export interface ListParams {
  readonly name?: string;
  readonly prefix?: string;
  readonly waiters?: boolean;
}

export interface HolderRow {
  readonly session: string;
  readonly token: number;
  readonly program: string;
  readonly pid: number | null;
  readonly reason: string;
  readonly heldMs: number;
  readonly since: number;
  readonly connected: boolean;
}

export interface WaiterRow {
  readonly session: string;
  readonly program: string;
  readonly pid: number | null;
  readonly reason: string;
  readonly place: number;
  readonly waitedMs: number;
  readonly connected: boolean;
}

export interface LockRow {
  readonly name: string;
  readonly draining: boolean;
  readonly holders: readonly HolderRow[];
  readonly waiters: readonly WaiterRow[];
  readonly waitersTotal: number;
}

export interface ListResult {
  readonly locks: readonly LockRow[];
}

export interface LostParams {
  readonly name: string;
  readonly token: number;
  readonly reason: string;
}

/** So many waiters of a name are listed; `waitersTotal` counts them all. */
export const waitersListedMax = 100;

const someone = {
  session: is.Text({ description: "The session's id" }),
  program: is.Text({ description: "What the session called itself; may be empty" }),
  pid: is.Union([is.Integer(), is.Null()], { description: "Its process, if one was named and could be checked" }),
  reason: is.Text({ description: "What it said it wants the lock for; may be empty" }),
  connected: is.Flag({ description: "false: it lost its connection and may still come back" }),
};

const listed = is.ObjectOf({
  name: is.LockNameField,
  draining: is.Flag({
    description: "The last holder is gone and its writes are not all settled: nobody can be granted yet",
  }),
  holders: is.ArrayOf(
    is.ObjectOf({
      ...someone,
      token: is.TokenField,
      heldMs: is.WholeNumber("How long it has held the lock"),
      since: is.Integer({ description: "Since when by the wall clock, milliseconds since 1970; for people" }),
    }),
  ),
  waiters: is.ArrayOf(
    is.ObjectOf({
      ...someone,
      place: is.WholeNumber("1 is next", 1),
      waitedMs: is.WholeNumber("How long it has waited"),
    }),
    { description: "The first 100 in order" },
  ),
  waitersTotal: is.WholeNumber("All that wait"),
});

export const lockMethods = {
  "lock.acquire": {
    summary: "Acquires an exclusive lock, waiting in order of arrival. Answered when it is granted or refused.",
    params: is.schemaOf<AcquireParams>()(
      is.ObjectOf({
        name: is.LockNameField,
        key: is.RequestKeyField(),
        ack: is.Ack,
        waitMs: is.Optional(is.WholeNumber("How long to wait; 0: not at all; absent: for ever")),
        reason: is.Optional(is.Text({ description: "What for; shown to those who wait" })),
      }),
    ),
    result: is.schemaOf<AcquireResult>()(
      is.ObjectOf({
        name: is.LockNameField,
        token: is.TokenField,
        key: is.RequestKeyField(),
        waitedMs: is.WholeNumber("How long it waited"),
      }),
    ),
    keyed: "always",
    beforeHello: false,
    refusals: [
      "NAME_INVALID",
      "META_TOO_LARGE",
      "LOCK_HELD",
      "LOCK_TIMEOUT",
      "DEADLOCK",
      "SLOTS_MISMATCH",
      "QUEUE_FULL",
      "LOCKS_FULL",
      "KEY_REUSED",
      "RETRY_TOO_OLD",
      "WRITER_UNAVAILABLE",
      "DISK_FULL",
    ],
  } satisfies Method<AcquireParams, AcquireResult>,
  "lock.cancel": {
    summary: "Withdraws an acquire that waits. It has one outcome: the acquire is answered CANCELLED, or its grant.",
    params: is.schemaOf<CancelAcquireParams>()(
      is.ObjectOf({ key: is.RequestKeyField(), of: is.RequestKeyField("The key of the acquire"), ack: is.Ack }),
    ),
    result: is.schemaOf<CancelAcquireResult>()(
      is.ObjectOf({
        outcome: is.OneOf(
          ["cancelled", "granted", "gone"],
          "cancelled: it will not be granted; granted: too late, the lock is held; gone: there is no such acquire any more",
        ),
      }),
    ),
    keyed: "always",
    beforeHello: false,
    refusals: ["KEY_REUSED", "RETRY_TOO_OLD"],
  } satisfies Method<CancelAcquireParams, CancelAcquireResult>,
  "lock.release": {
    summary: "Releases a lock, after the writes that were sent before it on this session.",
    params: is.schemaOf<ReleaseParams>()(
      is.ObjectOf({ name: is.LockNameField, token: is.TokenField, key: is.RequestKeyField(), ack: is.Ack }),
    ),
    result: is.schemaOf<ReleaseResult>()(is.ObjectOf({ released: is.Unsafe<true>({ const: true }) })),
    keyed: "always",
    beforeHello: false,
    refusals: ["NAME_INVALID", "LOCK_NOT_HELD", "KEY_REUSED", "RETRY_TOO_OLD"],
  } satisfies Method<ReleaseParams, ReleaseResult>,
  "lock.list": {
    summary: "Shows who holds and who waits: one name, the names with a prefix, or all.",
    params: is.schemaOf<ListParams>()(
      is.ObjectOf({
        name: is.Optional(is.LockNameField),
        prefix: is.Optional(is.Text({ description: "Names that begin so" })),
        waiters: is.Optional(
          is.Flag({ description: "Whether to list waiters (default true), the first 100 of each name" }),
        ),
      }),
    ),
    result: is.schemaOf<ListResult>()(is.ObjectOf({ locks: is.ArrayOf(listed) })),
    keyed: "never",
    beforeHello: false,
    refusals: ["NAME_INVALID"],
  } satisfies Method<ListParams, ListResult>,
};

export const lockToClient = {
  "lock.lost": {
    summary:
      "The session no longer holds this lock; another may. Writes fenced with the token are refused from now on.",
    params: is.schemaOf<LostParams>()(
      is.ObjectOf({ name: is.LockNameField, token: is.TokenField, reason: is.Text({ description: "Why, in words" }) }),
    ),
  } satisfies NotificationRow<LostParams>,
};
