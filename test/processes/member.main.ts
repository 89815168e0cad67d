/**
 * A client process as programs are: it uses the library, works without a pause, and is not told when the broker dies.
 * What was acknowledged to it goes to its own file, with fsync, before it goes on.
 */
import { closeSync, fsyncSync, openSync, readFileSync, writeSync } from "node:fs";
import type { Broker } from "../../src/client/index.js";
import { linesOf } from "./member-ledger.js";
import type { FromMember, LedgerLine, Order, ToMember, Work } from "./orders.js";

type Library = typeof import("../../src/client/index.js");

/** Inserts of one member under way at once. */
const insertsAtOnce = 4;
let finishing = false;

process.on("message", (message) => {
  const { kind } = message as ToMember;
  if (kind === "finish") finishing = true;
  else void work((message as Extract<ToMember, { kind: "begin" }>).order).catch(fail);
});
// Nobody to work for.
process.on("disconnect", () => process.exit(1));
tell({ kind: "listening" });

function tell(message: FromMember): void {
  process.send?.(message);
}

function fail(error: unknown): void {
  tell({ kind: "failed", error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
}

async function work(order: Order): Promise<void> {
  const library = (await import(order.library)) as Library;
  const broker = await library.connect({
    dir: order.dir,
    start: order.start,
    program: `member-${order.member}`,
    reconnectTimeoutMs: 60_000,
  });
  tell({ kind: "connected" });
  const member = new Member(broker, library, order);
  if (order.before !== undefined && order.works.includes("named")) await member.askAgain(order.before);
  await Promise.all(order.works.flatMap((one) => member.loops(one)));
  await broker.close();
  tell({ kind: "done" });
  process.disconnect?.();
}

/** Thrown in the middle of a transaction that is not to be. */
class ThoughtBetter extends Error {}

class Member {
  readonly #broker: Broker;
  readonly #library: Library;
  readonly #member: number;
  readonly #forgiven: readonly string[];
  readonly #mayBeUnknown: boolean;
  readonly #file: number;
  #inserts = 0;
  #count = 0;

  constructor(broker: Broker, library: Library, { member, ledger, forgiven, mayBeUnknown }: Order) {
    this.#broker = broker;
    this.#mayBeUnknown = mayBeUnknown;
    this.#forgiven = forgiven;
    this.#library = library;
    this.#member = member;
    this.#file = openSync(ledger, "a");
    process.once("exit", () => closeSync(this.#file));
  }

  loops(what: Work): Promise<void>[] {
    switch (what) {
      case "inserts":
        return Array.from({ length: insertsAtOnce }, () => this.#loop(() => this.#insert()));
      case "counter":
        return [this.#loop((n) => this.#add(n))];
      case "fenced":
        return [this.#loop(() => this.#addUnderLock())];
      case "transactions":
        return [this.#loop((n) => this.#transact(n))];
      case "named":
        return [this.#loop((n) => this.#name(this.#member, n))];
    }
  }

  /** What its predecessor had asked for, and may not have been told. */
  async askAgain({ member, ledger }: NonNullable<Order["before"]>): Promise<void> {
    const lines = linesOf(readFileSync(ledger, "utf8")).filter(({ work, of }) => work === "named" && of === undefined);
    const ended = new Set(lines.filter(({ end }) => end !== "sent").map(({ n }) => n));
    for (const { n, end } of lines) if (end === "sent" && !ended.has(n)) await this.#name(member, n);
  }

  async #loop(step: (n: number) => Promise<void>): Promise<void> {
    for (let n = 1; !finishing; n++) await step(n);
  }

  async #insert(): Promise<void> {
    const n = ++this.#inserts;
    await this.#recorded({ work: "inserts", n }, async () => {
      await this.#broker.execute("insert into item (member, n) values (?, ?)", [this.#member, n]);
    });
  }

  async #add(n: number): Promise<void> {
    await this.#recorded({ work: "counter", n }, async () => {
      await this.#broker.execute("update counter set n = n + 1 where member = ?", [this.#member]);
    });
  }

  /** Whoever is not alone under the lock, or writes after having lost it, loses somebody's addition. */
  async #addUnderLock(): Promise<void> {
    await this.#broker.withLock("shared", async (lock) => {
      const row = await this.#broker.get<{ n: number }>("select n from shared");
      if (row === undefined) throw new Error("the shared counter is gone");
      const n = row.n + 1;
      await this.#recorded({ work: "fenced", n, token: lock.token }, async () => {
        await lock.batch([
          ["update shared set n = ?", [n]],
          ["insert into held (token, member, n) values (?, ?, ?)", [lock.token, this.#member, n]],
        ]);
      });
    });
  }

  async #transact(n: number): Promise<void> {
    await this.#recorded({ work: "transactions", n }, async () => {
      await this.#broker.transaction(async (transaction) => {
        for (const part of [1, 2, 3])
          await transaction.execute("insert into part (member, n, part) values (?, ?, ?)", [this.#member, n, part]);
        if (n % 5 === 0) throw new ThoughtBetter();
      });
    });
  }

  async #name(member: number, n: number): Promise<void> {
    const of = member === this.#member ? {} : { of: member };
    const key = `${member}/${n}`;
    await this.#recorded({ work: "named", n, ...of }, () => this.#named(key));
  }

  /** The one that ran when its writer was killed is told so; under its key it may be asked for again. */
  async #named(key: string): Promise<void> {
    try {
      await this.#broker.execute("insert into named (key) values (?)", [key], { key });
    } catch (error) {
      if (!this.#library.isHoldfastError(error) || error.code !== "STATEMENT_CRASHED") throw error;
      await this.#named(key);
    }
  }

  async #recorded(line: Omit<LedgerLine, "end">, operation: () => Promise<void>): Promise<void> {
    this.#write({ ...line, end: "sent" });
    try {
      await operation();
      this.#write({ ...line, end: "ok" });
      fsyncSync(this.#file);
    } catch (error) {
      if (error instanceof ThoughtBetter) return this.#write({ ...line, end: "no" });
      if (!this.#library.isHoldfastError(error)) throw error;
      this.#write({ ...line, end: error.outcome === "none" ? "no" : "unknown" });
      // Nothing else may be refused: it is told, and the test fails.
      if (!this.#forgiven.includes(error.code) || (error.outcome !== "none" && !this.#mayBeUnknown)) throw error;
      return;
    }
    this.#count++;
    tell({ kind: "acknowledged", count: this.#count });
  }

  #write(line: LedgerLine): void {
    writeSync(this.#file, `${JSON.stringify(line)}\n`);
  }
}
