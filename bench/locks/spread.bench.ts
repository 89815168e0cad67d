/** How evenly do 64 contenders for one name wait? */
import { median, names } from "../report/contest.js";
import type { Report } from "../report/report.js";
import { ms, table } from "../report/table.js";
import type { Measured, Stage } from "../stage.js";

const rounds = 5;
const contenders = 64;

export const question = `spread of the waits of ${contenders} contenders for one name, ${rounds} runs`;

export async function run(stage: Stage, report: Report): Promise<void> {
  const rows: string[][] = [];
  const shares: number[] = [];
  const trial = { who: "broker", work: "handover", processes: contenders, connections: 1 } as const;
  for (let i = 0; i < stage.many(rounds); i++) {
    const it = await stage.run(trial);
    shares.push(tailOf(it));
    rows.push(row(names.broker, it));
  }
  for (const who of ["live-mutex", "redis", "postgres"] as const)
    if (!stage.isMissing(who)) rows.push(row(names[who], await stage.run({ ...trial, who })));
  report.print(table(["", "mean ms", "p50 ms", "p99 ms", "p99.9 ms", "max ms", "p99.9 / mean"], rows));
  report.atMost("p99.9 of the wait beside its mean, median of 5", median(shares), 2, " times");
}

function tailOf({ latencies }: Measured): number {
  return latencies.at(0.999) / latencies.meanUs;
}

function row(label: string, it: Measured): string[] {
  const { latencies } = it;
  const waits = [latencies.meanUs, latencies.at(0.5), latencies.at(0.99), latencies.at(0.999), latencies.maxUs];
  return [label, ...waits.map(ms), tailOf(it).toFixed(2)];
}
