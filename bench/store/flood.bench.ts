/**
 * A polite client beside one that asks for as much as it may: what does it feel? And what would it feel beside processes
 * that keep as many processors busy and ask the broker for nothing?
 */
import { type ChildProcess, spawn } from "node:child_process";
import { availableParallelism } from "node:os";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import type { Broker } from "../../src/client/index.js";
import { note, statements } from "../crew/connection.js";
import { Histogram } from "../crew/histogram.js";
import type { Work } from "../crew/order.js";
import type { Report } from "../report/report.js";
import { ms, rate, table } from "../report/table.js";
import type { Own, Stage } from "../stage.js";

/** What one connection may have in flight. */
const floodedWith = 1000;
/** Between two requests of the polite client. */
const pauseMs = 1;
const seconds = 4;

export const question = `a polite client (a request, ${pauseMs} ms of rest, …) beside a client with ${rate(floodedWith)} requests in flight`;

interface Felt {
  readonly reads: Histogram;
  readonly writes: Histogram;
}

export async function run(stage: Stage, report: Report): Promise<void> {
  const own = await stage.common();
  const rows: string[][] = [];
  const verdicts: (() => void)[] = [];
  const polite = await own.broker.connect({ program: "polite" });
  await feel(polite, 1);
  const alone = await feel(polite, seconds);
  rows.push(row("nobody", alone, 0));
  rows.push(row("processes that only compute", await besideBusy(polite), 0));
  for (const [label, work] of [
    ["a flood of writes", "write-flood"],
    ["a flood of reads", "read-flood"],
  ] as const) {
    const { felt, flood } = await beside(stage, own, work, polite);
    rows.push(row(label, felt, flood));
    for (const what of ["reads", "writes"] as const) {
      const times = felt[what].at(0.99) / alone[what].at(0.99);
      verdicts.push(() => report.atMost(`p99 of a polite client's ${what} under ${label}`, times, 2, " times"));
    }
  }
  await polite.close();
  const head = ["beside", "flood/s", "reads p50 ms", "p99 ms", "max ms", "writes p50 ms", "p99 ms", "max ms"];
  report.print(table(head, rows));
  for (const verdict of verdicts) verdict();
}

/** As many as there are processors. */
async function besideBusy(polite: Broker): Promise<Felt> {
  const busy = Array.from(
    { length: availableParallelism() },
    (): ChildProcess => spawn(process.execPath, ["-e", "for (;;);"], { stdio: "ignore" }),
  );
  try {
    return await feel(polite, seconds);
  } finally {
    for (const one of busy) one.kill("SIGKILL");
  }
}

async function beside(
  stage: Stage,
  own: Own,
  work: Work,
  polite: Broker,
): Promise<{ readonly felt: Felt; readonly flood: number }> {
  let felt: Promise<Felt> | undefined;
  // Over before the flood is.
  const around = { before: () => (felt = feel(polite, seconds - 0.5)), after: () => {} };
  const trial = { who: "broker", work, processes: 1, connections: floodedWith, broker: own, around, seconds } as const;
  const { rate: flood } = await stage.run(trial);
  if (felt === undefined) throw new Error("the flood has not begun");
  return { felt: await felt, flood };
}

async function feel(polite: Broker, forSeconds: number): Promise<Felt> {
  const felt = { reads: new Histogram(), writes: new Histogram() };
  const timed = async (into: Histogram, request: () => Promise<unknown>) => {
    const begun = performance.now();
    await request();
    into.add((performance.now() - begun) * 1000);
    await sleep(pauseMs);
  };
  const until = performance.now() + forSeconds * 1000;
  for (let n = 0; performance.now() < until; n++) {
    await timed(felt.reads, () => polite.get(statements.read, [n % 1000]));
    await timed(felt.writes, () => polite.execute(statements.write, [-1, n, note]));
  }
  return felt;
}

function row(label: string, { reads, writes }: Felt, flood: number): string[] {
  const figures = [reads, writes].flatMap((one) => [one.at(0.5), one.at(0.99), one.maxUs]);
  return [label, rate(flood), ...figures.map(ms)];
}
