/**
 * One request of the program, from the moment it is asked until it has its one outcome.
 *
 *   new ──handed in──► kept ──────► sent ──────► settled
 *                       ▲  never applied │  connection lost
 *                       └────────────────┘  (sent again under the same key, or settled first)
 *
 * | state   | what holds                                                               | who may end it            |
 * |---------|--------------------------------------------------------------------------|---------------------------|
 * | kept    | no broker has seen it, or one has surely not applied it                   | sending, cancel, patience |
 * | sent    | a broker may have seen it; nobody knows the outcome but the broker         | its answer, a settling    |
 * | settled | the program has its outcome; the object is in no table                     | nobody                    |
 */
import { type Instant, instant, type Millis } from "../../terms/index.js";
import type { Grant } from "./grant.js";

/**
 * What may be done with a request whose answer was lost.
 *   read     sent again freely
 *   write    sent again under its key, which makes it happen once
 *   once     never sent again: its outcome is unknown
 *   acquire  sent again under its key, with the time that is left
 *   release  sent again under its key; when the broker does not know the grant, it is released
 *   cancel   the conversation's own: takes back an acquire
 */
export type CallKind = "read" | "write" | "once" | "acquire" | "release" | "cancel";

/** The parameters of the request as they go over the wire. The conversation writes only these fields. */
export interface CallParams {
  key?: number;
  ack?: number;
  waitMs?: number;
}

export type CallState = "new" | "kept" | "sent" | "settled";

export interface CallMore {
  readonly grant?: Grant | undefined;
  readonly about?: Call | undefined;
  readonly own?: boolean;
}

export class Call {
  readonly kind: CallKind;
  readonly method: string;
  readonly params: CallParams;
  state: CallState = "new";
  /** The JSON-RPC id: its number in this conversation, the same on every connection. 0 while new. */
  id = 0;
  /** The request key in the present session; 0 while it has none. */
  key = 0;
  /** When it was handed in. */
  since: Instant = instant(0);
  /** How often it was sent. */
  tries = 0;
  /** The program does not want it any more. */
  cancelled = false;
  /** Of an acquire: how long it may wait, counted from `since`; absent means for ever. */
  readonly waitMs: Millis | undefined;
  /** Of a release: what is released. */
  readonly grant: Grant | undefined;
  /** Of a cancel, and of a release that gives back a grant nobody wanted: the acquire it is about. */
  readonly about: Call | undefined;
  /** Asked by the conversation itself: no program waits for it. */
  readonly own: boolean;

  constructor(kind: CallKind, method: string, params: CallParams, more: CallMore = {}) {
    this.kind = kind;
    this.method = method;
    this.params = params;
    this.waitMs = kind === "acquire" ? params.waitMs : undefined;
    this.grant = more.grant;
    this.about = more.about;
    this.own = more.own ?? false;
  }
}
