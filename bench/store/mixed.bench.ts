/** Nine point reads, then one durable write, over and over. */
import { contest, type Size } from "../report/contest.js";
import type { Report } from "../report/report.js";
import type { Stage } from "../stage.js";

const sizes: readonly Size[] = [
  { label: "16 processes", processes: 16, connections: 1 },
  { label: "1 process, 16 connections", processes: 1, connections: 16 },
];

export const question = "nine point reads to one durable write";

export async function run(stage: Stage, report: Report): Promise<void> {
  const { text } = await contest(stage, {
    work: "mixed",
    sizes,
    contestants: (size) => [...(size.processes > 1 ? (["sqlite"] as const) : []), "postgres", "broker"],
    beside: "postgres",
    unit: "operations",
  });
  report.print(text);
}
