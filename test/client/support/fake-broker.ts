/**
 * A broker's outside over a real Unix socket: it says hello and goodbye by itself, and does with every other request
 * what the test says. Requests that the test has not spoken about are held until it answers them.
 */
import { join } from "node:path";
import {
  decodeFrame,
  type Encoding,
  encodeBody,
  encodeNotification,
  encodeRefusal,
  encodeResult,
  sessionIdOf,
} from "../../../src/protocol/index.js";
import { isRefusal, limitsWith, type Refusal, type RequestId } from "../../../src/terms/index.js";
import { type Link, Transport } from "../../../src/transport/index.js";
import { type TestLife, tempDir } from "../../support/temp-dir.js";

export interface Asked {
  readonly link: Link;
  readonly id: RequestId;
  readonly method: string;
  readonly params: { readonly [field: string]: unknown };
}

type Reply = (asked: Asked) => unknown;

export class FakeBroker {
  readonly path: string;
  /** Every request but hello and goodbye, in the order of their coming. */
  readonly asked: Asked[] = [];
  readonly hellos: Asked[] = [];
  /** Notifications of clients. */
  readonly noticed: { readonly method: string; readonly params: unknown }[] = [];
  /** Sessions that a hello may resume. */
  readonly sessions = new Set<string>();
  readonly links = new Set<Link>();
  readonly #replies = new Map<string, Reply>();
  readonly #waiting: { readonly wanted: () => boolean; readonly resolve: () => void }[] = [];
  #transport: Transport | undefined;

  static async start(test: TestLife, path = join(tempDir(test), "s")): Promise<FakeBroker> {
    const broker = new FakeBroker(path);
    await broker.listen();
    test.after(() => void broker.end());
    return broker;
  }

  private constructor(path: string) {
    this.path = path;
    this.on("session.hello", (asked) => this.welcome(asked));
    this.on("session.goodbye", () => ({}));
  }

  async listen(): Promise<void> {
    this.#transport = await Transport.open({
      path: this.path,
      uid: process.getuid?.() ?? 0,
      platform: process.platform,
      limits: limitsWith(),
      ready: () => true,
      log: () => {},
      afterInput: () => {},
      handlers: {
        onOpen: (link) => void this.links.add(link),
        onFrame: (link, data) => this.#onFrame(link, data),
        onDrained: () => undefined,
        onClose: (link) => void this.links.delete(link),
      },
    });
  }

  /** Goes away at once, as a killed one does, but for the socket's file. */
  async end(): Promise<void> {
    await this.#transport?.close();
    this.#transport = undefined;
  }

  breakLinks(): void {
    for (const link of this.links) link.terminate();
  }

  /** What to answer from now on; a Refusal is refused; `hold` leaves it to the test. */
  on(method: string, reply: Reply): void {
    this.#replies.set(method, reply);
  }

  answer({ link, id }: Asked, result: unknown): void {
    const bytes = isRefusal(result)
      ? encodeRefusal(id, result, link.encoding)
      : encodeResult(id, encodeBody(result, link.encoding), link.encoding);
    link.send(bytes);
    link.flush();
  }

  notify(method: string, params: object): void {
    for (const link of this.links) {
      link.send(encodeNotification(method, params, link.encoding));
      link.flush();
    }
  }

  /** Resolves with the request number `index` (from 0) of this method. */
  async request(method: string, index = 0): Promise<Asked> {
    const all = method === "session.hello" ? this.hellos : this.asked;
    const found = () => all.filter((asked) => asked.method === method)[index];
    await this.until(() => found() !== undefined);
    return found() as Asked;
  }

  async until(wanted: () => boolean): Promise<void> {
    if (wanted()) return;
    await new Promise<void>((resolve) => this.#waiting.push({ wanted, resolve }));
  }

  #onFrame(link: Link, data: Buffer): void {
    const frame = decodeFrame(data, link.encoding as Encoding, "client");
    if (frame.kind === "notification") this.noticed.push(frame);
    if (frame.kind === "request") {
      const { id, method } = frame;
      const asked: Asked = { link, id, method, params: frame.params as Asked["params"] };
      if (method === "session.hello") this.hellos.push(asked);
      else if (method !== "session.goodbye") this.asked.push(asked);
      const reply = this.#replies.get(method);
      const result = reply?.(asked);
      if (result !== undefined && result !== hold) this.answer(asked, result);
    }
    for (const one of this.#waiting.splice(0)) {
      if (one.wanted()) one.resolve();
      else this.#waiting.push(one);
    }
  }

  /** What a hello is answered. */
  welcome({ link, params }: Asked): object | Refusal {
    link.admitted();
    const { secret, mode } = params as { secret: string; mode: string };
    const known = this.sessions.has(secret);
    if (mode === "resume" && !known) return { refused: "SESSION_EXPIRED", message: "not known here" };
    this.sessions.add(secret);
    return {
      ...{ protocol: 1, session: sessionIdOf(secret), secret, resumed: known, incarnation: "i", epoch: 1 },
      broker: { version: "0", pid: process.pid, startTime: "0" },
      grants: known
        ? ((params["grants"] ?? []) as { name: string; token: number }[]).map((one) => ({ ...one, key: 1 }))
        : [],
      lost: [],
      resumeWindowMs: 30_000,
      limits: limitsWith(),
    };
  }
}

/** The test will answer this one itself. */
export const hold = Symbol("hold");

/** A result of db.execute or db.query. */
export function rows(columns: readonly string[], ...cells: readonly (readonly unknown[])[]): object {
  return { columns, rows: cells, rowsAffected: 0, lastInsertRowid: null };
}
