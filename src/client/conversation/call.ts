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
import type { Tie } from "./transaction-calls.js";

/**
 * What may be done with a request whose answer was lost.
 *   read     sent again freely
 *   stream   sent again freely until it is answered; then it is open, and dies with its connection
 *   write    sent again under its key, which makes it happen once
 *   named    a write under a key of the program's own, which holds in all sessions: sent again freely
 *   once     never sent again: its outcome is unknown
 *   acquire  sent again under its key, with the time that is left
 *   upgrade  the same, for a grant that is held; its outcome is waited for even if it is cancelled
 *   change   of locks otherwise: sent again under its key; unknown when the session is over, and to another life of the
 *            broker not sent again when it takes from anybody
 *   release  sent again under its key; when the broker does not know the grant, it is released
 *   transfer as a release, but then it is refused
 *   cancel   the conversation's own: takes back an acquire or an upgrade
 *   begin    of a transaction: never sent again once it was sent; the transaction went with the connection
 *   step     of a transaction: sent on the connection of its begin, and on no other
 *   rollback as a step; but what is gone is rolled back
 */
export type CallKind =
  | "read"
  | "stream"
  | "write"
  | "named"
  | "once"
  | "acquire"
  | "upgrade"
  | "change"
  | "release"
  | "transfer"
  | "cancel"
  | "begin"
  | "step"
  | "rollback";

/** The parameters of the request as they go over the wire. The conversation reads and writes only these fields. */
export interface CallParams {
  key?: number | undefined;
  ack?: number | undefined;
  waitMs?: number | undefined;
  /** Of a release or a transfer: that of the grant, which an upgrade may change. Of what takes from others: from whom. */
  token?: number | undefined;
  /** Of an acquire. */
  readonly ttlMs?: number | undefined;
  stream?: number | undefined;
}

export type CallState = "new" | "kept" | "sent" | "settled";

export interface CallMore {
  readonly grant?: Grant | undefined;
  readonly about?: Call | undefined;
  readonly own?: boolean;
  readonly tie?: Tie | undefined;
  readonly gives?: readonly Grant[] | undefined;
}

/** A grant that a write gives back, under the token that the write names; an upgrade may give it another meanwhile. */
export interface Gift {
  readonly grant: Grant;
  readonly token: number;
}

const none: readonly Gift[] = [];

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
  /** When it was sent last; meaningful once it was. */
  sentAt: Instant = instant(0);
  /** How often it was sent. */
  tries = 0;
  /** When it was sent last, a broker may have seen it already, and nobody knew the outcome. */
  sentAnew = false;
  /** The program does not want it any more. */
  cancelled = false;
  /** Of an acquire or an upgrade: how long it may wait, counted from `since`; absent means for ever. */
  readonly waitMs: Millis | undefined;
  /** Of an upgrade, downgrade, release or transfer: the grant that it changes. */
  readonly grant: Grant | undefined;
  /** Of a cancel, and of what takes back a grant or an upgrade that nobody wanted: the request it is about. */
  readonly about: Call | undefined;
  /** Asked by the conversation itself, or left to it by a program that closes: no program waits for it. */
  own: boolean;
  /** Of the calls of a transaction, its commit among them. */
  readonly tie: Tie | undefined;
  /** Of a write: the grants that are given back when it is on disk. */
  readonly gives: readonly Gift[];

  constructor(kind: CallKind, method: string, params: CallParams, more: CallMore = {}) {
    this.kind = kind;
    this.method = method;
    this.params = params;
    this.waitMs = this.waits ? params.waitMs : undefined;
    this.grant = more.grant;
    this.about = more.about;
    this.own = more.own ?? false;
    this.tie = more.tie;
    this.gives = more.gives?.map((grant) => ({ grant, token: grant.token })) ?? none;
  }

  /** It is handed to the connection. */
  leaves(now: Instant): void {
    this.tries++;
    this.sentAnew = this.state === "sent";
    this.sentAt = now;
    this.state = "sent";
  }

  /** It has a request key, under which it happens once. */
  get keyed(): boolean {
    switch (this.kind) {
      case "read":
      case "stream":
      case "named":
      case "once":
      case "begin":
      case "step":
      case "rollback":
        return false;
      default:
        return true;
    }
  }

  get reads(): boolean {
    return this.kind === "read" || this.kind === "stream";
  }

  /** What is read behind it must show it. */
  get writes(): boolean {
    return this.kind === "write" || this.kind === "named" || this.kind === "once";
  }

  /** It may be sent again as often as the connection breaks, whatever became of it. */
  get isSentFreely(): boolean {
    return this.reads || this.kind === "write" || this.kind === "named";
  }

  /** It ends its grant, unless it is refused. */
  get givesUp(): boolean {
    return this.kind === "release" || this.kind === "transfer";
  }

  /** It only lets go of something: a program that closes may ask for that, and needs no answer. */
  get letsGo(): boolean {
    return this.kind === "release" || this.kind === "rollback";
  }

  /** It is about a grant that is being given up, or is over. What is being handed over can still be released. */
  get isTooLate(): boolean {
    const state = this.grant?.state ?? "held";
    return state !== "held" && !(state === "handing" && this.kind === "release");
  }

  /** It takes a lock from whoever holds it then: done twice, from two. */
  get takesFromAnybody(): boolean {
    const takes = this.method === "lock.break" || this.method === "lock.transfer";
    return takes && this.kind === "change" && this.params.token === undefined;
  }

  /** It waits for others, and can be asked for again after a lost connection. */
  get waits(): boolean {
    return this.kind === "acquire" || this.kind === "upgrade";
  }
}
