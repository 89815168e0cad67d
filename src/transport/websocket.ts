/**
 * WebSocket connections, by the library `ws`: the only file that knows it. It opens and closes them, reads frames,
 * checks them and closes on whatever breaks RFC 6455; here its sockets become links, and get the bounds that it does
 * not set: a message that stays unfinished, a flood of pings, and pings from somebody who does not read the answers.
 *
 * Plain frames (plain-frames.ts) do not reach it: between two frames the link listens to the socket in its place, and
 * lets it listen again, from the frame on that is not plain to the next place between two.
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
import { FrameWriter } from "./frame-writer.js";
import type { Link, LinkHandlers, Log } from "./link.js";
import { PlainFrames } from "./plain-frames.js";
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
/** So much is given to Node at once, or one message that is larger. */
const writtenBytesMax = 1024 * 1024;
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

  /** `wrong`: for a handshake that the library does not take (its key, a header that cannot be read), with what it says of it. */
  onWrongHandshake(wrong: (socket: Socket, message: string) => void): void {
    this.#server.on("wsClientError", (error, socket) => wrong(socket as Socket, error.message));
  }

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
  readonly frameBytesMax: number;
}

type ReadsChunks = (this: Socket, chunk: Buffer) => void;

export class WebSocketLink implements Link {
  readonly id: ConnectionId;
  readonly encoding: Encoding;
  readonly #webSocket: WebSocket;
  readonly #socket: Socket;
  readonly #place: Place;
  readonly #handlers: LinkHandlers;
  readonly #log: Log;
  readonly #tracker = new FrameTracker();
  readonly #frames: PlainFrames;
  readonly #out: FrameWriter;
  /** What the library hears the socket with. Should it ever hear otherwise, it is left to do so. */
  readonly #libraryReads: ReadsChunks | undefined;
  readonly #toStream: Socket["push"];
  #readsPlainly = false;
  #state: "open" | "closing" | "closed" = "open";
  #paused = false;
  /** Frames that were already read when the link was paused: at most what one read brings, and one that was put back. */
  #held: Buffer[] = [];
  /** Since the last byte came. */
  #quietLooks = 0;
  #bytesRead = 0;
  #controlFrames = 0;

  constructor({ id, webSocket, socket, place, handlers, log, frameBytesMax }: LinkParts) {
    this.id = id;
    this.encoding = encodingOf(webSocket.protocol) ?? "json";
    this.#webSocket = webSocket;
    this.#socket = socket;
    this.#place = place;
    this.#handlers = handlers;
    this.#log = log;
    const kind = this.encoding === "msgpack" ? "binary" : "text";
    this.#frames = new PlainFrames(kind, frameBytesMax);
    this.#out = new FrameWriter(kind);
    // What is written as text has a byte in each character.
    socket.setDefaultEncoding("latin1");
    webSocket.on("message", (data, isBinary) => this.#received(data as Buffer, isBinary));
    webSocket.on("ping", (data) => this.#pinged(data));
    webSocket.on("pong", () => this.#countControlFrame());
    webSocket.on("error", (error) => this.#failed(error));
    webSocket.on("close", () => this.#closed());
    const [libraryReads, another] = socket.listeners("data") as ReadsChunks[];
    this.#libraryReads = another === undefined ? libraryReads : undefined;
    this.#toStream = socket.push;
    socket.push = this.#pushed;
    // Before the library, which hands on frames from within its own listener.
    socket.prependListener("data", this.#came);
    socket.on("data", this.#follow);
    socket.on("drain", () => {
      this.flush();
      // Else another one comes.
      if (this.#state === "open" && !socket.writableNeedDrain) handlers.onDrained(this);
    });
    this.#readPlainly();
  }

  get bufferedBytes(): number {
    return this.#out.bytes + this.#socket.writableLength;
  }

  get bytesRead(): number {
    return this.#bytesRead;
  }

  get quietMs(): Millis {
    // The first look may come right behind a byte.
    return Math.max(0, this.#quietLooks - 1) * lookMs;
  }

  send(message: string | Buffer): void {
    if (this.#state === "open") this.#out.add(message);
  }

  flush(): void {
    // Node tells nothing of what it writes before all of it is written: so it is not given all that waits.
    if (!this.#socket.writableNeedDrain) this.#write(this.#out.take(writtenBytesMax));
  }

  #write(pieces: readonly (string | Buffer)[]): void {
    if (pieces.length === 0) return;
    // The client may have closed meanwhile: nothing may follow the close frame with which the library has answered.
    if (this.#webSocket.readyState !== this.#webSocket.OPEN) return;
    if (pieces.length > 1) this.#socket.cork();
    for (const piece of pieces) this.#socket.write(piece);
    if (pieces.length > 1) this.#socket.uncork();
  }

  pause(): void {
    if (this.#paused || this.#state !== "open") return;
    this.#paused = true;
    this.#quietLooks = 0;
    this.#webSocket.pause();
  }

  putBack(frame: Buffer): void {
    if (this.#state === "open") this.#held.unshift(frame);
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    const held = this.#held;
    this.#held = [];
    for (const [i, frame] of held.entries()) {
      if (this.#paused) {
        this.#held.push(...held.slice(i));
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
    this.#write(this.#out.take());
    this.#leaveOpen("closing");
    this.#leaveToLibrary();
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
    if (this.#state !== "open") return;
    if (this.#paused) return this.#isThere();
    this.#quietLooks += 1;
    if (this.#tracker.midMessage && this.#quietLooks > quietLooksMax)
      this.close(closings.helloTimeout.code, "a message was begun and not finished");
  }

  /** Of a socket that is not read nobody hears that the other end is closed, until something is written to it. */
  #isThere(): void {
    if (this.bufferedBytes === 0) this.#webSocket.pong();
  }

  // ── who reads ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Between two frames only, and for as long as nobody has begun to close. */
  #readPlainly(): void {
    if (this.#readsPlainly || this.#libraryReads === undefined) return;
    if (this.#state !== "open" || this.#webSocket.readyState !== this.#webSocket.OPEN) return;
    this.#readsPlainly = true;
    this.#socket.off("data", this.#came);
    this.#socket.off("data", this.#libraryReads);
    this.#socket.off("data", this.#follow);
    this.#socket.on("data", this.#read);
  }

  /**
   * Node hands on here what it has read. Plain frames need no stream to wait in, unless the link is paused or something
   * waits in it already; a stream schedules a look at itself for every chunk, which is a fifth of what a request costs.
   */
  readonly #pushed = (chunk: Buffer | null): boolean => {
    if (chunk === null || this.#paused || !this.#readsPlainly || this.#socket.readableLength > 0)
      return this.#toStream.call(this.#socket, chunk);
    this.#read(chunk);
    // Also when the link was paused by it: the next chunk goes to the stream, which knows how to stop the reading.
    return true;
  };

  readonly #read = (chunk: Buffer): void => {
    this.#came(chunk);
    let at = 0;
    while (at < chunk.length && this.#readsPlainly) {
      const message = this.#frames.read(chunk, at);
      if (message === undefined) this.#leaveToLibrary();
      else {
        at = this.#frames.end;
        this.#received(message, this.encoding === "msgpack");
      }
    }
    if (at === chunk.length || this.#readsPlainly) return;
    const rest = at === 0 ? chunk : chunk.subarray(at);
    this.#libraryReads?.call(this.#socket, rest);
    this.#follow(rest);
  };

  #leaveToLibrary(): void {
    if (!this.#readsPlainly || this.#libraryReads === undefined) return;
    this.#readsPlainly = false;
    this.#socket.off("data", this.#read);
    this.#socket.on("data", this.#came);
    this.#socket.on("data", this.#libraryReads);
    this.#socket.on("data", this.#follow);
  }

  readonly #came = (chunk: Buffer): void => {
    this.#quietLooks = 0;
    this.#bytesRead += chunk.length;
  };

  readonly #follow = (chunk: Buffer): void => {
    this.#tracker.push(chunk);
    if (!this.#tracker.midMessage) this.#readPlainly();
  };

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
    // The library has stopped reading: what follows a fault means nothing.
    this.#readsPlainly = false;
    this.#socket.off("data", this.#read);
    this.#socket.off("data", this.#follow);
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
    this.#out.clear();
  }
}

/** RFC 6455 section 5.5: at most 123 bytes. */
function closeReason(reason: string): string {
  let text = reason.slice(0, 123);
  while (Buffer.byteLength(text) > 123) text = text.slice(0, -1);
  return text;
}
