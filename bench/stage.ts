/**
 * Where a benchmark is played: a crew of client processes, a broker, an echo server, a database and the peers' servers,
 * each started when it is first needed, in a private temporary directory, all ended and removed after.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Broker } from "../src/client/index.js";
import { type EphemeralBroker, type EphemeralOptions, ephemeralBroker } from "../src/client/testing.js";
import { rowsOfStock } from "./crew/connection.js";
import { type Around, Crew, type CrewOutcome } from "./crew/crew.js";
import type { Contestant, Order, Places, Work } from "./crew/order.js";
import { cpuBetween, cpuOf } from "./crew/usage.js";
import { openDirect } from "./floor/direct.js";
import { Peers, whyMissing } from "./peers/peers.js";

const schema = [
  "create table written (id integer primary key, member integer, n integer, note text)",
  "create table stock (id integer primary key, note text)",
  `insert into stock with recursive n(i) as (select 0 union all select i + 1 from n where i < ${rowsOfStock - 1}) select i, 'note ' || i from n`,
];

/** What is installed, and not what the tests run on: one file per process. */
const bundledFront = fileURLToPath(new URL("../../dist/front.js", import.meta.url));

const processesQuick = 2;

/**
 * A lone client's write takes the broker 1.0 ms of the processor in its first thousands, 0.3 ms after 12,000, when Node has
 * compiled what there is; a client's own share falls alike. What is slow comes there later, or not at all.
 */
const warmOperations = 10_000;

export interface Times {
  /** Of a measurement. */
  readonly seconds: number;
  /** Longer nobody warms up, however little he has done. */
  readonly warmSeconds: number;
  /** A hundredth of everything. */
  readonly quick: boolean;
}

export interface Trial {
  readonly who: Contestant;
  readonly work: Work;
  readonly processes: number;
  readonly connections: number;
  readonly echoBytes?: number | undefined;
  /** Another broker than the common one. */
  readonly broker?: Own | undefined;
  readonly around?: Around;
  readonly seconds?: number;
}

export interface Measured extends CrewOutcome {
  /** CPU time of all processes of the server per operation, µs. */
  readonly serverCpuUs: { readonly user: number; readonly system: number } | undefined;
}

/** A broker, and a handle to it. */
export interface Own {
  readonly broker: EphemeralBroker;
  readonly admin: Broker;
}

export class Stage {
  readonly seconds: number;
  readonly #warmMsMax: number;
  readonly #quick: boolean;
  readonly crew = new Crew();
  readonly places: Places;
  readonly peers: Peers;
  readonly #directory: string;
  readonly #own: Own[] = [];
  readonly #onExit = () => rmSync(this.#directory, { recursive: true, force: true, maxRetries: 5 });
  #common: Promise<Own> | undefined;
  #echo: ChildProcess | undefined;

  constructor({ seconds, warmSeconds, quick }: Times) {
    this.seconds = seconds;
    this.#warmMsMax = warmSeconds * 1000;
    this.#quick = quick;
    // Short: a socket's path has little room. Others may pass, as PostgreSQL under another user must.
    this.#directory = mkdtempSync(join(tmpdir(), "holdfast-bench-"));
    process.once("exit", this.#onExit);
    chmodSync(this.#directory, 0o711);
    const inside = (name: string) => join(this.#directory, name);
    const filesDir = inside("files");
    mkdirSync(filesDir);
    const database = inside("direct.db");
    const direct = openDirect(database);
    for (const sql of schema) direct.exec(sql);
    direct.close();
    this.places = {
      dir: "",
      brokerSocket: "",
      echoSocket: inside("echo.sock"),
      database,
      redisSocket: inside("redis.sock"),
      postgresDir: inside("postgres"),
      liveMutexSocket: inside("live-mutex.sock"),
      filesDir,
    };
    this.peers = new Peers(this.places);
  }

  /** So many sessions, locks, rounds; when it is only to be seen that all works, a hundredth. */
  many(count: number): number {
    return this.#quick ? Math.ceil(count / 100) : count;
  }

  isMissing(who: Contestant): boolean {
    return whyMissing(who) !== undefined;
  }

  /** The broker that all share who need nothing special. */
  common(): Promise<Own> {
    this.#common ??= this.own();
    return this.#common;
  }

  /** One more, with the tables in it. */
  async own(options: EphemeralOptions = {}): Promise<Own> {
    const own = await this.empty(options);
    for (const sql of schema) await own.admin.execute(sql);
    return own;
  }

  /** One more, with nothing in it; ended at the end at the latest. */
  async empty(options: EphemeralOptions = {}): Promise<Own> {
    const broker = await ephemeralBroker({ ...options, entry: bundledFront });
    const own = { broker, admin: await broker.connect({ program: "bench" }) };
    this.#own.push(own);
    return own;
  }

  async end(own: Own): Promise<void> {
    this.#own.splice(this.#own.indexOf(own), 1);
    await own.admin.close();
    await own.broker[Symbol.asyncDispose]();
  }

  placesWith(own: Own | undefined): Places {
    return { ...this.places, dir: own?.broker.dir ?? "", brokerSocket: own?.broker.socket ?? "" };
  }

  async run(trial: Trial): Promise<Measured> {
    const { who, work, processes, connections, echoBytes = 160, seconds = this.seconds } = trial;
    const own = who === "broker" ? (trial.broker ?? (await this.common())) : undefined;
    const pids = await this.#processesOf(who, own);
    const places = this.placesWith(own);
    let [before, after] = [cpuOf([]), cpuOf([])];
    let measured: readonly number[] = [];
    const around: Around = {
      before: () => {
        measured = pids();
        before = cpuOf(measured);
        trial.around?.before();
      },
      after: () => {
        after = cpuOf(measured);
        trial.around?.after();
      },
    };
    const outcome = await this.crew.run(
      this.#quick ? Math.min(processes, processesQuick) : processes,
      { who, work, places, connections, ...this.#warmUp(seconds), seconds, echoBytes },
      around,
    );
    if (before.size === 0) return { ...outcome, serverCpuUs: undefined };
    const { userMs, systemMs } = cpuBetween(before, after);
    const perOperation = 1000 / Math.max(1, outcome.operations);
    return { ...outcome, serverCpuUs: { user: userMs * perOperation, system: systemMs * perOperation } };
  }

  #warmUp(seconds: number): Pick<Order, "warmOperations" | "warmMsMin" | "warmMsMax"> {
    const warmMsMin = Math.min(2000, seconds * 400);
    if (this.#quick) return { warmMsMin, warmOperations: 0, warmMsMax: warmMsMin };
    return { warmMsMin, warmOperations, warmMsMax: Math.max(warmMsMin, this.#warmMsMax) };
  }

  async close(): Promise<void> {
    await this.crew.close();
    for (const own of [...this.#own]) await this.end(own);
    await this.peers.stop();
    if (this.#echo !== undefined) {
      this.#echo.disconnect();
      if (this.#echo.exitCode === null) await once(this.#echo, "exit");
    }
    process.off("exit", this.#onExit);
    this.#onExit();
  }

  async #processesOf(who: Contestant, own: Own | undefined): Promise<() => number[]> {
    if (own !== undefined) {
      const { processes } = await own.admin.status();
      return () => processes.map(({ pid }) => pid);
    }
    if (who !== "echo") return this.peers.processesOf(who);
    if (this.#echo === undefined) {
      const path = fileURLToPath(new URL("./floor/echo-server.main.js", import.meta.url));
      this.#echo = fork(path, [this.places.echoSocket], { detached: true });
      await once(this.#echo, "message");
    }
    const { pid } = this.#echo;
    return () => (pid === undefined ? [] : [pid]);
  }
}
