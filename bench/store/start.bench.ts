/** How long from nothing to the first answer, when a program needs a broker and none runs? */
import { Histogram } from "../crew/histogram.js";
import type { Report } from "../report/report.js";
import { ms, table } from "../report/table.js";
import type { Stage } from "../stage.js";

const rounds = 15;

export const question = "start on demand: from spawning the broker to its first answer";

export async function run(stage: Stage, report: Report): Promise<void> {
  const times = new Histogram();
  for (let i = 0; i < stage.many(rounds); i++) {
    const begun = performance.now();
    const own = await stage.empty();
    await own.admin.get("select 1");
    times.add((performance.now() - begun) * 1000);
    await stage.end(own);
  }
  const cells = [`${rounds} cold starts`, ms(times.at(0.5)), ms(times.at(0.9)), ms(times.maxUs)];
  report.print(table(["", "median ms", "p90 ms", "max ms"], [cells]));
  report.atMost("cold start to the first answer, median", times.at(0.5) / 1000, 300, " ms");
}
