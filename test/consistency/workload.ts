/**
 * Programs that append to lists and move money, over several connections and with several requests at once on each, in
 * all the ways in which it can be said; and a hand that kills the writer or the whole broker among them. What they did
 * and saw is a history for judge.ts.
 */
import type { Broker, Transaction } from "../../src/client/index.js";
import { isHoldfastError } from "../../src/client/index.js";
import { Random } from "../simulation/random.js";
import type { Front, Home } from "../support/broker.js";
import { kill } from "../support/processes.js";
import type { Balance, History, Micro, Operation } from "./history.js";

export interface RoundReport {
  readonly history: History;
  readonly writerKills: number;
  readonly brokerKills: number;
}

const connections = 5;
/** Of each connection: so many requests are under way at once. */
const lanes = 3;
const keys = 6;
const accounts = 8;
const each = 100;

const appending = "update list set v = v || ? where k = ?";
const reading = "select v from list where k = ?";

type Planned = { readonly kind: "append" | "read"; readonly key: string; readonly value: number };

export class Workload {
  readonly #home: Home;
  readonly #random: Random;
  readonly #handles: Broker[] = [];
  #front: Front;
  #round = 0;
  #nextValue = 1;
  #operations: Operation[] = [];
  #balances: Balance[] = [];
  readonly #places: number[] = [];

  private constructor(home: Home, front: Front, seed: number) {
    this.#home = home;
    this.#front = front;
    this.#random = new Random(seed);
  }

  static async start(home: Home, seed: number): Promise<Workload> {
    const workload = new Workload(home, await home.start(), seed);
    for (let one = 0; one < connections; one++) workload.#handles.push(await home.connect());
    const [first] = workload.#handles as [Broker];
    await first.script("create table list (k text primary key, v text not null)");
    await first.script("create table account (id integer primary key, sum integer not null check (sum >= 0))");
    for (let id = 0; id < accounts; id++) await first.execute("insert into account values (?, ?)", [id, each]);
    return workload;
  }

  /** So many operations on lists that are new, with so many kills on the way. */
  async round({ operations, kills }: { readonly operations: number; readonly kills: number }): Promise<RoundReport> {
    this.#round++;
    this.#operations = [];
    this.#balances = [];
    const [first] = this.#handles as [Broker];
    await first.batch(this.#keys().map((key) => ["insert into list values (?, '')", [key]] as const));
    const done = { writerKills: 0, brokerKills: 0 };
    let killing = true;
    const hand = this.#kill({ operations, kills }, done).finally(() => {
      killing = false;
    });
    // The last kill may come late.
    const goesOn = () => killing || this.#operations.length < operations;
    const work = this.#handles.flatMap((broker, session) =>
      Array.from({ length: lanes }, () => this.#lane(broker, session, goesOn)),
    );
    await Promise.all([...work, hand]);
    const final = new Map<string, number[]>();
    for (const key of this.#keys()) final.set(key, valuesOf(await first.get<{ v: string }>(reading, [key])));
    const history = { operations: this.#operations, final, balances: this.#balances, money: accounts * each };
    return { history, ...done };
  }

  /** When enough has been done since the last time. */
  async #kill(
    { operations, kills }: { readonly operations: number; readonly kills: number },
    done: { writerKills: number; brokerKills: number },
  ): Promise<void> {
    for (let n = 1; n <= kills; n++) {
      await this.#until((n * operations) / (kills + 1));
      if (n % 3 === 0) {
        await this.#front.kill();
        this.#front = await this.#home.start();
        done.brokerKills++;
      } else {
        kill(await this.#home.processOf("writer"), "SIGKILL");
        done.writerKills++;
      }
    }
  }

  readonly #waiting: { readonly count: number; readonly resolve: () => void }[] = [];

  #until(count: number): Promise<void> {
    return new Promise((resolve) => this.#waiting.push({ count, resolve }));
  }

  async #lane(broker: Broker, session: number, goesOn: () => boolean): Promise<void> {
    while (goesOn()) {
      const dice = this.#random.below(12);
      if (dice < 3) await this.#plain(session, [this.#append()], ([one]) => this.#execute(broker, one as Planned));
      else if (dice < 5) await this.#plain(session, [this.#read()], ([one]) => this.#get(broker, one as Planned));
      else if (dice < 7) await this.#plain(session, this.#plan(4), (all) => this.#batch(broker, all));
      else if (dice < 8)
        await this.#plain(
          session,
          [1, 2, 3].map(() => this.#read()),
          (all) => this.#batch(broker, all),
        );
      else if (dice < 9) await this.#transaction(broker, session);
      else if (dice < 10) await this.#twice(session);
      else if (dice < 11) await this.#move(broker);
      else await this.#count(broker);
      for (const one of this.#waiting.splice(0)) {
        if (this.#operations.length >= one.count) one.resolve();
        else this.#waiting.push(one);
      }
    }
  }

  // ── lists ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  #plain(
    session: number,
    planned: readonly Planned[],
    ask: (planned: readonly Planned[]) => Promise<readonly Micro[]>,
  ): Promise<void> {
    return this.#noted(session, "plain", planned, () => ask(planned));
  }

  async #execute(broker: Broker, { key, value }: Planned): Promise<Micro[]> {
    await broker.execute(appending, [`${value},`, key]);
    return [{ kind: "append", key, value }];
  }

  async #get(broker: Broker, { key }: Planned): Promise<Micro[]> {
    return [{ kind: "read", key, values: valuesOf(await broker.get<{ v: string }>(reading, [key])) }];
  }

  async #batch(broker: Broker, planned: readonly Planned[]): Promise<Micro[]> {
    const results = await broker.batch<{ v: string }>(
      planned.map(({ kind, key, value }) => (kind === "append" ? [appending, [`${value},`, key]] : [reading, [key]])),
    );
    return planned.map(({ kind, key, value }, at) =>
      kind === "append" ? { kind, key, value } : { kind, key, values: valuesOf(results[at]?.rows[0]) },
    );
  }

  /** Its reads decide nothing, but it says its statements one after the other; when it is lost, it is done again. */
  #transaction(broker: Broker, session: number): Promise<void> {
    const planned = this.#plan(4);
    const work = async (tx: Transaction) => {
      const micros: Micro[] = [];
      for (const { kind, key, value } of planned)
        if (kind === "append") {
          await tx.execute(appending, [`${value},`, key]);
          micros.push({ kind, key, value });
        } else micros.push({ kind, key, values: valuesOf(await tx.get<{ v: string }>(reading, [key])) });
      return micros;
    };
    return this.#noted(session, "transaction", planned, () => broker.transaction(work));
  }

  /** The same write under one key, sent on two connections at once: it is one operation. */
  #twice(session: number): Promise<void> {
    const append = this.#append();
    const { key, value } = append;
    const options = { key: `append ${this.#round} ${value}` };
    const others = [this.#random.below(connections), this.#random.below(connections)];
    return this.#noted(session, "transaction", [append], async () => {
      await Promise.all(
        others.map((one) => (this.#handles[one] as Broker).execute(appending, [`${value},`, key], options)),
      );
      return [{ kind: "append", key, value }];
    });
  }

  async #noted(
    session: number,
    form: Operation["form"],
    planned: readonly Planned[],
    ask: () => Promise<readonly Micro[]>,
  ): Promise<void> {
    const place = (this.#places[session] ?? 0) + 1;
    this.#places[session] = place;
    const askedAt = performance.now();
    const told = await ask().then(
      (micros) => ({ outcome: "done" as const, micros, answeredAt: performance.now() }),
      (error: unknown) => {
        const micros = planned.filter(({ kind }) => kind === "append") as unknown as readonly Micro[];
        return { outcome: outcomeOf(error), micros, answeredAt: Number.POSITIVE_INFINITY };
      },
    );
    this.#operations.push({ id: this.#operations.length, session, place, form, askedAt, ...told });
  }

  // ── money ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** In a transaction that looks first, or in a batch that is refused when there is not enough. */
  async #move(broker: Broker): Promise<void> {
    const [from, to, sum] = [this.#random.below(accounts), this.#random.below(accounts), 1 + this.#random.below(60)];
    const taking = "update account set sum = sum - ? where id = ?";
    const giving = "update account set sum = sum + ? where id = ?";
    const moved = this.#random.chance(0.5)
      ? broker.transaction(async (tx) => {
          const has = await tx.get<{ sum: number }>("select sum from account where id = ?", [from]);
          if (has === undefined || has.sum < sum) return;
          await tx.execute("update account set sum = ? where id = ?", [has.sum - sum, from]);
          await tx.execute(giving, [sum, to]);
        })
      : broker.batch([
          [taking, [sum, from]],
          [giving, [sum, to]],
        ]);
    await moved.catch(outcomeOf);
  }

  /** Half of them by one statement and half by another: of one snapshot all the same. */
  async #count(broker: Broker): Promise<void> {
    const counting = "select sum from account where id % 2 = ?";
    const halves = await broker
      .batch<{ sum: number }>([
        [counting, [0]],
        [counting, [1]],
      ])
      .catch(outcomeOf);
    if (typeof halves !== "string")
      this.#balances.push({ sums: halves.flatMap(({ rows }) => rows).map((row) => row.sum) });
  }

  // ── plans ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  #keys(): string[] {
    return Array.from({ length: keys }, (_, n) => `${this.#round}-${n}`);
  }

  #key(): string {
    return `${this.#round}-${this.#random.below(keys)}`;
  }

  #append(): Planned {
    return { kind: "append", key: this.#key(), value: this.#nextValue++ };
  }

  #read(): Planned {
    return { kind: "read", key: this.#key(), value: 0 };
  }

  #plan(length: number): Planned[] {
    return Array.from({ length }, () => (this.#random.chance(0.5) ? this.#append() : this.#read()));
  }
}

/** An error that is none of the broker's is a mistake of ours. */
function outcomeOf(error: unknown): "not done" | "unknown" {
  if (!isHoldfastError(error)) throw error;
  return error.outcome === "none" ? "not done" : "unknown";
}

function valuesOf(row: { readonly v: string } | undefined): number[] {
  if (row === undefined) throw new Error("a list is gone");
  return row.v.split(",").slice(0, -1).map(Number);
}
