/**
 * The innocent client that runs beside every hostile test: takes a lock, writes under it, reads what it has written,
 * over and over. One error, one row that is missing or twice, one token that goes back, and it has noticed something.
 */
import assert from "node:assert/strict";
import type { Broker } from "../../src/client/index.js";
import type { Home } from "./broker.js";
import { within } from "./patience.js";

export class Canary {
  readonly #broker: Broker;
  readonly #name: string;
  readonly #running: Promise<void>;
  #rounds = 0;
  #token = 0;
  #stopping = false;
  #waiting: { readonly rounds: number; readonly resolve: () => void }[] = [];

  static async start(home: Home, name = "canary"): Promise<Canary> {
    const broker = await home.connect({ program: name });
    await broker.execute(
      "create table if not exists canary (name text, n integer, token integer, primary key (name, n))",
    );
    const canary = new Canary(broker, name);
    home.beforeLeaving(() => canary.#stop());
    await canary.goesOn();
    return canary;
  }

  private constructor(broker: Broker, name: string) {
    this.#broker = broker;
    this.#name = name;
    this.#running = this.#run();
    // Told by goesOn() and in the end.
    this.#running.catch(() => undefined);
  }

  get rounds(): number {
    return this.#rounds;
  }

  /** Resolves when it has done two more whole rounds from now on, and nothing was wrong with any round so far. */
  async goesOn(): Promise<void> {
    const wanted = new Promise<void>((resolve) => this.#waiting.push({ rounds: this.#rounds + 3, resolve }));
    await within(`rounds of the canary after ${this.#rounds}`, Promise.race([wanted, this.#running]));
  }

  /** Nothing was wrong until the end. */
  async #stop(): Promise<void> {
    this.#stopping = true;
    await within("the canary's last round", this.#running);
    await this.#broker.close();
  }

  async #run(): Promise<void> {
    while (!this.#stopping) await this.#round();
  }

  async #round(): Promise<void> {
    const n = this.#rounds + 1;
    const values = { name: this.#name };
    await this.#broker.withLock(`canary/${this.#name}`, async (lock) => {
      assert.ok(lock.token > this.#token, `token ${lock.token} after ${this.#token}`);
      this.#token = lock.token;
      const { rowsAffected } = await lock.execute("insert into canary values (:name, :n, :token)", {
        ...values,
        n,
        token: lock.token,
      });
      assert.equal(rowsAffected, 1);
    });
    const row = await this.#broker.get<{ n: number; highest: number }>(
      "select count(*) as n, max(n) as highest from canary where name = :name",
      values,
    );
    assert.deepEqual({ ...row }, { n, highest: n });
    this.#rounds = n;
    for (const { rounds, resolve } of this.#waiting) if (rounds <= n) resolve();
    this.#waiting = this.#waiting.filter(({ rounds }) => rounds > n);
  }
}
