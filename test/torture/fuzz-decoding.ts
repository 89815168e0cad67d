/**
 * The way of a message from its bytes to SQLite, in this process: decoder, check, gate, values, and SQLite's own
 * preparation of what the gate lets through. Nothing throws, and every refusal has a code of the table.
 */
import Database from "better-sqlite3";
import {
  boundArgs,
  boundNamed,
  checkNotice,
  checkParams,
  decodeFrame,
  type Encoding,
  encodeRefusal,
  type Frame,
  isMethod,
  isToBroker,
} from "../../src/protocol/index.js";
import { arrange, Gate, statementsOf } from "../../src/store/gate/index.js";
import { refusalOf } from "../../src/store/statement/sqlite-refusal.js";
import { isRefusal, type Refusal, refusals } from "../../src/terms/index.js";
import type { Random } from "../simulation/random.js";
import { FuzzMessages } from "./fuzz-messages.js";

export interface DecodingReport {
  readonly messages: number;
  readonly texts: number;
  /** Of both. */
  readonly refused: { readonly [code: string]: number };
  readonly admitted: number;
  readonly wrong: readonly string[];
}

const wrongMax = 20;
const valueBytesMax = 64 * 1024;

export class FuzzDecoding {
  readonly #random: Random;
  readonly #made: FuzzMessages;
  readonly #gate = new Gate({ textsMax: 100 });
  readonly #database = new Database(":memory:");
  readonly #refused: { [code: string]: number } = {};
  readonly #wrong: string[] = [];
  #messages = 0;
  #texts = 0;
  #admitted = 0;

  constructor(random: Random) {
    this.#random = random;
    this.#made = new FuzzMessages(random);
    this.#database.exec("create table t (a, b); create table u (a)");
  }

  get report(): DecodingReport {
    return {
      ...{ messages: this.#messages, texts: this.#texts, admitted: this.#admitted },
      ...{ refused: this.#refused, wrong: this.#wrong },
    };
  }

  close(): void {
    this.#database.close();
  }

  /** So many more, three of four of them messages. */
  run(count: number): void {
    for (let n = 0; n < count && this.#wrong.length < wrongMax; n++) {
      if (this.#random.chance(0.25)) this.#text(this.#made.sql());
      else this.#message(this.#random.chance(0.5) ? "json" : "msgpack");
    }
  }

  #message(encoding: Encoding): void {
    this.#messages++;
    const bytes = this.#made.message(encoding);
    this.#guarded(`${encoding} ${bytes.toString("base64")}`, () => this.#frame(decodeFrame(bytes, encoding), encoding));
    if (({} as { polluted?: unknown }).polluted !== undefined) this.#wrong.push(`the prototype is polluted`);
  }

  #frame(frame: Frame, encoding: Encoding): void {
    switch (frame.kind) {
      case "frame-error": {
        this.#code(frame.refusal);
        const told = decodeFrame(encodeRefusal(frame.id, frame.refusal, encoding), encoding, "broker");
        if (told.kind !== "refused" || told.refusal.refused !== frame.refusal.refused)
          throw new Error(`the refusal ${frame.refusal.refused} cannot be read again`);
        return;
      }
      case "notification":
        return isToBroker(frame.method) ? this.#code(checkNotice(frame.method, frame.params)) : undefined;
      case "request": {
        if (!isMethod(frame.method)) return;
        const wrong = checkParams(frame.method, frame.params);
        this.#code(wrong);
        if (wrong === undefined) this.#params(frame.params as { readonly [name: string]: unknown });
        return;
      }
      // No broker looks into these.
      default:
        return;
    }
  }

  #params({ sql, args = [], named = {} }: { readonly [name: string]: unknown }): void {
    if (typeof sql !== "string") return;
    const found = this.#gate.inspect(sql, { transactionControl: true });
    if (isRefusal(found)) return this.#code(found);
    const positional = boundArgs(args as readonly unknown[], valueBytesMax);
    if (isRefusal(positional)) return this.#code(positional);
    const byName = boundNamed(named as { readonly [name: string]: unknown }, valueBytesMax);
    if (isRefusal(byName)) return this.#code(byName);
    const arranged = arrange(found.parameters, positional, Object.fromEntries(byName));
    this.#code(isRefusal(arranged) ? arranged : undefined);
  }

  #text(sql: string): void {
    this.#texts++;
    this.#guarded(`SQL ${JSON.stringify(sql)}`, () => {
      const script = statementsOf(sql);
      if (isRefusal(script)) this.#code(script);
      const found = this.#gate.inspect(sql);
      if (isRefusal(found)) return this.#code(found);
      this.#admitted++;
      // EXPLAIN only tells what it would do; to SQLite it writes as what it explains.
      if (found.kind === "statement") this.#prepared(found.text, found.access === "read" && found.verb !== "EXPLAIN");
    });
  }

  /** What the gate lets through is one statement to SQLite, and one that only reads is so to SQLite as well. */
  #prepared(text: string, reads: boolean): void {
    try {
      const { readonly } = this.#database.prepare(text);
      if (reads && !readonly) throw new Error("let through as a read, and it writes");
    } catch (error) {
      if (!(error instanceof Database.SqliteError)) throw error;
      this.#code(refusalOf(error));
    }
  }

  #guarded(what: string, act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#wrong.push(`${what}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    }
  }

  #code(refusal: Refusal | undefined): void {
    if (refusal === undefined) return;
    const { refused } = refusal;
    if (!Object.hasOwn(refusals, refused) || refused === "INTERNAL") throw new Error(`refused with ${refused}`);
    this.#refused[refused] = (this.#refused[refused] ?? 0) + 1;
  }
}
