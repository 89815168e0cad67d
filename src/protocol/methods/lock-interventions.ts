/** The methods of those who step in: a lock is taken from its holder, handed on, or given another number of slots. */
import type { Method } from "../method.js";
import * as is from "../schema.js";
import { SlotsField } from "./lock-fields.js";

export interface BreakParams {
  readonly name: string;
  readonly token?: number;
  readonly graceMs?: number;
  readonly reason?: string;
  readonly key: number;
  readonly ack?: number;
}

export interface EndedGrant {
  readonly token: number;
  readonly outcome: "released" | "broken";
}

export interface BreakResult {
  readonly ended: readonly EndedGrant[];
}

export interface TransferParams {
  readonly name: string;
  readonly token?: number;
  readonly to: string;
  readonly reason?: string;
  readonly key: number;
  readonly ack?: number;
}

export interface TransferResult {
  readonly from: number;
  readonly to: string;
}

export interface ResizeParams {
  readonly name: string;
  readonly slots: number;
  readonly key: number;
  readonly ack?: number;
}

export interface ResizeResult {
  readonly slots: number;
}

const ofGrant = is.Optional(
  is.Integer({ minimum: 1, description: "Only the grant under this token; absent: all of the name" }),
);
const sessionIdField = is.Text({ pattern: "^[0-9a-f]{32}$", description: "A session's id" });

export const lockInterventionMethods = {
  "lock.break": {
    summary: "Takes a lock from its holders, who are told before. Answered when it is over.",
    params: is.schemaOf<BreakParams>()(
      is.ObjectOf({
        name: is.LockNameField,
        token: ofGrant,
        graceMs: is.Optional(is.WholeNumber("How long they have to release it themselves; 0 when nothing is said")),
        reason: is.Optional(is.Text({ description: "Why; told to them" })),
        key: is.RequestKeyField(),
        ack: is.Ack,
      }),
    ),
    result: is.schemaOf<BreakResult>()(
      is.ObjectOf({
        ended: is.ArrayOf(
          is.ObjectOf({
            token: is.TokenField,
            outcome: is.OneOf(["released", "broken"], "released: in time, by its holder; broken: taken from it"),
          }),
          { description: "The grants that were there; none: nobody held it, or not under this token" },
        ),
      }),
    ),
    keyed: "always",
    beforeHello: false,
    refusals: ["NAME_INVALID", "META_TOO_LARGE", "LOCKS_FULL", "KEY_REUSED", "RETRY_TOO_OLD"],
  } satisfies Method<BreakParams, BreakResult>,
  "lock.transfer": {
    summary: "Hands a lock to a session that waits for it, before all others, in one step.",
    params: is.schemaOf<TransferParams>()(
      is.ObjectOf({
        name: is.LockNameField,
        token: ofGrant,
        to: sessionIdField,
        reason: is.Optional(is.Text({ description: "Why; told to the holder" })),
        key: is.RequestKeyField(),
        ack: is.Ack,
      }),
    ),
    result: is.schemaOf<TransferResult>()(is.ObjectOf({ from: is.TokenField, to: sessionIdField })),
    keyed: "always",
    beforeHello: false,
    refusals: [
      "NAME_INVALID",
      "META_TOO_LARGE",
      "LOCK_NOT_HELD",
      "NOT_WAITING",
      "DEADLOCK",
      "KEY_REUSED",
      "RETRY_TOO_OLD",
      "DISK_FULL",
    ],
  } satisfies Method<TransferParams, TransferResult>,
  "lock.resize": {
    summary: "Gives a semaphore another number of slots. Who holds more keeps them until they are given back.",
    params: is.schemaOf<ResizeParams>()(
      is.ObjectOf({
        name: is.LockNameField,
        slots: SlotsField("How many from now on"),
        key: is.RequestKeyField(),
        ack: is.Ack,
      }),
    ),
    result: is.schemaOf<ResizeResult>()(is.ObjectOf({ slots: is.WholeNumber("How many it has now", 1) })),
    keyed: "always",
    beforeHello: false,
    refusals: ["NAME_INVALID", "SLOTS_MISMATCH", "LOCKS_FULL", "KEY_REUSED", "RETRY_TOO_OLD", "DISK_FULL"],
  } satisfies Method<ResizeParams, ResizeResult>,
};
