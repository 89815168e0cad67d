/** The methods of those who look at locks: who holds, who waits, what happened, and what happens from now on. */
import type { Method, NotificationRow } from "../method.js";
import * as is from "../schema.js";
import { lockEvent, lockRow } from "./lock-fields.js";
import type { LockMode, lockEventKinds } from "./lock-words.js";
import type { Empty } from "./session.js";

/** A session as people are shown it. */
export interface Someone {
  readonly session: string;
  readonly program: string;
  readonly pid: number | null;
}

export interface ListParams {
  readonly name?: string;
  readonly prefix?: string;
  readonly session?: string;
  readonly contended?: boolean;
  readonly waiters?: boolean;
  readonly after?: string;
}

export interface HolderRow extends Someone {
  readonly reason: string;
  readonly connected: boolean;
  readonly mode: LockMode;
  readonly take?: number;
  readonly also?: readonly string[];
  readonly token: number;
  readonly heldMs: number;
  readonly since: number;
  readonly ttlMs: number | null;
  readonly leaseLeftMs: number | null;
  readonly guarded: boolean;
}

export interface WaiterRow extends Someone {
  readonly reason: string;
  readonly connected: boolean;
  readonly mode: LockMode;
  readonly take?: number;
  readonly also?: readonly string[];
  readonly upgrade: boolean;
  readonly place: number;
  readonly waitedMs: number;
}

export interface LockRow {
  readonly name: string;
  readonly mode: LockMode | null;
  readonly slots?: number;
  readonly slotsFree?: number;
  readonly draining: boolean;
  readonly ending: "writes" | "processes" | null;
  readonly holders: readonly HolderRow[];
  readonly holdersTotal: number;
  readonly waiters: readonly WaiterRow[];
  readonly waitersTotal: number;
}

export interface ListResult {
  readonly locks: readonly LockRow[];
  readonly more?: boolean;
}

export interface HistoryParams {
  readonly name: string;
  readonly max?: number;
}

export type LockEventKind = (typeof lockEventKinds)[number];

export interface LockEventRow extends Someone {
  readonly n: number;
  readonly at: number;
  readonly kind: LockEventKind;
  readonly name: string;
  readonly token?: number;
  readonly reason?: string;
}

export interface HistoryResult {
  readonly events: readonly LockEventRow[];
}

export interface WatchParams {
  readonly watch: number;
  readonly name?: string;
  readonly prefix?: string;
  readonly after?: number;
}

export interface WatchResult {
  readonly upTo: number;
  readonly gap: boolean;
  readonly locks?: readonly LockRow[];
}

export interface UnwatchParams {
  readonly watch: number;
}

export interface EventsParams {
  readonly watch: number;
  readonly events: readonly LockEventRow[];
}

/** So many waiters of a name are listed; `waitersTotal` counts them all. */
export const waitersListedMax = 100;

export const lockViewMethods = {
  "lock.list": {
    summary: "Shows who holds and who waits: one name, the names with a prefix, those of a session, or all.",
    params: is.schemaOf<ListParams>()(
      is.ObjectOf({
        name: is.Optional(is.LockNameField),
        prefix: is.Optional(is.Text({ description: "Names that begin so" })),
        session: is.Optional(
          is.Text({ pattern: "^[0-9a-f]{32}$", description: "Names that this session holds or waits for" }),
        ),
        contended: is.Optional(is.Flag({ description: "true: only names that somebody waits for" })),
        waiters: is.Optional(
          is.Flag({ description: "Whether to list waiters (default true), the first 100 of each name" }),
        ),
        after: is.Optional(
          is.Text({ minLength: 1, description: "Only names behind this one, in the order of the answer" }),
        ),
      }),
    ),
    result: is.schemaOf<ListResult>()(
      is.ObjectOf({
        locks: is.ArrayOf(lockRow, { description: "By name" }),
        more: is.Optional(is.Flag({ description: "true: there are more; ask again with the last name as `after`" })),
      }),
    ),
    keyed: "never",
    beforeHello: false,
    refusals: ["NAME_INVALID", "RESULT_TOO_LARGE"],
  } satisfies Method<ListParams, ListResult>,
  "lock.history": {
    summary: "The last events of a name, oldest first, as far as they are remembered.",
    params: is.schemaOf<HistoryParams>()(
      is.ObjectOf({
        name: is.LockNameField,
        max: is.Optional(is.WholeNumber("So many of the latest, at most the limit historyEventsMax", 1)),
      }),
    ),
    result: is.schemaOf<HistoryResult>()(is.ObjectOf({ events: is.ArrayOf(lockEvent) })),
    keyed: "never",
    beforeHello: false,
    refusals: ["NAME_INVALID"],
  } satisfies Method<HistoryParams, HistoryResult>,
  "lock.watch": {
    summary: "Tells from now on what happens at a name, or at all names with a prefix, by lock.events.",
    params: is.schemaOf<WatchParams>()(
      is.ObjectOf({
        watch: is.WholeNumber("A number of the client's choice, by which its events are known on this connection", 1),
        name: is.Optional(is.LockNameField),
        prefix: is.Optional(is.Text({ description: "Names that begin so; without a name and a prefix: all" })),
        after: is.Optional(is.WholeNumber("The last number that the client has seen: what came after it is told too")),
      }),
    ),
    result: is.schemaOf<WatchResult>()(
      is.ObjectOf({
        upTo: is.WholeNumber("Events above this number will be told"),
        gap: is.Flag({ description: "The events after `after` are not all known any more: look at `locks`" }),
        locks: is.Optional(
          is.ArrayOf(lockRow, { description: "How things are at `upTo`; absent when the events since `after` follow" }),
        ),
      }),
    ),
    keyed: "never",
    beforeHello: false,
    refusals: ["NAME_INVALID", "WATCHES_FULL", "RESULT_TOO_LARGE"],
  } satisfies Method<WatchParams, WatchResult>,
  "lock.unwatch": {
    summary: "Ends a watch; none of its events comes after the answer. One that is not there is no mistake.",
    params: is.schemaOf<UnwatchParams>()(is.ObjectOf({ watch: is.WholeNumber("Its number", 1) })),
    result: is.schemaOf<Empty>()(is.Nothing),
    keyed: "never",
    beforeHello: false,
    refusals: [],
  } satisfies Method<UnwatchParams, Empty>,
};

export const lockViewsToClient = {
  "lock.events": {
    summary: "What happened at the names of a watch, in order.",
    params: is.schemaOf<EventsParams>()(
      is.ObjectOf({ watch: is.WholeNumber("Which watch", 1), events: is.ArrayOf(lockEvent) }),
    ),
  } satisfies NotificationRow<EventsParams>,
};
