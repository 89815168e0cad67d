/**
 * Where a benchmark is played: a broker, an echo server and a database of their own in a private temporary directory,
 * all ended and removed after.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Broker } from "../src/client/index.js";
import { type EphemeralBroker, ephemeralBroker } from "../src/client/testing.js";
import { cpuMsOf } from "./crew/cpu.js";
import { type CrewOutcome, runCrew } from "./crew/crew.js";
import type { WorkloadName } from "./crew/order.js";
import { openDirect } from "./floor/direct.js";

const schema = [
  "create table written (id integer primary key, member integer, n integer, note text)",
  "create table stock (id integer primary key, note text)",
];
const stockRows =
  "insert into stock with recursive n(i) as (select 0 union all select i + 1 from n where i < 9999) select i, 'note ' || i from n";

/** What is installed, and not what the tests run on: one file per process. */
export const bundledFront = fileURLToPath(new URL("../../dist/front.js", import.meta.url));

export interface Measured extends CrewOutcome {
  /** CPU time of all processes of the broker per operation, µs. */
  readonly brokerCpuUs: number | undefined;
}

export class Stage {
  readonly #broker: EphemeralBroker;
  readonly #admin: Broker;
  readonly #echo: ChildProcess;
  readonly #directory: string;
  readonly seconds: number;

  static async open(seconds: number): Promise<Stage> {
    const directory = mkdtempSync(join(tmpdir(), "holdfast-bench-"));
    const direct = openDirect(join(directory, "direct.db"));
    for (const sql of [...schema, stockRows]) direct.exec(sql);
    direct.close();
    const echo = fork(fileURLToPath(new URL("./floor/echo-server.main.js", import.meta.url)), [
      join(directory, "echo.sock"),
    ]);
    await once(echo, "message");
    const broker = await ephemeralBroker({ entry: bundledFront });
    const admin = await broker.connect();
    for (const sql of [...schema, stockRows]) await admin.execute(sql);
    return new Stage({ broker, admin, echo, directory, seconds });
  }

  private constructor(parts: {
    broker: EphemeralBroker;
    admin: Broker;
    echo: ChildProcess;
    directory: string;
    seconds: number;
  }) {
    this.#broker = parts.broker;
    this.#admin = parts.admin;
    this.#echo = parts.echo;
    this.#directory = parts.directory;
    this.seconds = parts.seconds;
  }

  async run(workload: WorkloadName, processes: number, connections: number, echoBytes = 160): Promise<Measured> {
    const pids = workload.startsWith("broker") ? (await this.#admin.status()).processes.map(({ pid }) => pid) : [];
    const cpuMs: (number | undefined)[] = [];
    const look = () => {
      cpuMs.push(cpuMsOf(pids));
    };
    const order = {
      workload,
      dir: this.#broker.dir,
      echoSocket: join(this.#directory, "echo.sock"),
      database: join(this.#directory, "direct.db"),
      connections,
      seconds: this.seconds,
      echoBytes,
    };
    const outcome = await runCrew(processes, order, { before: look, after: look });
    const [before, after] = cpuMs;
    const known = pids.length > 0 && before !== undefined && after !== undefined;
    return { ...outcome, brokerCpuUs: known ? ((after - before) * 1000) / outcome.operations : undefined };
  }

  async close(): Promise<void> {
    await this.#admin.close();
    await this.#broker.stop();
    this.#echo.disconnect();
    if (this.#echo.exitCode === null) await once(this.#echo, "exit");
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
