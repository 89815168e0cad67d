/** How many reads of a hundred rows? */
import { contest, type Size } from "../report/contest.js";
import type { Report } from "../report/report.js";
import type { Stage } from "../stage.js";

const lone = { label: "1 process", processes: 1, connections: 1 };
const sizes: readonly Size[] = [
  lone,
  { label: "16 processes", processes: 16, connections: 1 },
  { label: "1 process, 16 connections", processes: 1, connections: 16 },
];

export const question = "reads of 100 rows";

export async function run(stage: Stage, report: Report): Promise<void> {
  const { text } = await contest(stage, {
    work: "rows",
    sizes,
    contestants: (size) => [...(size === lone ? (["sqlite"] as const) : []), "postgres", "broker"],
    beside: "postgres",
    unit: "reads",
  });
  report.print(text);
}
