/** Several contestants at the same work, at several sizes: one table. */
import type { Contestant } from "../crew/order.js";
import type { Measured, Stage, Trial } from "../stage.js";
import { ms, rate, ratio, table } from "./table.js";

export interface Size {
  readonly label: string;
  readonly processes: number;
  readonly connections: number;
}

export interface Contest extends Pick<Trial, "work" | "echoBytes"> {
  readonly sizes: readonly Size[];
  readonly contestants: (size: Size) => readonly Contestant[];
  /** Whom the others' rates are divided by. */
  readonly beside: Contestant;
  readonly unit: string;
  /** What counts as the rate; that of operations when absent. */
  readonly rateOf?: (it: Measured) => number;
  readonly extra?: { readonly head: string; readonly cell: (it: Measured) => string };
}

/** By size and contestant. */
export class Standings {
  readonly #of = new Map<string, Measured>();

  set(size: Size, who: Contestant, it: Measured): void {
    this.#of.set(`${size.label} ${who}`, it);
  }

  get(label: string, who: Contestant): Measured | undefined {
    return this.#of.get(`${label} ${who}`);
  }
}

export const names: { readonly [Who in Contestant]: string } = {
  broker: "broker",
  echo: "bare echo",
  sqlite: "direct SQLite",
  grouped: "in process, by 16",
  "live-mutex": "live-mutex",
  redis: "Redis, ioredis",
  redlock: "Redis, redlock",
  postgres: "PostgreSQL, pg",
  "proper-lockfile": "proper-lockfile",
  flock: "flock(1)",
};

export async function contest(stage: Stage, it: Contest): Promise<{ standings: Standings; text: string }> {
  const standings = new Standings();
  const rateOf = it.rateOf ?? ((one: Measured) => one.rate);
  const rows: string[][] = [];
  for (const size of it.sizes) {
    let label = size.label;
    let unitRate = 0;
    for (const who of it.contestants(size)) {
      if (stage.isMissing(who)) continue;
      const one = await stage.run({ ...size, who, work: it.work, echoBytes: it.echoBytes });
      standings.set(size, who, one);
      if (who === it.beside) unitRate = rateOf(one);
      const extra = it.extra === undefined ? [] : [it.extra.cell(one)];
      rows.push([label, names[who], rate(rateOf(one)), ratio(rateOf(one), unitRate), ...extra, ...costs(one)]);
      label = "";
    }
  }
  const extra = it.extra === undefined ? [] : [it.extra.head];
  const head = ["", "", `${it.unit}/s`, `× ${names[it.beside]}`, ...extra, ...costsHead];
  return { standings, text: table(head, rows) };
}

export const costsHead = [
  ...["p50 ms", "p99 ms", "max ms", "worst/best"],
  ...["server CPU µs: user", "system", "client CPU µs", "errors"],
];

export function costs(one: Measured): string[] {
  const { latencies, serverCpuUs } = one;
  return [
    ms(latencies.at(0.5)),
    ms(latencies.at(0.99)),
    ms(latencies.maxUs),
    one.worstShare.toFixed(2),
    serverCpuUs === undefined ? "–" : serverCpuUs.user.toFixed(1),
    serverCpuUs === undefined ? "–" : serverCpuUs.system.toFixed(1),
    one.clientCpuUs.toFixed(1),
    String(one.errors),
  ];
}

/** The best of some, by a figure of theirs. */
export function best(
  candidates: readonly Contestant[],
  figure: (who: Contestant) => number | undefined,
): { readonly who: Contestant; readonly figure: number } | undefined {
  const known = candidates.flatMap((who) => {
    const value = figure(who);
    return value === undefined ? [] : [{ who, figure: value }];
  });
  return known.sort((a, b) => b.figure - a.figure)[0];
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
