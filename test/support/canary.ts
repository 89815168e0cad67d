/**
 * The innocent client that runs beside every hostile test: takes a lock, writes under it, reads what it has written,
 * over and over. One error, one row that is missing or twice, one token that goes back, and it has noticed something.
 */
import assert from "node:assert/strict";
import { type Broker, isHoldfastError } from "../../src/client/index.js";
import type { RefusalCode } from "../../src/terms/index.js";
import type { Home } from "./broker.js";
import { within } from "./patience.js";

export interface CanaryOptions {
  /** Codes that this test brings upon anybody, with nothing applied: the round is done again. */
  readonly forgiven?: readonly RefusalCode[];
}

export class Canary {
  readonly #broker: Broker;
  readonly #forgiven: readonly RefusalCode[];
  readonly #running: Promise<void>;
  #rounds = 0;
  #token = 0;
  #stopping = false;
  #waiting: { readonly rounds: number; readonly resolve: () => void }[] = [];

  static async start(home: Home, { forgiven = [] }: CanaryOptions = {}): Promise<Canary> {
    const broker = await home.connect({ program: "canary" });
    await broker.execute("create table if not exists canary (n integer primary key, token integer)");
    const canary = new Canary(broker, forgiven);
    home.beforeLeaving(() => canary.#stop());
    await canary.goesOn();
    return canary;
  }

  private constructor(broker: Broker, forgiven: readonly RefusalCode[]) {
    this.#broker = broker;
    this.#forgiven = forgiven;
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
    while (!this.#stopping) {
      try {
        await this.#round();
      } catch (error) {
        if (!(isHoldfastError(error) && this.#forgiven.includes(error.code) && error.outcome === "none")) throw error;
      }
    }
  }

  async #round(): Promise<void> {
    const n = this.#rounds + 1;
    await this.#broker.withLock("canary", async (lock) => {
      assert.ok(lock.token > this.#token, `token ${lock.token} after ${this.#token}`);
      this.#token = lock.token;
      const { rowsAffected } = await lock.execute("insert into canary values (:n, :token)", { n, token: lock.token });
      assert.equal(rowsAffected, 1);
    });
    const row = await this.#broker.get<{ n: number; highest: number }>(
      "select count(*) as n, max(n) as highest from canary",
    );
    assert.deepEqual({ ...row }, { n, highest: n });
    this.#rounds = n;
    for (const { rounds, resolve } of this.#waiting) if (rounds <= n) resolve();
    this.#waiting = this.#waiting.filter(({ rounds }) => rounds > n);
  }
}
