/**
 * npm run simulate -- --seeds N [--from S] [--jobs J] [--minutes M]     many lives, and one line of what they come to
 * npm run simulate -- --seed S --trace                                  one life, to be read
 *
 * After so many minutes no more lives are begun; the line says how many there were.
 */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { missing, surplus } from "./combinations.js";
import { liveAll } from "./jobs.js";
import { LifeFailure, live } from "./swarm.js";
import { without } from "./throwers.js";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "10000" },
    from: { type: "string", default: "1" },
    minutes: { type: "string", default: "Infinity" },
    jobs: { type: "string", default: `${Math.min(2, availableParallelism())}` },
    seed: { type: "string" },
    trace: { type: "boolean", default: false },
    coverage: { type: "boolean", default: false },
    failures: { type: "string", default: "20" },
  },
});

const say = (line: string) => process.stdout.write(`${line}\n`);

if (values.seed === undefined) await many(Number(values.from), Number(values.seeds), Number(values.jobs));
else one(Number(values.seed));

function one(seed: number): void {
  try {
    const { lines, hash, events } = without(() => live(seed, values.trace));
    for (const line of lines) say(line);
    say(`seed ${seed}: ${events} events, trace ${hash}`);
  } catch (error) {
    if (!(error instanceof LifeFailure)) throw error;
    for (const line of error.lines) say(line);
    say(error.cause instanceof Error ? (error.cause.stack ?? "") : "");
    say(error.message);
    process.exitCode = 1;
  }
}

async function many(from: number, count: number, jobs: number): Promise<void> {
  const began = performance.now();
  let told = began;
  const tally = await liveAll({ from, count, failuresMax: Number(values.failures) }, jobs, (done, failed) => {
    for (const { seed, message } of failed) say(`${message}\n  npm run simulate -- --seed ${seed} --trace`);
    const now = performance.now();
    if (now - told >= 60_000) {
      told = now;
      say(`${done} seeds after ${((now - began) / 1000).toFixed(0)} s`);
    }
    return now - began < Number(values.minutes) * 60_000;
  });
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  if (values.coverage) for (const [what, times] of Object.entries(tally.counts).sort()) say(`${times}\t${what}`);
  const [never, unknown] = [missing(tally.counts), surplus(tally.counts)];
  for (const what of never) say(`never happened: ${what}`);
  for (const what of unknown) say(`not in the table: ${what} (seed ${tally.firsts[what]})`);
  const kinds = Object.keys(tally.counts).length;
  say(
    `simulation: ${tally.seeds} seeds from ${from}, ${tally.events} events, trace ${tally.hash}, ` +
      `${kinds} combinations (${never.length} missing, ${unknown.length} unknown), ${tally.failures.length} failed, ${seconds} s`,
  );
  // Fewer lives than those of the tests cannot have seen all.
  const gaps = tally.seeds >= 10_000 ? never.length + unknown.length : 0;
  if (tally.failures.length + gaps > 0) process.exitCode = 1;
}
