/**
 * A session without the library: JSON over one WebSocket, a request and its answer. For sessions and locks by the
 * thousand, whose clients shall cost next to nothing.
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { WebSocket } from "ws";
import { protocolVersions, subprotocols } from "../../src/protocol/index.js";

interface Waiting {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

interface Answer {
  readonly id?: number;
  readonly result?: unknown;
  readonly error?: { readonly message: string };
}

export interface RawGrant {
  readonly name: string;
  readonly token: number;
}

export class RawSession {
  readonly #webSocket: WebSocket;
  readonly #net: Socket;
  readonly #waiting = new Map<number, Waiting>();
  #id = 0;
  #key = 0;
  #corked = false;

  static async open(path: string): Promise<RawSession> {
    const net = connect(path);
    const webSocket = new WebSocket("ws://localhost/", subprotocols.json, {
      createConnection: () => net,
      perMessageDeflate: false,
      generateMask: () => {},
    });
    await once(webSocket, "open");
    const session = new RawSession(webSocket, net);
    await session.request("session.hello", { protocol: protocolVersions, program: "bench" });
    return session;
  }

  private constructor(webSocket: WebSocket, net: Socket) {
    this.#webSocket = webSocket;
    this.#net = net;
    webSocket.on("message", (data: Buffer) => this.#onAnswer(JSON.parse(data.toString("latin1")) as Answer));
    webSocket.on("error", (error) => this.#fail(error));
    webSocket.on("close", () => this.#fail(new Error("the broker closed the connection")));
  }

  request(method: string, params: object): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const id = ++this.#id;
      this.#waiting.set(id, { resolve, reject });
      this.#cork();
      this.#webSocket.send(JSON.stringify({ jsonrpc: "2.0", id, method, params }));
    });
  }

  /** Waits as long as it takes. */
  acquire(name: string): Promise<RawGrant> {
    return this.request("lock.acquire", { name, key: ++this.#key, under: [] }) as Promise<RawGrant>;
  }

  release({ name, token }: RawGrant): Promise<unknown> {
    return this.request("lock.release", { name, token, key: ++this.#key });
  }

  /** With all that it holds. */
  async close(): Promise<void> {
    await this.request("session.goodbye", {});
    if (this.#webSocket.readyState === WebSocket.CLOSED) return;
    this.#webSocket.close();
    await once(this.#webSocket, "close");
  }

  /** What is asked within one tick leaves in one write. */
  #cork(): void {
    if (this.#corked) return;
    this.#corked = true;
    this.#net.cork();
    process.nextTick(() => {
      this.#corked = false;
      this.#net.uncork();
    });
  }

  #onAnswer({ id, result, error }: Answer): void {
    if (id === undefined) return;
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) waiting?.resolve(result);
    else waiting?.reject(new Error(error.message));
  }

  #fail(error: Error): void {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}

/** Few at once: the broker allows only so many that have not said hello. */
const openedAtOnce = 32;

export async function openMany(path: string, count: number): Promise<RawSession[]> {
  const sessions: RawSession[] = [];
  while (sessions.length < count) {
    const more = Math.min(openedAtOnce, count - sessions.length);
    sessions.push(...(await Promise.all(Array.from({ length: more }, () => RawSession.open(path)))));
  }
  return sessions;
}

export async function closeAll(sessions: readonly RawSession[]): Promise<void> {
  for (let i = 0; i < sessions.length; i += openedAtOnce)
    await Promise.all(sessions.slice(i, i + openedAtOnce).map((session) => session.close()));
}
