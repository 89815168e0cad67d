/** What the driver must do, in this order. */
import type { Millis, Refusal } from "../../terms/index.js";
import type { Welcome } from "./answers.js";
import type { Call } from "./call.js";
import type { Grant } from "./grant.js";
import type { LockNewsEffect } from "./lock-news.js";
import type { WatchEffect } from "./watches.js";

export type Effect =
  /** Try once to reach the broker; answered by `connected` or `connect-failed`. */
  | { readonly kind: "connect"; readonly start: boolean; readonly resuming: boolean }
  /** Drop the connection, or the attempt to make one: no event of it may come any more. */
  | { readonly kind: "disconnect" }
  /** A request, or a notification when it has no id. */
  | { readonly kind: "send"; readonly id: number | undefined; readonly method: string; readonly params: object }
  | { readonly kind: "answer"; readonly call: Call; readonly result: unknown }
  | { readonly kind: "refuse"; readonly call: Call; readonly refusal: Refusal }
  /** `waiting`: how many wait for it at that moment. */
  | {
      readonly kind: "granted";
      readonly call: Call;
      readonly grant: Grant;
      readonly waitedMs: Millis;
      readonly waiting: number;
    }
  /** The broker has not answered for half of its lease. */
  | { readonly kind: "jeopardy"; readonly grant: Grant }
  | LockNewsEffect
  | WatchEffect
  /** Rows of an open stream; the message that brought them had so many bytes. */
  | { readonly kind: "rows"; readonly call: Call; readonly rows: readonly unknown[]; readonly bytes: number }
  /** The stream is over: complete unless it was refused. */
  | { readonly kind: "stream-done"; readonly call: Call; readonly refusal: Refusal | undefined }
  /** The program relied on it: told at once, whatever else is under way. */
  | { readonly kind: "lost"; readonly grant: Grant; readonly reason: string }
  /** A write that gives it back is on disk. */
  | { readonly kind: "given-back"; readonly grant: Grant }
  /** The conversation is open; `first` is true once. Before all that is sent then: its broker says how large that may be. */
  | { readonly kind: "opened"; readonly welcome: Welcome; readonly first: boolean }
  /** The session is over and a new one takes its place; its locks were lost. */
  | { readonly kind: "session-lost"; readonly reason: string }
  /** The last effect. Without refusal the program wished it so. `parted`: the broker knows that the session is over. */
  | { readonly kind: "ended"; readonly refusal: Refusal | undefined; readonly parted: boolean };
