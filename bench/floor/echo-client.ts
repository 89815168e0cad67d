/** The other side of the bare echo: one message at a time over one connection. */
import { once } from "node:events";
import type { Socket } from "node:net";
import { WebSocket } from "ws";

export class EchoClient {
  readonly #socket: WebSocket;
  #answered: (() => void) | undefined;

  static async open(open: () => Socket): Promise<EchoClient> {
    const socket = new WebSocket("ws://localhost/", { createConnection: open, perMessageDeflate: false });
    await once(socket, "open");
    return new EchoClient(socket);
  }

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on("message", () => this.#answered?.());
  }

  echo(bytes: Buffer): Promise<void> {
    return new Promise((resolve) => {
      this.#answered = resolve;
      this.#socket.send(bytes, { binary: false });
    });
  }

  async close(): Promise<void> {
    this.#socket.close();
    await once(this.#socket, "close");
  }
}
