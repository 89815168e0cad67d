/**
 * Everything that can happen to the conversation. The driver translates the socket, the program and the clock into
 * these; time comes beside the event. Events of a connection that the conversation has given up must not come any more.
 */
import type { Refusal } from "../../terms/index.js";
import type { Call } from "./call.js";
import type { Watched } from "./watched.js";

export type Event =
  /** The program wants a connection: comes first, once. */
  | { readonly kind: "open" }
  /** The program asks something; each call object once. */
  | { readonly kind: "call"; readonly call: Call }
  /** The program does not want the answer any more. */
  | { readonly kind: "cancel"; readonly call: Call }
  /** The program wants to be told what happens from now on; the same watch again: it wants to see how things are. */
  | { readonly kind: "watch"; readonly watch: Watched }
  | { readonly kind: "unwatch"; readonly watch: Watched }
  /** The program has done with so many bytes of a stream's messages; or wants no more of it at all. */
  | { readonly kind: "stream"; readonly call: Call; readonly credit: number | "closed" }
  /** The program is done: what is in flight is waited for, then the session ends. */
  | { readonly kind: "close" }
  /** The program ends, the session is to live on (for who knows its secret). */
  | { readonly kind: "detach" }
  /** A socket is open. `secret` is fresh and becomes a session's if one is needed. */
  | { readonly kind: "connected"; readonly secret: string }
  /**
   * Nobody listens where the broker should be; seen while connecting, before a start is tried. `left`: and the place is
   * gone, or the database is served from elsewhere by now.
   */
  | { readonly kind: "nobody"; readonly left: boolean }
  /**
   * The attempt is over. `nobody`: no broker runs and none may be started. `busy`: there is one, or will be, that has
   * no time now. `failed`: none could be started, or it cannot be spoken to.
   */
  | {
      readonly kind: "connect-failed";
      readonly why: "nobody" | "busy" | "failed";
      readonly refusal: Refusal;
      /** From 0 (inclusive) to 1 (exclusive), by chance: spreads the next attempt. */
      readonly luck: number;
    }
  | { readonly kind: "disconnected"; readonly reason: string; readonly luck: number }
  | { readonly kind: "answered"; readonly id: number; readonly result: unknown }
  | { readonly kind: "refused"; readonly id: number; readonly refusal: Refusal }
  /** `bytes`: of the whole message. */
  | { readonly kind: "notified"; readonly method: string; readonly params: unknown; readonly bytes: number }
  /** A message that was to be sent cannot be: too large, or not encodable. It has not left. */
  | { readonly kind: "unsendable"; readonly id: number; readonly refusal: Refusal }
  /** Time has passed; comes at or after `nextDeadline`. */
  | { readonly kind: "time" };
