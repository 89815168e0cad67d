/** One workload at several numbers of clients, each beside a bare echo with as many messages of the same size. */
import type { WorkloadName } from "./crew/order.js";
import { microseconds, ms, rate, ratio, table } from "./report/table.js";
import type { Measured, Stage } from "./stage.js";

export interface Comparison {
  readonly broker: WorkloadName;
  readonly echo: WorkloadName;
  /** Also the same in process, where there is such a thing. */
  readonly direct?: WorkloadName;
  readonly clients: readonly number[];
  readonly echoBytes: number;
  readonly unit: string;
}

export async function besideEcho(stage: Stage, print: (text: string) => void, it: Comparison): Promise<void> {
  const rows: string[][] = [];
  for (const clients of it.clients) {
    const echo = await stage.run(it.echo, clients, 1, it.echoBytes);
    const broker = await stage.run(it.broker, clients, 1);
    rows.push(row(`${clients} clients`, "bare echo", echo, echo), row("", "broker", broker, echo));
    if (it.direct !== undefined) rows.push(row("", "in process", await stage.run(it.direct, clients, 1), echo));
  }
  print(
    table(
      [
        "",
        "",
        `${it.unit}/s`,
        "× echo",
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

function row(label: string, who: string, it: Measured, echo: Measured): string[] {
  const percentiles = [ms(it.latencies.at(0.5)), ms(it.latencies.at(0.99)), ms(it.maxUs)];
  return [
    label,
    who,
    rate(it.rate),
    ratio(it.rate, echo.rate),
    ...percentiles,
    it.worstShare.toFixed(2),
    microseconds(it.brokerCpuUs),
    it.clientCpuUs.toFixed(1),
    String(it.errors),
  ];
}
