/** What do exactly-once (a request key) and fences cost a write? */
import type { Work } from "../crew/order.js";
import { median } from "../report/contest.js";
import type { Report } from "../report/report.js";
import { microseconds, ms, rate, ratio, table } from "../report/table.js";
import type { Measured, Stage } from "../stage.js";

const kinds: readonly (readonly [label: string, work: Work])[] = [
  ["without a request key, raw", "keyless-write"],
  ["with one, raw", "keyed-write"],
  ["with one, library", "write"],
  ["and a fence, library", "fenced-write"],
];
const rounds = 3;

export const question = "what request keys and fences cost: durable writes from 16 connections of one process";

export async function run(stage: Stage, report: Report): Promise<void> {
  const measured = new Map<Work, Measured[]>(kinds.map(([, work]) => [work, []]));
  for (let i = 0; i < stage.many(rounds); i++)
    for (const [, work] of kinds)
      measured.get(work)?.push(await stage.run({ who: "broker", work, processes: 1, connections: 16 }));
  const rateOf = (work: Work) => median((measured.get(work) ?? []).map((it) => it.rate));
  const rows = kinds.map(([label, work]) => {
    const all = measured.get(work) ?? [];
    const cpu = median(all.map(({ serverCpuUs }) => (serverCpuUs?.user ?? 0) + (serverCpuUs?.system ?? 0)));
    const beside = work === "keyless-write" || work === "keyed-write" ? "keyless-write" : "write";
    return [
      label,
      rate(rateOf(work)),
      ratio(rateOf(work), rateOf(beside)),
      ms(median(all.map((it) => it.latencies.at(0.5)))),
      microseconds(cpu),
    ];
  });
  report.print(table(["", "writes/s", "× without", "p50 ms", "broker CPU µs"], rows));
}
