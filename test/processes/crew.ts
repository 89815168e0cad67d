/**
 * Several member processes at work on one broker, and what is true of the database when all is over: every
 * acknowledged operation is there exactly once, every other at most once, tokens only rise.
 */
import assert from "node:assert/strict";
import { type ChildProcess, fork } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Broker } from "../../src/client/index.js";
import type { RefusalCode } from "../../src/terms/index.js";
import type { Home, Life } from "../support/broker.js";
import { built } from "../support/built.js";
import { standStillFor, within } from "../support/patience.js";
import { kill, known, stop } from "../support/processes.js";
import { contradictions, look, type Told } from "./crew-judge.js";
import { linesOf } from "./member-ledger.js";
import type { FromMember, Order, ToMember, Work } from "./orders.js";

const program = fileURLToPath(new URL("./member.main.js", import.meta.url));

export interface CrewOptions {
  readonly members: number;
  readonly works: readonly Work[];
  readonly start: boolean;
  readonly forgiven?: readonly RefusalCode[];
  readonly mayBeUnknown?: boolean;
}

interface Member {
  readonly number: number;
  readonly child: ChildProcess;
  readonly ledger: string;
  acknowledged: number;
  killed: boolean;
}

export class Crew {
  readonly #home: Home;
  readonly #options: CrewOptions;
  readonly #members: Member[] = [];
  readonly #failures: string[] = [];
  readonly #waiting: (() => void)[] = [];

  /** Makes the tables and starts the members; resolves when all are connected. */
  static async start(life: Life, home: Home, options: CrewOptions): Promise<Crew> {
    const crew = new Crew(life, home, options);
    const connected = Array.from({ length: options.members }, (_, number) => crew.#hire(number));
    await within("all members to connect", Promise.all(connected));
    return crew;
  }

  /** To be called before the first member works. */
  static async prepare(broker: Broker, members: number): Promise<void> {
    await broker.script(
      `create table item (member integer, n integer, primary key (member, n));
       create table counter (member integer primary key, n integer);
       create table shared (n integer);
       insert into shared values (0);
       create table part (member integer, n integer, part integer);
       create table named (key text);
       create table held (id integer primary key autoincrement, token integer, member integer, n integer)`,
    );
    for (let member = 0; member < members; member++)
      await broker.execute("insert into counter values (?, 0)", [member]);
  }

  private constructor(life: Life, home: Home, options: CrewOptions) {
    this.#home = home;
    this.#options = options;
    life.after(() => {
      for (const { child } of this.#members)
        if (child.exitCode === null && child.signalCode === null) kill(known(child.pid ?? 0), "SIGKILL");
    });
  }

  /** Operations acknowledged so far, of all. */
  get acknowledged(): number {
    return this.#members.reduce((sum, member) => sum + member.acknowledged, 0);
  }

  get failures(): readonly string[] {
    return this.#failures;
  }

  /** Resolves when every member has had so many more operations acknowledged from now on. */
  async eachGoesOn(operations: number): Promise<void> {
    const goals = this.#living.map((member) => ({ member, acknowledged: member.acknowledged + operations }));
    const reached = () => goals.every(({ member, acknowledged }) => member.acknowledged >= acknowledged);
    await within(`${operations} more operations of each member`, this.#until(reached));
  }

  /** Resolves when all together have had so many more operations acknowledged. */
  async allGoOn(operations: number): Promise<void> {
    const goal = this.acknowledged + operations;
    await within(
      `${operations} more operations`,
      this.#until(() => this.acknowledged >= goal),
    );
  }

  /** Lets all finish what they have begun. */
  async finish(): Promise<void> {
    const ended = this.#living.map(({ child }) => new Promise<void>((resolve) => child.once("exit", () => resolve())));
    for (const { child } of this.#living) if (child.connected) child.send({ kind: "finish" } satisfies ToMember);
    await within("the members to finish", Promise.all(ended));
    assert.deepEqual(this.#failures, []);
  }

  /** Compares the ledgers of the members with the database. */
  async check(broker: Broker): Promise<{ readonly acknowledged: number }> {
    assert.deepEqual(await this.contradictions(broker), []);
    const lines = this.#told().flatMap((one) => one.lines);
    const acknowledged = lines.filter(({ end }) => end === "ok").length;
    assert.ok(acknowledged > 0);
    return { acknowledged };
  }

  /** The same at any time, also while they work. */
  async contradictions(broker: Broker): Promise<string[]> {
    const before = this.#told();
    const there = await look(broker);
    return contradictions(before, there, this.#told());
  }

  #told(): Told[] {
    return this.#members.map(({ number, ledger }) => ({
      member: number,
      lines: existsSync(ledger) ? linesOf(readFileSync(ledger, "utf8")) : [],
    }));
  }

  /** Kills one of them; another takes its place. Resolves when that one is connected. */
  async killOne(pick: (among: number) => number): Promise<void> {
    const living = this.#living;
    const one = living[pick(living.length)];
    if (one === undefined) throw new Error("nobody is left");
    one.killed = true;
    const ended = new Promise<void>((resolve) => one.child.once("exit", () => resolve()));
    kill(known(one.child.pid ?? 0), "SIGKILL");
    await within("the end of a member", ended);
    await within("another member", this.#hire(this.#members.length, one));
  }

  /** Stops one of them, and lets it go on after so long. */
  async stopOne(pick: (among: number) => number, ms: number): Promise<void> {
    const living = this.#living;
    const process_ = known(living[pick(living.length)]?.child.pid ?? 0);
    await stop(process_);
    await standStillFor(ms);
    kill(process_, "SIGCONT");
  }

  get #living(): Member[] {
    return this.#members.filter(({ killed }) => !killed);
  }

  #hire(number: number, before?: Member): Promise<void> {
    const { works, start, forgiven = [], mayBeUnknown = false } = this.#options;
    const env = Object.fromEntries(
      Object.entries(process.env).filter(([name]) => !name.startsWith("HOLDFAST_") && name !== "NODE_OPTIONS"),
    );
    const child = fork(program, { env, stdio: ["ignore", "inherit", "inherit", "ipc"], execArgv: [] });
    const ledger = join(this.#home.dir, `member-${number}.ledger`);
    const member: Member = { number, child, ledger, acknowledged: 0, killed: false };
    this.#members.push(member);
    const order: Order = {
      library: built.library,
      dir: this.#home.dir,
      member: number,
      ledger,
      start,
      works,
      forgiven,
      mayBeUnknown,
      before: before === undefined ? undefined : { member: before.number, ledger: before.ledger },
    };
    return new Promise((resolve, reject) => {
      child.once("exit", (code, signal) =>
        reject(new Error(`member ${number} ended (${code ?? signal}) before it was connected`)),
      );
      child.on("message", (message) => {
        const word = message as FromMember;
        if (word.kind === "listening") child.send({ kind: "begin", order } satisfies ToMember);
        else if (word.kind === "connected") resolve();
        else if (word.kind === "failed") this.#failed(member, word.error, reject);
        else if (word.kind === "acknowledged") member.acknowledged = word.count;
        this.#wake();
      });
    });
  }

  #failed({ number, child }: Member, error: string, reject: (error: Error) => void): void {
    this.#failures.push(`member ${number}: ${error}`);
    reject(new Error(error));
    kill(known(child.pid ?? 0), "SIGKILL");
  }

  async #until(reached: () => boolean): Promise<void> {
    while (!reached()) {
      assert.deepEqual(this.#failures, []);
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
