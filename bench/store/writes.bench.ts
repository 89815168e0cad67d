/** How many durable single-row writes, and how fair, beside the same writes by others? */
import type { Contestant } from "../crew/order.js";
import { contest, type Size } from "../report/contest.js";
import type { Report } from "../report/report.js";
import type { Stage } from "../stage.js";

const lone = { label: "1 process", processes: 1, connections: 1 };
const sixteen = { label: "1 process, 16 connections", processes: 1, connections: 16 };
const many = { label: "1 process, 64 connections", processes: 1, connections: 64 };
const sizes: readonly Size[] = [
  lone,
  { label: "16 processes", processes: 16, connections: 1 },
  { label: "64 processes", processes: 64, connections: 1 },
  sixteen,
  many,
];

export const question =
  "durable single-row writes (direct SQLite: WAL, synchronous=FULL, busy_timeout 5 s; PostgreSQL: as it comes)";

/** In one process SQLite is synchronous: more connections of one process write one after the other. */
function contestants(size: Size): readonly Contestant[] {
  if (size === lone) return ["sqlite", "grouped", "broker", "postgres"];
  return size.connections > 1 ? ["broker", "postgres"] : ["sqlite", "broker", "postgres"];
}

export async function run(stage: Stage, report: Report): Promise<void> {
  const { standings, text } = await contest(stage, {
    work: "write",
    sizes,
    contestants,
    beside: "sqlite",
    unit: "writes",
  });
  report.print(text);
  const rateOf = (size: Size, who: Contestant) => standings.get(size.label, who)?.rate ?? Number.NaN;
  const direct = rateOf(lone, "sqlite");
  report.atLeast("writes of 64 connections, beside direct SQLite", rateOf(many, "broker") / direct, 7, " times");
  if (!stage.isMissing("postgres")) {
    const beside = (size: Size) => rateOf(size, "broker") / rateOf(size, "postgres");
    report.atLeast("writes of 64 connections, beside PostgreSQL", beside(many), 3, " times");
    report.atLeast("writes of 16 connections, beside PostgreSQL", beside(sixteen), 1.5, " times");
  }
  report.atMost("a lone writer's time, beside in process", direct / rateOf(lone, "broker"), 1.5, " times");
}
