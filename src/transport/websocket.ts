/**
 * WebSocket connections, by the library `ws`: the only file that knows it. It reads frames, checks them and closes on
 * whatever breaks RFC 6455; here its sockets become links, and get the bounds that it does not set: a message that
 * stays unfinished, a flood of pings, and pings from somebody who does not read the answers.
 *
 * A link lives like this:
 *
 *   state   | frames are handed on | who ends it
 *   open    | unless paused        | the client, `close`, `terminate`, an error, `look`
 *   closing | no                   | the client's answer to the close frame, two seconds, `terminate`
 *   closed  | no                   | nobody; `onClose` was called
 */
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { type ServerOptions, type WebSocket, WebSocketServer } from "ws";
import { closings, type Encoding, encodingOf } from "../protocol/index.js";
import type { ConnectionId, Limits, Millis } from "../terms/index.js";
import type { Place } from "./admission.js";
import { FrameTracker } from "./frame-tracker.js";
import { framePieces } from "./frame-writer.js";
import type { Link, LinkHandlers, Log } from "./link.js";
import { chooseSubprotocol } from "./upgrade.js";

/** How long a close frame may stay unanswered. */
const closeAnswerMs = 2000;
/** `look` is to be called so often. Looks are counted and not timed, so that a broker that was stopped itself finds nobody silent. */
export const lookMs: Millis = 1000;
/** Looks that an unfinished message may see no byte. */
const quietLooksMax = 10;
/** Pings and pongs between two looks. */
const controlFramesMax = 1000;
/** With so much unread in front of it, a pong is left out: the client would not see it in time. */
const pongBehindBytesMax = 64 * 1024;
/** Fragments of one message. A client of ours sends one; another may stream the largest frame in pieces of 16 KiB. */
const fragmentsMax = 16_384;
/** Pieces in which the bytes of one frame arrive: of the largest frame, pieces of 1 KiB. */
const chunksMax = 262_144;

type UpgradeAnswer = (webSocket: WebSocket) => void;

/** Turns upgrades that may go on into WebSockets. */
export class WebSocketDoor {
  readonly #server: WebSocketServer;

  constructor({ frameBytesMax }: Pick<Limits, "frameBytesMax">) {
    const options: ServerOptions & { closeTimeout: number } = {
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      skipUTF8Validation: false,
      maxPayload: frameBytesMax,
      maxFragments: fragmentsMax,
      maxBufferedChunks: chunksMax,
      // Answered by the link, which looks whether the client reads.
      autoPong: false,
      closeTimeout: closeAnswerMs,
      handleProtocols: (offered) => chooseSubprotocol(offered) ?? false,
    };
    this.#server = new WebSocketServer(options);
  }

  /** Answers the handshake itself where it is wrong (key, version). */
  upgrade(request: IncomingMessage, socket: Socket, head: Buffer, answer: UpgradeAnswer): void {
    this.#server.handleUpgrade(request, socket, head, answer);
  }
}

export interface LinkParts {
  readonly id: ConnectionId;
  readonly webSocket: WebSocket;
  readonly socket: Socket;
  readonly place: Place;
  readonly handlers: LinkHandlers;
  readonly log: Log;
}

export class WebSocketLink implements Link {
  readonly id: ConnectionId;
  readonly encoding: Encoding;
  readonly #webSocket: WebSocket;
  readonly #socket: Socket;
  readonly #place: Place;
  readonly #handlers: LinkHandlers;
  readonly #log: Log;
  readonly #tracker = new FrameTracker();
  #state: "open" | "closing" | "closed" = "open";
  #paused = false;
  /** Frames that were already read when the link was paused: at most what one read brings. */
  #held: Buffer[] = [];
  #queued: Buffer[] = [];
  #queuedBytes = 0;
  /** Since the last byte came. */
  #quietLooks = 0;
  #bytesRead = 0;
  #controlFrames = 0;

  constructor({ id, webSocket, socket, place, handlers, log }: LinkParts) {
    this.id = id;
    this.encoding = encodingOf(webSocket.protocol) ?? "json";
    this.#webSocket = webSocket;
    this.#socket = socket;
    this.#place = place;
    this.#handlers = handlers;
    this.#log = log;
    webSocket.on("message", (data, isBinary) => this.#received(data as Buffer, isBinary));
    webSocket.on("ping", (data) => this.#pinged(data));
    webSocket.on("pong", () => this.#countControlFrame());
    webSocket.on("error", (error) => this.#failed(error));
    webSocket.on("close", () => this.#closed());
    // Before the library, which hands on frames from within its own listener.
    socket.prependListener("data", (chunk: Buffer) => {
      this.#quietLooks = 0;
      this.#bytesRead += chunk.length;
      this.#tracker.push(chunk);
    });
  }

  get bufferedBytes(): number {
    return this.#queuedBytes + this.#socket.writableLength;
  }

  get bytesRead(): number {
    return this.#bytesRead;
  }

  get quietMs(): Millis {
    return this.#quietLooks * lookMs;
  }

  send(bytes: Buffer): void {
    if (this.#state !== "open") return;
    this.#queued.push(bytes);
    this.#queuedBytes += bytes.length;
  }

  flush(): void {
    if (this.#queued.length === 0) return;
    const pieces = framePieces(this.#queued, this.encoding === "msgpack");
    this.#queued = [];
    this.#queuedBytes = 0;
    // The client may have closed meanwhile: nothing may follow the close frame with which the library has answered.
    if (this.#webSocket.readyState !== this.#webSocket.OPEN) return;
    this.#socket.cork();
    for (const piece of pieces) this.#socket.write(piece);
    this.#socket.uncork();
  }

  pause(): void {
    if (this.#paused || this.#state !== "open") return;
    this.#paused = true;
    this.#quietLooks = 0;
    this.#webSocket.pause();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    const held = this.#held;
    this.#held = [];
    for (const [i, frame] of held.entries()) {
      if (this.#paused) {
        this.#held = held.slice(i);
        return;
      }
      this.#handOn(frame);
    }
    if (!this.#paused) this.#webSocket.resume();
  }

  admitted(): void {
    this.#place.admitted();
  }

  close(code: number, reason: string): void {
    if (this.#state !== "open") return;
    this.flush();
    this.#leaveOpen("closing");
    this.#webSocket.close(code, closeReason(reason));
    // A paused socket would not see the client's answer.
    this.#webSocket.resume();
  }

  terminate(): void {
    if (this.#state === "closed") return;
    this.#leaveOpen("closing");
    this.#webSocket.terminate();
  }

  /** Called once a second: what takes too long, or came too often since the last time, ends the link. */
  look(): void {
    this.#controlFrames = 0;
    if (this.#state !== "open" || this.#paused) return;
    this.#quietLooks += 1;
    if (this.#tracker.midMessage && this.#quietLooks > quietLooksMax)
      this.close(closings.helloTimeout.code, "a message was begun and not finished");
  }

  #received(data: Buffer, isBinary: boolean): void {
    if (this.#state !== "open") return;
    if (isBinary !== (this.encoding === "msgpack")) {
      this.close(closings.wrongKind.code, `${this.encoding} goes in ${isBinary ? "text" : "binary"} frames`);
      return;
    }
    if (this.#paused) this.#held.push(data);
    else this.#handOn(data);
  }

  #handOn(data: Buffer): void {
    if (this.#state === "open") this.#handlers.onFrame(this, data, this.encoding === "msgpack");
  }

  #pinged(data: Buffer): void {
    if (this.#state !== "open") return;
    this.#countControlFrame();
    if (this.#state === "open" && this.bufferedBytes <= pongBehindBytesMax) this.#webSocket.pong(data);
  }

  #countControlFrame(): void {
    this.#controlFrames += 1;
    if (this.#controlFrames > controlFramesMax) this.close(closings.misbehaved.code, "too many pings");
  }

  /** The library has sent its close frame, or the socket is gone; its `close` event follows. */
  #failed(error: Error): void {
    const { code } = error as NodeJS.ErrnoException;
    this.#log("debug", { connection: this.id, code, error: error.message }, "a connection failed");
    this.#leaveOpen("closing");
  }

  #closed(): void {
    if (this.#state === "closed") return;
    this.#leaveOpen("closed");
    this.#place.left();
    this.#handlers.onClose(this);
  }

  #leaveOpen(state: "closing" | "closed"): void {
    this.#state = state;
    this.#held = [];
    this.#queued = [];
    this.#queuedBytes = 0;
  }
}

/** RFC 6455 section 5.5: at most 123 bytes. */
function closeReason(reason: string): string {
  let text = reason.slice(0, 123);
  while (Buffer.byteLength(text) > 123) text = text.slice(0, -1);
  return text;
}
