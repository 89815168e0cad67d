/**
 * More than two contenders for two locks, and a hand that stops and kills them and their broker at random; then the
 * histories of all of them are judged together.
 */
import { type ChildProcess, fork } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Home, type Life, successorOf } from "../support/broker.js";
import { built } from "../support/built.js";
import { standStillFor, within } from "../support/patience.js";
import { type KnownProcess, kill, known, stop } from "../support/processes.js";
import type { ContenderOrder } from "./contender.main.js";
import { contradictions, grantsOf, type Line, type Story } from "./lock-history.js";

const program = fileURLToPath(new URL("./contender.main.js", import.meta.url));
const names = ["x", "y"];
const contenders = 5;
/** The longest that anybody is stopped; far less than the window of a session. */
const stoppedMsMax = 300;

interface Contender {
  readonly member: string;
  readonly child: ChildProcess;
  readonly process: KnownProcess;
  readonly file: string;
  held: number;
  killedAt: number | undefined;
}

export interface ChaosReport {
  readonly rounds: number;
  readonly kills: number;
  readonly stops: number;
  readonly brokerKills: number;
  readonly brokerStops: number;
  readonly members: number;
  readonly grants: number;
  readonly contradictions: readonly string[];
}

export class Chaos {
  readonly #home: Home;
  readonly #all: Contender[] = [];
  readonly #disturbances: number[] = [];
  readonly #done = { kills: 0, stops: 0, brokerKills: 0, brokerStops: 0 };
  #waiting: (() => void)[] = [];
  #failure: string | undefined;

  constructor(life: Life, home: Home) {
    this.#home = home;
    life.after(() => {
      for (const { process } of this.#all) kill(process, "SIGKILL");
    });
  }

  /** Each round: some more locks are had, and then somebody is stopped or killed. */
  async run(rounds: number): Promise<ChaosReport> {
    const setup = await this.#home.connect({ start: true });
    await setup.script("create table register (name text primary key, n integer)");
    for (const name of names) await setup.execute("insert into register values (?, 0)", [name]);
    await setup.close();
    for (let n = 0; n < contenders; n++) this.#hire();
    let front = known((await this.#home.status()).pid);
    for (let round = 0; round < rounds; round++) {
      await this.#goesOn(2);
      front = await this.#strike(front);
    }
    await this.#goesOn(contenders);
    await this.#finish();
    return this.#report(rounds);
  }

  async #strike(front: KnownProcess): Promise<KnownProcess> {
    const chance = Math.random();
    const living = this.#living;
    const victim = living[Math.floor(Math.random() * living.length)];
    this.#disturbances.push(now());
    if (chance < 0.12) {
      this.#done.brokerKills++;
      kill(front, "SIGKILL");
      const next = await successorOf(this.#home, front);
      this.#disturbances.push(now());
      return next;
    }
    if (chance < 0.22) {
      this.#done.brokerStops++;
      await this.#standStill(front);
    } else if (victim !== undefined && chance < 0.6) {
      this.#done.kills++;
      victim.killedAt = now();
      kill(victim.process, "SIGKILL");
      this.#hire();
    } else if (victim !== undefined) {
      this.#done.stops++;
      await this.#standStill(victim.process);
    }
    this.#disturbances.push(now());
    return front;
  }

  async #standStill(process: KnownProcess): Promise<void> {
    await stop(process);
    await standStillFor(Math.random() * stoppedMsMax);
    kill(process, "SIGCONT");
  }

  get #living(): Contender[] {
    return this.#all.filter(({ killedAt }) => killedAt === undefined);
  }

  #hire(): void {
    const member = `contender-${this.#all.length}`;
    const file = join(this.#home.dir, `${member}.history`);
    const order: ContenderOrder = { library: built.library, dir: this.#home.dir, member, file, names };
    const env = Object.fromEntries(
      Object.entries(process.env).filter(([name]) => !name.startsWith("HOLDFAST_") && name !== "NODE_OPTIONS"),
    );
    const stdio = ["ignore", "inherit", "inherit", "ipc"] as const;
    const child = fork(program, [JSON.stringify(order)], { env, stdio: [...stdio], execArgv: [] });
    const one: Contender = { member, child, process: known(child.pid ?? 0), file, held: 0, killedAt: undefined };
    this.#all.push(one);
    child.on("message", () => {
      one.held++;
      this.#wake();
    });
    child.once("exit", (code) => {
      if (one.killedAt === undefined && code !== 0) this.#failure ??= `${member} ended with ${code}`;
      this.#wake();
    });
  }

  /** So many more locks are had and given back by all together. */
  async #goesOn(locks: number): Promise<void> {
    const count = () => this.#all.reduce((sum, { held }) => sum + held, 0);
    const goal = count() + locks;
    const reached = async () => {
      while (count() < goal) {
        if (this.#failure !== undefined) throw new Error(this.#failure);
        await new Promise<void>((resolve) => this.#waiting.push(resolve));
      }
    };
    await within(`${locks} more locks to be had`, reached());
  }

  async #finish(): Promise<void> {
    const ended = this.#living.map(({ child }) => new Promise<void>((resolve) => child.once("exit", () => resolve())));
    for (const { child } of this.#living) child.send({ kind: "finish" });
    await within("the contenders to finish", Promise.all(ended));
    if (this.#failure !== undefined) throw new Error(this.#failure);
  }

  #report(rounds: number): ChaosReport {
    const stories = this.#all.map(storyOf);
    return {
      ...{ rounds, ...this.#done, members: this.#all.length },
      grants: stories.flatMap(grantsOf).length,
      contradictions: contradictions(stories, this.#disturbances),
    };
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
    this.#waiting = [];
  }
}

/** One line for people. */
export function summary({
  rounds,
  kills,
  stops,
  brokerKills,
  brokerStops,
  members,
  grants,
  ...rest
}: ChaosReport): string {
  return (
    `chaos: ${rounds} rounds, ${members} contenders, ${grants} grants, ${kills} killed, ${stops} stopped, ` +
    `broker ${brokerKills} times killed and ${brokerStops} times stopped, ${rest.contradictions.length} contradictions`
  );
}

function storyOf({ member, file, killedAt }: Contender): Story {
  // Killed before its first word.
  const text = existsSync(file) ? readFileSync(file, "utf8") : "";
  // The last line of one that was killed may be half of one.
  const lines = text.slice(0, text.lastIndexOf("\n") + 1).split("\n");
  const read = lines.filter((line) => line !== "").map((line) => JSON.parse(line) as Line);
  return killedAt === undefined ? { member, lines: read } : { member, lines: read, killedAt };
}

/** The same clock as the contenders'. */
function now(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
