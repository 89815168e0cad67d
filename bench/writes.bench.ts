/** How many durable single-row writes, and how fair, beside the same writes by direct SQLite? */
import { microseconds, ms, rate, ratio, table } from "./report/table.js";
import type { Measured, Stage } from "./stage.js";

const sizes = [
  { label: "1 process", processes: 1, connections: 1 },
  { label: "16 processes", processes: 16, connections: 1 },
  { label: "64 processes", processes: 64, connections: 1 },
  { label: "1 process, 16 connections", processes: 1, connections: 16 },
  { label: "1 process, 64 connections", processes: 1, connections: 64 },
] as const;

export const question =
  "durable single-row writes: broker beside direct SQLite (WAL, synchronous=FULL, busy_timeout 5 s)";

export async function run(stage: Stage, print: (text: string) => void): Promise<void> {
  const rows: string[][] = [];
  for (const { label, processes, connections } of sizes) {
    // In one process SQLite is synchronous: more connections of one process write one after the other.
    const direct = await stage.run("sqlite-write", processes, 1);
    const broker = await stage.run("broker-write", processes, connections);
    rows.push(row(label, "direct SQLite", direct, direct), row("", "broker", broker, direct));
  }
  print(
    table(
      [
        "clients",
        "",
        "writes/s",
        "× direct",
        "p50 ms",
        "p99 ms",
        "max ms",
        "worst/best",
        "broker CPU µs",
        "client CPU µs",
        "errors",
      ],
      rows,
    ),
  );
}

function row(label: string, who: string, it: Measured, direct: Measured): string[] {
  const percentiles = [ms(it.latencies.at(0.5)), ms(it.latencies.at(0.99)), ms(it.maxUs)];
  return [
    label,
    who,
    rate(it.rate),
    ratio(it.rate, direct.rate),
    ...percentiles,
    it.worstShare.toFixed(2),
    microseconds(it.brokerCpuUs),
    it.clientCpuUs.toFixed(1),
    String(it.errors),
  ];
}
