/**
 * Where the conversation stands.
 *
 *            open                    socket         welcome            all known
 *   new ───────────► connecting ──────────► greeting ──────► settling ──────────► open
 *                     ▲  │ failed           │ broken    │      │ broken            │ broken, or "closing" heard
 *                     │  ▼                  ▼           └──────┼───────────────►   ▼
 *   resting ◄──────── waiting ◄─────────────┴──────────────────┴──────────────── leaving
 *     │  a call, a watch  (backoff)
 *     └───────► connecting                 open, leaving ──close, nothing in flight──► parting ──► closed
 *
 * | state      | what holds                                                            | who may end it               |
 * |------------|-----------------------------------------------------------------------|------------------------------|
 * | new        | nothing was tried                                                     | open                         |
 * | connecting | the driver tries to reach, or to start, a broker                      | the driver, the time         |
 * | waiting    | no connection; the next attempt has its time                          | the time                     |
 * | resting    | no connection, nothing kept, held or watched: no attempt is made      | a call, a watch              |
 * | greeting   | hello is under way on an open socket                                  | the broker, patience         |
 * | settling   | there is a session; the writes of the one before it are being settled | the broker, patience         |
 * | open       | every call that is kept has been sent                                 | the broker, close            |
 * | leaving    | the broker ends: answers still come, new calls are kept for the next  | the broker, close            |
 * | parting    | goodbye is under way, nothing is in flight                            | the broker, the time         |
 * | closed     | nothing is kept, nothing happens any more                             | nobody                       |
 *
 * Any state but closed ends in closed when the broker says what cannot be lived with (no version in common, session
 * taken by another), or when the first connection cannot be had in time.
 */
import type { Instant, Millis } from "../../terms/index.js";
import type { Fence } from "./answers.js";

export type State =
  | { readonly at: "new" | "connecting" | "resting" | "open" | "leaving" | "closed" }
  | { readonly at: "waiting"; readonly until: Instant }
  /** `since`: when hello was sent. */
  | { readonly at: "greeting"; readonly request: number; readonly since: Instant }
  /** Without request: the last question could not be answered, and is asked again at `retryAt`. */
  | { readonly at: "settling"; readonly request: number | undefined; readonly retryAt: Instant }
  | { readonly at: "parting"; readonly request: number; readonly until: Instant };

export interface ConversationOptions {
  /** Of the first session: 32 random bytes as 43 characters of base64url. */
  readonly secret: string;
  /** That session was opened by another program: resume it, holding these locks, or end. */
  readonly takenUp?: TakenUp | undefined;
  /** The session lives as long as a process, whatever becomes of connections: its locks do not end with a window. */
  readonly bound?: boolean | undefined;
  /** Fields of hello that are the same each time: program, version, process. */
  readonly introduction: object;
  readonly resumeWindowMs?: Millis | undefined;
  /** How long the first connection may take, with the start of a broker if need be. */
  readonly openMs: Millis;
  /** How long a call waits for a connection that broke. */
  readonly patienceMs: Millis;
}

export interface TakenUp {
  readonly held: readonly Fence[];
  /** How many request keys of each kind may have been used before. */
  readonly keysUsed: number;
}
