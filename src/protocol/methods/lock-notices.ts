/** What a session is told of its own locks and places without having asked at that moment. */
import type { NotificationRow } from "../method.js";
import * as is from "../schema.js";
import { holderRow, someone } from "./lock-fields.js";
import type { HolderRow, Someone } from "./lock-views.js";

export interface LostParams {
  readonly name: string;
  readonly token: number;
  readonly reason: string;
}

export interface QueuedParams {
  readonly id: string | number;
  readonly key: number;
  readonly name: string;
  readonly place: number;
  readonly waiting: number;
  readonly holders: readonly HolderRow[];
  readonly ending: "writes" | "processes" | null;
}

export interface ContendedParams {
  readonly name: string;
  readonly token: number;
  readonly waiting: number;
}

export interface RevokingParams {
  readonly name: string;
  readonly token: number;
  readonly graceMs: number;
  readonly reason: string;
  readonly by: Someone;
}

const grant = { name: is.LockNameField, token: is.TokenField };

export const lockNotices = {
  "lock.lost": {
    summary:
      "The session no longer holds this lock; another may. Writes fenced with the token are refused from now on.",
    params: is.schemaOf<LostParams>()(is.ObjectOf({ ...grant, reason: is.Text({ description: "Why, in words" }) })),
  } satisfies NotificationRow<LostParams>,
  "lock.queued": {
    summary: "A request waits, and this is its place; told anew when that has changed, once a second at most.",
    params: is.schemaOf<QueuedParams>()(
      is.ObjectOf({
        id: is.Union([is.Text({ maxLength: 64 }), is.Integer()], { description: "The `id` of the request" }),
        key: is.RequestKeyField("Its request key"),
        name: is.LockNameField,
        place: is.WholeNumber("1 is next", 1),
        waiting: is.WholeNumber("All that wait for the name", 1),
        holders: is.ArrayOf(holderRow, { description: "Who is in the way" }),
        ending: is.Union([is.OneOf(["writes", "processes"], "What is not over"), is.Null()], {
          description: "Why nobody is granted it though nobody holds it: what the last holder had begun is not over",
        }),
      }),
    ),
  } satisfies NotificationRow<QueuedParams>,
  "lock.contended": {
    summary: "Somebody waits now for a lock that this session holds.",
    params: is.schemaOf<ContendedParams>()(is.ObjectOf({ ...grant, waiting: is.WholeNumber("How many wait", 1) })),
  } satisfies NotificationRow<ContendedParams>,
  "lock.revoking": {
    summary: "The lock will be taken from this session after `graceMs`, unless it is released before.",
    params: is.schemaOf<RevokingParams>()(
      is.ObjectOf({
        ...grant,
        graceMs: is.WholeNumber("How long there is to release it"),
        reason: is.Text({ description: "Why, in the words of who does it; may be empty" }),
        by: is.ObjectOf(someone),
      }),
    ),
  } satisfies NotificationRow<RevokingParams>,
};
