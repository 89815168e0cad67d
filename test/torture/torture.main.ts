/**
 * npm run torture -- --kills N         programs, their broker and its children, killed at random, each time looked at
 * npm run torture -- --power N         losses of power, at any call to the disk, with torn writes
 * npm run torture -- --calls           each call to the disk fails once
 * npm run torture -- --fuzz N          messages and SQL that nobody should send
 * npm run torture -- --locks [--rounds N]        contenders for locks and their broker, stopped and killed at random
 * npm run torture -- --consistency     programs that write and read, their broker killed on the way, judged as one order
 *
 * --minutes M ends it then; without any of the above all are done, each for its share of that time. --seed S does again
 * what was done under that seed, as far as chance is ours. The last line tells what came of it; 1 is the end of a bad one.
 */
import { parseArgs } from "node:util";
import { consistencyRun } from "../consistency/long-run.js";
import { Chaos, summary } from "../processes/chaos.js";
import { Home, type Life } from "../support/broker.js";
import { sweep, sweepSummary } from "./call-sweep.js";
import { fuzzRun, fuzzSummary } from "./fuzz.js";
import { killRun, killSummary } from "./kill-loop.js";
import { powerRun, powerSummary } from "./power.js";

interface Told {
  readonly wrong: readonly string[];
  readonly summary: string;
}

const { values } = parseArgs({
  options: {
    kills: { type: "string" },
    power: { type: "string" },
    calls: { type: "boolean", default: false },
    fuzz: { type: "string" },
    locks: { type: "boolean", default: false },
    rounds: { type: "string", default: "200" },
    consistency: { type: "boolean", default: false },
    minutes: { type: "string" },
    seed: { type: "string" },
  },
});
const seed = Number(values.seed ?? Math.floor(performance.now() * 1000) % 2 ** 31);
const lasts: (() => void | Promise<void>)[] = [];
const life: Life = { after: (clean) => lasts.push(clean) };

/** Those that are asked for, or all. */
function asked(): ((forMs: number) => Promise<Told>)[] {
  const chosen = [
    values.kills === undefined ? undefined : (forMs: number) => kills(Number(values.kills), forMs),
    values.power === undefined ? undefined : (forMs: number) => power(Number(values.power), forMs),
    values.calls ? calls : undefined,
    values.fuzz === undefined ? undefined : (forMs: number) => fuzz(Number(values.fuzz), forMs),
    values.locks ? locks : undefined,
    values.consistency ? consistency : undefined,
  ].filter((run) => run !== undefined);
  if (chosen.length > 0) return chosen;
  const endless = [kills, power, fuzz].map((run) => (forMs: number) => run(Infinity, forMs));
  return [...endless, calls, consistency];
}

async function kills(n: number, forMs: number): Promise<Told> {
  const report = await killRun({ seed, kills: n, forMs });
  return { wrong: report.wrong, summary: killSummary(report) };
}

async function power(points: number, forMs: number): Promise<Told> {
  const report = await powerRun(life, { seed, points, forMs });
  return { wrong: report.wrong, summary: powerSummary(report) };
}

async function calls(forMs: number): Promise<Told> {
  const report = await sweep(life, { seed, forMs, tell: (line) => process.stdout.write(`${line}\n`) });
  return { wrong: report.wrong, summary: sweepSummary(report) };
}

async function fuzz(n: number, forMs: number): Promise<Told> {
  const report = await fuzzRun(life, { seed, decoded: n, share: 0.02, forMs });
  return { wrong: report.wrong, summary: fuzzSummary(report) };
}

async function locks(): Promise<Told> {
  const report = await new Chaos(life, new Home(life)).run(Number(values.rounds));
  return { wrong: report.contradictions, summary: summary(report) };
}

function consistency(forMs: number): Promise<Told> {
  return consistencyRun(life, Math.min(forMs, 300_000) / 60_000);
}

process.stdout.write(`seed ${seed}\n`);
try {
  const all = asked();
  const several = all.length > 1 ? 30 : Infinity;
  const forMs = (Number(values.minutes ?? several) * 60_000) / all.length;
  for (const run of all) {
    const { wrong, summary: line } = await run(forMs);
    for (const one of wrong) process.stdout.write(`${one}\n`);
    process.stdout.write(`${line}\n`);
    if (wrong.length > 0) process.exitCode = 1;
  }
} finally {
  for (const clean of lasts) await clean();
}
