/**
 * What a method and a notification are to this room: a name, the shape of what is sent and of what comes back, and
 * the refusals to be expected. Plain types, so that nothing of the schema library shows in what programs import.
 */
import type { RefusalCode } from "../terms/index.js";

/** A JSON Schema, of which check.ts understands the words that the methods use. */
export interface JsonSchema {
  readonly [word: string]: unknown;
}

/** A JSON Schema that is known to the compiler to describe exactly `T`. */
export interface Schema<T> extends JsonSchema {
  readonly "~describes"?: T;
}

export interface Method<Params = unknown, Result = unknown> {
  readonly summary: string;
  readonly params: Schema<Params>;
  readonly result: Schema<Result>;
  /** Whether a request carries a request key: `always` for locks, `when-writing` where a missing one means at most once. */
  readonly keyed: "always" | "when-writing" | "never";
  /** Served before session.hello. */
  readonly beforeHello: boolean;
  /** Beside those that any request can meet (`refusalsOfAll`). */
  readonly refusals: readonly RefusalCode[];
}

export interface NotificationRow<Params = unknown> {
  readonly summary: string;
  readonly params: Schema<Params>;
}

/** What any request can be answered, whatever its method. */
export const refusalsOfAll = [
  "PARSE_ERROR",
  "INVALID_REQUEST",
  "ARRAY_REFUSED",
  "METHOD_UNKNOWN",
  "PARAMS_INVALID",
  "FRAME_TOO_LARGE",
  "NOT_READY",
  "SHUTTING_DOWN",
  "SESSION_TAKEN",
  "SESSION_EXPIRED",
  "FORBIDDEN",
  "CANCELLED",
  "INTERNAL",
] as const satisfies readonly RefusalCode[];
