/**
 * Programs at work, and a hand that kills and stops at random: the broker, its writer, its readers, the programs. After
 * each kill the programs' own records are compared with the database.
 */
import type { RefusalCode } from "../../src/terms/index.js";
import { Crew } from "../processes/crew.js";
import { Random } from "../simulation/random.js";
import { Home, type Life, successorOf } from "../support/broker.js";
import { Canary } from "../support/canary.js";
import { standStillFor, until } from "../support/patience.js";
import { gone, type KnownProcess, kill, known, stop } from "../support/processes.js";

export interface KillOptions {
  readonly seed: number;
  readonly kills: number;
  /** When it is over nobody is killed any more. Milliseconds from now. */
  readonly forMs?: number;
}

type Victim = "broker" | "writer" | "reader" | "client";
type Act = Victim | "stop";

export interface KillReport {
  readonly seed: number;
  readonly kills: { readonly [One in Victim]: number };
  readonly stops: number;
  readonly databases: number;
  readonly acknowledged: number;
  readonly wrong: readonly string[];
}

/** Then a database is begun anew: a small one is looked at quickly. */
const killsOfDatabase = 40;
const members = 4;
/** What ran in the writer that was killed, or was lost with it. */
const forgiven: readonly RefusalCode[] = ["STATEMENT_CRASHED", "TX_LOST"];
/** Far less than the window of a session. */
const stoppedMsMax = 300;
const odds: { readonly [One in Act]: number } = { broker: 3, writer: 3, reader: 2, client: 2, stop: 1.5 };

export async function killRun({ seed, kills, forMs = Infinity }: KillOptions): Promise<KillReport> {
  const random = new Random(seed);
  const end = performance.now() + forMs;
  const done = { broker: 0, writer: 0, reader: 0, client: 0 };
  const report = { seed, kills: done, stops: 0, databases: 0, acknowledged: 0, wrong: [] as string[] };
  const left = () => (performance.now() > end ? 0 : kills - count(done));
  while (left() > 0 && report.wrong.length === 0) {
    const lasts = new Lasts();
    try {
      const loop = await KillLoop.start(lasts, random);
      const goal = count(done) + Math.min(killsOfDatabase, left());
      while (count(done) < goal && left() > 0 && report.wrong.length === 0) {
        const act = random.weighted(odds);
        report.wrong.push(...(await loop.strike(act)));
        if (act === "stop") report.stops++;
        else done[act]++;
      }
      const { acknowledged, wrong } = await loop.end();
      report.acknowledged += acknowledged;
      report.wrong.push(...wrong);
      report.databases++;
    } catch (error) {
      report.wrong.push(sentence(error));
    }
    await lasts.run().catch((error: unknown) => report.wrong.push(sentence(error)));
  }
  return report;
}

function sentence(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** One line for people. */
export function killSummary({ seed, kills, stops, databases, acknowledged, wrong }: KillReport): string {
  return (
    `kills, seed ${seed}: ${count(kills)} (${kills.broker} of the broker, ${kills.writer} of the writer, ${kills.reader} of readers, ` +
    `${kills.client} of clients), ${stops} stopped, ${databases} databases, ${acknowledged} acknowledged operations, ` +
    `${wrong.length} contradictions`
  );
}

export function count(kills: KillReport["kills"]): number {
  return Object.values(kills).reduce((sum, n) => sum + n, 0);
}

/** The programs end before the broker: they would start another one. */
class Lasts {
  readonly #programs: (() => void | Promise<void>)[] = [];
  readonly #broker: (() => void | Promise<void>)[] = [];

  readonly programs: Life = { after: (act) => this.#programs.push(act) };
  readonly broker: Life = { after: (act) => this.#broker.push(act) };

  async run(): Promise<void> {
    for (const act of [...this.#programs, ...this.#broker]) await act();
  }
}

/** One database and its programs. */
class KillLoop {
  readonly #home: Home;
  readonly #random: Random;
  readonly #crew: Crew;
  readonly #canary: Canary;
  #front: KnownProcess;

  static async start(lasts: Lasts, random: Random): Promise<KillLoop> {
    const home = new Home(lasts.broker);
    await Crew.prepare(await home.connect({ start: true }), members + killsOfDatabase);
    const crew = await Crew.start(lasts.programs, home, {
      members,
      works: ["inserts", "counter", "fenced", "transactions", "named"],
      start: true,
      forgiven,
      mayBeUnknown: true,
    });
    const canary = await Canary.start(home, { forgiven });
    return new KillLoop(home, random, { crew, canary, front: known((await home.status()).pid) });
  }

  private constructor(home: Home, random: Random, at: { crew: Crew; canary: Canary; front: KnownProcess }) {
    this.#home = home;
    this.#random = random;
    this.#crew = at.crew;
    this.#canary = at.canary;
    this.#front = at.front;
  }

  /** Gives what is wrong afterwards. */
  async strike(act: Act): Promise<string[]> {
    // Some die as soon as they are there.
    if (this.#random.chance(0.75)) await this.#crew.allGoOn(1 + this.#random.below(30));
    switch (act) {
      case "broker":
        kill(this.#front, "SIGKILL");
        this.#front = await successorOf(this.#home, this.#front);
        break;
      case "writer":
      case "reader": {
        const child = await this.#child(act);
        kill(child, "SIGKILL");
        await gone(`the ${act}`, child);
        break;
      }
      case "client":
        await this.#crew.killOne((among) => this.#random.below(among));
        break;
      case "stop":
        await this.#stop();
        break;
    }
    return this.#crew.contradictions(await this.#look());
  }

  async end(): Promise<{ acknowledged: number; wrong: string[] }> {
    await this.#crew.eachGoesOn(5);
    await this.#canary.goesOn();
    await this.#crew.finish();
    return { acknowledged: this.#crew.acknowledged, wrong: await this.#crew.contradictions(await this.#look()) };
  }

  #handle: ReturnType<Home["connect"]> | undefined;

  #look(): ReturnType<Home["connect"]> {
    this.#handle ??= this.#home.connect({ program: "judge" });
    return this.#handle;
  }

  /** The one that was killed last may not have its successor yet. */
  #child(role: "writer" | "reader"): Promise<KnownProcess> {
    return until(`a ${role}`, () => this.#home.processOf(role).catch(() => undefined));
  }

  async #stop(): Promise<void> {
    const ms = this.#random.below(stoppedMsMax);
    const whom = this.#random.pick(["broker", "writer", "reader", "client"] as const);
    if (whom === "client") return this.#crew.stopOne((among) => this.#random.below(among), ms);
    const victim = whom === "broker" ? this.#front : await this.#child(whom);
    await stop(victim);
    await standStillFor(ms);
    kill(victim, "SIGCONT");
  }
}
