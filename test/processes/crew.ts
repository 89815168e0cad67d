/**
 * Several member processes at work on one broker, and what is true of the database when all is over: every
 * acknowledged operation is there exactly once, every other at most once, tokens only rise.
 */
import assert from "node:assert/strict";
import { type ChildProcess, fork } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Broker } from "../../src/client/index.js";
import type { RefusalCode } from "../../src/terms/index.js";
import type { Home, Life } from "../support/broker.js";
import { built } from "../support/built.js";
import { within } from "../support/patience.js";
import { kill, known } from "../support/processes.js";
import type { FromMember, LedgerLine, Order, ToMember, Work } from "./orders.js";

const program = fileURLToPath(new URL("./member.main.js", import.meta.url));

export interface CrewOptions {
  readonly members: number;
  readonly works: readonly Work[];
  readonly start: boolean;
  readonly forgiven?: RefusalCode;
}

interface Member {
  readonly number: number;
  readonly child: ChildProcess;
  readonly ledger: string;
  acknowledged: number;
}

export class Crew {
  readonly #home: Home;
  readonly #members: Member[] = [];
  readonly #failures: string[] = [];
  readonly #waiting: (() => void)[] = [];

  /** Makes the tables and starts the members; resolves when all are connected. */
  static async start(life: Life, home: Home, options: CrewOptions): Promise<Crew> {
    const crew = new Crew(life, home);
    const connected = Array.from({ length: options.members }, (_, number) => crew.#hire(number, options));
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
       create table held (id integer primary key autoincrement, token integer, member integer, n integer)`,
    );
    for (let member = 0; member < members; member++)
      await broker.execute("insert into counter values (?, 0)", [member]);
  }

  private constructor(life: Life, home: Home) {
    this.#home = home;
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
    const goals = this.#members.map((member) => member.acknowledged + operations);
    const reached = () => this.#members.every((member, i) => member.acknowledged >= (goals[i] ?? 0));
    await within(`${operations} more operations of each member`, this.#until(reached));
  }

  /** Lets all finish what they have begun. */
  async finish(): Promise<void> {
    const ended = this.#members.map(({ child }) => new Promise<void>((resolve) => child.once("exit", () => resolve())));
    for (const { child } of this.#members) if (child.connected) child.send({ kind: "finish" } satisfies ToMember);
    await within("the members to finish", Promise.all(ended));
    assert.deepEqual(this.#failures, []);
  }

  /** Compares the ledgers of the members with the database. */
  async check(broker: Broker): Promise<{ readonly acknowledged: number }> {
    let acknowledged = 0;
    const fenced: LedgerLine[] = [];
    for (const { number, ledger } of this.#members) {
      const lines = readLedger(ledger);
      acknowledged += lines.filter(({ end }) => end === "ok").length;
      await checkInserts(broker, number, lines);
      await checkCounter(broker, number, lines);
      checkTokens(number, lines);
      fenced.push(...lines.filter(({ work }) => work === "fenced"));
    }
    await checkFenced(broker, fenced);
    const integrity = await broker.query("pragma integrity_check");
    assert.deepEqual(
      integrity.map((row) => ({ ...row })),
      [{ integrity_check: "ok" }],
    );
    assert.ok(acknowledged > 0);
    return { acknowledged };
  }

  #hire(number: number, { works, start, forgiven }: CrewOptions): Promise<void> {
    const env = Object.fromEntries(
      Object.entries(process.env).filter(([name]) => !name.startsWith("HOLDFAST_") && name !== "NODE_OPTIONS"),
    );
    const child = fork(program, { env, stdio: ["ignore", "inherit", "inherit", "ipc"], execArgv: [] });
    const ledger = join(this.#home.dir, `member-${number}.ledger`);
    const member: Member = { number, child, ledger, acknowledged: 0 };
    this.#members.push(member);
    const order: Order = {
      library: built.library,
      dir: this.#home.dir,
      member: number,
      ledger,
      start,
      works,
      forgiven,
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

function readLedger(path: string): LedgerLine[] {
  return readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as LedgerLine);
}

/** What of one kind was sent, and what of it was acknowledged. */
function sentAndDone(
  lines: readonly LedgerLine[],
  work: Work,
): { sent: Set<number>; done: Set<number>; refused: Set<number> } {
  const of = (end: LedgerLine["end"]) =>
    new Set(lines.filter((line) => line.work === work && line.end === end).map(({ n }) => n));
  return { sent: of("sent"), done: of("ok"), refused: of("no") };
}

async function checkInserts(broker: Broker, member: number, lines: readonly LedgerLine[]): Promise<void> {
  const { sent, done, refused } = sentAndDone(lines, "inserts");
  const rows = await broker.query<{ n: number }>("select n from item where member = ?", [member]);
  const there = new Set(rows.map(({ n }) => n));
  // The primary key sees to it that nothing is there twice; a second try would have been refused.
  assert.deepEqual(
    [...done].filter((n) => !there.has(n)),
    [],
    `acknowledged inserts of member ${member} that are gone`,
  );
  assert.deepEqual(
    [...there].filter((n) => !sent.has(n)),
    [],
    `rows of member ${member} that nobody sent`,
  );
  assert.deepEqual(
    [...refused].filter((n) => there.has(n)),
    [],
    `rows of member ${member} that were said not to be applied`,
  );
}

async function checkCounter(broker: Broker, member: number, lines: readonly LedgerLine[]): Promise<void> {
  const { sent, done, refused } = sentAndDone(lines, "counter");
  const most = sent.size - refused.size;
  const row = await broker.get<{ n: number }>("select n from counter where member = ?", [member]);
  const n = row?.n ?? -1;
  assert.ok(
    n >= done.size && n <= most,
    `the counter of member ${member} is ${n}; ${done.size} were acknowledged, ${most} sent and not refused`,
  );
}

/** As one client sees it, in the order of its own log. */
function checkTokens(member: number, lines: readonly LedgerLine[]): void {
  let before = 0;
  for (const { token, end } of lines) {
    if (token === undefined || end !== "sent") continue;
    assert.ok(token > before, `member ${member} was given token ${token} after ${before}`);
    before = token;
  }
}

async function checkFenced(broker: Broker, lines: readonly LedgerLine[]): Promise<void> {
  const held = await broker.query<{ id: number; token: number; n: number }>(
    "select id, token, n from held order by id",
  );
  const row = await broker.get<{ n: number }>("select n from shared");
  // Each wrote one more than it had read, so a lost or doubled one would show here.
  assert.equal(row?.n, held.length);
  for (const [i, { n, token }] of held.entries()) {
    assert.equal(n, i + 1);
    assert.ok(token > (held[i - 1]?.token ?? 0), `token ${token} wrote after token ${held[i - 1]?.token}`);
  }
  const tokens = new Set(held.map(({ token }) => token));
  const done = lines.filter(({ end }) => end === "ok");
  assert.deepEqual(
    done.filter(({ token }) => !tokens.has(token ?? 0)),
    [],
    "acknowledged fenced writes that are gone",
  );
}
