/**
 * How complicated a client's frame may be, whatever its size: found out before it is parsed, so that a small frame
 * cannot cost much time or memory. What the broker sends is bounded by its own limits and not looked at in this way.
 */
import { type Refusal, type RequestId, refuse } from "../terms/index.js";

/** Arrays and objects within each other. The deepest request has 6: envelope, params, statements, one, args, mark. */
export const depthMax = 16;
/** Values and names in one frame; 262,144 of them take 20 to 50 ms to parse (2 cores, Node 20.20, 2026-11). */
export const nodesMax = 262_144;

/** Who sent the frame that is to be decoded. */
export type Sender = "client" | "broker";

/** The content of a frame, or why it has none. `id` is that of the request, if it could be read. */
export type Content = { readonly value: unknown } | { readonly refusal: Refusal; readonly id: RequestId | null };

/** An `id` of JSON-RPC as this protocol takes it. */
export function isRequestId(value: unknown): value is RequestId {
  return typeof value === "string" ? value.length <= 64 : typeof value === "number" && Number.isSafeInteger(value);
}

export function unreadable(message: string, details?: { readonly [field: string]: unknown }): Content {
  return { refusal: refuse("PARSE_ERROR", message, details), id: null };
}

export function tooDeep(id: unknown): Content {
  const refusal = refuse("INVALID_REQUEST", `arrays and objects may lie ${depthMax} deep and not deeper`, { depthMax });
  return { refusal, id: isRequestId(id) ? id : null };
}

export function tooMany(id: unknown): Content {
  const refusal = refuse("INVALID_REQUEST", `a frame may have ${nodesMax} values and names and not more: split it`, {
    nodesMax,
  });
  return { refusal, id: isRequestId(id) ? id : null };
}
