/**
 * A client that speaks the protocol by hand: one WebSocket on the broker's socket; it says JSON in text frames, or
 * whatever bytes it is given. It can say what the library never would, and nothing is sent again for it.
 */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { decode } from "@msgpack/msgpack";
import WebSocket from "ws";
import type { HelloParams, HelloResult, MethodName, ParamsOf, ResultOf } from "../../src/protocol/index.js";
import type { RefusalCode } from "../../src/terms/index.js";
import { within } from "./patience.js";

/** `error` as it stands on the wire. */
export interface WireError {
  readonly code: number;
  readonly message: string;
  readonly data: {
    readonly code: RefusalCode;
    readonly retryable: boolean;
    readonly outcome: "none" | "unknown";
    readonly details: { readonly [field: string]: unknown };
  };
}

export type Answer<Result = unknown> =
  | { readonly id: string | number | null; readonly result: Result; readonly error?: undefined }
  | { readonly id: string | number | null; readonly result?: undefined; readonly error: WireError };

export interface Notice {
  readonly method: string;
  readonly params: { readonly [field: string]: unknown };
}

export class Refused extends Error {
  readonly error: WireError;

  constructor(error: WireError) {
    super(`${error.data.code}: ${error.message}`);
    this.error = error;
  }
}

export interface WireOptions {
  readonly subprotocol?: string;
  readonly headers?: { readonly [name: string]: string };
}

type Listener<T> = (value: T) => void;

export class Wire {
  readonly socket: WebSocket;
  /** What the broker said by itself, in order. */
  readonly notices: Notice[] = [];
  /** Answers that belong to no request: those with the id null. */
  readonly strays: Answer[] = [];
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  welcome: HelloResult | undefined;
  readonly #answers = new Map<string | number, Listener<Answer>>();
  readonly #waiting: Listener<void>[] = [];
  #lastId = 0;
  #lastKey = 0;

  /** Opens the WebSocket and says nothing. */
  static async open(path: string, options: WireOptions = {}): Promise<Wire> {
    const wire = new Wire(path, options);
    await within(`a connection to ${path}`, once(wire.socket, "open"));
    return wire;
  }

  /** Opens it and says hello. */
  static async greeted(path: string, hello: Partial<HelloParams> = {}): Promise<Wire> {
    const wire = await Wire.open(path);
    await wire.hello(hello);
    return wire;
  }

  private constructor(path: string, { subprotocol = "holdfast.v1.json", headers = {} }: WireOptions) {
    this.socket = new WebSocket(`ws+unix:${path}:/`, subprotocol, {
      headers: { ...headers },
      perMessageDeflate: false,
    });
    this.socket.on("message", (data, isBinary) => {
      this.#received(isBinary ? decode(data as Buffer) : JSON.parse(String(data)));
    });
    // A broker that hangs up, or dies, is what many tests are about; they look at `closed`.
    this.socket.on("error", () => undefined);
    this.closed = new Promise((resolve) => {
      this.socket.on("close", (code, reason) => {
        resolve({ code, reason: String(reason) });
        this.#wake();
      });
    });
  }

  get secret(): string {
    if (this.welcome === undefined) throw new Error("this client has not said hello");
    return this.welcome.secret;
  }

  /** The next request key of the session. */
  key(): number {
    return ++this.#lastKey;
  }

  async hello(hello: Partial<HelloParams> = {}): Promise<HelloResult> {
    const secret = randomBytes(32).toString("base64url");
    this.welcome = await this.call("session.hello", {
      protocol: { min: 1, max: 1 },
      program: "wire",
      secret,
      ...hello,
    });
    return this.welcome;
  }

  /** Sends a request; the answer is to be looked at when wanted, or never. Rejects when the connection ends before it. */
  post<Name extends MethodName>(method: Name, params: ParamsOf<Name>): Promise<Answer<ResultOf<Name>>>;
  post(method: string, params: unknown): Promise<Answer>;
  post(method: string, params: unknown): Promise<Answer> {
    return this.postAs(++this.#lastId, method, params);
  }

  /** The same under an id of one's own choice. */
  postAs(id: string | number, method: string, params: unknown): Promise<Answer> {
    const answer = this.answerTo(id);
    this.say({ jsonrpc: "2.0", id, method, params });
    const bounded = within(`the answer to ${method} (${id})`, answer);
    bounded.catch(() => undefined);
    return bounded;
  }

  /** Resolves with the answer under this id, to whatever will be sent. */
  answerTo(id: string | number): Promise<Answer> {
    const answer = new Promise<Answer>((resolve, reject) => {
      this.#answers.set(id, resolve);
      void this.closed.then(({ code, reason }) =>
        reject(new Error(`closed with ${code} ${reason} before the answer to request ${id}`)),
      );
    });
    // Whoever wants it will hear of it; a test that kills the broker does not.
    answer.catch(() => undefined);
    return answer;
  }

  async call<Name extends MethodName>(method: Name, params: ParamsOf<Name>): Promise<ResultOf<Name>> {
    const answer = await this.post(method, params);
    if (answer.error !== undefined) throw new Refused(answer.error);
    return answer.result;
  }

  /** The refusal that a request gets; an error if it is granted. */
  async refusal(method: string, params: unknown): Promise<WireError> {
    const answer = await this.post(method, params);
    if (answer.error === undefined) throw new Error(`${method} was to be refused, and was answered`);
    return answer.error;
  }

  notify(method: string, params: unknown): void {
    this.say({ jsonrpc: "2.0", method, params });
  }

  /** Anything at all, as JSON. */
  say(message: unknown): void {
    this.socket.send(JSON.stringify(message));
  }

  /** Anything at all, as it is. */
  send(data: string | Buffer, binary = typeof data !== "string"): void {
    this.socket.send(data, { binary });
  }

  /** The first notice of this kind, from the beginning. */
  async notice(method: string): Promise<Notice> {
    return within(
      `the notice ${method}`,
      this.#seen(() => this.notices.find((notice) => notice.method === method)),
    );
  }

  /** The stray answer that comes after `count` others. */
  async stray(count = 0): Promise<WireError> {
    const answer = await within(
      "an answer to what had no id",
      this.#seen(() => this.strays[count]),
    );
    if (answer.error === undefined) throw new Error("a result without an id");
    return answer.error;
  }

  /** Reads nothing any more: what the broker sends stays in the kernel, and then in the broker. */
  stopReading(): void {
    this.socket.pause();
  }

  readOn(): void {
    this.socket.resume();
  }

  /** Ends the connection without a word. */
  async drop(): Promise<void> {
    this.socket.terminate();
    await this.closed;
  }

  async #seen<T>(look: () => T | undefined): Promise<T> {
    for (;;) {
      const found = look();
      if (found !== undefined) return found;
      if (this.socket.readyState === WebSocket.CLOSED) throw new Error("the connection ended before it");
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  #received(content: unknown): void {
    const message = content as Answer & Partial<Notice>;
    if (message.method !== undefined) this.notices.push(message as unknown as Notice);
    else if (message.id === null) this.strays.push(message);
    else {
      this.#answers.get(message.id)?.(message);
      this.#answers.delete(message.id);
    }
    this.#wake();
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
