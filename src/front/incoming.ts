/**
 * A frame on its way in: read, checked against its method's schema, routed, and handed to whoever decides. What cannot
 * be read or is not known is answered here.
 */
import type { Command } from "../core/index.js";
import {
  type AckParams,
  type CancelParams,
  type CloseParams,
  type CreditParams,
  checkNotice,
  checkParams,
  closings,
  decodeFrame,
  isMethod,
  isToBroker,
  methods,
  type Request,
} from "../protocol/index.js";
import {
  type Instant,
  impossible,
  isRefusal,
  type Refusal,
  type RequestId,
  refuse,
  requestKey,
} from "../terms/index.js";
import type { Conversation } from "./conversation.js";
import type { Routes } from "./routes.js";

export interface IncomingParts {
  readonly decide: (command: Command, now: Instant) => void;
}

export class Incoming {
  readonly #routes: Routes;
  readonly #parts: IncomingParts;

  constructor(routes: Routes, parts: IncomingParts) {
    this.#routes = routes;
    this.#parts = parts;
  }

  take(conversation: Conversation, data: Buffer, now: Instant): void {
    conversation.came();
    const frame = decodeFrame(data, conversation.encoding);
    switch (frame.kind) {
      case "request":
        return this.#request(conversation, frame, data, now);
      case "notification":
        return this.#notice(conversation, frame.method, frame.params, now);
      case "frame-error":
        return this.#unreadable(conversation, frame.id, frame.refusal, now);
      default:
        return this.#unreadable(
          conversation,
          frame.id,
          refuse("INVALID_REQUEST", "the broker asks nothing, so it takes no answers"),
          now,
        );
    }
  }

  #unreadable(conversation: Conversation, request: RequestId | null, refusal: Refusal, now: Instant): void {
    conversation.refuse(request, refusal, false);
    if (conversation.badFrame(now))
      conversation.link.close(closings.misbehaved.code, "too many frames that cannot be read");
  }

  #request(conversation: Conversation, { id: request, method, params }: Request, raw: Buffer, now: Instant): void {
    conversation.begun(request, method, params, raw.length);
    if (!isMethod(method))
      return conversation.refuse(request, refuse("METHOD_UNKNOWN", `there is no method ${shown(method)}`), true);
    if (!conversation.hasSaidHello && !methods[method].beforeHello)
      return conversation.refuse(request, refuse("NOT_READY", `session.hello must come before ${method}`), true);
    // The schema has just been checked: the parameters are those of this method.
    const routed =
      checkParams(method, params) ?? this.#routes.route(method, params as never, { conversation, request, raw });
    if (isRefusal(routed)) return conversation.refuse(request, routed, true);
    if ("result" in routed) return conversation.answer(request, routed.result);
    const { ack } = params as { readonly ack?: number };
    if (ack !== undefined && method !== "session.hello") this.#acknowledge(conversation, ack, now);
    this.#decide(conversation, routed.command, now);
  }

  /** A notification has no answer, whatever is wrong with it (JSON-RPC 2.0, 4.1): a newer client may send one of its own. */
  #notice(conversation: Conversation, method: string, params: unknown, now: Instant): void {
    if (isMethod(method))
      return conversation.refuse(null, refuse("INVALID_REQUEST", `${method} is a request: it has an id`), false);
    if (!isToBroker(method) || checkNotice(method, params) !== undefined) return;
    const { id: connection } = conversation;
    switch (method) {
      case "session.ack":
        return this.#acknowledge(conversation, (params as AckParams).below, now);
      case "session.cancel":
        return this.#decide(conversation, { kind: "cancel", connection, request: (params as CancelParams).id }, now);
      case "db.credit": {
        const { stream, bytes } = params as CreditParams;
        return this.#decide(conversation, { kind: "stream-credit", connection, stream, bytes }, now);
      }
      case "db.close": {
        const { stream } = params as CloseParams;
        return this.#decide(conversation, { kind: "stream-close", connection, stream }, now);
      }
      default:
        return impossible(method, "notification");
    }
  }

  #acknowledge(conversation: Conversation, below: number, now: Instant): void {
    this.#decide(conversation, { kind: "ack", connection: conversation.id, below: requestKey(below) }, now);
  }

  #decide(conversation: Conversation, command: Command, now: Instant): void {
    conversation.commanded();
    this.#parts.decide(command, now);
  }
}

function shown(method: string): string {
  return JSON.stringify(method.length > 64 ? `${method.slice(0, 64)}…` : method);
}
