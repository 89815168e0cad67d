/**
 * Three clients of one life of the broker, with several requests under way at once: plain writes, batches, writes under
 * keys of their own, transactions, writes under locks. And what they ask the next life about the one before.
 */
import type { BatchStatement } from "../../src/protocol/index.js";
import type { Random } from "../simulation/random.js";
import type { Home } from "../support/broker.js";
import { within } from "../support/patience.js";
import type { Answer, Wire } from "../support/wire.js";
import { type Asked, PowerBook } from "./power-book.js";

interface Written {
  readonly asked: Asked;
  /** The session's key, or one of its own. */
  readonly key: number | string;
  /** As it was sent, to be sent again under its own key. */
  readonly params: { readonly sql: string; readonly args: readonly (number | { $blob: string })[] } | undefined;
  rowid: unknown;
}

interface Program {
  readonly wire: Wire;
  readonly written: Written[];
  under: number;
  tx: number;
}

/** Of the database: the programs of the last life, which the next asks about. */
const lastOf = new WeakMap<PowerBook, readonly Program[]>();

const programs = 3;
const underWayMax = 5;
const padsKept = 60;
const insert = "insert into item (op, pad) values (?, ?)";

export class PowerPrograms {
  readonly wrong: string[] = [];
  readonly #book: PowerBook;
  readonly #random: Random;
  readonly #all: Program[] = [];
  #acknowledged = 0;
  #locks = 0;
  #over = false;
  #wake: () => void = () => undefined;

  static async start(home: Home, book: PowerBook, random: Random): Promise<PowerPrograms> {
    const all = new PowerPrograms(book, random);
    for (let n = 0; n < programs; n++) all.#all.push({ wire: await home.wire(), written: [], under: 0, tx: 0 });
    const [{ wire }] = all.#all as [Program];
    // By a moment of the first life the table may never have been made.
    await wire.call("db.script", { sql: "create table if not exists item (op integer, pad blob)", key: wire.key() });
    await all.#lookBack(wire);
    lastOf.set(book, all.#all);
    return all;
  }

  private constructor(book: PowerBook, random: Random) {
    this.#book = book;
    this.#random = random;
  }

  /** Until so many more writes are acknowledged. Others are under way when it resolves. */
  async work(acknowledged: number): Promise<number> {
    const enough = new Promise<void>((resolve) => {
      this.#wake = () => {
        if (this.#acknowledged >= acknowledged || this.wrong.length > 0) resolve();
      };
    });
    for (const program of this.#all) this.#goOn(program);
    await within(`${acknowledged} acknowledged writes`, enough);
    return this.#acknowledged;
  }

  /** The broker is dead: what was not answered stays so. */
  over(): void {
    this.#over = true;
    for (const { wire } of this.#all) wire.socket.terminate();
  }

  // ── work ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  #goOn(program: Program): void {
    const { socket } = program.wire;
    while (program.under < underWayMax && !this.#over && socket.readyState === socket.OPEN) {
      program.under++;
      const kind = this.#random.weighted({ plain: 5, own: 2, batch: 3, transaction: 2, locked: 2 });
      void this.#one(program, kind)
        .catch((error: unknown) => {
          // A connection that ends with the power ends its requests.
          if (!this.#over && program.wire.socket.readyState === program.wire.socket.OPEN)
            this.wrong.push(String(error));
        })
        .finally(() => {
          program.under--;
          this.#goOn(program);
          this.#wake();
        });
    }
  }

  async #one(program: Program, kind: "plain" | "own" | "batch" | "transaction" | "locked"): Promise<void> {
    switch (kind) {
      case "plain":
        return this.#plain(program, program.wire.key());
      case "own":
        return this.#plain(program, `own ${this.#random.next()}`);
      case "batch":
        return this.#batch(program);
      case "transaction":
        return this.#transaction(program);
      case "locked":
        return this.#locked(program);
    }
  }

  async #plain(program: Program, key: number | string): Promise<void> {
    const asked = this.#book.ask(1);
    const params = { sql: insert, args: [asked.n, this.#pad()] };
    const written = this.#noted(program, { asked, key, params });
    written.rowid = (await this.#told(asked, program.wire.post("db.execute", { ...params, key }))).lastInsertRowid;
  }

  async #batch(program: Program): Promise<void> {
    const asked = this.#book.ask(3);
    const key = program.wire.key();
    this.#noted(program, { asked, key, params: undefined });
    const statements: BatchStatement[] = [1, 2, 3].map(() => ({ sql: insert, args: [asked.n, this.#pad()] }));
    // So that pages become free and are used again, and the database stays small.
    statements.push({ sql: "update item set pad = null where op < ?", args: [asked.n - padsKept] });
    await this.#told(asked, program.wire.post("db.batch", { statements, key }));
  }

  async #transaction(program: Program): Promise<void> {
    const { wire } = program;
    const asked = this.#book.ask(3);
    const tx = ++program.tx;
    const steps: Promise<Answer>[] = [wire.post("tx.begin", { tx, mode: "write" })];
    for (let n = 0; n < 3; n++) steps.push(wire.post("tx.execute", { tx, sql: insert, args: [asked.n, this.#pad()] }));
    const key = wire.key();
    this.#noted(program, { asked, key, params: undefined });
    await this.#told(asked, wire.post("tx.commit", { tx, key }));
    for (const step of await Promise.all(steps)) if (step.error !== undefined) throw new Error(step.error.message);
  }

  async #locked(program: Program): Promise<void> {
    const { wire } = program;
    // One that nobody else has, also of this session: it would wait for itself.
    const name = `lock ${++this.#locks}`;
    const { token } = await wire.call("lock.acquire", { name, key: wire.key() });
    this.#book.token(token);
    const asked = this.#book.ask(1);
    const key = wire.key();
    this.#noted(program, { asked, key, params: undefined });
    const params = { sql: insert, args: [asked.n, this.#pad()], fence: [{ name, token }], key };
    const written = this.#told(asked, wire.post("db.execute", params));
    await Promise.all([written, wire.call("lock.release", { name, token, key: wire.key() })]);
  }

  #noted(program: Program, written: Omit<Written, "rowid">): Written {
    const one = { ...written, rowid: undefined };
    program.written.push(one);
    return one;
  }

  async #told<T>(asked: Asked, answer: Promise<Answer<T>>): Promise<T> {
    const { result, error } = await answer;
    if (error !== undefined) throw new Error(`write ${asked.n} was refused: ${error.data.code} ${error.message}`);
    asked.toldAt = PowerBook.now();
    this.#acknowledged++;
    return result;
  }

  /** Some need pages of their own, and few so many that the log is soon folded into the database. */
  #pad(): { $blob: string } {
    const size = this.#random.weighted({ small: 76, page: 20, large: 4 });
    const bytes = this.#random.below({ small: 200, page: 9000, large: 300_000 }[size]);
    return { $blob: Buffer.alloc(bytes, this.#random.below(256)).toString("base64") };
  }

  // ── the life before ───────────────────────────────────────────────────────────────────────────────────────────────

  async #lookBack(wire: Wire): Promise<void> {
    const { token } = await wire.call("lock.acquire", { name: "look", key: wire.key() });
    const before = this.#book.highestToken;
    if (token <= before) this.wrong.push(`token ${token} after ${before}`);
    this.#book.token(token);
    const there = await this.#there(wire);
    this.wrong.push(...this.#book.compare(there));
    for (const program of lastOf.get(this.#book) ?? []) {
      const written = program.written.filter(({ asked }) => this.#book.isAsked(asked));
      // Shown, and so it stays.
      for (const { asked } of written) if (there.has(asked.n)) asked.toldAt ??= PowerBook.now();
      await this.#settle(wire, program, written, there);
      for (const one of written) if (typeof one.key === "string") await this.#again(wire, one, there);
    }
    this.wrong.push(...this.#book.compare(await this.#there(wire)));
  }

  async #there(wire: Wire): Promise<Map<number, number>> {
    const sql = "select op, count(*) from item group by op";
    const { rows } = await wire.call("db.query", { sql });
    return new Map(rows as [number, number][]);
  }

  /** What the broker says of the session's writes is what is there, and stays. */
  async #settle(
    wire: Wire,
    program: Program,
    written: readonly Written[],
    there: ReadonlyMap<number, number>,
  ): Promise<void> {
    const byKey = new Map(written.map((one) => [one.key, one.asked]));
    const keys = [...byKey.keys()].filter((key) => typeof key === "number");
    if (keys.length === 0) return;
    const { outcomes } = await wire.call("session.settle", { secret: program.wire.secret, keys });
    for (const { key, outcome } of outcomes) {
      const asked = byKey.get(key) as Asked;
      const is = there.has(asked.n);
      if (outcome !== (is ? "applied" : "never"))
        this.wrong.push(`write ${asked.n} is ${is ? "" : "not "}there, and is said to be "${outcome}"`);
      if (!is) asked.never = true;
    }
  }

  /** A program that was started anew asks for the same thing: it happens once, and the first answer holds. */
  async #again(wire: Wire, { asked, key, params, rowid }: Written, there: ReadonlyMap<number, number>): Promise<void> {
    if (params === undefined) return;
    const { result, error } = await wire.post("db.execute", { ...params, key });
    if (error !== undefined) this.wrong.push(`write ${asked.n}, asked for again: ${error.data.code}`);
    else if (asked.toldAt !== undefined && rowid !== undefined && result.lastInsertRowid !== rowid)
      this.wrong.push(`write ${asked.n} was row ${String(rowid)}, and is now ${String(result.lastInsertRowid)}`);
    else if (!there.has(asked.n) && asked.toldAt !== undefined)
      this.wrong.push(`write ${asked.n} had to be done again`);
    asked.toldAt ??= PowerBook.now();
  }
}
