/**
 * The same to a broker that runs, over its socket: frames, bytes that are no frames, heads that are no upgrades. Every
 * answer has a code of the table, every end of a connection one that is known, and the client beside notices nothing.
 */
import { randomBytes } from "node:crypto";
import { encode } from "@msgpack/msgpack";
import { closings, decodeFrame, type Encoding } from "../../src/protocol/index.js";
import { refusals } from "../../src/terms/index.js";
import type { Random } from "../simulation/random.js";
import { Home, type Life } from "../support/broker.js";
import { Canary } from "../support/canary.js";
import { within } from "../support/patience.js";
import { frame, opcodes, RawClient, upgradeText } from "../transport/raw-client.js";
import { FuzzMessages } from "./fuzz-messages.js";

export interface SocketsReport {
  readonly frames: number;
  readonly bytes: number;
  readonly upgrades: number;
  readonly canary: number;
  readonly codes: { readonly [code: string]: number };
  readonly wrong: readonly string[];
}

const framesAtOnce = 25;
const wrongMax = 20;
const statuses = new Set([101, 400, 403, 404, 405, 408, 426, 431, 503]);
/** Of the table, and RFC 6455's own for what is no frame; 1006: without a word. */
const closeCodes = new Set<number>([...Object.values(closings).map(({ code }) => code), 1000, 1002, 1005, 1006, 1007]);
const ours = "the last of them";

export class FuzzSockets {
  readonly #home: Home;
  readonly #random: Random;
  readonly #made: FuzzMessages;
  readonly #canary: Canary;
  readonly #codes: { [code: string]: number } = {};
  readonly #wrong: string[] = [];
  readonly #pid: number;
  readonly #count = { frames: 0, bytes: 0, upgrades: 0 };

  static async start(life: Life, random: Random): Promise<FuzzSockets> {
    const home = new Home(life);
    const limits = { frameBytesMax: 65_536, resumeWindowMs: 200, helloMs: 2000, readMs: 2000, writeContendedMs: 2000 };
    await home.start({ limits });
    const setup = await home.wire();
    await setup.call("db.script", { sql: "create table t (a, b); create table u (a)", key: setup.key() });
    await setup.drop();
    return new FuzzSockets(home, random, { canary: await Canary.start(home), pid: (await home.status()).pid });
  }

  private constructor(home: Home, random: Random, { canary, pid }: { canary: Canary; pid: number }) {
    this.#home = home;
    this.#random = random;
    this.#made = new FuzzMessages(random);
    this.#canary = canary;
    this.#pid = pid;
  }

  /** So many more things are sent. */
  async run(count: number): Promise<void> {
    const sent = () => this.#count.frames + this.#count.bytes + this.#count.upgrades;
    for (const goal = sent() + count; sent() < goal && this.#wrong.length < wrongMax; ) {
      // Of messages there are many on one connection, so about three of five are messages.
      const what = this.#random.weighted({ frames: 1, bytes: 3, upgrade: 6 });
      if (what === "frames") await this.#frames(this.#random.chance(0.5) ? "json" : "msgpack");
      else if (what === "bytes") await this.#bytes();
      else await this.#upgrade();
    }
  }

  /** The innocent one goes on, and it is the same broker as in the beginning. */
  async end(): Promise<SocketsReport> {
    await this.#canary.goesOn();
    const { pid } = await this.#home.status();
    if (pid !== this.#pid) this.#wrong.push(`the broker is another: ${pid} after ${this.#pid}`);
    return { ...this.#count, canary: this.#canary.rounds, codes: this.#codes, wrong: this.#wrong };
  }

  /** Some messages on one connection, and a last one that is answered, if nothing before has ended it. */
  async #frames(encoding: Encoding): Promise<void> {
    const client = await RawClient.open(this.#home.socket, { subprotocol: subprotocolOf(encoding) });
    const opcode = encoding === "json" ? opcodes.text : opcodes.binary;
    const secret = randomBytes(32).toString("base64url");
    const hello = {
      jsonrpc: "2.0",
      id: "hello",
      method: "session.hello",
      params: { protocol: { min: 1, max: 1 }, secret },
    };
    const sent = [frame(bytesOf(hello, encoding), { opcode })];
    for (let n = 0; n < framesAtOnce; n++) sent.push(frame(this.#made.message(encoding), { opcode }));
    sent.push(frame(bytesOf({ jsonrpc: "2.0", id: ours, method: "session.ping", params: {} }, encoding), { opcode }));
    client.write(...sent);
    this.#count.frames += framesAtOnce;
    await within("an answer, or the end of the connection", this.#answers(client, encoding));
    client.destroy();
  }

  async #answers(client: RawClient, encoding: Encoding): Promise<void> {
    for (;;) {
      const next = await client.next();
      if (next === undefined) return;
      if (next.opcode === opcodes.close) return this.#closed(next.payload);
      if (next.opcode !== opcodes.text && next.opcode !== opcodes.binary) continue;
      const told = decodeFrame(next.payload, encoding, "broker");
      if (told.kind === "frame-error")
        this.#wrong.push(`an answer that cannot be read: ${next.payload.toString("base64")}`);
      if (told.kind === "refused") this.#code(told.refusal.refused, next.payload);
      if ("id" in told && told.id === ours) return;
    }
  }

  #code(code: string, payload: Buffer): void {
    this.#codes[code] = (this.#codes[code] ?? 0) + 1;
    if (!Object.hasOwn(refusals, code) || code === "INTERNAL")
      this.#wrong.push(`refused with ${code}: ${String(payload)}`);
  }

  #closed(payload: Buffer): void {
    const code = payload.length < 2 ? 1005 : payload.readUInt16BE(0);
    this.#codes[code] = (this.#codes[code] ?? 0) + 1;
    if (!closeCodes.has(code)) this.#wrong.push(`closed with ${code}: ${payload.subarray(2).toString()}`);
  }

  /** Frames that are wrong as frames, and what is none. */
  async #bytes(): Promise<void> {
    const client = await RawClient.open(this.#home.socket);
    for (let n = 1 + this.#random.below(4); n > 0; n--) {
      this.#count.bytes++;
      client.write(this.#random.chance(0.2) ? this.#made.noise(1 + this.#random.below(60)) : this.#frame());
    }
    client.socket.end();
    await within("the end of the connection", client.closed());
    for (let next = await client.next(); next !== undefined; next = await client.next())
      if (next.opcode === opcodes.close) this.#closed(next.payload);
    client.destroy();
  }

  #frame(): Buffer {
    const payload = this.#random.chance(0.5) ? this.#made.message("json") : this.#made.noise(this.#random.below(200));
    const next = () => this.#random.next();
    const bytes = frame(payload, {
      opcode: next() < 0.5 ? opcodes.text : this.#random.below(16),
      fin: next() < 0.8,
      masked: next() < 0.9,
      rsv: next() < 0.1 ? this.#random.below(8) : 0,
      ...(next() < 0.1 ? { length: this.#random.pick([0, 1, 125, 126, 65_535, 65_537, 2 ** 31, 2 ** 40]) } : {}),
    });
    return this.#random.chance(0.3) ? this.#made.mutated(bytes) : bytes;
  }

  async #upgrade(): Promise<void> {
    this.#count.upgrades++;
    const client = await RawClient.connect(this.#home.socket);
    const head = Buffer.from(
      upgradeText({
        path: this.#random.pick(["/", "/", "/", "/x", "//", "/?a", "*", "http://[::"]),
        subprotocol: this.#random.pick(["holdfast.v1.json", "holdfast.v1.msgpack", "", "other, holdfast.v1.json"]),
        headers: this.#random.chance(0.5) ? {} : this.#header(),
      }),
    );
    client.write(this.#random.chance(0.3) ? head : this.#made.mutated(head));
    client.socket.end();
    const answer = await within("the end of the connection", client.rest());
    client.destroy();
    if (answer === "") return;
    const [, status] = /^HTTP\/1\.1 (\d{3}) /.exec(answer) ?? [];
    this.#codes[`HTTP ${status}`] = (this.#codes[`HTTP ${status}`] ?? 0) + 1;
    if (!statuses.has(Number(status)))
      this.#wrong.push(`the answer to ${JSON.stringify(String(head))} is ${answer.slice(0, 200)}`);
  }

  #header(): { readonly [name: string]: string } {
    return this.#random.pick([
      { Origin: "http://[::" },
      { Host: "" },
      { Upgrade: "h2c" },
      { Connection: "close" },
      { "Sec-WebSocket-Key": "short" },
      { "Sec-WebSocket-Version": "99" },
      { "Sec-WebSocket-Extensions": "permessage-deflate; ,;=" },
      { "Content-Length": "5" },
      { "Transfer-Encoding": "chunked" },
      { "holdfast-purpose": "operator" },
      { "X-Many": "x".repeat(20_000) },
    ]) as { readonly [name: string]: string };
  }
}

function subprotocolOf(encoding: Encoding): string {
  return encoding === "json" ? "holdfast.v1.json" : "holdfast.v1.msgpack";
}

function bytesOf(message: unknown, encoding: Encoding): Buffer {
  return encoding === "json" ? Buffer.from(JSON.stringify(message)) : Buffer.from(encode(message));
}
