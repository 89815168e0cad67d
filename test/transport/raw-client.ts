/**
 * A WebSocket client made of a plain socket, so that a test can send what no library would; and the innocent client
 * that runs beside it and must notice nothing.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";

export const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export interface FrameOptions {
  readonly opcode?: number;
  readonly fin?: boolean;
  readonly masked?: boolean;
  readonly rsv?: number;
  /** Claimed instead of the payload's own. */
  readonly length?: number;
}

/** A frame as a client sends it, or a deliberately wrong one. */
export function frame(payload: Uint8Array | string, options: FrameOptions = {}): Buffer {
  const { opcode = opcodes.text, fin = true, masked = true, rsv = 0 } = options;
  const body = Buffer.from(payload);
  const length = options.length ?? body.length;
  const head = [(fin ? 0x80 : 0) | (rsv << 4) | opcode];
  const maskBit = masked ? 0x80 : 0;
  if (length < 126) head.push(maskBit | length);
  else if (length < 65_536) head.push(maskBit | 126, length >> 8, length & 0xff);
  else {
    const long = Buffer.alloc(8);
    long.writeBigUInt64BE(BigInt(length));
    head.push(maskBit | 127, ...long);
  }
  const mask = [1, 2, 3, 4];
  if (!masked) return Buffer.concat([Buffer.from(head), body]);
  for (let i = 0; i < body.length; i++) body[i] = (body[i] ?? 0) ^ (mask[i % 4] ?? 0);
  return Buffer.concat([Buffer.from(head), Buffer.from(mask), body]);
}

export interface ReceivedFrame {
  readonly opcode: number;
  readonly payload: Buffer;
}

/** Whole frames at the front of `bytes`, and what is left. Server frames are not masked. */
export function parseFrames(bytes: Buffer): { frames: ReceivedFrame[]; rest: Buffer } {
  const frames: ReceivedFrame[] = [];
  let at = 0;
  for (;;) {
    if (bytes.length < at + 2) break;
    const short = bytes.readUInt8(at + 1);
    assert.equal(short & 0x80, 0, "a server does not mask");
    let header = 2;
    let length = short;
    if (short === 126) header = 4;
    if (short === 127) header = 10;
    if (bytes.length < at + header) break;
    if (short === 126) length = bytes.readUInt16BE(at + 2);
    if (short === 127) length = Number(bytes.readBigUInt64BE(at + 2));
    if (bytes.length < at + header + length) break;
    const payload = bytes.subarray(at + header, at + header + length);
    frames.push({ opcode: bytes.readUInt8(at) & 0x0f, payload });
    at += header + length;
  }
  return { frames, rest: bytes.subarray(at) };
}

export interface UpgradeOptions {
  readonly path?: string;
  readonly headers?: { readonly [name: string]: string };
  readonly subprotocol?: string;
}

export function upgradeText({
  path = "/",
  headers = {},
  subprotocol = "holdfast.v1.json",
}: UpgradeOptions = {}): string {
  const all: { [name: string]: string } = {
    Host: "localhost",
    Upgrade: "websocket",
    Connection: "Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Protocol": subprotocol,
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `GET ${path} HTTP/1.1\r\n${lines.join("")}\r\n`;
}

export class RawClient {
  readonly socket: Socket;
  /** All bytes that came and were not taken yet. */
  #bytes = Buffer.alloc(0);
  #ended = false;
  #wake: (() => void) | undefined;
  readonly #frames: ReceivedFrame[] = [];

  static async connect(path: string): Promise<RawClient> {
    const socket = connect(path);
    await once(socket, "connect");
    return new RawClient(socket);
  }

  /** Connects and completes the handshake. */
  static async open(path: string, options?: UpgradeOptions): Promise<RawClient> {
    const client = await RawClient.connect(path);
    client.socket.write(upgradeText(options));
    const head = await client.head();
    assert.match(head, /^HTTP\/1\.1 101 /, head);
    return client;
  }

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (chunk: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk]);
      this.#wake?.();
    });
    // A peer that ends the connection while we write is what many tests are about.
    socket.on("error", () => undefined);
    socket.on("close", () => {
      this.#ended = true;
      this.#wake?.();
    });
  }

  write(...parts: (Buffer | string)[]): void {
    this.socket.write(Buffer.concat(parts.map((part) => Buffer.from(part))));
  }

  /** The head of an HTTP answer. */
  async head(): Promise<string> {
    for (;;) {
      const end = this.#bytes.indexOf("\r\n\r\n");
      if (end >= 0) {
        const head = this.#bytes.subarray(0, end + 4).toString();
        this.#bytes = this.#bytes.subarray(end + 4);
        return head;
      }
      if (this.#ended) return this.#bytes.toString();
      await this.#more();
    }
  }

  /** Everything until the other side ends. */
  async rest(): Promise<string> {
    while (!this.#ended) await this.#more();
    return this.#bytes.toString();
  }

  /** The next frame, or undefined at the end of the connection. */
  async next(): Promise<ReceivedFrame | undefined> {
    for (;;) {
      const { frames, rest } = parseFrames(this.#bytes);
      this.#bytes = Buffer.from(rest);
      this.#frames.push(...frames);
      const first = this.#frames.shift();
      if (first !== undefined) return first;
      if (this.#ended) return undefined;
      await this.#more();
    }
  }

  /** The text of the next data frame. */
  async text(): Promise<string> {
    for (;;) {
      const next = await this.next();
      assert.ok(next !== undefined, "the connection ended");
      if (next.opcode === opcodes.text || next.opcode === opcodes.binary) return next.payload.toString();
      assert.notEqual(next.opcode, opcodes.close, `closed: ${next.payload.subarray(2).toString()}`);
    }
  }

  /** The code of the close frame; 1006 if the connection ended without one. Frames before it are passed over. */
  async closeCode(): Promise<number> {
    for (;;) {
      const next = await this.next();
      if (next === undefined) return 1006;
      if (next.opcode === opcodes.close) return next.payload.readUInt16BE(0);
    }
  }

  async closed(): Promise<void> {
    while (!this.#ended) await this.#more();
  }

  destroy(): void {
    this.socket.destroy();
  }

  #more(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = undefined;
        resolve();
      };
    });
  }
}

/** Sends, waits for the echo, sends again, until it is told to stop. Any irregularity rejects `stop()`. */
export class Innocent {
  readonly #client: RawClient;
  readonly #running: Promise<void>;
  #stopping = false;
  #rounds = 0;

  static async start(path: string): Promise<Innocent> {
    return new Innocent(await RawClient.open(path));
  }

  private constructor(client: RawClient) {
    this.#client = client;
    this.#running = this.#run();
    // Told by stop().
    this.#running.catch(() => undefined);
  }

  /** Resolves when one more echo has come after now. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#running;
    this.#client.destroy();
  }

  async #run(): Promise<void> {
    do {
      const text = `innocent ${++this.#rounds}`;
      this.#client.write(frame(text));
      assert.equal(await this.#client.text(), text);
    } while (!this.#stopping);
  }
}
