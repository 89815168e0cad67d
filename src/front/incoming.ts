/**
 * A frame on its way in: read, checked against its method's schema, routed, and handed to whoever decides. What cannot
 * be read or is not known is answered here.
 */
import type { Command } from "../core/index.js";
import {
  checkNotice,
  checkParams,
  closings,
  decodeFrame,
  encodeBody,
  isMethod,
  isToBroker,
  methods,
  type Request,
} from "../protocol/index.js";
import { type Instant, isRefusal, type Refusal, type RequestId, refuse, requestKey } from "../terms/index.js";
import type { Conversation } from "./conversation.js";
import type { Routes } from "./routes.js";

export interface IncomingParts {
  readonly now: () => Instant;
  readonly decide: (command: Command) => void;
}

export class Incoming {
  readonly #routes: Routes;
  readonly #parts: IncomingParts;

  constructor(routes: Routes, parts: IncomingParts) {
    this.#routes = routes;
    this.#parts = parts;
  }

  take(conversation: Conversation, data: Buffer): void {
    const frame = decodeFrame(data, conversation.encoding);
    switch (frame.kind) {
      case "request":
        return this.#request(conversation, frame, data);
      case "notification":
        return this.#notice(conversation, frame.method, frame.params);
      case "frame-error":
        return this.#unreadable(conversation, frame.id, frame.refusal);
      default:
        return this.#unreadable(
          conversation,
          frame.id,
          refuse("INVALID_REQUEST", "the broker asks nothing, so it takes no answers"),
        );
    }
  }

  #unreadable(conversation: Conversation, request: RequestId | null, refusal: Refusal): void {
    conversation.refuse(request, refusal, false);
    if (conversation.badFrame(this.#parts.now()))
      conversation.link.close(closings.misbehaved.code, "too many frames that cannot be read");
  }

  #request(conversation: Conversation, { id: request, method, params }: Request, raw: Buffer): void {
    conversation.begun(request, method, params, raw.length);
    if (!isMethod(method))
      return conversation.refuse(request, refuse("METHOD_UNKNOWN", `there is no method ${shown(method)}`), true);
    if (!conversation.hasSaidHello && !methods[method].beforeHello)
      return conversation.refuse(request, refuse("NOT_READY", `session.hello must come before ${method}`), true);
    // The schema has just been checked: the parameters are those of this method.
    const routed =
      checkParams(method, params) ?? this.#routes.route(method, params as never, { conversation, request, raw });
    if (isRefusal(routed)) return conversation.refuse(request, routed, true);
    if ("result" in routed) return conversation.result(request, encodeBody(routed.result, conversation.encoding));
    const { ack } = params as { readonly ack?: number };
    if (ack !== undefined && method !== "session.hello") this.#acknowledge(conversation, ack);
    this.#decide(conversation, routed.command);
  }

  #notice(conversation: Conversation, method: string, params: unknown): void {
    if (!isToBroker(method))
      return conversation.refuse(null, refuse("INVALID_REQUEST", `${shown(method)} is not taken without an id`), false);
    const refusal = checkNotice(method, params);
    if (refusal !== undefined) return conversation.refuse(null, refusal, false);
    if (method === "session.ack") return this.#acknowledge(conversation, (params as { readonly below: number }).below);
    const { id: request } = params as { readonly id: RequestId };
    this.#decide(conversation, { kind: "cancel", connection: conversation.id, request });
  }

  #acknowledge(conversation: Conversation, below: number): void {
    this.#decide(conversation, { kind: "ack", connection: conversation.id, below: requestKey(below) });
  }

  #decide(conversation: Conversation, command: Command): void {
    conversation.commanded();
    this.#parts.decide(command);
  }
}

function shown(method: string): string {
  return JSON.stringify(method.length > 64 ? `${method.slice(0, 64)}…` : method);
}
