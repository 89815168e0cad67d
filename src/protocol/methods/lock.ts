/** The methods of those who want locks and hold them. Every one carries a request key. */
import type { Method } from "../method.js";
import * as is from "../schema.js";
import { SlotsField } from "./lock-fields.js";
import { type LockMode, lockModes } from "./lock-words.js";
import type { GrantedLock } from "./session.js";

/** One name of a request, and how it is wanted. */
export interface ClaimParams {
  readonly name: string;
  readonly mode?: LockMode;
  readonly slots?: number;
  readonly take?: number;
}

export interface AcquireParams extends ClaimParams {
  readonly also?: readonly ClaimParams[];
  readonly key: number;
  readonly ack?: number;
  readonly waitMs?: number;
  readonly reason?: string;
  readonly ttlMs?: number;
  readonly guard?: boolean;
  readonly steal?: boolean;
  readonly under?: readonly number[];
  readonly tell?: readonly ("place" | "contended")[];
}

export interface AcquireResult extends GrantedLock {
  readonly waitedMs: number;
  readonly waiting: number;
  readonly also?: readonly string[];
}

export interface UpgradeParams {
  readonly name: string;
  readonly token: number;
  readonly key: number;
  readonly ack?: number;
  readonly waitMs?: number;
  readonly under?: readonly number[];
}

export interface UpgradeResult {
  readonly name: string;
  readonly token: number;
  readonly waitedMs: number;
}

export interface DowngradeParams {
  readonly name: string;
  readonly token: number;
  readonly key: number;
  readonly ack?: number;
}

export interface DowngradeResult {
  readonly name: string;
  readonly token: number;
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
  readonly lost?: boolean;
}

export interface ReleaseResult {
  readonly released: true;
}

/**
 * What is to run under a guarded lock is started so soon after the sending of something that the broker has answered
 * since the grant; a broker that ends the lock looks out for it twice as long.
 */
export const guardedStartMs = 1000;

const claim = {
  name: is.LockNameField,
  mode: is.Optional(
    is.OneOf(
      lockModes,
      "exclusive (when nothing is said): alone; shared: beside others that are shared; semaphore: `take` of the name's slots",
    ),
  ),
  slots: is.Optional(
    SlotsField(
      "Of a semaphore: how many slots the name has. The first request that says it decides; absent: as remembered",
    ),
  ),
  take: is.Optional(SlotsField("Of a semaphore: how many of the slots to take; 1 when nothing is said")),
};

const waitMs = is.Optional(is.WholeNumber("How long to wait; 0: not at all; absent: for ever"));

const under = is.Optional(
  is.ArrayOf(is.TokenField, {
    maxItems: 1024,
    description:
      "The grants that will not be given back before this request is done, for the search for deadlocks; absent: all of the session",
  }),
);

const held = { name: is.LockNameField, token: is.TokenField, key: is.RequestKeyField(), ack: is.Ack };

export const lockMethods = {
  "lock.acquire": {
    summary:
      "Acquires one lock, or several at once, waiting in order of arrival. Answered when it is granted or refused.",
    params: is.schemaOf<AcquireParams>()(
      is.ObjectOf({
        ...claim,
        also: is.Optional(
          is.ArrayOf(is.ObjectOf(claim), {
            description: "Further names: all are granted together under one token, or none",
          }),
        ),
        key: is.RequestKeyField(),
        ack: is.Ack,
        waitMs,
        reason: is.Optional(is.Text({ description: "What for; shown to those who wait" })),
        ttlMs: is.Optional(
          is.WholeNumber(
            "A lease: the grant ends when nothing was heard of the session for so long. Absent: it lives as its session",
            1,
          ),
        ),
        guard: is.Optional(
          is.Flag({
            description:
              "If the grant ends otherwise than by lock.release or a write's release, or by a lock.release that says lost, processes that name its token in HOLDFAST_LOCKS are ended before the next grant",
          }),
        ),
        steal: is.Optional(
          is.Flag({ description: "Takes the locks from who holds them, and goes before all who wait" }),
        ),
        under,
        tell: is.Optional(
          is.ArrayOf(
            is.OneOf(
              ["place", "contended"],
              "place: lock.queued while it waits; contended: lock.contended while it holds",
            ),
            { description: "What the session wants to be told" },
          ),
        ),
      }),
    ),
    result: is.schemaOf<AcquireResult>()(
      is.ObjectOf({
        name: is.LockNameField,
        token: is.TokenField,
        key: is.RequestKeyField(),
        waitedMs: is.WholeNumber("How long it waited"),
        waiting: is.WholeNumber("How many wait for it now"),
        also: is.Optional(is.ArrayOf(is.LockNameField, { description: "The further names, if there are any" })),
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
  "lock.upgrade": {
    summary:
      "Makes a shared lock exclusive, before all who wait for it. The grant gets a new token; the old one is void then.",
    params: is.schemaOf<UpgradeParams>()(is.ObjectOf({ ...held, waitMs, under })),
    result: is.schemaOf<UpgradeResult>()(
      is.ObjectOf({
        name: is.LockNameField,
        token: is.TokenField,
        waitedMs: is.WholeNumber("How long it waited for the others that shared it"),
      }),
    ),
    keyed: "always",
    beforeHello: false,
    refusals: [
      "NAME_INVALID",
      "LOCK_NOT_HELD",
      "LOCK_HELD",
      "LOCK_TIMEOUT",
      "DEADLOCK",
      "LOCKS_FULL",
      "KEY_REUSED",
      "RETRY_TOO_OLD",
      "DISK_FULL",
    ],
  } satisfies Method<UpgradeParams, UpgradeResult>,
  "lock.downgrade": {
    summary: "Makes an exclusive lock shared, at once and under the same token.",
    params: is.schemaOf<DowngradeParams>()(is.ObjectOf(held)),
    result: is.schemaOf<DowngradeResult>()(
      is.ObjectOf({
        name: is.LockNameField,
        token: is.TokenField,
        waitedMs: is.WholeNumber("As of an upgrade; always 0: it does not wait"),
      }),
    ),
    keyed: "always",
    beforeHello: false,
    refusals: ["NAME_INVALID", "LOCK_NOT_HELD", "KEY_REUSED", "RETRY_TOO_OLD", "DISK_FULL"],
  } satisfies Method<DowngradeParams, DowngradeResult>,
  "lock.cancel": {
    summary:
      "Withdraws an acquire or an upgrade that waits. It has one outcome: the request is answered CANCELLED, or its grant.",
    params: is.schemaOf<CancelAcquireParams>()(
      is.ObjectOf({
        key: is.RequestKeyField(),
        of: is.RequestKeyField("The key of the acquire or the upgrade"),
        ack: is.Ack,
      }),
    ),
    result: is.schemaOf<CancelAcquireResult>()(
      is.ObjectOf({
        outcome: is.OneOf(
          ["cancelled", "granted", "gone"],
          "cancelled: it will not be granted; granted: too late, the lock is held; gone: there is no such request any more",
        ),
      }),
    ),
    keyed: "always",
    beforeHello: false,
    refusals: ["KEY_REUSED", "RETRY_TOO_OLD"],
  } satisfies Method<CancelAcquireParams, CancelAcquireResult>,
  "lock.release": {
    summary:
      "Releases a lock, and all that were granted with it, after the writes that were sent before it on this session.",
    params: is.schemaOf<ReleaseParams>()(
      is.ObjectOf({
        ...held,
        lost: is.Optional(
          is.Flag({
            description:
              "The client has lost it, by its own clock or for good, and what it started under the lock may still run: of a guarded grant that is ended first",
          }),
        ),
      }),
    ),
    result: is.schemaOf<ReleaseResult>()(is.ObjectOf({ released: is.Unsafe<true>({ const: true }) })),
    keyed: "always",
    beforeHello: false,
    refusals: ["NAME_INVALID", "LOCK_NOT_HELD", "KEY_REUSED", "RETRY_TOO_OLD"],
  } satisfies Method<ReleaseParams, ReleaseResult>,
};
