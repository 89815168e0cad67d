/**
 * A bad line between a client and the broker: it carries bytes, holds them back in either direction, breaks, and is
 * dead until it is repaired. The client is told its path instead of the broker's socket.
 */
import { once } from "node:events";
import { rmSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import type { Home } from "./broker.js";
import { until, within } from "./patience.js";

interface Line {
  readonly client: Socket;
  readonly broker: Socket;
}

export class GoBetween {
  readonly path: string;
  readonly #target: string;
  readonly #lines = new Set<Line>();
  #server: Server | undefined;
  #holding: { requests: boolean; replies: boolean } = { requests: false, replies: false };
  #heldBytes = { requests: 0, replies: 0 };
  /** At which message of which client that is yet to come its line breaks. */
  #breaking: { clients: number; readonly message: number; readonly instead: () => void } | undefined;

  static async open(home: Pick<Home, "dir" | "socket" | "beforeLeaving">, name = "line"): Promise<GoBetween> {
    const proxy = new GoBetween(home, name);
    home.beforeLeaving(async () => proxy.cut());
    await proxy.repair();
    return proxy;
  }

  private constructor(home: Pick<Home, "dir" | "socket">, name: string) {
    this.#target = home.socket;
    this.path = join(home.dir, `${name}.sock`);
  }

  /** What the client sends from now on does not reach the broker, and goes with the line. */
  holdRequests(): void {
    this.#holding.requests = true;
  }

  /** What the broker sends from now on does not reach the client, and goes with the line. */
  holdReplies(): void {
    this.#holding.replies = true;
  }

  /**
   * Once: the message with this number, of the next client or one after it, is lost, `instead` is done, and the line
   * breaks. The first message is the request for a WebSocket, the second the hello. For clients that say one thing at a
   * time.
   */
  breakAt(message: number, { clients = 1, instead = () => {} } = {}): void {
    this.#breaking = { clients, message, instead };
  }

  /** Resolves when something was held back. */
  async held(what: "requests" | "replies"): Promise<void> {
    await until(`${what} to be held back`, () => this.#heldBytes[what] > 0);
  }

  /** Breaks all lines; nobody listens there any more. */
  async cut(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    for (const { client, broker } of this.#lines) {
      client.destroy();
      broker.destroy();
    }
    this.#lines.clear();
    if (server === undefined) return;
    server.close();
    rmSync(this.path, { force: true });
  }

  /** From now on all goes through again. */
  async repair(): Promise<void> {
    this.#holding = { requests: false, replies: false };
    this.#heldBytes = { requests: 0, replies: 0 };
    const server = createServer((client) => this.#carry(client));
    this.#server = server;
    server.listen(this.path);
    await within("the proxy to listen", once(server, "listening"));
  }

  #carry(client: Socket): void {
    const broker = connect(this.#target);
    const line = { client, broker };
    this.#lines.add(line);
    const breaking = this.#breaking;
    const breaks = breaking !== undefined && --breaking.clients === 0;
    let messages = 0;
    client.on("data", (bytes) => {
      messages++;
      if (!breaks || messages !== breaking.message) return this.#pass("requests", bytes, broker);
      breaking.instead();
      client.destroy();
    });
    broker.on("data", (bytes) => this.#pass("replies", bytes, client));
    for (const [from, to] of [
      [client, broker],
      [broker, client],
    ] as const) {
      from.on("error", () => undefined);
      from.on("close", () => {
        to.destroy();
        this.#lines.delete(line);
      });
    }
  }

  #pass(what: "requests" | "replies", bytes: Buffer, to: Socket): void {
    if (this.#holding[what]) this.#heldBytes[what] += bytes.length;
    else to.write(bytes);
  }
}
