/** How many point reads, beside a bare echo, PostgreSQL, Redis and SQLite in the same process? */
import type { Contestant } from "../crew/order.js";
import { contest, type Size } from "../report/contest.js";
import type { Report } from "../report/report.js";
import type { Stage } from "../stage.js";

const lone = { label: "1 process", processes: 1, connections: 1 };
const sixteen = { label: "16 processes", processes: 16, connections: 1 };
const connections = { label: "1 process, 16 connections", processes: 1, connections: 16 };
const sizes: readonly Size[] = [lone, sixteen, { label: "64 processes", processes: 64, connections: 1 }, connections];

export const question = "point reads";

export async function run(stage: Stage, report: Report): Promise<void> {
  const { standings, text } = await contest(stage, {
    work: "read",
    sizes,
    contestants: (size) => ["echo", "broker", "postgres", "redis", ...(size === lone ? (["sqlite"] as const) : [])],
    beside: "echo",
    echoBytes: 140,
    unit: "reads",
  });
  report.print(text);
  for (const size of [sixteen, connections]) {
    const beside = (who: Contestant) =>
      (standings.get(size.label, "broker")?.rate ?? 0) / (standings.get(size.label, who)?.rate ?? Number.NaN);
    if (!stage.isMissing("postgres"))
      report.atLeast(`point reads of ${size.label}, beside PostgreSQL`, beside("postgres"), 1.5, " times");
    if (!stage.isMissing("redis"))
      report.atLeast(`point reads of ${size.label}, beside Redis GET`, beside("redis"), 1, " times");
  }
}
