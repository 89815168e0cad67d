/**
 * A writer inside of the test's own process: told what the front would tell it, turned by hand. Everything happens at
 * once, so a group is exactly what was given before a turn.
 */
import { join } from "node:path";
import { decodeBody, type Encoding, encodeRequest } from "../../src/protocol/index.js";
import { type Database, openDatabase } from "../../src/sqlite/index.js";
import type { Answer, FromWriter, StoreMethod, WriterOrders } from "../../src/store/pipe/messages.js";
import { Writer } from "../../src/store/writer/writer.js";
import { limitsWith, type Refusal, requestKey, type SessionId, seq, sessionId } from "../../src/terms/index.js";
import { type TestLife, tempDir } from "../support/temp-dir.js";

// biome-ignore lint/suspicious/noExplicitAny: a test looks into results of every shape.
export type Result = any;

export interface Settled {
  readonly kind: Answer["kind"];
  readonly result?: Result;
  readonly refusal?: Refusal;
}

export interface GivenWrite {
  readonly sql?: string;
  readonly args?: readonly unknown[];
  readonly named?: object;
  readonly params?: object;
  readonly method?: StoreMethod;
  readonly session?: SessionId;
  readonly key?: number;
  readonly alone?: boolean;
  readonly ackedBelow?: number;
  readonly mode?: "run" | "replay";
  readonly encoding?: Encoding;
}

export const alice = sessionId("a".repeat(32));
export const bob = sessionId("b".repeat(32));

export interface BenchOptions {
  readonly dir?: string;
  readonly limits?: { readonly [name: string]: number };
  readonly bootId?: string;
  readonly repair?: boolean;
  readonly first?: boolean;
}

export class WriterBench {
  readonly orders: WriterOrders;
  readonly writer: Writer;
  readonly reports: string[] = [];
  readonly said: FromWriter[] = [];
  /** A connection of its own, to look at what is there. */
  readonly look: Database;
  readonly #answers = new Map<number, Answer>();
  #nextSeq = 1;

  constructor(
    life: TestLife,
    { dir = tempDir(life), limits = {}, bootId = "boot-1", repair = false, first = true }: BenchOptions = {},
  ) {
    const database = join(dir, "data.db");
    this.orders = {
      database,
      writerLock: `${database}.writer.lock`,
      progress: join(dir, "writer.progress"),
      limits: limitsWith(limits),
      bootId,
      place: dir,
      repair,
      first,
    };
    this.writer = Writer.start(this.orders, (text) => this.reports.push(text));
    this.look = openDatabase({ path: database, role: "reader", durability: "full", busyMs: 1000 });
    const { ready } = this.writer;
    if (ready.kind === "ready") this.#nextSeq = ready.storedSeq + 1;
  }

  /** Sends it; nothing happens before the next turn. Gives its sequence. */
  give({ sql, args, named, params, method = "db.execute", ...more }: GivenWrite): number {
    const { session = alice, key, ackedBelow = 0, alone = false, mode = "run", encoding = "json" } = more;
    const at = this.#nextSeq++;
    const body = {
      ...(params ?? { sql, ...(args && { args }), ...(named && { named }) }),
      ...(key !== undefined && { key }),
    };
    this.writer.take({
      kind: "write",
      seq: seq(at),
      mode,
      session,
      key: key === undefined ? undefined : requestKey(key),
      ackedBelow,
      alone,
      method,
      encoding,
      raw: encodeRequest(at, method, body, encoding),
    });
    return at;
  }

  giveSettle(session: SessionId, keys: readonly number[], encoding: Encoding = "json"): number {
    const at = this.#nextSeq++;
    this.writer.take({ kind: "settle", seq: seq(at), session, keys: keys.map(requestKey), encoding });
    return at;
  }

  /** One transaction; gives the sequences that it answered, in order. */
  turn(): readonly number[] {
    const settled: number[] = [];
    this.writer.turn((message) => {
      this.said.push(message);
      if (message.kind !== "settled") return;
      for (const answer of message.answers) {
        this.#answers.set(answer.id, answer);
        settled.push(answer.id);
      }
    });
    return settled;
  }

  /** Turns until everything that was given is answered. */
  turnAll(): void {
    while (this.#answers.size < this.#nextSeq - 1 - this.#firstSeq) this.turn();
  }

  get #firstSeq(): number {
    const { ready } = this.writer;
    return ready.kind === "ready" ? ready.storedSeq : 0;
  }

  answer(at: number): Settled | undefined {
    const answer = this.#answers.get(at);
    if (answer?.kind !== "done") return answer;
    return { kind: "done", result: decodeBody(answer.bytes, answer.encoding) };
  }

  /** Gives one and turns until it is answered. */
  run(write: GivenWrite | string): Settled {
    const at = this.give(typeof write === "string" ? { sql: write } : write);
    this.turnAll();
    return this.answer(at) as Settled;
  }

  /** Gives all, then turns: they are one group as far as the rules allow. */
  group(writes: readonly (GivenWrite | string)[]): readonly Settled[] {
    const ids = writes.map((write) => this.give(typeof write === "string" ? { sql: write } : write));
    this.turnAll();
    return ids.map((at) => this.answer(at) as Settled);
  }

  settle(session: SessionId, keys: readonly number[], encoding: Encoding = "json"): Result {
    const at = this.giveSettle(session, keys, encoding);
    this.turnAll();
    return this.answer(at)?.result.outcomes;
  }

  rows(sql: string): unknown[][] {
    return this.look.prepare(sql).raw(true).all() as unknown[][];
  }

  value(sql: string): unknown {
    return this.look.prepare(sql).pluck().get();
  }

  /** Past the broker, as somebody with the sqlite3 shell. */
  asStranger(sql: string): void {
    const stranger = openDatabase({ path: this.orders.database, role: "writer", durability: "off", busyMs: 1000 });
    stranger.exec(sql);
    stranger.close();
  }

  /** As a process that ends: the lock goes, the database is left as it is. */
  close(): void {
    this.look.close();
    this.writer.close();
    this.writer.lock.release();
  }
}

/** A bench that is closed when the test ends. */
export function bench(life: TestLife, options: BenchOptions = {}): WriterBench {
  let made: WriterBench | undefined;
  let open = true;
  life.after(() => {
    if (open) made?.close();
  });
  made = new WriterBench(life, options);
  const close = made.close.bind(made);
  made.close = () => {
    open = false;
    close();
  };
  return made;
}

/** The codes of the answers, `done` for those that were applied. */
export function codes(settled: readonly Settled[]): readonly string[] {
  return settled.map(({ kind, refusal }) => refusal?.refused ?? kind);
}
