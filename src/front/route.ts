/** What a route is: one request on its way in, and what it leads to. */
import type { ClientCommand } from "../core/index.js";
import type { MethodName, ParamsOf } from "../protocol/index.js";
import type { Refusal, RequestId } from "../terms/index.js";
import type { Conversation } from "./conversation.js";

/** One request on its way in. */
export interface RequestInHand {
  readonly conversation: Conversation;
  readonly request: RequestId;
  /** The frame as it came: the store gets these bytes. */
  readonly raw: Buffer;
}

/** A command where there is something to decide, a result where there is not. */
export type Routed = { readonly command: ClientCommand } | { readonly result: unknown } | Refusal;

export type Route<Name extends MethodName> = (params: ParamsOf<Name>, incoming: RequestInHand) => Routed;

export function askerOf({ conversation, request }: RequestInHand): {
  connection: Conversation["id"];
  request: RequestId;
} {
  return { connection: conversation.id, request };
}
