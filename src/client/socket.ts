/**
 * One WebSocket to the broker over a Unix socket: whole messages out, checked envelopes in. The only import of ws in
 * the library. What is sent within one tick leaves in one write.
 */
import { connect, type Socket as NetSocket } from "node:net";
import WebSocket from "ws";
import { closings, decodeFrame, type Encoding, type Frame, subprotocols } from "../protocol/index.js";
import { isRefusalCode, type Refusal, refuse } from "../terms/index.js";

export interface SocketHandlers {
  readonly onOpen: () => void;
  /** Not before `onOpen`, not after `onEnd`. `bytes`: as it arrived. */
  readonly onFrame: (frame: Frame, bytes: number) => void;
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

export class Socket {
  readonly #handlers: SocketHandlers;
  readonly #encoding: Encoding;
  readonly #webSocket: WebSocket;
  readonly #sendOptions: { readonly binary: boolean; readonly compress: false };
  #net: NetSocket | undefined;
  #corked = false;
  #opened = false;
  #ended = false;
  #kept = true;
  #error: NodeJS.ErrnoException | undefined;
  #refusal: Refusal | undefined;

  constructor({ path, encoding, purpose }: SocketOptions, handlers: SocketHandlers) {
    this.#handlers = handlers;
    this.#encoding = encoding;
    this.#sendOptions = { binary: encoding === "msgpack", compress: false };
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
    webSocket.on("message", this.#onMessage);
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

  send(bytes: Buffer): void {
    if (this.#net !== undefined && !this.#corked) {
      this.#corked = true;
      this.#net.cork();
      process.nextTick(this.#flush);
    }
    this.#webSocket.send(bytes, this.#sendOptions);
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
    webSocket.off("message", this.#onMessage);
    if (webSocket.readyState !== WebSocket.OPEN) return webSocket.terminate();
    webSocket.close(closings.goingAway.code);
    // The closing handshake is not waited for: this program may be about to end.
    this.#flush();
    this.#net?.destroySoon();
    this.#net?.unref();
  }

  #connect(path: string): NetSocket {
    this.#net = connect({ path });
    if (!this.#kept) this.#net.unref();
    return this.#net;
  }

  readonly #flush = (): void => {
    this.#corked = false;
    this.#net?.uncork();
  };

  readonly #onOpen = (): void => {
    if (this.#ended) return;
    this.#opened = true;
    this.#handlers.onOpen();
  };

  readonly #onMessage = (data: WebSocket.RawData): void => {
    const frame = decodeFrame(data as Buffer, this.#encoding, "broker");
    if (!this.#ended) this.#handlers.onFrame(frame, (data as Buffer).length);
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
