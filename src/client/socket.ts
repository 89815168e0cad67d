/**
 * One WebSocket to the broker over a Unix socket: whole messages out, checked envelopes in. The only import of ws in
 * the library. What is sent at once leaves in one write.
 *
 * The library opens and closes the connection. While it is open its plain frames pass by it (plain-frames.ts): they are
 * read where the system puts them, into one buffer for all connections, and written as text of bytes. From the first
 * frame on that is not plain, the library reads.
 */
import { connect, type Socket as NetSocket } from "node:net";
import WebSocket from "ws";
import {
  clientFrameHead,
  closings,
  decodeAnswer,
  type Encoding,
  type Frame,
  type FrameKind,
  subprotocols,
} from "../protocol/index.js";
import { isRefusalCode, type Refusal, refuse } from "../terms/index.js";
import { PlainFrames } from "./plain-frames.js";

export interface SocketHandlers {
  readonly onOpen: () => void;
  /** Not before `onOpen`, not after `onEnd`. */
  readonly onFrame: (frame: Frame) => void;
  /** Exactly once, unless `drop` was called first. */
  readonly onEnd: (end: SocketEnd) => void;
}

export interface SocketEnd {
  /** Whether the WebSocket was open before. */
  readonly opened: boolean;
  /** Of the operating system (`ENOENT`, `ECONNREFUSED`, `EAGAIN` …), when it has one. */
  readonly errno: string | undefined;
  /** What the broker answered instead of opening the WebSocket. */
  readonly refusal: Refusal | undefined;
  /** For people. */
  readonly reason: string;
}

export interface SocketOptions {
  readonly path: string;
  readonly encoding: Encoding;
  /** Which allowance of the broker's this connection counts against. */
  readonly purpose: "newcomer" | "resuming" | "operator";
}

/** Beyond the largest result that a broker can be set to send. */
const frameBytesMax = 512 * 1024 * 1024;
const refusalBytesMax = 16 * 1024;
/** A larger message is not gathered with others: it would be copied twice. */
const gatheredBytesMax = 16 * 1024;
/** What is read is dealt with before anything else is read, on whichever connection. */
const readBuffer = Buffer.allocUnsafeSlow(64 * 1024);
const soon = Promise.resolve();

export class Socket {
  readonly #handlers: SocketHandlers;
  readonly #encoding: Encoding;
  readonly #webSocket: WebSocket;
  readonly #kind: FrameKind;
  readonly #frames: PlainFrames;
  #net: NetSocket | undefined;
  /** Frames that leave when what is going on now is over, a byte in each character. */
  #gathered = "";
  #opened = false;
  /** What is read passes by the library. */
  #plain = false;
  #ended = false;
  #kept = true;
  #error: NodeJS.ErrnoException | undefined;
  #refusal: Refusal | undefined;

  constructor({ path, encoding, purpose }: SocketOptions, handlers: SocketHandlers) {
    this.#handlers = handlers;
    this.#encoding = encoding;
    this.#kind = encoding === "msgpack" ? "binary" : "text";
    this.#frames = new PlainFrames(this.#kind, this.#onMessage);
    const webSocket = new WebSocket("ws://localhost/", subprotocols[encoding], {
      createConnection: () => this.#connect(path),
      headers: { "holdfast-purpose": purpose },
      perMessageDeflate: false,
      followRedirects: false,
      maxPayload: frameBytesMax,
      // The decoder looks at the bytes itself.
      skipUTF8Validation: true,
      // Masks protect proxies on the way from scripts in browsers; inside one machine there are none. The mask stays
      // zero, and neither side has to go over the bytes.
      generateMask: () => {},
    });
    this.#webSocket = webSocket;
    webSocket.on("open", this.#onOpen);
    webSocket.on("message", (data: Buffer) => this.#onMessage(data, 0, data.length));
    webSocket.on("error", this.#onError);
    webSocket.on("unexpected-response", (request, response) => {
      const parts: Buffer[] = [];
      let length = 0;
      response.on("data", (part: Buffer) => {
        length += part.length;
        if (length <= refusalBytesMax) parts.push(part);
      });
      response.on("close", () => {
        this.#refusal = refusalIn(response.statusCode ?? 0, Buffer.concat(parts).toString("utf8"));
        request.destroy();
        this.#webSocket.terminate();
      });
    });
    webSocket.on("close", this.#onClose);
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Text must be ASCII. */
  send(message: string | Buffer): void {
    const head = clientFrameHead(this.#kind, message.length);
    if (message.length > gatheredBytesMax) return this.#sendLarge(head, message);
    if (this.#gathered === "") void soon.then(this.#flush);
    this.#gathered += head + (typeof message === "string" ? message : message.toString("latin1"));
  }

  /** Whether the open socket keeps the program alive. */
  keep(kept: boolean): void {
    this.#kept = kept;
    if (kept) this.#net?.ref();
    else this.#net?.unref();
  }

  /** Ends it without a further word to the handlers. What was sent before still leaves if the broker reads it. */
  drop(): void {
    if (this.#ended) return;
    this.#ended = true;
    const webSocket = this.#webSocket;
    if (!this.#mayWrite()) return webSocket.terminate();
    this.#flush();
    // The closing handshake is not waited for: this program may be about to end.
    webSocket.close(closings.goingAway.code);
    this.#net?.destroySoon();
    this.#net?.unref();
  }

  #connect(path: string): NetSocket {
    this.#net = connect({ path, onread: { buffer: readBuffer, callback: this.#onRead } });
    if (!this.#kept) this.#net.unref();
    return this.#net;
  }

  readonly #onRead = (length: number): boolean => {
    const rest = this.#plain ? this.#frames.push(readBuffer, length) : Buffer.from(readBuffer.subarray(0, length));
    if (rest === undefined) return true;
    this.#plain = false;
    return this.#net?.push(rest) ?? false;
  };

  #sendLarge(head: string, message: string | Buffer): void {
    this.#flush();
    if (!this.#mayWrite()) return;
    this.#net?.cork();
    this.#net?.write(head);
    this.#net?.write(message);
    this.#net?.uncork();
  }

  readonly #flush = (): void => {
    const text = this.#gathered;
    if (text === "") return;
    this.#gathered = "";
    if (this.#mayWrite()) this.#net?.write(text);
  };

  /** Nothing may follow the close frame with which the library has answered the broker's. */
  #mayWrite(): boolean {
    return this.#webSocket.readyState === WebSocket.OPEN;
  }

  readonly #onOpen = (): void => {
    if (this.#ended) return;
    this.#opened = true;
    // What came together with the broker's answer to the upgrade is in the library's hands already.
    this.#plain = this.#net?.readableLength === 0;
    // What is written as text has a byte in each character.
    this.#net?.setDefaultEncoding("latin1");
    this.#handlers.onOpen();
  };

  readonly #onMessage = (bytes: Buffer, from: number, to: number): void => {
    if (!this.#ended) this.#handlers.onFrame(decodeAnswer(bytes, from, to, this.#encoding));
  };

  readonly #onError = (error: NodeJS.ErrnoException): void => {
    this.#error ??= error;
  };

  readonly #onClose = (code: number, reason: Buffer): void => {
    if (this.#ended) return;
    this.#ended = true;
    this.#handlers.onEnd({
      opened: this.#opened,
      errno: this.#error?.code,
      refusal: this.#refusal,
      reason: reasonOf(code, reason.toString("utf8"), this.#error),
    });
  };
}

function reasonOf(code: number, text: string, error: Error | undefined): string {
  if (error !== undefined) return `the connection broke: ${error.message}`;
  const words = text === "" ? "" : `: ${text}`;
  return code === 1006
    ? "the broker closed the connection without a word"
    : `the broker closed the connection (${code}${words})`;
}

/** The body is the broker's `{ code, message }`, or whatever else listens there. */
function refusalIn(status: number, body: string): Refusal {
  try {
    const { code, message } = JSON.parse(body) as { code?: unknown; message?: unknown };
    if (typeof code === "string" && isRefusalCode(code) && typeof message === "string") return refuse(code, message);
  } catch {
    // Not JSON: then it is not our broker, and the status says all there is.
  }
  return refuse("START_FAILED", `what listens there is no broker: it answered with HTTP status ${status}`);
}
