/**
 * The open doors of a broker: one Unix socket, plain HTTP and WebSocket on it, and all links that came through.
 * What is joined here: http hands on an upgrade, upgrade and admission judge it, the WebSocket becomes a link.
 */
import type { IncomingMessage, Server } from "node:http";
import type { Socket } from "node:net";
import { closings } from "../protocol/index.js";
import { connectionId, type Limits } from "../terms/index.js";
import { Admission, type AdmissionCounts } from "./admission.js";
import { type AfterInput, Chances } from "./chances.js";
import { badHeadText, createHttpServer, headMsStandard } from "./http.js";
import type { Link, LinkHandlers, Log, Purpose } from "./link.js";
import { Sockets } from "./sockets.js";
import { publishUnixSocket, type UnixSocket } from "./unix.js";
import { type HttpRefusal, httpRefusal, httpRefusalText, judgeUpgrade } from "./upgrade.js";
import { WebSocketDoor, WebSocketLink } from "./websocket.js";

export interface TransportOptions {
  readonly path: string;
  readonly uid: number;
  readonly platform: string;
  readonly limits: Limits;
  readonly handlers: LinkHandlers;
  /** What /readyz answers. */
  readonly ready: () => boolean;
  readonly log: Log;
  /** How long a client may take to send the head of its request. */
  readonly headMs?: number;
  readonly afterInput: AfterInput;
}

/** Sockets beside the links: those that have not sent their upgrade yet, and plain requests. */
const plainSocketsMax = 128;

export class Transport {
  readonly #server: Server;
  readonly #door: WebSocketDoor;
  readonly #limits: Limits;
  readonly #admission: Admission;
  readonly #sockets: Sockets;
  readonly #handlers: LinkHandlers;
  readonly #log: Log;
  readonly #links = new Set<WebSocketLink>();
  #lastId = 0;
  /** Accepted since the last look, told as one line. */
  #acceptErrors = 0;
  #closing: HttpRefusal | undefined;
  #socket: UnixSocket | undefined;
  #accepted = 0;
  readonly #onNoLinks: (() => void)[] = [];

  /** Listens and puts the socket under its public name. From then on handlers are called. */
  static async open(options: TransportOptions): Promise<Transport> {
    const transport = new Transport(options);
    await transport.#publish(options);
    return transport;
  }

  private constructor({ limits, handlers, ready, log, headMs = headMsStandard, afterInput }: TransportOptions) {
    const chances = new Chances(afterInput);
    this.#door = new WebSocketDoor(limits);
    this.#limits = limits;
    this.#admission = new Admission(limits, chances);
    this.#sockets = new Sockets(limits.connectionsMax + limits.unauthenticatedMax + plainSocketsMax, chances);
    this.#handlers = handlers;
    this.#log = log;
    this.#server = createHttpServer(() => this.#closing === undefined && ready(), headMs);
    this.#server.on("connection", (socket: Socket) => {
      this.#accepted += 1;
      this.#sockets.came(socket);
    });
    this.#server.on("request", ({ socket }: IncomingMessage) => this.#sockets.hasHead(socket));
    this.#server.on("upgrade", (request: IncomingMessage, socket: Socket, head: Buffer) => {
      this.#upgrade(request, socket, head);
    });
    this.#door.onWrongHandshake((socket, message) => {
      endWith(socket, httpRefusalText(httpRefusal(400, "INVALID_REQUEST", message)));
    });
    this.#server.on("clientError", (error: NodeJS.ErrnoException, socket: Socket) => {
      if (socket.writable && error.code !== "ECONNRESET") endWith(socket, badHeadText(error.code));
      else socket.destroy();
    });
  }

  /** The published socket. */
  get socket(): UnixSocket {
    if (this.#socket === undefined) throw new Error("impossible: a transport that was not opened");
    return this.#socket;
  }

  get counts(): AdmissionCounts {
    return this.#admission.counts;
  }

  /** Sockets ever accepted: unlike the counts it also moves for one that came and went. */
  get accepted(): number {
    return this.#accepted;
  }

  /** To be called once a second: ends links that are stuck in a message, and tells of errors while accepting. */
  look(): void {
    for (const link of this.#links) link.look();
    if (this.#acceptErrors === 0) return;
    this.#log("error", { times: this.#acceptErrors }, "connections could not be accepted");
    this.#acceptErrors = 0;
  }

  /** From here on whoever comes is told to come back; the socket stays, so that nobody starts a second broker. */
  refuseNew(): void {
    this.#closing ??= httpRefusal(503, "SHUTTING_DOWN", "the broker is ending; connect again in a moment");
  }

  /** Says goodbye to every link. They end when their clients have answered, or after two seconds. */
  closeLinks(code: number, reason: string): void {
    for (const link of this.#links) link.close(code, reason);
  }

  /** Resolves when no link is left; after `closeLinks` that is soon. */
  async linksEnded(): Promise<void> {
    if (this.#links.size > 0) await new Promise<void>((resolve) => this.#onNoLinks.push(resolve));
  }

  /** Removes the socket, ends every connection at once and resolves when nothing of the transport is left. */
  async close(): Promise<void> {
    this.refuseNew();
    this.#socket?.remove();
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    for (const link of this.#links) link.terminate();
    this.#server.closeAllConnections();
    await closed;
  }

  async #publish(options: TransportOptions): Promise<void> {
    this.#socket = await publishUnixSocket(this.#server, options);
    // Out of files, most likely. Node closes what it cannot accept and goes on listening.
    this.#server.on("error", () => {
      this.#acceptErrors += 1;
    });
  }

  #upgrade(request: IncomingMessage, socket: Socket, head: Buffer): void {
    this.#sockets.hasHead(socket);
    socket.on("error", (error) => {
      this.#log("debug", { error: error.message }, "a socket failed");
    });
    const judged = judgeUpgrade(request);
    const refusal = "status" in judged ? judged : (this.#closing ?? this.#admission.makeRoom(judged.purpose));
    if (refusal === undefined && "purpose" in judged) this.#open(request, socket, { head, purpose: judged.purpose });
    else if (refusal !== undefined) endWith(socket, httpRefusalText(refusal));
  }

  #open(request: IncomingMessage, socket: Socket, { head, purpose }: { head: Buffer; purpose: Purpose }): void {
    this.#door.upgrade(request, socket, head, (webSocket) => {
      const place = this.#admission.enter(purpose, () => {
        link.close(closings.helloTimeout.code, "no hello came, and others wait for the place");
        link.terminate();
      });
      this.#lastId += 1;
      const id = connectionId(this.#lastId);
      const { frameBytesMax } = this.#limits;
      const handlers = this.#forgetting();
      const link = new WebSocketLink({ id, webSocket, socket, place, handlers, log: this.#log, frameBytesMax });
      this.#links.add(link);
      this.#handlers.onOpen(link);
    });
  }

  /** The front's handlers, with the set of links kept true. */
  #forgetting(): LinkHandlers {
    const { onFrame, onOpen, onDrained, onClose } = this.#handlers;
    return {
      onOpen,
      onFrame,
      onDrained,
      onClose: (link: Link) => {
        this.#links.delete(link as WebSocketLink);
        onClose(link);
        if (this.#links.size === 0) for (const tell of this.#onNoLinks.splice(0)) tell();
      },
    };
  }
}

function endWith(socket: Socket, text: string): void {
  socket.once("finish", () => socket.destroy());
  socket.end(text);
}
