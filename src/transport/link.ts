/**
 * A connection as the front sees it: bytes of whole messages in, bytes of whole messages out, and the means to hold
 * the other side back. What the bytes mean is nobody's business here.
 */
import type { Encoding } from "../protocol/index.js";
import type { ConnectionId, Millis } from "../terms/index.js";

/** What a client says of itself when it connects: it decides only which allowance it is counted against. */
export type Purpose = "newcomer" | "resuming" | "operator";

export interface Link {
  readonly id: ConnectionId;
  /** JSON goes in text frames, MessagePack in binary ones; others do not come through. */
  readonly encoding: Encoding;
  /** Queues one message, as bytes or as text with a byte in each character; it leaves with `flush`. After `close` it is dropped. */
  send(message: string | Buffer): void;
  /** Everything queued leaves in one write. */
  flush(): void;
  /** Bytes queued here and in Node for a client that does not read them. */
  readonly bufferedBytes: number;
  /** Bytes that have come so far; those of a frame are counted before it is handed on. */
  readonly bytesRead: number;
  /** For so long no byte has come, to the second and never too much (ms); 0 while the link is paused. */
  readonly quietMs: Millis;
  /** No frame is handed on after this, not even one that was read already, until `resume`. */
  pause(): void;
  /** From within `onFrame`, of a link that was paused there: this frame is handed on again, before all others. */
  putBack(frame: Buffer): void;
  resume(): void;
  /** The client has said hello: it no longer counts as one that only occupies a place. */
  admitted(): void;
  /** Flushes, sends the close frame, and hands on nothing more. The client has two seconds to answer it. */
  close(code: number, reason: string): void;
  /** Ends the connection at once; what was queued is lost. */
  terminate(): void;
}

/** Given once for all links. None is called from within a method of the link but `onFrame` by `resume`. */
export interface LinkHandlers {
  onOpen(link: Link): void;
  /** `data` belongs to the receiver. Never called before `onOpen`, nor after `close`, `terminate` or `onClose`. */
  onFrame(link: Link, data: Buffer, isBinary: boolean): void;
  /** What was sent to it, and could not be taken at once, has been taken by the system. */
  onDrained(link: Link): void;
  /** Exactly once for each link that was opened, whoever ended it. */
  onClose(link: Link): void;
}

export type Log = (
  level: "debug" | "info" | "warn" | "error",
  fields: { readonly [field: string]: unknown },
  text: string,
) => void;
